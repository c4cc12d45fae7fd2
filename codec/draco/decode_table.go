package draco

// none is no corner, no vertex, no value.
const none = int32(-1)

// decoderTable is a corner table (specification, "Corner"): corner 3f+k is that of
// vertex k of face f; the opposite of a corner is the one across the edge that it
// does not touch.
type decoderTable struct {
	opposite []int32
	vertex   []int32
	// leftmost is a corner of each vertex, the leftmost one of a vertex on a
	// boundary; none for an isolated vertex.
	leftmost []int32
}

func nextCorner(c int32) int32 {
	if c%3 == 2 {
		return c - 2
	}
	return c + 1
}

func previousCorner(c int32) int32 {
	if c%3 == 0 {
		return c + 2
	}
	return c - 1
}

// swingLeft and swingRight turn around the vertex of a corner.
func (t *decoderTable) swingLeft(c int32) int32 {
	o := t.opposite[nextCorner(c)]
	if o < 0 {
		return none
	}
	return nextCorner(o)
}

func (t *decoderTable) swingRight(c int32) int32 {
	o := t.opposite[previousCorner(c)]
	if o < 0 {
		return none
	}
	return previousCorner(o)
}

func (t *decoderTable) link(a, b int32) { t.opposite[a], t.opposite[b] = b, a }

// turn moves leftmost of a vertex as far left as it goes.
func (t *decoderTable) turn(v int32) {
	first := t.leftmost[v]
	if first < 0 {
		return
	}
	c := first
	for {
		n := t.swingLeft(c)
		if n < 0 {
			t.leftmost[v] = c
			return
		}
		if n == first {
			return
		}
		c = n
	}
}

// decoderSeams is the connectivity of an attribute whose values change at some
// edges: the same faces, with the vertices of positions cut in two there.
type decoderSeams struct {
	edge     []bool // of a corner: the edge opposite is a seam
	onSeam   []bool // of a vertex of positions
	vertex   []int32
	leftmost []int32
}

func newDecoderSeams(t *decoderTable) *decoderSeams {
	return &decoderSeams{edge: make([]bool, len(t.vertex)), onSeam: make([]bool, len(t.leftmost))}
}

func (s *decoderSeams) cut(t *decoderTable, c int32) {
	s.edge[c] = true
	s.onSeam[t.vertex[nextCorner(c)]] = true
	s.onSeam[t.vertex[previousCorner(c)]] = true
}

// number gives each side of a seam vertices of its own (specification,
// RecomputeVerticesInternal).
func (s *decoderSeams) number(t *decoderTable) {
	s.vertex = make([]int32, len(t.vertex))
	s.leftmost = make([]int32, 0, len(t.leftmost))
	for v, c := range t.leftmost {
		if c < 0 {
			continue
		}
		first := c
		if s.onSeam[v] {
			for {
				left := s.swingLeft(t, first)
				if left < 0 || left == c {
					break
				}
				first = left
			}
		}
		id := int32(len(s.leftmost))
		s.leftmost = append(s.leftmost, first)
		s.vertex[first] = id
		for act := t.swingRight(first); act >= 0 && act != first; act = t.swingRight(act) {
			if s.edge[nextCorner(act)] {
				id = int32(len(s.leftmost))
				s.leftmost = append(s.leftmost, act)
			}
			s.vertex[act] = id
		}
	}
}

func (s *decoderSeams) swingLeft(t *decoderTable, c int32) int32 {
	n := nextCorner(c)
	if s.edge[n] || t.opposite[n] < 0 {
		return none
	}
	return nextCorner(t.opposite[n])
}

// decoderSurface is what values are predicted over: the connectivity of positions,
// or that of an attribute with seams.
type decoderSurface struct {
	t *decoderTable
	s *decoderSeams // nil for that of positions
}

func (f *decoderSurface) vertex(c int32) int32 {
	if f.s != nil {
		return f.s.vertex[c]
	}
	return f.t.vertex[c]
}

func (f *decoderSurface) opposite(c int32) int32 {
	if f.s != nil && f.s.edge[c] {
		return none
	}
	return f.t.opposite[c]
}

func (f *decoderSurface) swingLeft(c int32) int32 {
	o := f.opposite(nextCorner(c))
	if o < 0 {
		return none
	}
	return nextCorner(o)
}

func (f *decoderSurface) swingRight(c int32) int32 {
	o := f.opposite(previousCorner(c))
	if o < 0 {
		return none
	}
	return previousCorner(o)
}

func (f *decoderSurface) vertices() int {
	if f.s != nil {
		return len(f.s.leftmost)
	}
	return len(f.t.leftmost)
}

// boundary tells whether a vertex lies on a boundary or a seam.
func (f *decoderSurface) boundary(v int32) bool {
	if f.s != nil {
		return f.s.onSeam[f.t.vertex[f.s.leftmost[v]]]
	}
	c := f.t.leftmost[v]
	return c < 0 || f.t.swingLeft(c) < 0
}
