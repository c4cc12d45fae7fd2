package camera

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func cameras() []Camera {
	return []Camera{
		{SimplePinhole, 4000, 3000, []float64{3100, 2010, 1490}},
		{Pinhole, 4000, 3000, []float64{3100, 3090, 2010, 1490}},
		{SimpleRadial, 4000, 3000, []float64{3100, 2010, 1490, -0.08}},
		{Radial, 4000, 3000, []float64{3100, 2010, 1490, -0.1, 0.03}},
		{OpenCV, 4000, 3000, []float64{3100, 3090, 2010, 1490, -0.2, 0.08, 0.001, -0.002}},
		{FullOpenCV, 4000, 3000, []float64{3100, 3090, 2010, 1490, -0.2, 0.08, 0.001, -0.002, 0.01, 0.02, -0.01, 0.003}},
	}
}

func TestDirectionUndoesPixel(t *testing.T) {
	for _, c := range cameras() {
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		if c.Distorted() != (c.Model != SimplePinhole && c.Model != Pinhole) {
			t.Errorf("%s: Distorted() = %v", c.Model, c.Distorted())
		}
		for v := 0.0; v <= 3000; v += 250 {
			for u := 0.0; u <= 4000; u += 250 {
				x, y := c.Direction(u, v)
				gu, gv := c.Pixel(x, y)
				if math.Hypot(gu-u, gv-v) > 1e-6 {
					t.Fatalf("%s: pixel (%g, %g) came back as (%g, %g)", c.Model, u, v, gu, gv)
				}
			}
		}
		if back, err := ModelOf(c.Model.ID()); err != nil || back != c.Model {
			t.Errorf("ModelOf(%d) = %s, %v", c.Model.ID(), back, err)
		}
	}
}

// What COLMAP's documentation says a SIMPLE_RADIAL camera does: radius times 1 + k·r².
func TestProject(t *testing.T) {
	c := Camera{SimpleRadial, 100, 100, []float64{50, 50, 40, 0.5}}
	u, v, ok := c.Project([3]float64{1, 0, 2}) // r² = 0.25
	if !ok || math.Abs(u-(50+50*0.5*1.125)) > 1e-12 || v != 40 {
		t.Errorf("Project = %g, %g, %v", u, v, ok)
	}
	if _, _, ok := c.Project([3]float64{1, 0, -2}); ok {
		t.Error("a point behind the camera was projected")
	}
}

func TestScaled(t *testing.T) {
	for _, c := range cameras() {
		half := c.Scaled(2000, 1500)
		u, v := c.Pixel(0.3, -0.2)
		hu, hv := half.Pixel(0.3, -0.2)
		if math.Hypot(hu-u/2, hv-v/2) > 1e-9 {
			t.Errorf("%s: half the size moves (%g, %g) to (%g, %g)", c.Model, u, v, hu, hv)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]Camera{
		"model":  {"THIN_PRISM", 10, 10, nil},
		"params": {Pinhole, 10, 10, []float64{1, 2}},
		"nan":    {SimplePinhole, 10, 10, []float64{math.NaN(), 5, 5}},
		"size":   {SimplePinhole, 0, 10, []float64{5, 5, 5}},
		"focal":  {SimplePinhole, 10, 10, []float64{-5, 5, 5}},
	} {
		if c.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := ModelOf(77); !errors.Is(err, ErrModel) {
		t.Errorf("ModelOf(77): %v", err)
	}
}

func randomPose(r *rand.Rand) Pose {
	q := [4]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
	return FromQuaternion(q, [3]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()})
}

func near(a, b [3]float64) bool { d := sub(a, b); return dot(d, d) < 1e-18 }

func TestPose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		p := randomPose(r)
		x := [3]float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
		if back := p.Invert(p.Apply(x)); !near(back, x) {
			t.Fatalf("Invert(Apply(%v)) = %v", x, back)
		}
		if c := p.Apply(p.Center()); !near(c, [3]float64{}) {
			t.Fatalf("the centre is at %v of its own frame", c)
		}
		q := FromQuaternion(p.Quaternion(), p.T)
		if !near(q.Apply(x), p.Apply(x)) {
			t.Fatalf("pose through its quaternion: %v, want %v", q, p)
		}
		// In a changed world the same point is seen in the same direction.
		s, m := 2.5, randomPose(r)
		rx := m.Rotate(x)
		moved := [3]float64{s*rx[0] + m.T[0], s*rx[1] + m.T[1], s*rx[2] + m.T[2]}
		got, want := p.Transformed(s, m.R, m.T).Apply(moved), p.Apply(x)
		if !near(got, [3]float64{s * want[0], s * want[1], s * want[2]}) {
			t.Fatalf("after the change the point is at %v, want %g times %v", got, s, want)
		}
	}
}

func TestQuaternionOfHalfTurns(t *testing.T) {
	for _, q := range [][4]float64{{0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {1, 0, 0, 0}} {
		if got := FromQuaternion(q, [3]float64{}).Quaternion(); got != q {
			t.Errorf("quaternion %v came back as %v", q, got)
		}
	}
}

func TestLookAt(t *testing.T) {
	p := LookAt([3]float64{0, -10, 5}, [3]float64{0, 0, 5}, [3]float64{0, 0, 1})
	if !near(p.Apply([3]float64{1, 0, 6}), [3]float64{1, -1, 10}) {
		t.Errorf("a point right of and above the target is at %v", p.Apply([3]float64{1, 0, 6}))
	}
	down := LookAt([3]float64{3, 4, 50}, [3]float64{3, 4, 0}, [3]float64{0, 0, 1})
	if !near(down.Apply([3]float64{4, 4, 0}), [3]float64{1, 0, 50}) {
		t.Errorf("straight down, a point in the east is at %v", down.Apply([3]float64{4, 4, 0}))
	}
}
