package surface

import "slate360.ai/worker/geom/delaunay"

// seenKept is the largest table that is used again.
const seenKept = 512

// star is the cells around a vertex.
type star struct {
	cells []int32
	seen  []int32 // a hash table of them, plus one
}

// collect finds the star of vertex i, of which one cell is known.
func (s *star) collect(t *delaunay.Triangulation, i, cell int32) {
	if len(s.seen) > seenKept {
		s.seen = nil // the star of an outlier: clearing its table each time would take long
	}
	clear(s.seen)
	s.cells = s.cells[:0]
	s.push(cell)
	for k := 0; k < len(s.cells); k++ {
		c := s.cells[k]
		for j, w := range t.Cells[c] {
			if w != i {
				s.push(t.Faces[c][j] >> 2)
			}
		}
	}
}

func (s *star) push(c int32) {
	if 2*len(s.cells) >= len(s.seen) {
		s.seen = make([]int32, max(128, 2*len(s.seen)))
		for _, d := range s.cells {
			*s.slot(d) = d + 1
		}
	}
	if p := s.slot(c); *p == 0 {
		*p = c + 1
		s.cells = append(s.cells, c)
	}
}

func (s *star) slot(c int32) *int32 {
	mask := uint32(len(s.seen) - 1)
	for h := uint32(c) * 0x9e3779b1 >> 7; ; h++ {
		if p := &s.seen[h&mask]; *p == 0 || *p == c+1 {
			return p
		}
	}
}
