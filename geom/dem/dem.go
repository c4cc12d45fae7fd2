// Package dem makes rasters of heights from a classified point cloud: the surface
// model of what is seen from above (DSM), and the terrain model of the ground
// (DTM).
//
// Cells without points are filled with a membrane through those around them: the
// solution of Laplace's equation, found on a pyramid of grids (multigrid), which
// bridges a stadium as smoothly as a car.
package dem

import (
	"context"
	"errors"
	"math"
	"sync"
)

// Cloud is points x, y, z interleaved as raw integers, in any order, with their
// class (ASPRS: 2 ground; 7 and 18 noise).
type Cloud struct {
	XYZ    []int32
	Scale  [3]float64 // positive
	Offset [3]float64
	Class  []uint8
}

// Params shape the rasters. Zero fields mean the defaults. Lengths are in the
// horizontal unit of the cloud.
type Params struct {
	// Cell is the edge of a cell; default 1, 2 or 5 times a power of ten, the next
	// above the mean distance of points.
	Cell float64
	// Reach is how far from a point a surface is believed; default 10 cells.
	Reach float64
	// MaxCells bounds the rasters; cells become larger where there would be more.
	// Default 64 Mi, about 1.5 GiB while it runs.
	MaxCells int
	Workers  int
	// Spacing is the mean distance of points, for the default of Cell; 0 takes it
	// from bounds and number.
	Spacing float64
}

// Raster is a grid of heights, rows from the north.
type Raster struct {
	Cols, Rows  int
	West, North float64 // outer corner of the first cell
	Cell        float64
	Data        []float32 // NoData where there is no surface
}

// NoData marks cells without a height.
const NoData = -9999

// ErrNoPoints is returned where there is nothing but noise.
var ErrNoPoints = errors.New("dem: there are no points but noise")

const (
	classGround    = 2
	classLowNoise  = 7
	classHighNoise = 18

	defaultMaxCells = 64 << 20
	defaultReach    = 10 // cells
)

// Surfaces gives the surface model, the highest point of each cell, and the terrain
// model, the mean of its ground points; dtm is nil where no point is ground. Both
// have heights wherever a point is within Reach. Errors: ErrNoPoints and that of
// ctx.
func Surfaces(ctx context.Context, c Cloud, p Params) (dsm, dtm *Raster, err error) {
	g, err := newGrid(c, p)
	if err != nil {
		return nil, nil, err
	}
	workers := max(1, p.Workers)
	top, ground, hasGround := g.bin(ctx, c, workers)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	reach := p.Reach
	if !(reach > 0) {
		reach = defaultReach * g.Cell
	}
	inside := near(top, g.Cols, g.Rows, reach/g.Cell)
	if err := fill(ctx, top, g.Cols, g.Rows, workers); err != nil {
		return nil, nil, err
	}
	dsm = g.raster(top, inside)
	if !hasGround {
		return dsm, nil, nil
	}
	if err := fill(ctx, ground, g.Cols, g.Rows, workers); err != nil {
		return nil, nil, err
	}
	return dsm, g.raster(ground, inside), nil
}

// grid lays cells over the points that are no noise.
type grid struct {
	Raster
	minX, maxY int64
	fx, fy     float64 // cells a raw unit
	sz, oz     float64
}

func noise(class uint8) bool { return class == classLowNoise || class == classHighNoise }

func newGrid(c Cloud, p Params) (*grid, error) {
	lo := [2]int64{math.MaxInt64, math.MaxInt64}
	hi := [2]int64{math.MinInt64, math.MinInt64}
	n := 0
	for i, class := range c.Class {
		if noise(class) {
			continue
		}
		n++
		for a := range 2 {
			v := int64(c.XYZ[3*i+a])
			lo[a], hi[a] = min(lo[a], v), max(hi[a], v)
		}
	}
	if n == 0 {
		return nil, ErrNoPoints
	}
	w, d := float64(hi[0]-lo[0])*c.Scale[0], float64(hi[1]-lo[1])*c.Scale[1]
	maxCells := p.MaxCells
	if maxCells <= 0 {
		maxCells = defaultMaxCells
	}
	cell := p.Cell
	if !(cell > 0) {
		spacing := p.Spacing
		if !(spacing > 0) {
			spacing = math.Sqrt(w * d / float64(n))
		}
		if !(spacing > 0) {
			spacing = max(w, d, c.Scale[0]) / float64(n)
		}
		cell = nice(spacing)
	}
	for (math.Floor(w/cell)+1)*(math.Floor(d/cell)+1) > float64(maxCells) {
		cell = nice(cell * 1.01)
	}
	g := &grid{minX: lo[0], maxY: hi[1], fx: c.Scale[0] / cell, fy: c.Scale[1] / cell, sz: c.Scale[2], oz: c.Offset[2]}
	g.Cell = cell
	// The corner is a multiple of the cell, so that rasters of neighbouring scans
	// fit together.
	g.West = math.Floor((float64(lo[0])*c.Scale[0]+c.Offset[0])/cell) * cell
	g.North = math.Ceil((float64(hi[1])*c.Scale[1]+c.Offset[1])/cell) * cell
	east := float64(hi[0])*c.Scale[0] + c.Offset[0]
	south := float64(lo[1])*c.Scale[1] + c.Offset[1]
	g.Cols = max(1, int(math.Floor((east-g.West)/cell))+1)
	g.Rows = max(1, int(math.Floor((g.North-south)/cell))+1)
	return g, nil
}

