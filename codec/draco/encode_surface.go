package draco

// encSurface is a surface in the order in which a decoder finds its triangles.
type encSurface struct {
	corners    encCorners
	traversal  encTraversal
	valences   encValences
	positions  []uint32 // point → identity of its position
	identities []uint32 // point → identity of all its values
	points     []uint32 // corner → point of the mesh
	opposite   []int32  // corner → corner
	renumbered []int32  // corner before → corner
	main       encSequence
	again      encSequence // as main, in another order
	seams      []encSeams
	walk       encWalk
}

// encSeams is the surface cut open where an attribute has several values.
type encSeams struct {
	bits     []byte // for each edge inside: it is cut
	cut      bool   // any is
	sequence encSequence
}

// encSequence is the order of the values of an attribute.
type encSequence struct {
	opposite []int32
	vertex   []int32 // corner → number of its value
	boundary []bool  // vertex before it was numbered by value → on a boundary
	corners  []int32 // value → the corner it was found at
}

// renumber puts triangles into the order of decoding: those of symbols from the
// last to the first, then those that surfaces start with.
func (s *encSurface) renumber() {
	t, c := &s.traversal, &s.corners
	n := len(c.points)
	s.renumbered = encResize(s.renumbered, n)
	s.points = encResize(s.points, n)
	s.opposite = encResize(s.opposite, n)
	s.main.vertex = encResize(s.main.vertex, n)
	symbols := len(t.order)
	first := func(triangle int) int32 {
		if triangle < symbols {
			return t.order[symbols-1-triangle]
		}
		return t.starts[triangle-symbols]
	}
	for i := 0; i < n; i += 3 {
		a := first(i / 3)
		b, d := encNext(a), encPrevious(a)
		s.renumbered[a], s.renumbered[b], s.renumbered[d] = int32(i), int32(i+1), int32(i+2)
	}
	for i := 0; i < n; i += 3 {
		a := first(i / 3)
		for k, from := range [...]int32{a, encNext(a), encPrevious(a)} {
			to := i + k
			s.points[to] = c.points[from]
			s.main.vertex[to] = c.vertex[from]
			s.opposite[to] = encNone
			if o := c.opposite[from]; o != encNone {
				s.opposite[to] = s.renumbered[o]
			}
		}
	}
	s.main.opposite = s.opposite
	s.main.boundary = append(s.main.boundary[:0], c.boundary...)
}

// cutAt finds where the values of an attribute differ across an edge.
func (s *encSurface) cutAt(a *Attribute, seams *encSeams) {
	seams.bits, seams.cut = seams.bits[:0], false
	for i, o := range s.opposite {
		// A decoder asks at the first of two triangles, and not at open edges.
		if int(o)/3 <= i/3 {
			continue
		}
		p, q := s.points[encNext(int32(i))], s.points[encPrevious(o)]
		r, t := s.points[encPrevious(int32(i))], s.points[encNext(o)]
		bit := byte(0)
		if p != q && !a.same(int(p), int(q)) || r != t && !a.same(int(r), int(t)) {
			bit, seams.cut = 1, true
		}
		seams.bits = append(seams.bits, bit)
	}
	if !seams.cut {
		return
	}
	q := &seams.sequence
	q.opposite = append(q.opposite[:0], s.opposite...)
	q.vertex = encResize(q.vertex, len(s.opposite))
	k := 0
	for i, o := range s.opposite {
		if int(o)/3 <= i/3 {
			continue
		}
		if seams.bits[k] != 0 {
			q.opposite[i], q.opposite[o] = encNone, encNone
		}
		k++
	}
	q.boundary = encFans(q.opposite, q.vertex, q.boundary)
}

// decodedPoints counts the points that a decoder makes: one for each vertex, and
// where cuts meet it, for each of the different values around it. It needs the
// vertices of all cuts, in any numbering.
func (s *encSurface) decodedPoints() int {
	cuts := make([]*encSequence, 0, len(s.seams))
	for i := range s.seams {
		if s.seams[i].cut {
			cuts = append(cuts, &s.seams[i].sequence)
		}
	}
	vertices := len(s.main.boundary)
	if len(cuts) == 0 {
		return vertices
	}
	changed := make([]bool, vertices)
	n := 0
	for i, v := range s.main.vertex {
		o := s.opposite[encPrevious(int32(i))]
		if o == encNone {
			continue
		}
		right := encPrevious(o)
		for _, q := range cuts {
			if q.vertex[i] != q.vertex[right] {
				changed[v] = true
				n++
				break
			}
		}
	}
	for v, open := range s.main.boundary {
		if open || !changed[v] {
			n++
		}
	}
	return n
}
