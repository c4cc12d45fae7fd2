package texturing

import (
	"cmp"
	"math"
	"slices"

	"slate360.ai/worker/geom/weld"
)

// mesh is the surface, with vertices at one place taken for one.
type mesh struct {
	positions []float32
	triangles []uint32 // after welding
	// across is the triangle beyond edge k of a triangle, from corner k to the next,
	// three each; -1 at borders, and where more than two meet.
	across []int32
	area   []float32 // 0 marks triangles that are left out
}

func newMesh(positions []float32, triangles []uint32) *mesh {
	place := weld.Places(positions)
	m := &mesh{positions: positions, triangles: make([]uint32, len(triangles)), area: make([]float32, len(triangles)/3)}
	for i, v := range triangles {
		m.triangles[i] = place[v]
	}
	for f := range m.area {
		if a := m.normal(f).length() / 2; a > 0 && !math.IsInf(a, 0) {
			m.area[f] = float32(a)
		}
	}
	m.connect()
	return m
}

func (m *mesh) connect() {
	type edge struct {
		a, b uint32
		at   int32
	}
	edges := make([]edge, 0, len(m.triangles))
	for f := range m.area {
		if m.area[f] == 0 {
			continue
		}
		for k := range 3 {
			a, b := m.edge(f, k)
			edges = append(edges, edge{min(a, b), max(a, b), int32(3*f + k)})
		}
	}
	slices.SortFunc(edges, func(x, y edge) int {
		return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b), cmp.Compare(x.at, y.at))
	})
	m.across = make([]int32, len(m.triangles))
	for i := range m.across {
		m.across[i] = -1
	}
	for i := 0; i < len(edges); {
		n := 1
		for i+n < len(edges) && edges[i+n].a == edges[i].a && edges[i+n].b == edges[i].b {
			n++
		}
		if n == 2 && edges[i].at/3 != edges[i+1].at/3 {
			m.across[edges[i].at], m.across[edges[i+1].at] = edges[i+1].at/3, edges[i].at/3
		}
		i += n
	}
}

// edge returns the ends of edge k of a triangle.
func (m *mesh) edge(f, k int) (a, b uint32) {
	return m.triangles[3*f+k], m.triangles[3*f+(k+1)%3]
}

func (m *mesh) point(v uint32) vec {
	p := m.positions[3*v:][:3]
	return vec{float64(p[0]), float64(p[1]), float64(p[2])}
}

// normal is the normal of a triangle, twice as long as its area.
func (m *mesh) normal(f int) vec {
	a := m.point(m.triangles[3*f])
	return cross(m.point(m.triangles[3*f+1]).sub(a), m.point(m.triangles[3*f+2]).sub(a))
}

func (m *mesh) middle(f int) vec {
	a, b, c := m.point(m.triangles[3*f]), m.point(m.triangles[3*f+1]), m.point(m.triangles[3*f+2])
	return vec{(a[0] + b[0] + c[0]) / 3, (a[1] + b[1] + c[1]) / 3, (a[2] + b[2] + c[2]) / 3}
}

func (m *mesh) edgeLength(f, k int) float64 {
	a, b := m.edge(f, k)
	return m.point(a).sub(m.point(b)).length()
}

type vec [3]float64

func (a vec) sub(b vec) vec     { return vec{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }
func (a vec) dot(b vec) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
func (a vec) length() float64   { return math.Sqrt(a.dot(a)) }
func cross(a, b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}
