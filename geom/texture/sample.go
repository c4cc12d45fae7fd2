package texture

import (
	"math"
	"sync"
)

// levels of pictures, each half the one before.
type levels struct {
	once sync.Once
	list []*Image
}

// Level returns the picture scaled so that about one pixel stands for as many of
// it: 4 is half its size. Levels are made once, and kept.
func (p *Image) Level(pixels float64) *Image {
	p.mips.once.Do(func() {
		p.mips.list = []*Image{p}
		for q := p; q.Width > 1 || q.Height > 1; {
			q = q.Half(true, false)
			p.mips.list = append(p.mips.list, q)
		}
	})
	if !(pixels > 1) {
		return p
	}
	l := int(math.Log2(pixels)/2 + 0.3)
	return p.mips.list[min(l, len(p.mips.list)-1)]
}

// Sample returns the linear colour and alpha at a place, 0 to 1, repeated beyond;
// v is downwards.
func (p *Image) Sample(u, v float32) [4]float32 {
	x, y := wrap(u)*float32(p.Width)-0.5, wrap(v)*float32(p.Height)-0.5
	x0, y0 := int(math.Floor(float64(x))), int(math.Floor(float64(y)))
	fx, fy := x-float32(x0), y-float32(y0)
	var out [4]float32
	t := toLinear()
	for j := range 2 {
		for i := range 2 {
			w := (1 - fx) + float32(i)*(2*fx-1)
			w *= (1 - fy) + float32(j)*(2*fy-1)
			c := p.Pix[4*(mod(y0+j, p.Height)*p.Width+mod(x0+i, p.Width)):][:4]
			out[0] += w * t[c[0]]
			out[1] += w * t[c[1]]
			out[2] += w * t[c[2]]
			out[3] += w * float32(c[3]) / 255
		}
	}
	return out
}

func wrap(v float32) float32 {
	if v-v != 0 {
		return 0
	}
	return v - float32(math.Floor(float64(v)))
}

func mod(i, n int) int { return (i%n + n) % n }
