package outlier

import (
	"context"
	"math"
	"slices"
	"testing"

	"slate360.ai/worker/geom/morton"
)

// TestStatistical finds points that float above a grid, and nothing in the grid.
func TestStatistical(t *testing.T) {
	var xyz []int32
	for i := range 100 {
		for j := range 100 {
			xyz = append(xyz, int32(i*10), int32(j*10), 0)
		}
	}
	xyz = append(xyz, 500, 500, 900, 100, 900, -700)
	c := morton.NewCube([3]int32{0, 0, -700}, [3]int32{990, 990, 900}, [3]float64{1, 1, 1})
	order, err := morton.Sort(context.Background(), xyz, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	var marked []int
	r, err := Statistical(context.Background(), xyz, [3]float64{.1, .1, .1}, Params{8, 2}, 2, nil, func(i int) { marked = append(marked, int(order[i])) })
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(marked)
	if !slices.Equal(marked, []int{10000, 10001}) || r.Outliers != 2 {
		t.Errorf("marked %v, said %d", marked, r.Outliers)
	}
	// A point of the grid has four neighbours at 1 and four at the diagonal.
	if want := (4 + 4*math.Sqrt2) / 8; math.Abs(r.Mean-want) > .05 || r.Threshold != r.Mean+2*r.StdDev {
		t.Errorf("mean %g, want about %g; threshold %g", r.Mean, want, r.Threshold)
	}
}

// TestNothingStandsApart holds that equal distances make no outliers.
func TestNothingStandsApart(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		r, err := Statistical(context.Background(), make([]int32, 3*n), [3]float64{1, 1, 1}, Params{8, 2}, 1, nil, func(i int) { t.Errorf("%d points: %d is marked", n, i) })
		if err != nil || r.Outliers != 0 {
			t.Errorf("%d points: %+v, %v", n, r, err)
		}
	}
}
