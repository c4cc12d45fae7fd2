package surface

import (
	"context"
	"math"
	"slices"

	"slate360.ai/worker/geom/weld"
)

// vec is a place or direction.
type vec = [3]float64

func (m *mesh) at(v int32) vec {
	p := m.points[3*v : 3*v+3]
	return vec{float64(p[0]), float64(p[1]), float64(p[2])}
}

func length(a vec) float64 { return math.Sqrt(dot(a, a)) }

// area is the normal of a triangle, twice as long as its area is large.
func (m *mesh) area(t [3]int32) vec {
	a := m.at(t[0])
	return cross(sub(m.at(t[1]), a), sub(m.at(t[2]), a))
}

// checkEvery is after how much quick work the context is looked at.
const checkEvery = 1 << 15

// keep drops the triangles that are not to be kept.
func (m *mesh) keep(ctx context.Context, wanted func(i int, t [3]int32) bool) error {
	n := 0
	for i, t := range m.triangles {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if wanted(i, t) {
			m.triangles[n] = t
			n++
		}
	}
	m.triangles = m.triangles[:n]
	return nil
}

const (
	// peelEdge is how long an edge on an open border may be, in distances of merged
	// points, and peelAlike where the triangle faces as its points do.
	peelEdge  = 5
	peelAlike = 12
	// alike is the least cosine between the normal of such a triangle and its points'.
	alike = 0.9
)

// dropLong drops triangles that only span gaps: those with an edge that is longer than
// so many distances of merged points, and long ones that are connected to an open
// border by such triangles. What is left of long ones fills gaps within the surface.
func (m *mesh) dropLong(ctx context.Context, most float64, workers int) error {
	if err := m.keep(ctx, func(_ int, t [3]int32) bool { return m.stretch(t) <= most }); err != nil {
		return err
	}
	mates, err := m.mates(ctx, workers)
	if err != nil {
		return err
	}
	gone := make([]bool, len(m.triangles))
	var stack []int32
	reach := func(t int32) {
		if gone[t] {
			return
		}
		if s := m.stretch(m.triangles[t]); s > peelAlike || s > peelEdge && !m.facesAlike(m.triangles[t]) {
			gone[t] = true
			stack = append(stack, t)
		}
	}
	for h, g := range mates {
		if g < 0 {
			reach(int32(h) / 3)
		}
	}
	for len(stack) > 0 {
		t := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for h := 3 * t; h < 3*t+3; h++ {
			if mates[h] >= 0 {
				reach(mates[h] / 3)
			}
		}
	}
	return m.keep(ctx, func(i int, _ [3]int32) bool { return !gone[i] })
}

// stretch is the longest edge of a triangle, in distances of merged points.
func (m *mesh) stretch(t [3]int32) float64 {
	longest := 0.0
	for k, v := range t {
		w := t[(k+1)%3]
		longest = max(longest, length(sub(m.at(v), m.at(w)))/float64(max(m.scale[v], m.scale[w])))
	}
	return longest
}

// facesAlike tells whether a triangle faces as the points at its corners do.
func (m *mesh) facesAlike(t [3]int32) bool {
	if m.normals == nil {
		return false
	}
	n := m.area(t)
	for _, v := range t {
		w := vec{float64(m.normals[3*v]), float64(m.normals[3*v+1]), float64(m.normals[3*v+2])}
		if dot(n, w) < alike*length(n)*length(w) {
			return false
		}
	}
	return true
}

// dropParts drops parts, connected by vertices, of few triangles: 0 is for the default.
func (m *mesh) dropParts(ctx context.Context, least int) error {
	parts := newSets(len(m.scale))
	for _, t := range m.triangles {
		parts.union(t[0], t[1])
		parts.union(t[1], t[2])
	}
	count := make([]int, len(m.scale))
	largest := 0
	for _, t := range m.triangles {
		r := parts.root(t[0])
		count[r]++
		largest = max(largest, count[r])
	}
	if least == 0 {
		least = max(minPart, largest/1000)
	}
	least = min(least, largest/10)
	return m.keep(ctx, func(_ int, t [3]int32) bool { return count[parts.root(t[0])] >= least })
}

