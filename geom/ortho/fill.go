package ortho

import "math"

// around is what surrounds a cell without surface.
type around struct {
	weight float64
	color  [3]float64
	height float64
}

// emit copies the tile into the strip, with small holes closed.
func (t *tile) emit(s *Strip, col int) {
	hole := t.d.o.Hole
	cols := min(StripRows, t.d.grid.Cols-col)
	for y := range s.Rows {
		for x := range cols {
			cell := (y+hole)*t.edge + x + hole
			at := y*t.d.grid.Cols + col + x
			out := s.RGBA[4*at:][:4]
			copy(out, t.cell[3*cell:][:3])
			out[3], s.Heights[at] = t.alpha[cell], t.height[cell]
			if out[3] == 255 {
				continue
			}
			a, ok := t.enclosed(x+hole, y+hole)
			switch {
			case ok && out[3] > 0:
				out[3] = 255
			case ok:
				for k := range 3 {
					out[k] = uint8(a.color[k]/a.weight + 0.5)
				}
				out[3], s.Heights[at] = 255, float32(a.height/a.weight)
			case out[3] == 0:
				clear(out)
			}
		}
	}
}

// enclosed looks for whole cells on both sides of one, in a row or a column, no farther
// apart than a hole is wide; and takes the mean of all four by their distance.
func (t *tile) enclosed(x, y int) (a around, ok bool) {
	var distance [4]int
	for i, d := range [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
		distance[i] = math.MaxInt32
		for n := 1; n <= t.d.o.Hole; n++ {
			xx, yy := x+d[0]*n, y+d[1]*n
			if xx < 0 || yy < 0 || xx >= t.edge || yy >= t.edge {
				break
			}
			cell := yy*t.edge + xx
			if t.alpha[cell] < 255 {
				continue
			}
			distance[i] = n
			w := 1 / float64(n)
			a.weight += w
			a.height += w * float64(t.height[cell])
			for k := range 3 {
				a.color[k] += w * float64(t.cell[3*cell+k])
			}
			break
		}
	}
	width := t.d.o.Hole + 1
	return a, distance[0]+distance[1] <= width || distance[2]+distance[3] <= width
}
