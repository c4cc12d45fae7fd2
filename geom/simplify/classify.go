package simplify

// kind is what a place allows.
type kind uint8

const (
	free  kind = iota
	lined      // lies on a line with two ends: it may move along it
	fixed      // an end of lines, a crossing, or locked
)

// Weights of the planes that keep lines.
const (
	borderWeight = 10
	seamWeight   = 1
)

// edgeKind is what an edge of a place is.
type edgeKind uint8

const (
	inner  edgeKind = iota
	seam            // vertices or groups differ on its sides
	border          // one triangle
	odd             // three triangles or more
)

// neighbour is an edge of a place while its triangles are gathered.
type neighbour struct {
	place    uint32
	own      [2]uint32 // vertices of the place on both sides
	other    [2]uint32 // vertices of the neighbour
	group    [2]uint32
	corner   uint32 // of the place, in the first triangle
	count    int
	outgoing int // triangles that run from the place to the neighbour
}

// ring gathers the edges of a place. The slice is used again.
func (s *state) ring(place uint32, out []neighbour) []neighbour {
	out = out[:0]
	for _, c := range s.around(place) {
		own := s.indices[c]
		g := uint32(0)
		if s.groups != nil {
			g = s.groups[c/3]
		}
		for k, o := range [2]uint32{s.indices[nextCorner(c)], s.indices[previousCorner(c)]} {
			p := s.place[o]
			i := 0
			for i < len(out) && out[i].place != p {
				i++
			}
			if i == len(out) {
				out = append(out, neighbour{place: p, corner: c})
			}
			e := &out[i]
			if e.count < 2 {
				e.own[e.count], e.other[e.count], e.group[e.count] = own, o, g
			}
			e.count++
			if k == 0 {
				e.outgoing++
			}
		}
	}
	return out
}

func (e *neighbour) kind() edgeKind {
	switch {
	case e.count == 1:
		return border
	case e.count > 2 || e.outgoing != 1:
		return odd
	case e.own[0] != e.own[1] || e.other[0] != e.other[1] || e.group[0] != e.group[1]:
		return seam
	}
	return inner
}

// classify tells of each place what it allows.
func (s *state) classify() error {
	s.parallel(len(s.place), func(_, from, to int) {
		var ring []neighbour
		for p := from; p < to; p++ {
			if s.place[p] != uint32(p) || s.start[p] == s.start[p+1] {
				continue
			}
			if p&0xffff == 0 && s.ctx.Err() != nil {
				return
			}
			ring = s.ring(uint32(p), ring)
			s.kind[p] = s.kindOf(uint32(p), ring)
		}
	})
	return s.ctx.Err()
}

func (s *state) kindOf(p uint32, ring []neighbour) kind {
	if s.locked[p] {
		return fixed
	}
	lines, borders := 0, 0
	for i := range ring {
		switch ring[i].kind() {
		case inner:
		case border:
			lines++
			borders++
		case odd:
			return fixed
		default:
			lines++
		}
	}
	switch {
	case s.o.LockBorder && borders > 0:
		return fixed
	case lines == 0:
		return free
	case lines == 2 && borders != 1:
		return lined
	}
	return fixed
}

// quadrics gives each place its planes, and each vertex the course of its
// attributes.
func (s *state) quadrics() {
	n := len(s.place)
	s.shape = make([]quadric, n)
	k := s.m.Stride
	if k > 0 {
		s.look = make([]quadric, n)
		s.course = make([]course, n*k)
	}
	s.parallel(n, func(_, from, to int) {
		var ring []neighbour
		for p := from; p < to; p++ {
			if s.place[p] != uint32(p) {
				continue
			}
			q := &s.shape[p]
			for _, c := range s.around(uint32(p)) {
				f := c / 3 * 3
				q.triangle(s.at(f), s.at(f+1), s.at(f+2))
				if k > 0 {
					s.addCourse(s.indices[c], f)
				}
			}
			if s.kind[p] == free {
				continue
			}
			ring = s.ring(uint32(p), ring)
			for i := range ring {
				e := &ring[i]
				var weight float64
				switch e.kind() {
				case border:
					weight = borderWeight
				case seam:
					weight = seamWeight
				default:
					continue
				}
				c := e.corner
				third := nextCorner(c)
				if s.place[s.indices[third]] == e.place {
					third = previousCorner(c)
				}
				q.edge(s.pos[p], s.pos[e.place], s.at(third), weight)
			}
		}
	})
}

func (s *state) at(corner uint32) [3]float64 { return s.pos[s.place[s.indices[corner]]] }

// addCourse adds the course of attributes over a triangle to one of its vertices.
func (s *state) addCourse(v, first uint32) {
	a, b, c := s.at(first), s.at(first+1), s.at(first+2)
	g, ok := newGradients(a, b, c)
	if !ok {
		return
	}
	n := cross(g.u, g.v)
	area := 0.5 * sqrt(dot(n, n))
	k := s.m.Stride
	va, vb, vc := int(s.indices[first])*k, int(s.indices[first+1])*k, int(s.indices[first+2])*k
	q := &s.look[v]
	w := q.w
	for i := range k {
		at := s.attr
		dir, d := g.of(float64(at[va+i]), float64(at[vb+i]), float64(at[vc+i]))
		q.plane(dir, d, area)
		t := &s.course[int(v)*k+i]
		t.x += float32(dir[0] * area)
		t.y += float32(dir[1] * area)
		t.z += float32(dir[2] * area)
		t.c += float32(d * area)
	}
	q.w = w + area
}

// lookAt is the squared difference of attributes that vertex v stands for, to those
// of vertex to at a position.
func (s *state) lookAt(v, to uint32, p [3]float64) float64 {
	q := &s.look[v]
	sum := q.at(p)
	k := s.m.Stride
	a, t := s.attr[int(to)*k:][:k], s.course[int(v)*k:][:k]
	for i, x := range a {
		f := float64(x)
		sum += f * (f*q.w - 2*(float64(t[i].x)*p[0]+float64(t[i].y)*p[1]+float64(t[i].z)*p[2]+float64(t[i].c)))
	}
	return max(sum, 0)
}
