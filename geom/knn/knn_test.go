package knn

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"slate360.ai/worker/geom/morton"
)

func sorted(t testing.TB, xyz []int32, scale [3]float64) []int32 {
	t.Helper()
	lo := [3]int32{math.MaxInt32, math.MaxInt32, math.MaxInt32}
	hi := [3]int32{math.MinInt32, math.MinInt32, math.MinInt32}
	for i, v := range xyz {
		lo[i%3], hi[i%3] = min(lo[i%3], v), max(hi[i%3], v)
	}
	if _, err := morton.Sort(context.Background(), xyz, morton.NewCube(lo, hi, scale), 2); err != nil {
		t.Fatal(err)
	}
	return xyz
}

// bruteForce gives the mean distance of point i to its k nearest others.
func bruteForce(xyz []int32, scale [3]float64, k, i int) float64 {
	var d []float64
	for j := 0; j < len(xyz); j += 3 {
		if j == 3*i {
			continue
		}
		sum := 0.0
		for a := range 3 {
			v := (float64(xyz[j+a]) - float64(xyz[3*i+a])) * scale[a]
			sum += v * v
		}
		d = append(d, math.Sqrt(sum))
	}
	slices.Sort(d)
	d = d[:min(k, len(d))]
	sum := 0.0
	for _, v := range d {
		sum += v
	}
	return sum / float64(len(d))
}

func TestMeanDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	clouds := map[string]func(i int) [3]int32{
		"volume":     func(int) [3]int32 { return [3]int32{r.Int32N(1000), r.Int32N(1000), r.Int32N(1000)} },
		"surface":    func(int) [3]int32 { return [3]int32{r.Int32N(100000), r.Int32N(100000), r.Int32N(30)} },
		"line":       func(i int) [3]int32 { return [3]int32{int32(i), int32(i), int32(i)} },
		"duplicates": func(int) [3]int32 { return [3]int32{r.Int32N(6), r.Int32N(6), r.Int32N(6)} },
		"equal":      func(int) [3]int32 { return [3]int32{1, 1, 1} },
		"clusters":   func(i int) [3]int32 { return [3]int32{int32(i%7) * 300000000, r.Int32N(50), r.Int32N(50)} },
		"strays":     func(i int) [3]int32 { return [3]int32{r.Int32N(100), r.Int32N(100), int32(i/1490) * 2000000000} },
	}
	scales := [][3]float64{{.01, .01, .01}, {1e-7, 1e-7, 1e-3}}
	for name, point := range clouds {
		for _, n := range []int{2, 5, 17, 1500} {
			for _, scale := range scales {
				var xyz []int32
				for i := range n {
					p := point(i)
					xyz = append(xyz, p[:]...)
				}
				xyz = sorted(t, xyz, scale)
				got := make([]float32, n)
				if err := MeanDistances(context.Background(), xyz, scale, 8, 3, got, nil); err != nil {
					t.Fatal(err)
				}
				for i := 0; i < n; i += 1 + n/100 {
					if want := bruteForce(xyz, scale, 8, i); math.Abs(float64(got[i])-want) > 1e-6*want {
						t.Fatalf("%s, %d points, scale %g: point %d has %g, want %g", name, n, scale, i, got[i], want)
					}
				}
			}
		}
	}
}

func TestMeanDistancesErrors(t *testing.T) {
	one := make([]float32, 1)
	one[0] = 9
	scale := [3]float64{1, 1, 1}
	if err := MeanDistances(context.Background(), make([]int32, 3), scale, 8, 1, one, nil); err != nil || one[0] != 0 {
		t.Errorf("one point: %v, %v", one, err)
	}
	if MeanDistances(context.Background(), make([]int32, 3), scale, 0, 1, one, nil) == nil {
		t.Error("k 0 is no error")
	}
	if MeanDistances(context.Background(), make([]int32, 6), scale, 1, 1, one, nil) == nil {
		t.Error("too small a slice is no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if MeanDistances(ctx, make([]int32, 6), scale, 1, 1, make([]float32, 2), nil) == nil {
		t.Error("the end of the context is no error")
	}
}

func BenchmarkMeanDistances(b *testing.B) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(5, 6))
	var xyz []int32
	for range n {
		x, y := r.Int32N(100000), r.Int32N(100000)
		xyz = append(xyz, x, y, int32(3000*math.Sin(float64(x)/9000))+r.Int32N(20))
	}
	scale := [3]float64{.01, .01, .01}
	xyz = sorted(b, xyz, scale)
	dst := make([]float32, n)
	for b.Loop() {
		if err := MeanDistances(context.Background(), xyz, scale, 8, 2, dst, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
