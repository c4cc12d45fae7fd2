package ground

import "math"

// fillNeighbours is the number of cells whose mean fills a void.
const fillNeighbours = 8

// fill puts the mean of the nearest cells that have a value into those that have
// none (NaN). Nothing changes where all are NaN.
//
// Each column has, for each cell, the next one upwards and downwards with a value;
// a search then goes through columns outwards and touches only cells that count,
// so that a wide void costs its width a cell instead of its area.
func (f *surface) fill(z []float64) {
	up, down := f.links(z)
	values := append([]float64(nil), z...)
	inParallel(f.workers, f.cols, func(first, end int) {
		for c := first; c < end && f.ctx.Err() == nil; c++ {
			for r := range f.rows {
				if at := c*f.rows + r; math.IsNaN(z[at]) {
					values[at] = f.nearestMean(z, up, down, c, r)
				}
			}
		}
	})
	copy(z, values)
	f.step()
}

// links gives for each cell the row of the nearest cell with a value at or above
// it in its column, and at or below; -1 without.
func (f *surface) links(z []float64) (up, down []int32) {
	up, down = make([]int32, len(z)), make([]int32, len(z))
	inParallel(f.workers, f.cols, func(first, end int) {
		for c := first; c < end; c++ {
			col := z[c*f.rows : (c+1)*f.rows]
			last := int32(-1)
			for r := range col {
				if !math.IsNaN(col[r]) {
					last = int32(r)
				}
				down[c*f.rows+r] = last
			}
			last = -1
			for r := len(col) - 1; r >= 0; r-- {
				if !math.IsNaN(col[r]) {
					last = int32(r)
				}
				up[c*f.rows+r] = last
			}
		}
	})
	return up, down
}

// nearestMean gives the mean of the cells with a value nearest to column c, row r;
// NaN where there are none.
func (f *surface) nearestMean(z []float64, up, down []int32, c, r int) float64 {
	var near [fillNeighbours]struct {
		d int64
		z float64
	}
	n := 0
	add := func(d int64, v float64) bool {
		if n == fillNeighbours && d >= near[n-1].d {
			return false
		}
		if n < fillNeighbours {
			n++
		}
		i := n - 1
		for ; i > 0 && near[i-1].d > d; i-- {
			near[i] = near[i-1]
		}
		near[i].d, near[i].z = d, v
		return true
	}
	column := func(col int) {
		dc := int64(col - c)
		base := col * f.rows
		for row := up[base+r]; row >= 0; row = f.above(up, base, row) {
			if dr := int64(row) - int64(r); !add(dc*dc+dr*dr, z[base+int(row)]) {
				break
			}
		}
		if r == 0 {
			return
		}
		for row := down[base+r-1]; row >= 0; row = f.below(down, base, row) {
			if dr := int64(row) - int64(r); !add(dc*dc+dr*dr, z[base+int(row)]) {
				break
			}
		}
	}
	for dc := 0; dc < f.cols; dc++ {
		if n == fillNeighbours && int64(dc)*int64(dc) >= near[n-1].d {
			break
		}
		if c-dc >= 0 {
			column(c - dc)
		}
		if dc > 0 && c+dc < f.cols {
			column(c + dc)
		}
	}
	if n == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, p := range near[:n] {
		sum += p.z
	}
	return sum / float64(n)
}

func (f *surface) above(up []int32, base int, row int32) int32 {
	if int(row)+1 >= f.rows {
		return -1
	}
	return up[base+int(row)+1]
}

func (f *surface) below(down []int32, base int, row int32) int32 {
	if row == 0 {
		return -1
	}
	return down[base+int(row)-1]
}
