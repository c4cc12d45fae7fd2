package topology

import "testing"

func tetrahedron() ([]float32, []uint32) {
	return []float32{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, []uint32{0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3}
}

func TestAnalyze(t *testing.T) {
	p, i := tetrahedron()
	if r := Analyze(p, i); !r.Watertight || !r.Manifold || r.Parts != 1 || r.Degenerate+r.Duplicate+r.BorderEdges != 0 {
		t.Errorf("tetrahedron: %+v", r)
	}
	if r := Analyze(p, i[3:]); r.Watertight || r.BorderEdges != 3 {
		t.Errorf("open: %+v", r)
	}
	if r := Analyze(p, append(i, 0, 1, 2, 1, 1, 3)); r.Manifold || r.Duplicate != 1 || r.Degenerate != 1 || r.NonManifoldEdges != 3 {
		t.Errorf("with a double and a flat one: %+v", r)
	}
	// The same twice, apart; the vertices of the second are given twice.
	q := append([]float32{}, p...)
	for range 2 {
		for k, v := range p {
			if k%3 == 0 {
				v += 10
			}
			q = append(q, v)
		}
	}
	j := append([]uint32{}, i...)
	for k, v := range i {
		j = append(j, v+4+uint32(k/6)*4)
	}
	if r := Analyze(q, j); !r.Watertight || r.Parts != 2 {
		t.Errorf("two: %+v", r)
	}
	if r := Analyze(nil, nil); r.Watertight || r.Parts != 0 {
		t.Errorf("nothing: %+v", r)
	}
}
