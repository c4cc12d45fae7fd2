package surface

import "math"

// roundHole is the most that the square of a hole's length may be, in parts of the
// area of the part it is in: the rim of a small sheet is not a hole.
const roundHole = 0.5

// fillHoles closes loops of border edges that are short, each with the triangles that
// have the least area in all (G. Barequet, M. Sharir, "Filling gaps in the boundary of
// a polyhedron", 1995).
func (m *mesh) fillHoles(mates []int32, most int) {
	if most < 3 {
		return
	}
	parts := newSets(len(m.scale))
	for _, t := range m.triangles {
		parts.union(t[0], t[1])
		parts.union(t[1], t[2])
	}
	area := make([]float64, len(m.scale))
	for _, t := range m.triangles {
		area[parts.root(t[0])] += length(m.area(t)) / 2
	}
	next := map[int32]int32{} // along the border, against the triangles' sense
	for h, g := range mates {
		if g == border {
			next[m.to(int32(h))] = m.from(int32(h))
		}
	}
	known := m.edgeTest()
	for h, g := range mates {
		if g != border {
			continue
		}
		loop, perimeter := m.loop(next, m.to(int32(h)), most)
		if len(loop) < 3 || perimeter*perimeter > roundHole*area[parts.root(loop[0])] {
			continue
		}
		m.fill(loop, known)
	}
}

// loop takes a loop of the border out of next. It is nil where it is too long, or was
// taken before; vertices of one that is too long stay, but the first.
func (m *mesh) loop(next map[int32]int32, first int32, most int) (loop []int32, perimeter float64) {
	v := first
	for {
		w, ok := next[v]
		if !ok || len(loop) == most {
			return nil, 0
		}
		loop = append(loop, v)
		perimeter += length(sub(m.at(v), m.at(w)))
		if v = w; v == first {
			break
		}
	}
	for _, v := range loop {
		delete(next, v)
	}
	return loop, perimeter
}

// edgeTest returns a function that tells whether two vertices have an edge, in the
// mesh as it is now.
func (m *mesh) edgeTest() func(a, b int32) bool {
	start, out := m.outgoing()
	triangles := m.triangles
	from := func(h int32) int32 { return triangles[h/3][h%3] }
	has := func(a, b int32) bool {
		for _, h := range out[start[a]:start[a+1]] {
			if from(nextInTriangle(h)) == b {
				return true
			}
		}
		return false
	}
	return func(a, b int32) bool { return has(a, b) || has(b, a) }
}

// fill triangulates a loop. Chords that are edges already are not used; where there is
// no way without, the hole stays.
func (m *mesh) fill(loop []int32, known func(a, b int32) bool) {
	n := len(loop)
	cost := make([]float64, n*n) // of the polygon i, i+1, …, j
	best := make([]int, n*n)
	for span := 2; span < n; span++ {
		for i := 0; i+span < n; i++ {
			j := i + span
			cost[i*n+j] = math.Inf(1)
			if span < n-1 && known(loop[i], loop[j]) {
				continue
			}
			for k := i + 1; k < j; k++ {
				c := cost[i*n+k] + cost[k*n+j]
				if c >= cost[i*n+j] {
					continue
				}
				if c += length(m.area([3]int32{loop[i], loop[k], loop[j]})); c < cost[i*n+j] {
					cost[i*n+j], best[i*n+j] = c, k
				}
			}
		}
	}
	if math.IsInf(cost[n-1], 1) {
		return
	}
	var emit func(i, j int)
	emit = func(i, j int) {
		if j < i+2 {
			return
		}
		k := best[i*n+j]
		m.triangles = append(m.triangles, [3]int32{loop[i], loop[k], loop[j]})
		emit(i, k)
		emit(k, j)
	}
	emit(0, n-1)
}
