package polygon

import (
	"math"
	"testing"
)

// TestArea cuts polygons and compares the area of the triangles with that of the
// polygon: equal, with no triangle turned over, only where it is cut inside.
func TestArea(t *testing.T) {
	star := make([]float64, 0, 60)
	for i := range 20 {
		r := 1.0
		if i%2 == 1 {
			r = 0.3
		}
		s, c := math.Sincos(float64(i) * math.Pi / 10)
		star = append(star, r*c, 2, -r*s)
	}
	for name, p := range map[string][]float64{
		"square":        {0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0},
		"arrow":         {0, 0, 0, 2, 0, 0, 0.5, 0.5, 0, 0, 2, 0},
		"arrow turned":  {2, 0, 0, 0.5, 0.5, 0, 0, 2, 0, 0, 0, 0},
		"L":             {0, 0, 0, 0, 3, 0, 0, 3, 1, 0, 1, 1, 0, 1, 3, 0, 0, 3},
		"star":          star,
		"with doubles":  {0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 4, 0, 4, 4, 0, 0, 4, 0},
		"comb downward": {0, 0, 0, 0, 5, 0, 1, 1, 0, 2, 5, 0, 3, 1, 0, 4, 5, 0, 4, 0, 0},
	} {
		tri := Triangulate(nil, p)
		if len(tri) != 3*(len(p)/3-2) {
			t.Errorf("%s: %d triangles of %d points", name, len(tri)/3, len(p)/3)
		}
		flat := project(p)
		want, sum := 0.0, 0.0
		for i := 1; i+1 < len(flat); i++ {
			want += cross(flat[0], flat[i], flat[i+1]) / 2
		}
		for i := 0; i < len(tri); i += 3 {
			a := cross(flat[tri[i]], flat[tri[i+1]], flat[tri[i+2]]) / 2
			if a < -1e-12 {
				t.Errorf("%s: triangle %v is turned over", name, tri[i:i+3])
			}
			sum += a
		}
		if math.Abs(sum-want) > 1e-9 || want <= 0 {
			t.Errorf("%s: area %g, want %g", name, sum, want)
		}
	}
}

// TestCrossing: a polygon that crosses itself, or has no area, still gives n-2.
func TestCrossing(t *testing.T) {
	for _, p := range [][]float64{
		{0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0},
		{0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0.5, 2, 0},
		make([]float64, 30),
		{0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0},
		{math.NaN(), 0, 0, 1, 0, 0, 2, 0, 0, 3, 1, 0, 4, 0, 0},
	} {
		if got := len(Triangulate(nil, p)); got != 3*(len(p)/3-2) {
			t.Errorf("%v: %d indices", p, got)
		}
	}
	if Triangulate(nil, []float64{0, 0, 0, 1, 1, 1}) != nil {
		t.Error("two points have no triangle")
	}
}
