package texturing

// page is a texture in the making.
type page struct {
	width, height int
	pix           []uint8 // rgb
	filled        []bool  // texels that have their colour
}

// chunkRows is how many rows of a patch are one piece of work.
const chunkRows = 32

// extract copies patches from the photos to the pages, with exposure compensated.
func (t *texturer) extract() error {
	for i := range t.pages {
		g := &t.pages[i]
		g.pix, g.filled = make([]uint8, 3*g.width*g.height), make([]bool, g.width*g.height)
	}
	byView := make([][]int, len(t.views))
	for i := range t.patches {
		if v := t.patches[i].view; v >= 0 {
			byView[v] = append(byView[v], i)
		}
	}
	var list []int
	for v := range byView {
		if len(byView[v]) > 0 {
			list = append(list, v)
		}
	}
	done := 0
	return t.eachPhoto(list, func(view int, rgb []uint8) error {
		t.progress(0.60 + 0.20*float64(done)/float64(len(list)))
		done++
		type rows struct{ patch, from, to int }
		var work []rows
		for _, i := range byView[view] {
			for y := 0; y < t.patches[i].h; y += chunkRows {
				work = append(work, rows{i, y, min(y+chunkRows, t.patches[i].h)})
			}
		}
		return t.each(len(work), 4, func(from, to int) {
			for _, w := range work[from:to] {
				for y := w.from; y < w.to; y++ {
					t.copyRow(&t.patches[w.patch], rgb, y)
				}
			}
		})
	})
}

// copyRow copies a row of a patch: pixels, or the mean of what a texel covers of them.
func (t *texturer) copyRow(p *patch, rgb []uint8, y int) {
	g := &t.pages[p.page]
	out := g.pix[3*((p.y+y)*g.width+p.x):][:3*p.w]
	l := &t.tone.lenses[p.view]
	size := 1 / t.scale
	top := p.from[1] + float64(y)*size
	var factor [3]float32
	for x := range p.w {
		left := p.from[0] + float64(x)*size
		if x%8 == 0 { // it changes slowly
			factor = t.tone.at(int(p.view), left+4*size, top+size/2)
		}
		var c [3]float32
		if t.scale == 1 {
			i := min(max(int(left), 0), l.w-1) + min(max(int(top), 0), l.h-1)*l.w
			c = [3]float32{float32(rgb[3*i]), float32(rgb[3*i+1]), float32(rgb[3*i+2])}
		} else {
			c = boxMean(rgb, l.w, l.h, left, top, size)
		}
		for k := range 3 {
			out[3*x+k] = uint8(min(c[k]*factor[k]+0.5, 255))
		}
	}
}

// boxMean is the mean of a photo over a square, with shares of pixels.
func boxMean(rgb []uint8, w, h int, left, top, size float64) (c [3]float32) {
	left, top = min(max(left, 0), float64(w)-size), min(max(top, 0), float64(h)-size)
	sum, total := [3]float64{}, 0.0
	for y := max(int(top), 0); y < h && float64(y) < top+size; y++ {
		dy := min(float64(y+1), top+size) - max(float64(y), top)
		for x := max(int(left), 0); x < w && float64(x) < left+size; x++ {
			a := dy * (min(float64(x+1), left+size) - max(float64(x), left))
			i := 3 * (y*w + x)
			for k := range 3 {
				sum[k] += a * float64(rgb[i+k])
			}
			total += a
		}
	}
	if total > 0 {
		for k := range 3 {
			c[k] = float32(sum[k] / total)
		}
	}
	return c
}

// sample returns the colour of a page between texels.
func (g *page) sample(x, y float32) (c [3]float32) {
	x, y = min(max(x-0.5, 0), float32(g.width-1)), min(max(y-0.5, 0), float32(g.height-1))
	x0, y0 := int(x), int(y)
	fx, fy := x-float32(x0), y-float32(y0)
	x1, y1 := min(x0+1, g.width-1), min(y0+1, g.height-1)
	for k := range 3 {
		top := float32(g.pix[3*(y0*g.width+x0)+k])*(1-fx) + float32(g.pix[3*(y0*g.width+x1)+k])*fx
		low := float32(g.pix[3*(y1*g.width+x0)+k])*(1-fx) + float32(g.pix[3*(y1*g.width+x1)+k])*fx
		c[k] = top*(1-fy) + low*fy
	}
	return c
}
