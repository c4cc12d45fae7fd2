package texturing

// finishPages colours what no view shows, then all texels between patches, from what
// is nearby, so that smaller versions of pages mix in nothing strange.
func (t *texturer) finishPages() error {
	if err := t.paintUnseen(); err != nil {
		return err
	}
	for i := range t.pages {
		if err := t.fill(&t.pages[i]); err != nil {
			return err
		}
	}
	return nil
}

// fill gives empty texels the mean of the smallest square of a pyramid around them that
// is not empty (push and pull: S. Gortler et al., "The lumigraph", 1996).
func (t *texturer) fill(g *page) error {
	levels := []*page{g}
	for l := g; l.width > 1 || l.height > 1; {
		h := &page{width: (l.width + 1) / 2, height: (l.height + 1) / 2}
		h.pix, h.filled = make([]uint8, 3*h.width*h.height), make([]bool, h.width*h.height)
		from := l
		err := t.each(h.height, 64, func(y0, y1 int) {
			for y := y0; y < y1; y++ {
				from.push(h, y)
			}
		})
		if err != nil {
			return err
		}
		levels = append(levels, h)
		l = h
	}
	for i := len(levels) - 2; i >= 0; i-- {
		l, up := levels[i], levels[i+1]
		err := t.each(l.height, 128, func(y0, y1 int) {
			for y := y0; y < y1; y++ {
				l.pull(up, y)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pull fills the empty texels of a row from the next smaller page, which has none left,
// smoothly: a page is smaller as a file then.
func (g *page) pull(up *page, y int) {
	y0 := y / 2
	y1 := min(max(y0-1+2*(y%2), 0), up.height-1)
	for x := range g.width {
		at := y*g.width + x
		if g.filled[at] {
			continue
		}
		x0 := x / 2
		x1 := min(max(x0-1+2*(x%2), 0), up.width-1)
		for k := range 3 {
			a, b := uint32(up.pix[3*(y0*up.width+x0)+k]), uint32(up.pix[3*(y0*up.width+x1)+k])
			c, d := uint32(up.pix[3*(y1*up.width+x0)+k]), uint32(up.pix[3*(y1*up.width+x1)+k])
			g.pix[3*at+k] = uint8((9*a + 3*b + 3*c + d + 8) / 16)
		}
	}
}

// push sets a row of the next smaller page.
func (g *page) push(h *page, y int) {
	for x := range h.width {
		var sum [3]uint32
		n := uint32(0)
		for j := 2 * y; j < min(2*y+2, g.height); j++ {
			for i := 2 * x; i < min(2*x+2, g.width); i++ {
				if at := j*g.width + i; g.filled[at] {
					n++
					for k := range 3 {
						sum[k] += uint32(g.pix[3*at+k])
					}
				}
			}
		}
		if n > 0 {
			at := y*h.width + x
			h.filled[at] = true
			for k := range 3 {
				h.pix[3*at+k] = uint8((sum[k] + n/2) / n)
			}
		}
	}
}
