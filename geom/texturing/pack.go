package texturing

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// skyline packs rectangles into a page from the top: where each column is free from
// (J. Jylänki, "A thousand ways to pack the bin", 2010).
type skyline struct {
	width, height int
	steps         []step
}

// step is columns that are free from a row on.
type step struct{ x, y, w int }

func newSkyline(width, height int) *skyline {
	return &skyline{width: width, height: height, steps: []step{{0, 0, width}}}
}

// place puts a rectangle where it ends highest, then leftmost.
func (s *skyline) place(w, h int) (x, y int, ok bool) {
	best, bestY := -1, math.MaxInt
	for i := range s.steps {
		if y, fits := s.rest(i, w); fits && y+h <= s.height && y < bestY {
			best, bestY = i, y
		}
	}
	if best < 0 {
		return 0, 0, false
	}
	x = s.steps[best].x
	s.raise(best, w, bestY+h)
	return x, bestY, true
}

// rest is the row at which a rectangle comes to rest from the left of step i.
func (s *skyline) rest(i, w int) (y int, fits bool) {
	if s.steps[i].x+w > s.width {
		return 0, false
	}
	for ; w > 0; i++ {
		y = max(y, s.steps[i].y)
		w -= s.steps[i].w
	}
	return y, true
}

// raise sets w columns from the left of step i to a row.
func (s *skyline) raise(i, w, y int) {
	x := s.steps[i].x
	end := i
	for end < len(s.steps) && s.steps[end].x+s.steps[end].w <= x+w {
		end++
	}
	if end < len(s.steps) && s.steps[end].x < x+w {
		cut := x + w - s.steps[end].x
		s.steps[end].x += cut
		s.steps[end].w -= cut
	}
	n := step{x, y, w}
	s.steps = slices.Replace(s.steps, i, end, n)
	if i+1 < len(s.steps) && s.steps[i+1].y == y {
		s.steps[i].w += s.steps[i+1].w
		s.steps = slices.Delete(s.steps, i+1, i+2)
	}
	if i > 0 && s.steps[i-1].y == y {
		s.steps[i-1].w += s.steps[i].w
		s.steps = slices.Delete(s.steps, i, i+1)
	}
}

// errPages says that not even the coarsest textures fit.
var errPages = errors.New("texturing: the patches do not fit into the pages: allow more or larger pages, or texture a mesh of fewer triangles")

// arrange finds the largest scale at which all patches fit, and their places.
func (t *texturer) arrange() error {
	t.scale = 1
	for range 60 {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		total := t.size()
		limit := min(t.o.Texels, int64(t.o.MaxPages)*int64(t.o.PageSize)*int64(t.o.PageSize))
		if total <= limit && t.pack(total) {
			return nil
		}
		// A little is always lost between rectangles.
		t.scale *= min(0.95, math.Sqrt(0.93*float64(limit)/float64(total)))
	}
	return errPages
}

// size finds the rectangles at the scale, and returns their area.
func (t *texturer) size() (total int64) {
	pad := t.o.Padding
	for i := range t.patches {
		p := &t.patches[i]
		if p.view >= 0 {
			var size [2]int
			for k := range 2 {
				from := math.Floor(float64(p.lo[k]))
				p.from[k] = from - float64(pad)/t.scale
				size[k] = int(math.Ceil((math.Ceil(float64(p.hi[k]))-from)*t.scale)) + 2*pad
			}
			p.w, p.h = size[0], size[1]
		}
		total += int64(p.w) * int64(p.h)
	}
	return total
}

// pack places all rectangles; false where they do not fit.
func (t *texturer) pack(total int64) bool {
	order := make([]int, len(t.patches))
	widest := 0
	for i := range order {
		order[i] = i
		widest = max(widest, t.patches[i].w)
	}
	slices.SortFunc(order, func(a, b int) int {
		p, q := &t.patches[a], &t.patches[b]
		return cmp.Or(cmp.Compare(q.h, p.h), cmp.Compare(q.w, p.w), cmp.Compare(a, b))
	})
	width := min(t.o.PageSize, max(widest, int(math.Sqrt(1.05*float64(total)))+1))
	var pages []*skyline
	for _, i := range order {
		p := &t.patches[i]
		placed := false
		for n := 0; !placed; n++ {
			if n == len(pages) {
				if n == t.o.MaxPages || p.w > width || p.h > t.o.PageSize {
					return false
				}
				pages = append(pages, newSkyline(width, t.o.PageSize))
			}
			p.page = n
			p.x, p.y, placed = pages[n].place(p.w, p.h)
		}
	}
	t.pages = make([]page, len(pages))
	used := int64(0)
	for i := range t.patches {
		g := &t.pages[t.patches[i].page]
		g.width, g.height = width, max(g.height, t.patches[i].y+t.patches[i].h)
	}
	for i := range t.pages {
		used += int64(t.pages[i].width) * int64(t.pages[i].height)
	}
	return used <= t.o.Texels
}
