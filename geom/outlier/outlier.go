// Package outlier finds points that stand apart from all others.
//
// Statistical follows R. B. Rusu et al., "Towards 3D point cloud based object maps
// for household environments", 2008, section 4.1, as PDAL's filters.outlier does
// with method "statistical".
package outlier

import (
	"context"
	"math"

	"slate360.ai/worker/geom/knn"
)

// Params of the filter.
type Params struct {
	MeanK      int     // neighbours, 8 in PDAL
	Multiplier float64 // of the standard deviation, 2 in PDAL
}

// Result says what was found. Distances are in real units.
type Result struct {
	Mean, StdDev, Threshold float64 // of the mean distances to neighbours
	Outliers                int
}

// Statistical calls mark for each point whose mean distance to its k neighbours is
// not below the mean of all plus Multiplier sample standard deviations. Points are
// x, y, z interleaved in Morton order, scale that of the raw coordinates. Where
// this would be all points (equal distances), none is marked. It takes 6 bytes a
// point. Errors are those of knn.MeanDistances.
func Statistical(ctx context.Context, xyz []int32, scale [3]float64, p Params, workers int, progress func(done int), mark func(i int)) (Result, error) {
	d := make([]float32, len(xyz)/3)
	if err := knn.MeanDistances(ctx, xyz, scale, p.MeanK, workers, d, progress); err != nil {
		return Result{}, err
	}
	var r Result
	if len(d) < 2 {
		return r, nil
	}
	var mean, m2 float64
	for i, v := range d {
		delta := float64(v) - mean
		mean += delta / float64(i+1)
		m2 += delta * (float64(v) - mean)
	}
	r.Mean, r.StdDev = mean, math.Sqrt(m2/float64(len(d)-1))
	r.Threshold = r.Mean + p.Multiplier*r.StdDev
	for _, v := range d {
		if float64(v) >= r.Threshold {
			r.Outliers++
		}
	}
	if r.Outliers == len(d) {
		r.Outliers = 0
		return r, nil
	}
	for i, v := range d {
		if float64(v) >= r.Threshold {
			mark(i)
		}
	}
	return r, nil
}
