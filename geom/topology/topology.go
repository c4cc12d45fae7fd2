// Package topology tells how the triangles of a mesh hold together.
package topology

import (
	"slices"

	"slate360.ai/worker/geom/weld"
)

// Report is what is known of a surface. Vertices of equal position count as one.
type Report struct {
	// BorderEdges have one triangle, NonManifoldEdges more than two.
	BorderEdges      int64 `json:"borderEdges"`
	NonManifoldEdges int64 `json:"nonManifoldEdges"`
	// Manifold: no edge has more than two triangles. Watertight: each has
	// exactly two.
	Manifold   bool `json:"manifold"`
	Watertight bool `json:"watertight"`
	// Degenerate triangles have no area, Duplicate ones the same corners as
	// another.
	Degenerate int64 `json:"degenerate"`
	Duplicate  int64 `json:"duplicate"`
	// Parts that do not touch each other.
	Parts int `json:"parts"`
}

// Analyze looks at triangles: xyz triples, and three indices each, all of which are
// in range.
func Analyze(positions []float32, indices []uint32) Report {
	var r Report
	place := weld.Places(positions)
	edges := make([]uint64, 0, len(indices))
	corners := make([][3]uint32, 0, len(indices)/3)
	parent := make([]uint32, len(place))
	for i := range parent {
		parent[i] = uint32(i)
	}
	root := func(i uint32) uint32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	used := make([]bool, len(place))
	for i := 0; i+2 < len(indices); i += 3 {
		t := [3]uint32{place[indices[i]], place[indices[i+1]], place[indices[i+2]]}
		if t[0] == t[1] || t[1] == t[2] || t[2] == t[0] || flat(positions, t) {
			r.Degenerate++
			continue
		}
		for k := range 3 {
			a, b := t[k], t[(k+1)%3]
			used[a] = true
			edges = append(edges, uint64(min(a, b))<<32|uint64(max(a, b)))
			parent[root(a)] = root(b)
		}
		slices.Sort(t[:])
		corners = append(corners, t)
	}
	slices.Sort(edges)
	for i := 0; i < len(edges); {
		j := i
		for j < len(edges) && edges[j] == edges[i] {
			j++
		}
		switch {
		case j-i == 1:
			r.BorderEdges++
		case j-i > 2:
			r.NonManifoldEdges++
		}
		i = j
	}
	slices.SortFunc(corners, func(a, b [3]uint32) int { return slices.Compare(a[:], b[:]) })
	for i := 1; i < len(corners); i++ {
		if corners[i] == corners[i-1] {
			r.Duplicate++
		}
	}
	for i, u := range used {
		if u && root(uint32(i)) == uint32(i) {
			r.Parts++
		}
	}
	r.Manifold = r.NonManifoldEdges == 0
	r.Watertight = r.Manifold && r.BorderEdges == 0 && len(edges) > 0
	return r
}

func flat(p []float32, t [3]uint32) bool {
	var u, v [3]float64
	for k := range uint32(3) {
		u[k] = float64(p[3*t[1]+k]) - float64(p[3*t[0]+k])
		v[k] = float64(p[3*t[2]+k]) - float64(p[3*t[0]+k])
	}
	x, y, z := u[1]*v[2]-u[2]*v[1], u[2]*v[0]-u[0]*v[2], u[0]*v[1]-u[1]*v[0]
	return x*x+y*y+z*z == 0
}
