package ground

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// scene is a slope with boxes, trees and low noise; truth says what each point is.
type scene struct {
	xyz   []int32
	truth []byte // g ground, b building, t tree, n low noise
}

// newScene has 4 points a square metre over 100 by 100 m, in raw units a metre.
func newScene(units float64) scene {
	r := rand.New(rand.NewPCG(7, 7))
	var s scene
	add := func(x, y, z float64, kind byte) {
		s.xyz = append(s.xyz, int32(x*units), int32(y*units), int32(z*units))
		s.truth = append(s.truth, kind)
	}
	for range 40000 {
		x, y := r.Float64()*100, r.Float64()*100
		ground := 0.05*x + 2*math.Sin(y/20)
		switch {
		case x > 20 && x < 35 && y > 20 && y < 32:
			add(x, y, ground+6, 'b')
		case math.Hypot(x-70, y-60) < 5 && r.Float64() < .6:
			add(x, y, ground+3+4*r.Float64(), 't')
		default:
			add(x, y, ground+.04*r.NormFloat64(), 'g')
		}
	}
	for _, p := range [][2]float64{{10, 80}, {50, 50}, {90, 15}} {
		add(p[0], p[1], 0.05*p[0]+2*math.Sin(p[1]/20)-4, 'n')
	}
	return s
}

func TestELM(t *testing.T) {
	s := newScene(100)
	var mu sync.Mutex
	var marked []int
	n, err := ELM(context.Background(), Cloud{s.xyz, [3]float64{.01, .01, .01}}, ELMParams{Cell: 10, Threshold: 1}, 2, nil, func(i int) {
		mu.Lock()
		defer mu.Unlock()
		marked = append(marked, i)
	})
	if err != nil || n != len(marked) {
		t.Fatalf("%d of %d, %v", n, len(marked), err)
	}
	slices.Sort(marked)
	if !slices.Equal(marked, []int{40000, 40001, 40002}) {
		t.Errorf("marked %v", marked)
	}
}

// TestELMStack marks a whole stack of low points, each far below the next, more
// than are looked for one by one.
func TestELMStack(t *testing.T) {
	var xyz []int32
	for i := range 20 {
		xyz = append(xyz, 0, 0, int32(-10*(20-i)))
	}
	for range 50 {
		xyz = append(xyz, 0, 0, 0)
	}
	n, err := ELM(context.Background(), Cloud{xyz, [3]float64{1, 1, 1}}, ELMParams{Cell: 10, Threshold: 1}, 1, nil, func(i int) {
		if i >= 20 {
			t.Errorf("point %d is marked", i)
		}
	})
	if n != 20 || err != nil {
		t.Errorf("%d marked, %v", n, err)
	}
}

// TestSMRF holds that boxes and trees are told from sloping ground, in metres and
// in feet alike.
func TestSMRF(t *testing.T) {
	const foot = 0.3048
	for name, unit := range map[string]float64{"metres": 1, "feet": foot} {
		s := newScene(100 / unit)
		ground := make([]bool, len(s.truth))
		err := SMRF(context.Background(), Cloud{s.xyz, [3]float64{.01, .01, .01}},
			SMRFParams{Cell: 1 / unit, Slope: .15, Window: 18 / unit, Scalar: 1.25 / unit, Threshold: .5 / unit}, 2,
			func(i int) bool { return s.truth[i] != 'n' }, nil, func(i int, g bool) { ground[i] = g })
		if err != nil {
			t.Fatal(err)
		}
		wrong := map[byte]int{}
		all := map[byte]int{}
		for i, kind := range s.truth {
			all[kind]++
			if ground[i] != (kind == 'g') {
				wrong[kind]++
			}
		}
		if wrong['n'] > 0 || wrong['b'] > all['b']/100 || wrong['t'] > all['t']/20 || wrong['g'] > all['g']/200 {
			t.Errorf("%s: wrong %v of %v", name, wrong, all)
		}
	}
}

func TestSMRFDegenerate(t *testing.T) {
	p := SMRFParams{Cell: 1, Slope: .15, Window: 18, Scalar: 1.25, Threshold: .5}
	all := func(int) bool { return true }
	for name, xyz := range map[string][]int32{
		"none": nil, "one": {1, 2, 3}, "equal": {1, 1, 1, 1, 1, 1, 1, 1, 1}, "row": {0, 0, 0, 5, 0, 0, 50, 0, 0},
	} {
		var found atomic.Int64
		if err := SMRF(context.Background(), Cloud{xyz, [3]float64{1, 1, 1}}, p, 3, all, nil, func(_ int, g bool) {
			if g {
				found.Add(1)
			}
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := int(found.Load()); n != len(xyz)/3 && name != "row" {
			t.Errorf("%s: %d of %d are ground", name, n, len(xyz)/3)
		}
	}
	err := SMRF(context.Background(), Cloud{[]int32{0, 0, 0, math.MaxInt32, math.MaxInt32, 0}, [3]float64{1, 1, 1}}, p, 1, all, nil, func(int, bool) {})
	var cells *TooManyCellsError
	if !errors.As(err, &cells) {
		t.Errorf("a wide cloud: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := SMRF(ctx, Cloud{[]int32{0, 0, 0}, [3]float64{1, 1, 1}}, p, 1, all, nil, func(int, bool) {}); err == nil {
		t.Error("the end of the context is no error")
	}
}

// TestFill compares the fast search for the nearest cells with a plain one.
func TestFill(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, share := range []float64{.9, .5, .05, .003} {
		f := &surface{grid: grid{cols: 37, rows: 53}, ctx: context.Background(), workers: 2}
		z := make([]float64, f.cols*f.rows)
		for i := range z {
			z[i] = math.NaN()
			if r.Float64() < share {
				z[i] = r.Float64()
			}
		}
		want := plainFill(z, f.rows)
		before := slices.Clone(z)
		f.fill(z)
		for i := range z {
			if !math.IsNaN(before[i]) && z[i] != before[i] || !(z[i] >= want[i][0]-1e-9 && z[i] <= want[i][1]+1e-9) {
				t.Fatalf("share %g: cell %d is %g, want %v", share, i, z[i], want[i])
			}
		}
	}
}

// plainFill gives the least and the largest mean that cells at equal distances
// allow.
func plainFill(z []float64, rows int) [][2]float64 {
	type cell struct{ d, z float64 }
	out := make([][2]float64, len(z))
	for i, v := range z {
		if !math.IsNaN(v) {
			out[i] = [2]float64{v, v}
			continue
		}
		var near []cell
		for j, w := range z {
			if !math.IsNaN(w) {
				dc, dr := i/rows-j/rows, i%rows-j%rows
				near = append(near, cell{float64(dc*dc + dr*dr), w})
			}
		}
		n := min(fillNeighbours, len(near))
		for side, sign := range []float64{1, -1} {
			slices.SortFunc(near, func(a, b cell) int {
				if a.d != b.d {
					if a.d < b.d {
						return -1
					}
					return 1
				}
				if sign*a.z < sign*b.z {
					return -1
				}
				return 1
			})
			for _, c := range near[:n] {
				out[i][side] += c.z / float64(n)
			}
		}
	}
	return out
}

func BenchmarkSMRF(b *testing.B) {
	s := newScene(100)
	for b.Loop() {
		if err := SMRF(context.Background(), Cloud{s.xyz, [3]float64{.01, .01, .01}},
			SMRFParams{Cell: 1, Slope: .15, Window: 18, Scalar: 1.25, Threshold: .5}, 2,
			func(i int) bool { return s.truth[i] != 'n' }, nil, func(int, bool) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.truth))*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
