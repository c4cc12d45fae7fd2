package ground

import (
	"context"
	"math"
	"slices"
)

// ELMParams are in real units of the cloud, horizontal and vertical.
type ELMParams struct {
	Cell      float64 // edge of a cell; 10 m in PDAL
	Threshold float64 // vertical gap; 1 m in PDAL
	MaxCells  int     // 0: DefaultMaxCells
}

// ELM calls mark for points of low noise: in each cell the lowest points that lie
// at least Threshold below the next higher one, up to the first gap smaller than
// that. A point that is alone in its cell is no noise. The points that within says
// belong (nil: all) bound the grid; others, such as strays that a filter before
// found, take part where they lie inside. mark is called by several goroutines,
// for each point once. It takes 4 bytes a point and a cell. Errors:
// TooManyCellsError and that of ctx.
func ELM(ctx context.Context, c Cloud, p ELMParams, workers int, within func(i int) bool, mark func(i int)) (noise int, err error) {
	g, ok, err := newGrid(c, p.Cell, p.MaxCells, within)
	if err != nil || !ok {
		return 0, err
	}
	n := len(c.XYZ) / 3
	starts := make([]uint32, g.cols*g.rows+1)
	inside := 0
	for i := range n {
		if x, y := c.XYZ[3*i], c.XYZ[3*i+1]; g.holds(x, y) {
			starts[g.cell(x, y)+1]++
			inside++
		}
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	members := make([]uint32, inside)
	next := slices.Clone(starts)
	for i := range n {
		if x, y := c.XYZ[3*i], c.XYZ[3*i+1]; g.holds(x, y) {
			cell := g.cell(x, y)
			members[next[cell]] = uint32(i)
			next[cell]++
		}
	}
	scale := math.Abs(c.Scale[2])
	counts := make(chan int, max(1, workers))
	inParallel(workers, g.cols*g.rows, func(first, end int) {
		found := 0
		for cell := first; cell < end && (cell&0xFFF != 0 || ctx.Err() == nil); cell++ {
			found += lowNoise(c.XYZ, members[starts[cell]:starts[cell+1]], scale, p.Threshold, mark)
		}
		counts <- found
	})
	close(counts)
	for found := range counts {
		noise += found
	}
	return noise, ctx.Err()
}

// selections is how many lowest points are looked for one by one, before it is
// cheaper to sort the cell.
const selections = 4

// lowNoise marks the points of a cell below the first small gap.
func lowNoise(xyz []int32, cell []uint32, scale, threshold float64, mark func(i int)) (found int) {
	height := func(p uint32) int32 { return xyz[3*int(p)+2] }
	for step := 0; len(cell) > 1; step++ {
		if step == selections {
			slices.SortStableFunc(cell, func(a, b uint32) int { return int(min(max(int64(height(a))-int64(height(b)), -1), 1)) })
		}
		if step < selections {
			lowestTwo(cell, height)
		}
		if float64(int64(height(cell[1]))-int64(height(cell[0])))*scale < threshold {
			break
		}
		mark(int(cell[0]))
		found++
		cell = cell[1:]
	}
	return found
}

// lowestTwo brings the two lowest points to the front; of equal ones, the first.
func lowestTwo(cell []uint32, height func(uint32) int32) {
	for k := range 2 {
		low := k
		for i := k + 1; i < len(cell); i++ {
			if height(cell[i]) < height(cell[low]) {
				low = i
			}
		}
		cell[k], cell[low] = cell[low], cell[k]
	}
}
