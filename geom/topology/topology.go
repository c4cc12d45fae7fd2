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
	var parts forest = make([]uint32, len(place))
	used := make([]bool, len(place))
	for i := range parts {
		parts[i] = uint32(i)
	}
	// Edges lie at their lower end, triangles at their lowest corner.
	edges, corners := newLists(len(place)), newLists(len(place))
	each := func(f func(t [3]uint32)) {
		for i := 0; i+2 < len(indices); i += 3 {
			t := [3]uint32{place[indices[i]], place[indices[i+1]], place[indices[i+2]]}
			if t[0] != t[1] && t[1] != t[2] && t[2] != t[0] && !flat(positions, t) {
				slices.Sort(t[:])
				f(t)
			}
		}
	}
	solid := 0
	each(func(t [3]uint32) {
		solid++
		used[t[0]], used[t[1]], used[t[2]] = true, true, true
		parts.join(t[0], t[1])
		parts.join(t[1], t[2])
		edges.count(t[0], 2)
		edges.count(t[1], 1)
		corners.count(t[0], 2)
	})
	r.Degenerate = int64(len(indices)/3 - solid)
	edges.allocate()
	corners.allocate()
	each(func(t [3]uint32) {
		edges.add(t[0], t[1])
		edges.add(t[0], t[2])
		edges.add(t[1], t[2])
		corners.add(t[0], t[1])
		corners.add(t[0], t[2])
	})
	r.edges(edges)
	r.duplicates(corners)
	for i, u := range used {
		if u && parts.root(uint32(i)) == uint32(i) {
			r.Parts++
		}
	}
	r.Manifold = r.NonManifoldEdges == 0
	r.Watertight = r.Manifold && r.BorderEdges == 0 && solid > 0
	return r
}

// edges counts those with one triangle, and with more than two.
func (r *Report) edges(l *lists) {
	for p := range l.places() {
		list := l.at(p)
		slices.Sort(list)
		for i := 0; i < len(list); {
			j := i
			for j < len(list) && list[j] == list[i] {
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
	}
}

// duplicates counts triangles with the corners of another.
func (r *Report) duplicates(l *lists) {
	var keys []uint64
	for p := range l.places() {
		list := l.at(p)
		keys = keys[:0]
		for i := 0; i < len(list); i += 2 {
			keys = append(keys, uint64(list[i])<<32|uint64(list[i+1]))
		}
		slices.Sort(keys)
		for i := 1; i < len(keys); i++ {
			if keys[i] == keys[i-1] {
				r.Duplicate++
			}
		}
	}
}

// forest is a set of trees: the parent of each node, a root is its own.
type forest []uint32

func (f forest) root(i uint32) uint32 {
	for f[i] != i {
		f[i] = f[f[i]]
		i = f[i]
	}
	return i
}

func (f forest) join(a, b uint32) { f[f.root(a)] = f.root(b) }

// lists has a list of numbers for each place, in one piece of memory: counted first,
// then filled.
type lists struct {
	start  []int64
	values []uint32
}

func newLists(places int) *lists { return &lists{start: make([]int64, places+1)} }

func (l *lists) places() int { return len(l.start) - 1 }

func (l *lists) count(place uint32, n int64) { l.start[place] += n }

// allocate makes of the counts where each list begins.
func (l *lists) allocate() {
	sum := int64(0)
	for i, n := range l.start {
		l.start[i] = sum
		sum += n
	}
	l.values = make([]uint32, sum)
}

// add moves the start of a list on: once all are filled it is where the next begins.
func (l *lists) add(place, value uint32) {
	l.values[l.start[place]] = value
	l.start[place]++
}

// at is the list of a place, when all are filled.
func (l *lists) at(place int) []uint32 {
	from := int64(0)
	if place > 0 {
		from = l.start[place-1]
	}
	return l.values[from:l.start[place]]
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
