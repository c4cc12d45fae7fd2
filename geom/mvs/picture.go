package mvs

// picture is a grey image of levels -128 to 127: about zero, sums of squares lose
// least.
type picture struct {
	w, h int
	pix  []float32
}

func newPicture(w, h int, gray []uint8) *picture {
	p := &picture{w: w, h: h, pix: make([]float32, w*h)}
	for i, v := range gray {
		p.pix[i] = float32(v) - 128
	}
	return p
}

// halved returns the picture at half its size, by the mean of four pixels.
func (p *picture) halved() *picture {
	w, h := p.w/2, p.h/2
	q := &picture{w: w, h: h, pix: make([]float32, w*h)}
	for y := range h {
		a, b := p.pix[2*y*p.w:][:p.w], p.pix[(2*y+1)*p.w:][:p.w]
		out := q.pix[y*w:][:w]
		for x := range out {
			out[x] = (a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1]) / 4
		}
	}
	return q
}

// pyramid returns the picture at levels sizes, the full one first.
func pyramid(p *picture, levels int) []*picture {
	list := []*picture{p}
	for len(list) < levels {
		list = append(list, list[len(list)-1].halved())
	}
	return list
}