// dropTeeth drops triangles that hang on at most one edge, as often as told.
func (m *mesh) dropTeeth(ctx context.Context, times, workers int) error {
	for range times {
		mates, err := m.mates(ctx, workers)
		if err != nil {
			return err
		}
		err = m.keep(ctx, func(i int, _ [3]int32) bool {
			open := 0
			for _, g := range mates[3*i : 3*i+3] {
				if g == border {
					open++
				}
			}
			return open < 2
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// minPart is the fewest triangles of a part, by default.
const minPart = 200

// manifold drops triangles whose edges have more than two, and gives each fan of
// triangles around a vertex a vertex of its own.
func (m *mesh) manifold(ctx context.Context, workers int) ([]int32, error) {
	for {
		mates, err := m.split(ctx, workers)
		if err != nil || !slices.Contains(mates, tangle) {
			return mates, err
		}
		err = m.keep(ctx, func(i int, _ [3]int32) bool {
			return mates[3*i] != tangle && mates[3*i+1] != tangle && mates[3*i+2] != tangle
		})
		if err != nil {
			return nil, err
		}
	}
}

// split gives each fan of triangles that are connected by edges around a vertex a
// vertex of its own, and returns the mates of half-edges, which this may untangle.
func (m *mesh) split(ctx context.Context, workers int) ([]int32, error) {
	mates, err := m.mates(ctx, workers)
	if err != nil {
		return nil, err
	}
	corners := newSets(len(mates))
	for h, g := range mates {
		if g > int32(h) {
			corners.union(int32(h), nextInTriangle(g))
			corners.union(nextInTriangle(int32(h)), g)
		}
	}
	taken := make([]bool, len(m.scale))
	id := make([]int32, len(mates)) // vertex of each fan, plus one
	changed := false
	for h := range int32(len(mates)) {
		if h%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r := corners.root(h)
		v := m.from(h)
		if id[r] == 0 {
			id[r] = v + 1
			if taken[v] {
				m.points = append(m.points, m.points[3*v:3*v+3]...)
				m.scale = append(m.scale, m.scale[v])
				m.copies = append(m.copies, m.original(v))
				id[r] = int32(len(m.scale))
				changed = true
			} else {
				taken[v] = true
			}
		}
	}
	for h := range int32(len(mates)) {
		m.triangles[h/3][h%3] = id[corners.root(h)] - 1
	}
	if changed {
		return m.mates(ctx, workers)
	}
	return mates, nil
}

// original is the vertex that one is a copy of, or itself.
func (m *mesh) original(v int32) int32 {
	if i := int(v) - (len(m.scale) - len(m.copies)); i >= 0 && i < len(m.copies) {
		return m.copies[i]
	}
	return v
}

// unsplit undoes split.
func (m *mesh) unsplit() {
	for i, t := range m.triangles {
		for k, v := range t {
			m.triangles[i][k] = m.original(v)
		}
	}
	n := len(m.scale) - len(m.copies)
	m.points, m.scale, m.copies = m.points[:3*n], m.scale[:n], nil
}

// apart is how far vertices at one place are moved, in the distance of merged points.
const apart = 0.01

// separate moves vertices that lie at one place into the solid, each on its own side,
// so that a reader that welds vertices sees the same surface.
func (m *mesh) separate() {
	place := weld.Places(m.points)
	shared := make([]bool, len(place))
	any := false
	for v, p := range place {
		if int(p) != v {
			shared[v], shared[p], any = true, true, true
		}
	}
	if !any {
		return
	}
	inward := make([]vec, len(place))
	for _, t := range m.triangles {
		if !shared[t[0]] && !shared[t[1]] && !shared[t[2]] {
			continue
		}
		n := m.area(t)
		for _, v := range t {
			inward[v] = sub(inward[v], n)
		}
	}
	for v, s := range shared {
		l := length(inward[v])
		if !s || l == 0 {
			continue
		}
		for a := range 3 {
			m.points[3*v+a] += float32(inward[v][a] / l * apart * float64(m.scale[v]))
		}
	}
}
