package surface

import (
	"context"
	"math"
	"slices"
)

// roundHole is the most that the square of a hole's length may be, in parts of the
// area of the part it is in: the rim of a small sheet is not a hole.
const roundHole = 0.5

// fillHoles closes loops of border edges that are short, each with the triangles whose
// cost is least in all (G. Barequet, M. Sharir, "Filling gaps in the boundary of a
// polyhedron", 1995).
func (m *mesh) fillHoles(ctx context.Context, mates []int32, most int) error {
	if most < 3 {
		return nil
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
	var starts []int32
	for h, g := range mates {
		if g == border {
			next[m.to(int32(h))] = m.from(int32(h))
			starts = append(starts, m.to(int32(h)))
		}
	}
	var holes [][]int32
	for i, first := range starts {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for _, loop := range m.loops(next, first) {
			if len(loop) <= most && m.small(loop, area[parts.root(loop[0])]) {
				holes = append(holes, loop)
			}
		}
	}
	m.unsplit()
	known := m.edgeTest()
	for _, loop := range holes {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.fill(loop, known)
	}
	return nil
}

// loops takes a loop of the border out of next, as loops that pass no vertex twice:
// holes that meet at a vertex, which was split there, have one loop in common. The
// vertices are those before the split.
func (m *mesh) loops(next map[int32]int32, first int32) (loops [][]int32) {
	var walk []int32
	at := map[int32]int{}
	for v, ok := first, true; ok; {
		var w int32
		if w, ok = next[v]; ok {
			delete(next, v)
		}
		o := m.original(v)
		if i, seen := at[o]; seen {
			loops = append(loops, slices.Clone(walk[i:]))
			for _, u := range walk[i:] {
				delete(at, u)
			}
			walk = walk[:i]
		}
		at[o] = len(walk)
		walk = append(walk, o)
		v = w
	}
	return loops
}

// small tells whether a loop is round a hole rather than the rim of its part.
func (m *mesh) small(loop []int32, area float64) bool {
	if len(loop) < 3 {
		return false
	}
	perimeter := 0.0
	for i, v := range loop {
		perimeter += length(sub(m.at(v), m.at(loop[(i+1)%len(loop)])))
	}
	return perimeter*perimeter <= roundHole*area
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

// patchCost is the area of a triangle, with something for long edges, which slivers
// have; those without area are out of the question.
func (m *mesh) patchCost(i, j, k int32) float64 {
	const edges, flat = 0.02, 1e-4
	a, b, c := m.at(i), m.at(j), m.at(k)
	u, v, w := sub(b, a), sub(c, a), sub(c, b)
	squares := dot(u, u) + dot(v, v) + dot(w, w)
	area := length(cross(u, v))
	if area <= flat*squares {
		return math.Inf(1)
	}
	return area + edges*squares
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
				if c += m.patchCost(loop[i], loop[k], loop[j]); c < cost[i*n+j] {
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
