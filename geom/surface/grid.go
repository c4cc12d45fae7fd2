package surface

import "math"

// grid is a hash table from cells of grids of several sizes to the last vertex made
// in each, plus one.
type grid struct {
	keys  []uint64
	value []int32
}

func newGrid(n int) *grid {
	size := 1024
	for size < 2*n {
		size *= 2
	}
	return &grid{make([]uint64, size), make([]int32, size)}
}

// slot is the place of the cell that holds p in the grid of a level, whose cells have
// the edge 1/per.
func (g *grid) slot(level int64, p []float32, per float64) *int32 {
	h := mix(uint64(level) + 1)
	for _, x := range p {
		h = mix(h ^ uint64(int64(math.Floor(float64(x)*per))))
	}
	return g.place(h | 1)
}

func (g *grid) place(key uint64) *int32 {
	mask := uint64(len(g.keys) - 1)
	for i := key >> 1 & mask; ; i = (i + 1) & mask {
		if g.keys[i] == 0 {
			g.keys[i] = key
		}
		if g.keys[i] == key {
			return &g.value[i]
		}
	}
}

// grow makes room once n places are taken.
func (g *grid) grow(n int) {
	if 3*n < 2*len(g.keys) {
		return
	}
	old := *g
	*g = grid{make([]uint64, 2*len(g.keys)), make([]int32, 2*len(g.keys))}
	for i, k := range old.keys {
		if k != 0 {
			*g.place(k) = old.value[i]
		}
	}
}

// mix scrambles all bits (the finaliser of splitmix64).
func mix(x uint64) uint64 {
	x = (x + 0x9e3779b97f4a7c15)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
