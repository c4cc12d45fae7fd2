// Package ground tells ground from what stands on it: the extended local minimum
// filter finds noise below the ground, the simple morphological filter (SMRF)
// classifies what is left.
//
// ELM follows Z. Chen et al., "Upward-fusion urban DTM generating method using
// airborne Lidar data", ISPRS Journal 72, 2012, SMRF follows T. J. Pingel et al.,
// "An improved simple morphological filter for the terrain classification of
// airborne LIDAR data", ISPRS Journal 77, 2013, both with the choices of PDAL's
// filters.elm and filters.smrf.
package ground

import (
	"fmt"
	"math"
	"sync"
)

// Cloud is what the filters look at: points x, y, z interleaved as raw integers,
// in any order that keeps neighbours close (Morton order), with the scale that
// makes them real units. Offsets do not matter.
type Cloud struct {
	XYZ   []int32
	Scale [3]float64
}

// DefaultMaxCells bounds the grids: 64 Mi cells, about 2 GiB while SMRF runs.
const DefaultMaxCells = 1 << 26

// TooManyCellsError says that the extent of the cloud is too large for its cells.
type TooManyCellsError struct {
	Cells, Limit float64
	Cell         float64 // real units
}

func (e *TooManyCellsError) Error() string {
	return fmt.Sprintf("a grid of cells of %g units over the cloud has %.3g cells, more than the limit of %.3g; "+
		"remove stray points far away, or use larger cells", e.Cell, e.Cells, e.Limit)
}

// grid lays cells over the cloud, in columns along y as PDAL counts them: cell =
// column*rows + row.
type grid struct {
	cols, rows int
	minX, minY int64 // raw
	maxX, maxY int64
	fx, fy     float64 // cells a raw unit
}

// newGrid covers the points that keep says take part (nil: all). ok is false where
// there are none.
func newGrid(c Cloud, cell float64, maxCells int, keep func(i int) bool) (g grid, ok bool, err error) {
	lo := [2]int64{math.MaxInt64, math.MaxInt64}
	hi := [2]int64{math.MinInt64, math.MinInt64}
	for i := range len(c.XYZ) / 3 {
		if keep != nil && !keep(i) {
			continue
		}
		ok = true
		for a := range 2 {
			v := int64(c.XYZ[3*i+a])
			lo[a], hi[a] = min(lo[a], v), max(hi[a], v)
		}
	}
	if !ok {
		return g, false, nil
	}
	sx, sy := math.Abs(c.Scale[0]), math.Abs(c.Scale[1])
	cols := math.Floor(float64(hi[0]-lo[0])*sx/cell) + 1
	rows := math.Floor(float64(hi[1]-lo[1])*sy/cell) + 1
	if maxCells <= 0 {
		maxCells = DefaultMaxCells
	}
	if !(cols*rows <= float64(maxCells)) {
		return g, true, &TooManyCellsError{Cells: cols * rows, Limit: float64(maxCells), Cell: cell}
	}
	return grid{int(cols), int(rows), lo[0], lo[1], hi[0], hi[1], sx / cell, sy / cell}, true, nil
}

// holds tells whether a point lies in the bounds of the grid.
func (g *grid) holds(x, y int32) bool {
	return int64(x) >= g.minX && int64(x) <= g.maxX && int64(y) >= g.minY && int64(y) <= g.maxY
}

func (g *grid) cell(x, y int32) int {
	c := min(int(float64(int64(x)-g.minX)*g.fx), g.cols-1)
	r := min(int(float64(int64(y)-g.minY)*g.fy), g.rows-1)
	return c*g.rows + r
}

// inParallel splits 0 to n into a part for each worker.
func inParallel(workers, n int, fn func(first, end int)) {
	workers = max(1, min(workers, n))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { fn(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
}
