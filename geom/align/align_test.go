package align_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"slate360.ai/worker/geom/align"
)

// truth is a similarity like that of a reconstruction of a drone survey.
func truth(rng *rand.Rand) align.Similarity {
	s := align.Identity()
	s.Scale = 37.5
	s.R = align.RotationBetween([3]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}, [3]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()})
	s.T = [3]float64{412_345, 5_412_345, 312}
	return s
}

func inverse(s align.Similarity, y [3]float64) [3]float64 {
	var x [3]float64
	for c := range 3 {
		for r := range 3 {
			x[c] += s.R[3*r+c] * (y[r] - s.T[r]) / s.Scale
		}
	}
	return x
}

// flight makes measurements of camera positions in a grid with noise.
func flight(rng *rand.Rand, s align.Similarity, cols, rows int, horizontal, vertical float64) []align.Measurement {
	var list []align.Measurement
	for r := range rows {
		for c := range cols {
			y := [3]float64{s.T[0] + 20*float64(c), s.T[1] + 30*float64(r), s.T[2] + 80 + rng.NormFloat64()}
			m := align.Measurement{From: inverse(s, y), Horizontal: horizontal, Vertical: vertical}
			m.To = [3]float64{y[0] + horizontal*rng.NormFloat64(), y[1] + horizontal*rng.NormFloat64(), y[2] + vertical*rng.NormFloat64()}
			list = append(list, m)
		}
	}
	return list
}

// worst is the largest distance between images under both, over the measured points.
func worst(a, b align.Similarity, list []align.Measurement) (m float64) {
	for _, l := range list {
		x, y := a.Apply(l.From), b.Apply(l.From)
		m = max(m, math.Sqrt((x[0]-y[0])*(x[0]-y[0])+(x[1]-y[1])*(x[1]-y[1])+(x[2]-y[2])*(x[2]-y[2])))
	}
	return m
}

func TestUmeyamaIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		s := truth(rng)
		list := flight(rng, s, 3, 2, 0, 0)
		var from, to [][3]float64
		for _, m := range list {
			from, to = append(from, m.From), append(to, m.To)
		}
		got, err := align.Umeyama(from, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := worst(s, got, list); d > 1e-5 {
			t.Fatalf("off by %g", d)
		}
	}
}

func TestEstimateWithNoiseAndOutliers(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s := truth(rng)
	list := flight(rng, s, 10, 6, 2, 5)
	for i := 0; i < len(list); i += 3 { // a third is far off
		list[i].To[0] += 200 + 50*rng.NormFloat64()
		list[i].To[2] -= 90
	}
	r, err := align.Estimate(list, align.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range r.Inliers {
		if in == (i%3 == 0) {
			t.Errorf("measurement %d: inlier = %v", i, in)
		}
	}
	// 40 good positions of 2 m and 5 m.
	if d := worst(s, r.Similarity, list); d > 4 {
		t.Errorf("off by %g m", d)
	}
	if math.Abs(r.Scale/s.Scale-1) > 0.02 {
		t.Errorf("scale %g, want %g", r.Scale, s.Scale)
	}
}

// Good control points overrule coarse positions with a common offset.
func TestEstimateTrustsTheAccurate(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	s := truth(rng)
	list := flight(rng, s, 6, 4, 3, 6)
	for i := range list {
		list[i].To[0] += 4
		list[i].To[2] += 15
	}
	var control []align.Measurement
	for _, y := range [][3]float64{{0, 0, 0}, {100, 0, 3}, {100, 90, -2}, {0, 90, 5}, {50, 40, 0}} {
		y = [3]float64{y[0] + s.T[0], y[1] + s.T[1], y[2] + s.T[2]}
		control = append(control, align.Measurement{From: inverse(s, y), To: y, Horizontal: 0.02, Vertical: 0.03})
	}
	r, err := align.Estimate(append(control, list...), align.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := worst(s, r.Similarity, control); d > 0.05 {
		t.Errorf("control points are off by %g m", d)
	}
}

// Of one flight line the direction of up says how it lies about its axis.
func TestEstimateOnALine(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	s := truth(rng)
	var list []align.Measurement
	for i := range 12 {
		y := [3]float64{s.T[0] + 20*float64(i), s.T[1] + 7*float64(i), s.T[2] + 80}
		list = append(list, align.Measurement{From: inverse(s, y), To: y, Horizontal: 1, Vertical: 2})
	}
	if _, err := align.Estimate(list, align.Options{}); !errors.Is(err, align.ErrDegenerate) {
		t.Errorf("without up: %v, want ErrDegenerate", err)
	}
	zero := inverse(s, s.T)
	tip := inverse(s, [3]float64{s.T[0], s.T[1], s.T[2] + 1})
	up := [3]float64{tip[0] - zero[0], tip[1] - zero[1], tip[2] - zero[2]}
	r, err := align.Estimate(list, align.Options{Up: up, UpDeviation: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	off := []align.Measurement{{From: inverse(s, [3]float64{s.T[0] + 50, s.T[1] - 80, s.T[2]})}}
	if d := worst(s, r.Similarity, append(off, list...)); d > 0.01 {
		t.Errorf("off by %g m", d)
	}
}

func TestDegenerate(t *testing.T) {
	same := align.Measurement{From: [3]float64{1, 2, 3}, To: [3]float64{4, 5, 6}, Horizontal: 1, Vertical: 1}
	for _, list := range [][]align.Measurement{nil, {same}, {same, same}, {same, same, same, same}} {
		if _, err := align.Estimate(list, align.Options{}); !errors.Is(err, align.ErrDegenerate) {
			t.Errorf("%d measurements: %v", len(list), err)
		}
		if _, err := align.Estimate(list, align.Options{Up: [3]float64{0, 1, 0}, UpDeviation: 0.1}); !errors.Is(err, align.ErrDegenerate) {
			t.Errorf("%d measurements with up: %v", len(list), err)
		}
	}
}

func TestThenAndRotationBetween(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		a, b := truth(rng), truth(rng)
		x := [3]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		both := a.Then(b)
		got, want := both.Apply(x), b.Apply(a.Apply(x))
		for k := range 3 {
			if math.Abs(got[k]-want[k]) > 1e-6*math.Abs(want[k]) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
	for _, to := range [][3]float64{{0, 0, 1}, {0, 0, -1}, {1, 0, 0}, {-1, 1e-9, 0}} {
		s := align.Similarity{Scale: 1, R: align.RotationBetween([3]float64{0, 0, 2}, to)}
		y := s.Rotate([3]float64{0, 0, 1})
		for k := range 3 {
			if math.Abs(y[k]-to[k]) > 1e-8 {
				t.Errorf("%v, want %v", y, to)
			}
		}
	}
}