// nice gives the next of 1, 2, 5 times a power of ten.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*power*(1+1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// bin puts points into cells: the highest of all that are no noise, and the mean of
// the ground. Each worker takes some rows, and looks at all points.
func (g *grid) bin(ctx context.Context, c Cloud, workers int) (top, ground []float32, hasGround bool) {
	n := g.Cols * g.Rows
	top, ground = make([]float32, n), make([]float32, n)
	counts := make([]uint16, n)
	found := make([]bool, workers)
	nan := float32(math.NaN())
	west := (g.West - c.Offset[0]) / g.Cell
	north := (g.North - c.Offset[1]) / g.Cell
	var wg sync.WaitGroup
	for w := range workers {
		first, end := g.Rows*w/workers, g.Rows*(w+1)/workers
		wg.Go(func() {
			for i := first * g.Cols; i < end*g.Cols; i++ {
				top[i], ground[i] = nan, nan
			}
			for i, class := range c.Class {
				if i&0xFFFFF == 0 && ctx.Err() != nil {
					return
				}
				if noise(class) {
					continue
				}
				row := min(max(int(north-float64(c.XYZ[3*i+1])*g.fy), 0), g.Rows-1)
				if row < first || row >= end {
					continue
				}
				col := min(max(int(float64(c.XYZ[3*i])*g.fx-west), 0), g.Cols-1)
				at := row*g.Cols + col
				z := float32(float64(c.XYZ[3*i+2])*g.sz + g.oz)
				if !(top[at] >= z) {
					top[at] = z
				}
				if class == classGround {
					found[w] = true
					if counts[at] == 0 {
						ground[at] = z
					} else {
						ground[at] += (z - ground[at]) / float32(counts[at]+1)
					}
					if counts[at] < math.MaxUint16 {
						counts[at]++
					}
				}
			}
		})
	}
	wg.Wait()
	for _, ok := range found {
		hasGround = hasGround || ok
	}
	return top, ground, hasGround
}

// raster gives the heights that are believed.
func (g *grid) raster(z []float32, inside []bool) *Raster {
	r := g.Raster
	r.Data = z
	for i, ok := range inside {
		if !ok || z[i] != z[i] {
			z[i] = NoData
		}
	}
	return &r
}

// near tells which cells are within reach (cells) of one that has a value, by a
// chamfer distance in two passes (G. Borgefors, "Distance transformations in
// digital images", 1986).
func near(z []float32, cols, rows int, reach float64) []bool {
	const straight, diagonal = 1, 1.4142135
	d := make([]float32, len(z))
	far := float32(cols + rows + 1)
	for i, v := range z {
		if v != v {
			d[i] = far
		}
	}
	relax := func(x, y, dx, dy int, cost float32) {
		i, j := x+dx, y+dy
		if i < 0 || i >= cols || j < 0 || j >= rows {
			return
		}
		if v := d[j*cols+i] + cost; v < d[y*cols+x] {
			d[y*cols+x] = v
		}
	}
	for y := range rows {
		for x := range cols {
			if d[y*cols+x] == 0 {
				continue
			}
			relax(x, y, -1, 0, straight)
			relax(x, y, -1, -1, diagonal)
			relax(x, y, 0, -1, straight)
			relax(x, y, 1, -1, diagonal)
		}
	}
	inside := make([]bool, len(z))
	for y := rows - 1; y >= 0; y-- {
		for x := cols - 1; x >= 0; x-- {
			if d[y*cols+x] != 0 {
				relax(x, y, 1, 0, straight)
				relax(x, y, 1, 1, diagonal)
				relax(x, y, 0, 1, straight)
				relax(x, y, -1, 1, diagonal)
			}
			inside[y*cols+x] = float64(d[y*cols+x]) <= reach
		}
	}
	return inside
}
