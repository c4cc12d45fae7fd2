package delaunay

import "context"

const (
	// Each round of the order has so many times the points of the one before, chosen at
	// random; the first has some hundred.
	roundBits  = 3
	firstRound = 128
)

// keyed is a point and its place along the curve.
type keyed struct {
	key   uint64
	point int32
}

// insertionOrder gives rounds of random points, each along a Hilbert curve.
func insertionOrder(ctx context.Context, grid [][3]int32) ([]int32, error) {
	rounds := 1
	for n := len(grid); n > firstRound; n >>= roundBits {
		rounds++
	}
	sorted := make([]keyed, len(grid))
	for i, g := range grid {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		sorted[i] = keyed{uint64(rounds-1-roundOf(i, rounds))<<60 | hilbert(g)>>3, int32(i)}
	}
	sorted, err := radixSort(ctx, sorted)
	if err != nil {
		return nil, err
	}
	order := make([]int32, len(grid))
	for i, k := range sorted {
		order[i] = k.point
	}
	return order, nil
}

// radixSort sorts by key; what has the same key keeps its order.
func radixSort(ctx context.Context, a []keyed) ([]keyed, error) {
	const digit = 11
	b := make([]keyed, len(a))
	for shift := 0; shift < 64; shift += digit {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var start [1 << digit]int
		for _, k := range a {
			start[k.key>>shift&(1<<digit-1)]++
		}
		sum := 0
		for d, n := range start {
			start[d] = sum
			sum += n
		}
		for _, k := range a {
			d := k.key >> shift & (1<<digit - 1)
			b[start[d]] = k
			start[d]++
		}
		a, b = b, a
	}
	return a, nil
}

// roundOf draws how many rounds before the last a point is added: each earlier round
// is an eighth as likely.
func roundOf(i, rounds int) int {
	h := uint64(i)*0x9e3779b97f4a7c15 + 0x632be59bd9b4e019
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	r := 0
	for r < rounds-1 && h&(1<<roundBits-1) == 0 {
		h >>= roundBits
		r++
	}
	return r
}

// hilbert is the place of a point along a Hilbert curve of 21 bits a side (J. Skilling,
// "Programming the Hilbert curve", 2004).
func hilbert(g [3]int32) uint64 {
	const bits = 21
	x := [3]uint32{uint32(g[0]) >> (gridBits - bits), uint32(g[1]) >> (gridBits - bits), uint32(g[2]) >> (gridBits - bits)}
	for q := uint32(1) << (bits - 1); q > 1; q >>= 1 {
		p := q - 1
		for i := range x {
			if x[i]&q != 0 {
				x[0] ^= p
			} else {
				t := (x[0] ^ x[i]) & p
				x[0] ^= t
				x[i] ^= t
			}
		}
	}
	x[1] ^= x[0]
	x[2] ^= x[1]
	t := uint32(0)
	for q := uint32(1) << (bits - 1); q > 1; q >>= 1 {
		if x[2]&q != 0 {
			t ^= q - 1
		}
	}
	return spread(x[0]^t)<<2 | spread(x[1]^t)<<1 | spread(x[2]^t)
}

// spread puts two zeros between the 21 bits of v.
func spread(v uint32) uint64 {
	x := uint64(v) & 0x1fffff
	x = (x | x<<32) & 0x1f00000000ffff
	x = (x | x<<16) & 0x1f0000ff0000ff
	x = (x | x<<8) & 0x100f00f00f00f00f
	x = (x | x<<4) & 0x10c30c30c30c30c3
	return (x | x<<2) & 0x1249249249249249
}
