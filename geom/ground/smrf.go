package ground

import (
	"context"
	"math"
)

// SMRFParams are in real units of the cloud, horizontal and vertical; Slope is
// vertical over horizontal units.
type SMRFParams struct {
	Cell      float64 // edge of a cell; 1 m in PDAL
	Slope     float64 // of the ground; 0.15
	Window    float64 // of the largest object; 18 m
	Scalar    float64 // of the slope in the final threshold; 1.25
	Threshold float64 // height above the surface; 0.5 m
	MaxCells  int     // 0: DefaultMaxCells
}

// lowSlope is the slope beyond which a pit in the lowest surface is noise.
const lowSlope = 5.0

// SMRF calls classify for each point that keep says takes part, with whether it
// lies on the ground. The surface is made of these points. Both are called by
// several goroutines. It takes about 40 bytes a cell. Errors: TooManyCellsError
// and that of ctx.
func SMRF(ctx context.Context, c Cloud, p SMRFParams, workers int, keep func(i int) bool, progress func(done, total int), classify func(i int, ground bool)) error {
	g, ok, err := newGrid(c, p.Cell, p.MaxCells, keep)
	if err != nil || !ok {
		return err
	}
	f := &surface{grid: g, ctx: ctx, workers: workers, cellSize: p.Cell}
	// The window sets the number of passes; one wider than the grid does nothing
	// more than one as wide.
	radius := int(min(math.Ceil(p.Window/p.Cell), float64(max(g.cols, g.rows))))
	f.total = radius*(radius+3)/2 + 8
	f.progress = progress

	zmin := f.lowest(c, keep)
	f.fill(zmin)
	low := make([]bool, len(zmin))
	f.objects(low, negated(zmin), lowSlope, 1)
	f.objects(low, zmin, p.Slope, radius)
	for i, masked := range low {
		if masked {
			zmin[i] = math.NaN()
		}
	}
	f.fill(zmin)
	if err := ctx.Err(); err != nil {
		return err
	}
	thresholds := f.thresholds(zmin, p)
	scale := math.Abs(c.Scale[2])
	inParallel(workers, len(c.XYZ)/3, func(first, end int) {
		for i := first; i < end; i++ {
			if i&0xFFFFF == 0 && ctx.Err() != nil {
				return
			}
			if !keep(i) {
				continue
			}
			cell := g.cell(c.XYZ[3*i], c.XYZ[3*i+1])
			z := float64(c.XYZ[3*i+2]) * scale
			classify(i, !(math.Abs(zmin[cell]-z) > thresholds[cell]))
		}
	})
	return ctx.Err()
}

// surface is a grid with what its filters need.
type surface struct {
	grid
	ctx         context.Context
	workers     int
	cellSize    float64
	done, total int
	progress    func(done, total int)
}

func (f *surface) step() bool {
	f.done++
	if f.progress != nil {
		f.progress(min(f.done, f.total), f.total)
	}
	return f.ctx.Err() == nil
}

// lowest gives the lowest height in each cell, NaN where there is no point. Heights
// are raw times scale: an offset would be the same everywhere.
func (f *surface) lowest(c Cloud, keep func(i int) bool) []float64 {
	z := make([]float64, f.cols*f.rows)
	for i := range z {
		z[i] = math.NaN()
	}
	scale := math.Abs(c.Scale[2])
	for i := range len(c.XYZ) / 3 {
		if !keep(i) {
			continue
		}
		cell := f.cell(c.XYZ[3*i], c.XYZ[3*i+1])
		if v := float64(c.XYZ[3*i+2]) * scale; !(z[cell] <= v) {
			z[cell] = v
		}
	}
	f.step()
	return z
}

func negated(z []float64) []float64 {
	out := make([]float64, len(z))
	for i, v := range z {
		out[i] = -v
	}
	return out
}

// objects marks cells where an opening of growing radius, up to maxRadius cells,
// takes away more than the slope allows (progressive filter). It does not change z.
func (f *surface) objects(mask []bool, z []float64, slope float64, maxRadius int) {
	erosion := append([]float64(nil), z...)
	previous := append([]float64(nil), z...)
	opened := make([]float64, len(z))
	spare := make([]float64, len(z))
	for radius := 1; radius <= maxRadius; radius++ {
		f.extremes(spare, erosion, lowestOfFive)
		erosion, spare = spare, erosion
		f.extremes(opened, erosion, highestOfFive)
		for range radius - 1 {
			f.extremes(spare, opened, highestOfFive)
			opened, spare = spare, opened
			if !f.step() {
				return
			}
		}
		threshold := slope * f.cellSize * float64(radius)
		for i, v := range opened {
			if math.Abs(previous[i]-v) > threshold {
				mask[i] = true
			}
		}
		previous, opened = opened, previous
	}
}

// extremes puts the extreme of each cell and its four neighbours into dst: one step
// of a diamond.
func (f *surface) extremes(dst, src []float64, of func(out, col, left, right []float64)) {
	inParallel(f.workers, f.cols, func(first, end int) {
		for c := first; c < end; c++ {
			col := src[c*f.rows : (c+1)*f.rows]
			left, right := col, col
			if c > 0 {
				left = src[(c-1)*f.rows : c*f.rows]
			}
			if c+1 < f.cols {
				right = src[(c+1)*f.rows : (c+2)*f.rows]
			}
			of(dst[c*f.rows:(c+1)*f.rows], col, left, right)
		}
	})
}

func lowestOfFive(out, col, left, right []float64) {
	n := len(col)
	out, left, right = out[:n], left[:n], right[:n]
	before := col[0]
	for r, v := range col {
		m := v
		if before < m {
			m = before
		}
		if r+1 < n && col[r+1] < m {
			m = col[r+1]
		}
		if left[r] < m {
			m = left[r]
		}
		if right[r] < m {
			m = right[r]
		}
		out[r] = m
		before = v
	}
}

func highestOfFive(out, col, left, right []float64) {
	n := len(col)
	out, left, right = out[:n], left[:n], right[:n]
	before := col[0]
	for r, v := range col {
		m := v
		if before > m {
			m = before
		}
		if r+1 < n && col[r+1] > m {
			m = col[r+1]
		}
		if left[r] > m {
			m = left[r]
		}
		if right[r] > m {
			m = right[r]
		}
		out[r] = m
		before = v
	}
}

// thresholds gives the height above the surface up to which points are ground:
// more where it is steep.
func (f *surface) thresholds(z []float64, p SMRFParams) []float64 {
	out := make([]float64, len(z))
	inParallel(f.workers, f.cols, func(first, end int) {
		for c := first; c < end; c++ {
			for r := range f.rows {
				gx := slopeAt(z, c, f.cols, f.rows, c*f.rows+r) / f.cellSize
				gy := slopeAt(z, r, f.rows, 1, c*f.rows+r) / f.cellSize
				out[c*f.rows+r] = p.Threshold + p.Scalar*math.Sqrt(gx*gx+gy*gy)
			}
		}
	})
	return out
}

// slopeAt is the difference a cell along an axis of n cells with a stride: central,
// at the borders one-sided.
func slopeAt(z []float64, i, n, stride, at int) float64 {
	switch {
	case n == 1:
		return 0
	case i == 0:
		return z[at+stride] - z[at]
	case i == n-1:
		return z[at] - z[at-stride]
	}
	return (z[at+stride] - z[at-stride]) / 2
}
