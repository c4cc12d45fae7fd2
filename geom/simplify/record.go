package simplify

import "math"

// record is what was done to a cell: collapses, in order. Any prefix of it is a
// mesh.
type record struct {
	steps []step
	pairs []pair // of vertices of the surface
}

// step is one collapse.
type step struct {
	// cost is the greatest up to here, far the mean squared distance that the
	// collapse makes.
	cost, far float32
	pairs     uint32 // end of its pairs
	vertices  uint16 // that go; more than that are not counted
	triangles uint16
	loose     bool
}

// add writes a step down whose pairs are there.
func (r *record) add(x *candidate, far float32, vertices, triangles int) {
	s := step{
		cost: x.cost, far: far, pairs: uint32(len(r.pairs)), loose: x.loose,
		vertices: uint16(min(max(vertices, 0), math.MaxUint16)), triangles: uint16(min(max(triangles, 0), math.MaxUint16)),
	}
	if n := len(r.steps); n > 0 {
		s.cost = max(s.cost, r.steps[n-1].cost)
	}
	r.steps = append(r.steps, s)
}

// pairsOf returns those of the step at an index.
func (r *record) pairsOf(i int) []pair {
	from := uint32(0)
	if i > 0 {
		from = r.steps[i-1].pairs
	}
	return r.pairs[from:r.steps[i].pairs]
}
