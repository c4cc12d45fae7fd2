// Package texture scales and samples pictures of surfaces.
package texture

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"
)

// Image is a picture of 8-bit red, green, blue, alpha, not premultiplied.
type Image struct {
	Width, Height int
	Pix           []uint8

	mips levels
}

// New copies a picture.
func New(src image.Image) *Image {
	b := src.Bounds()
	p := &Image{Width: b.Dx(), Height: b.Dy()}
	if n, ok := src.(*image.NRGBA); ok && n.Stride == 4*p.Width {
		p.Pix = n.Pix[:4*p.Width*p.Height]
		return p
	}
	if r, ok := src.(*image.RGBA); ok && r.Opaque() && r.Stride == 4*p.Width {
		p.Pix = r.Pix[:4*p.Width*p.Height]
		return p
	}
	n := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	if opaque(src) {
		r := &image.RGBA{Pix: n.Pix, Stride: n.Stride, Rect: n.Rect}
		draw.Draw(r, r.Rect, src, b.Min, draw.Src)
	} else {
		for y := range p.Height {
			for x := range p.Width {
				n.SetNRGBA(x, y, color.NRGBAModel.Convert(src.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA))
			}
		}
	}
	p.Pix = n.Pix
	return p
}

func opaque(p image.Image) bool {
	o, ok := p.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// NRGBA shows the picture as one of the standard library, sharing its pixels.
func (p *Image) NRGBA() *image.NRGBA {
	return &image.NRGBA{Pix: p.Pix, Stride: 4 * p.Width, Rect: image.Rect(0, 0, p.Width, p.Height)}
}

// Transparent tells whether any pixel is not opaque.
func (p *Image) Transparent() bool {
	for i := 3; i < len(p.Pix); i += 4 {
		if p.Pix[i] != 255 {
			return true
		}
	}
	return false
}

// tables of the sRGB encoding (IEC 61966-2-1).
var (
	toLinear = sync.OnceValue(func() *[256]float32 {
		var t [256]float32
		for i := range t {
			v := float64(i) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			t[i] = float32(v)
		}
		return &t
	})
	toSRGB = sync.OnceValue(func() *[4097]uint8 {
		var t [4097]uint8
		for i := range t {
			t[i] = encode(float64(i) / 4096)
		}
		return &t
	})
	// steps are the linear values from which on each encoded one is the nearest.
	steps = sync.OnceValue(func() *[257]float32 {
		var t [257]float32
		for i := range t {
			v := (float64(i) - 0.5) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			t[i] = float32(v)
		}
		return &t
	})
)

// Linear undoes the sRGB encoding of a channel.
func Linear(v uint8) float32 { return toLinear()[v] }

// Encode is the sRGB encoding of a linear value, 0 to 1.
func Encode(v float32) uint8 {
	if !(v > 0) {
		return 0
	}
	v = min(v, 1)
	t := steps()
	// The table is right to a step or two; the steps tell exactly.
	n := toSRGB()[int(v*4096)]
	for n < 255 && v >= t[n+1] {
		n++
	}
	for v < t[n] {
		n--
	}
	return n
}

func encode(x float64) uint8 {
	if x <= 0.0031308 {
		x *= 12.92
	} else {
		x = 1.055*math.Pow(x, 1/2.4) - 0.055
	}
	return uint8(x*255 + 0.5)
}

// Half scales to half the width and height, at least 1, by the mean of the pixels
// that one stands for: of light where the picture shows colours, weighted by alpha;
// as vectors of length 1 where it shows normals; else as numbers.
func (p *Image) Half(colors, normals bool) *Image {
	w, h := max(1, p.Width/2), max(1, p.Height/2)
	out := &Image{Width: w, Height: h, Pix: make([]uint8, 4*w*h)}
	linear, srgb := toLinear(), toSRGB()
	for y := range h {
		y0, y1 := y*p.Height/h, max((y+1)*p.Height/h, y*p.Height/h+1)
		for x := range w {
			x0, x1 := x*p.Width/w, max((x+1)*p.Width/w, x*p.Width/w+1)
			var sum [4]float32
			n := float32(0)
			for yy := y0; yy < y1; yy++ {
				for xx := x0; xx < x1; xx++ {
					c := p.Pix[4*(yy*p.Width+xx):][:4]
					n++
					if !colors {
						for k := range 4 {
							sum[k] += float32(c[k])
						}
						continue
					}
					a := float32(c[3])
					sum[0] += linear[c[0]] * a
					sum[1] += linear[c[1]] * a
					sum[2] += linear[c[2]] * a
					sum[3] += a
				}
			}
			to := out.Pix[4*(y*w+x):][:4]
			switch {
			case colors && sum[3] > 0:
				for k := range 3 {
					to[k] = srgb[int(sum[k]/sum[3]*4096+0.5)]
				}
				to[3] = uint8(sum[3]/n + 0.5)
			case colors:
			case normals:
				normalize(to, sum, n)
			default:
				for k := range 4 {
					to[k] = uint8(sum[k]/n + 0.5)
				}
			}
		}
	}
	return out
}

func normalize(to []uint8, sum [4]float32, n float32) {
	var v [3]float32
	l := float32(0)
	for k := range 3 {
		v[k] = sum[k]/n/127.5 - 1
		l += v[k] * v[k]
	}
	if l = float32(math.Sqrt(float64(l))); l < 1e-6 {
		v, l = [3]float32{0, 0, 1}, 1
	}
	for k := range 3 {
		to[k] = uint8((v[k]/l+1)*127.5 + 0.5)
	}
	to[3] = uint8(sum[3]/n + 0.5)
}
