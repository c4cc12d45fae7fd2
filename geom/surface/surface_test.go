package surface

import (
	"context"
	"testing"

	"slate360.ai/worker/geom/topology"
)

func TestReconstructSite(t *testing.T) {
	s := site()
	c, truth := s.cloud()
	m, err := Reconstruct(context.Background(), c, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkMesh(t, m)
	f, p, r := s.score(m, truth, 2*s.spacing)
	t.Logf("%d points, %d triangles: F %.4f, precision %.4f, recall %.4f; %+v", len(c.Points)/3, len(m.Triangles)/3, f, p, r, topology.Analyze(m.Positions, m.Triangles))
	if f < 0.95 {
		t.Errorf("F is %.3f", f)
	}
}

func checkMesh(t *testing.T, m *Mesh) {
	t.Helper()
	for _, p := range m.Positions {
		if !finite(p) {
			t.Fatal("a coordinate is not finite")
		}
	}
	for _, v := range m.Triangles {
		if int(v) >= len(m.Positions)/3 {
			t.Fatalf("vertex %d of %d", v, len(m.Positions)/3)
		}
	}
	r := topology.Analyze(m.Positions, m.Triangles)
	if !r.Manifold || r.Degenerate > 0 || r.Duplicate > 0 {
		t.Errorf("%+v", r)
	}
}

func TestReconstructGlobe(t *testing.T) {
	s := globe()
	c, truth := s.cloud()
	m, err := Reconstruct(context.Background(), c, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkMesh(t, m)
	f, p, r := s.score(m, truth, 2*s.spacing)
	top := topology.Analyze(m.Positions, m.Triangles)
	t.Logf("%d points, %d triangles: F %.4f, precision %.4f, recall %.4f; %+v", len(c.Points)/3, len(m.Triangles)/3, f, p, r, top)
	if f < 0.95 || !top.Watertight || top.Parts != 1 {
		t.Errorf("F is %.3f, %+v", f, top)
	}
}
