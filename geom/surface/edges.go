package surface

// Half-edge 3·t+k runs from corner k of triangle t to the next corner.

const (
	border = -1 // the mate of a half-edge without one
	tangle = -2 // that of one whose edge has more than two triangles, or two of one sense
)

// nextInTriangle is the half-edge after h in its triangle.
func nextInTriangle(h int32) int32 {
	if h%3 == 2 {
		return h - 2
	}
	return h + 1
}

func (m *mesh) from(h int32) int32 { return m.triangles[h/3][h%3] }

func (m *mesh) to(h int32) int32 { return m.from(nextInTriangle(h)) }

// mates finds the half-edge that runs the other way for each.
func (m *mesh) mates() []int32 {
	start, out := m.outgoing()
	mates := make([]int32, 3*len(m.triangles))
	for h := range int32(len(mates)) {
		a, b := m.from(h), m.to(h)
		mates[h] = border
		for _, g := range out[start[b]:start[b+1]] {
			if m.to(g) == a {
				if mates[h] != border {
					mates[h] = tangle
					break
				}
				mates[h] = g
			}
		}
	}
	for h, g := range mates {
		if g >= 0 && mates[g] == tangle {
			mates[h] = tangle
		} else if g == border && m.twice(int32(h), out[start[m.from(int32(h))]:start[m.from(int32(h))+1]]) {
			mates[h] = tangle
		}
	}
	return mates
}

// twice tells whether a half-edge is there more than once among those of its vertex.
func (m *mesh) twice(h int32, out []int32) bool {
	for _, g := range out {
		if g != h && m.to(g) == m.to(h) {
			return true
		}
	}
	return false
}

// outgoing gives the half-edges of each vertex: those of v are out[start[v]:start[v+1]].
func (m *mesh) outgoing() (start, out []int32) {
	start = make([]int32, len(m.scale)+1)
	for _, t := range m.triangles {
		for _, v := range t {
			start[v+1]++
		}
	}
	for v := range m.scale {
		start[v+1] += start[v]
	}
	out = make([]int32, 3*len(m.triangles))
	for h := int32(len(out)) - 1; h >= 0; h-- {
		v := m.from(h)
		start[v+1]--
		out[start[v+1]] = h
	}
	// start[v+1] has become where v begins.
	copy(start, start[1:])
	start[len(m.scale)] = int32(len(out))
	return start, out
}
