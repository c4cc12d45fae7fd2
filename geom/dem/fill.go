package dem

import (
	"context"
	"math"
	"sync"
)

// sweeps of relaxation a level: with a good start from the coarser level, more
// change nothing that can be seen.
const sweeps = 8

// fill gives each cell without a value (NaN) one of a membrane that is held by the
// others. Nothing changes where there are none.
func fill(ctx context.Context, z []float32, cols, rows, workers int) error {
	void := make([]bool, len(z))
	voids := 0
	for i, v := range z {
		if v != v {
			void[i] = true
			voids++
		}
	}
	if voids == 0 || voids == len(z) {
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, r := (cols+1)/2, (rows+1)/2
	coarse := halve(z, cols, rows)
	if err := fill(ctx, coarse, c, r, workers); err != nil {
		return err
	}
	bands(workers, rows, func(first, end int) {
		for y := first; y < end; y++ {
			for x := range cols {
				if void[y*cols+x] {
					z[y*cols+x] = sampleAt(coarse, c, r, float64(x)/2-.25, float64(y)/2-.25)
				}
			}
		}
	})
	// Cells of two colours in turn, as on a chessboard: neighbours of one colour
	// are all of the other, so that workers do not disturb each other.
	for sweep := range 2 * sweeps {
		if err := ctx.Err(); err != nil {
			return err
		}
		bands(workers, rows, func(first, end int) {
			for y := first; y < end; y++ {
				for x := (y + sweep) & 1; x < cols; x += 2 {
					if void[y*cols+x] {
						z[y*cols+x] = meanOfFour(z, cols, rows, x, y)
					}
				}
			}
		})
	}
	return nil
}

// halve gives a grid of half the size with the means of the cells that have values.
func halve(z []float32, cols, rows int) []float32 {
	c, r := (cols+1)/2, (rows+1)/2
	out := make([]float32, c*r)
	for y := range r {
		for x := range c {
			sum, n := float32(0), float32(0)
			for j := 2 * y; j < min(2*y+2, rows); j++ {
				for i := 2 * x; i < min(2*x+2, cols); i++ {
					if v := z[j*cols+i]; v == v {
						sum += v
						n++
					}
				}
			}
			out[y*c+x] = float32(math.NaN())
			if n > 0 {
				out[y*c+x] = sum / n
			}
		}
	}
	return out
}

// sampleAt interpolates between the middles of four cells.
func sampleAt(z []float32, cols, rows int, x, y float64) float32 {
	x, y = min(max(x, 0), float64(cols-1)), min(max(y, 0), float64(rows-1))
	i, j := int(x), int(y)
	i1, j1 := min(i+1, cols-1), min(j+1, rows-1)
	u, v := float32(x-float64(i)), float32(y-float64(j))
	a := z[j*cols+i]*(1-u) + z[j*cols+i1]*u
	b := z[j1*cols+i]*(1-u) + z[j1*cols+i1]*u
	return a*(1-v) + b*v
}

func meanOfFour(z []float32, cols, rows, x, y int) float32 {
	sum, n := float32(0), float32(0)
	at := y*cols + x
	if x > 0 {
		sum += z[at-1]
		n++
	}
	if x+1 < cols {
		sum += z[at+1]
		n++
	}
	if y > 0 {
		sum += z[at-cols]
		n++
	}
	if y+1 < rows {
		sum += z[at+cols]
		n++
	}
	return sum / n
}

// bands splits rows among workers.
func bands(workers, rows int, fn func(first, end int)) {
	workers = max(1, min(workers, rows/64))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { fn(rows*w/workers, rows*(w+1)/workers) })
	}
	wg.Wait()
}
