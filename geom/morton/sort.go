package morton

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
)

// bucketBits is the number of leading key bits that the first pass of a sort
// divides by: few enough that the write positions stay in the cache.
const bucketBits = 12

type pair struct {
	key   uint64
	index uint32
}

// Sort brings the points xyz (x, y, z interleaved) into the order of their keys
// in c, in place; points of equal keys keep their order. order[i] is the place
// that point i had before. It takes 28 bytes a point while it runs. The only
// errors are that of ctx and a cloud of 2^32 points or more.
func Sort(ctx context.Context, xyz []int32, c Cube, workers int) (order []uint32, err error) {
	n := len(xyz) / 3
	if uint64(n) > math.MaxUint32 {
		return nil, fmt.Errorf("morton: %d points are more than the %d that are sorted at a time", n, uint32(math.MaxUint32))
	}
	workers = max(1, min(workers, 1+n>>14))
	keys := make([]uint64, n)
	shift, counts := fill(ctx, keys, xyz, &c, workers)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	buckets := 1 << bucketBits
	starts := make([]int, buckets+1)
	at := 0
	for b := range buckets {
		starts[b] = at
		for w := range workers {
			counts[w][b], at = at, at+counts[w][b]
		}
	}
	starts[buckets] = n

	pairs := make([]pair, n)
	parallel(workers, func(w int) {
		pos := counts[w]
		for i := n * w / workers; i < n*(w+1)/workers; i++ {
			b := keys[i] >> shift
			pairs[pos[b]] = pair{keys[i], uint32(i)}
			pos[b]++
		}
	})
	keys = nil
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sortBuckets(ctx, pairs, starts, workers)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	order = make([]uint32, n)
	old := slices.Clone(xyz)
	parallel(workers, func(w int) {
		for i := n * w / workers; i < n*(w+1)/workers; i++ {
			p := pairs[i].index
			order[i] = p
			copy(xyz[3*i:3*i+3], old[3*int(p):3*int(p)+3])
		}
	})
	return order, ctx.Err()
}

// fill computes the keys, and how many of each worker's fall into each bucket by
// their leading bits that differ.
func fill(ctx context.Context, keys []uint64, xyz []int32, c *Cube, workers int) (shift uint, counts [][]int) {
	n := len(keys)
	counts = make([][]int, workers)
	shift = 3*Bits - bucketBits
	parallel(workers, func(w int) {
		count := make([]int, 1<<bucketBits)
		for i := n * w / workers; i < n*(w+1)/workers; i++ {
			if i&0xFFFFF == 0 && ctx.Err() != nil {
				break
			}
			k := c.Key(xyz[3*i], xyz[3*i+1], xyz[3*i+2])
			keys[i] = k
			count[k>>shift]++
		}
		counts[w] = count
	})
	return shift, counts
}

// sortBuckets sorts each bucket by radix.
func sortBuckets(ctx context.Context, pairs []pair, starts []int, workers int) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var tmp []pair
			for b := range next {
				part := pairs[starts[b]:starts[b+1]]
				if cap(tmp) < len(part) {
					tmp = make([]pair, len(part))
				}
				radix(part, tmp[:len(part)])
			}
		})
	}
	for b := 0; b+1 < len(starts) && ctx.Err() == nil; b++ {
		if starts[b+1]-starts[b] > 1 {
			next <- b
		}
	}
	close(next)
	wg.Wait()
}

// radix sorts by key, stably, lowest byte first; bytes that are the same in all
// keys are passed over. Small parts are sorted by comparison.
func radix(part, tmp []pair) {
	if len(part) < 256 {
		slices.SortStableFunc(part, func(a, b pair) int {
			switch {
			case a.key < b.key:
				return -1
			case a.key > b.key:
				return 1
			}
			return 0
		})
		return
	}
	var differ uint64
	for i := range part {
		differ |= part[i].key ^ part[0].key
	}
	from, to := part, tmp
	for shift := uint(0); shift < 64; shift += 8 {
		if differ>>shift&0xFF == 0 {
			continue
		}
		var count [256]int
		for i := range from {
			count[byte(from[i].key>>shift)]++
		}
		at := 0
		for i, n := range count {
			count[i], at = at, at+n
		}
		for i := range from {
			b := byte(from[i].key >> shift)
			to[count[b]] = from[i]
			count[b]++
		}
		from, to = to, from
	}
	if &from[0] != &part[0] {
		copy(part, from)
	}
}

// parallel runs fn for each worker and waits for all.
func parallel(workers int, fn func(w int)) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { fn(w) })
	}
	wg.Wait()
}
