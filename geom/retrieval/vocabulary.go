package retrieval

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Shape of the tree of words.
const (
	// branches of each of the two levels: 1,024 words tell some thousand photos of one
	// site apart, and are learnt from few.
	branches = 32
	// rounds of k-means a level.
	rounds = 8
	// samples of descriptors that the tree is learnt from.
	samples = 60_000
)

// Similar returns for each photo up to k others that are most like it, best first, by
// the cosine of their words weighted by how rare these are (tf-idf). sets are the
// descriptors of each photo, some hundreds each.
func Similar(ctx context.Context, sets [][]uint8, k, workers int) ([][]int, error) {
	tree, err := learn(ctx, sets, workers)
	if err != nil {
		return nil, err
	}
	counts := make([]map[int]float64, len(sets))
	err = each(ctx, len(sets), workers, func(i int) {
		m := map[int]float64{}
		for d := sets[i]; len(d) >= Size; d = d[Size:] {
			m[tree.word((*[Size]uint8)(d))]++
		}
		counts[i] = m
	})
	if err != nil {
		return nil, err
	}
	return rank(ctx, weigh(counts), k, workers)
}

// posting is a photo that has a word.
type posting struct {
	photo  int
	weight float64
}

// weigh turns counts of words into vectors of length one; words of photos are in
// their order, so that sums come out the same each time.
func weigh(counts []map[int]float64) [][]posting {
	n := float64(len(counts))
	inPhotos := map[int]float64{}
	for _, m := range counts {
		for w := range m {
			inPhotos[w]++
		}
	}
	vectors := make([][]posting, len(counts)) // here photo is the word
	for i, m := range counts {
		var sum float64
		for w, c := range m {
			vectors[i] = append(vectors[i], posting{w, math.Sqrt(c) * math.Log((1+n)/inPhotos[w])})
		}
		slices.SortFunc(vectors[i], func(a, b posting) int { return cmp.Compare(a.photo, b.photo) })
		for _, p := range vectors[i] {
			sum += p.weight * p.weight
		}
		for j := range vectors[i] {
			vectors[i][j].weight /= math.Sqrt(sum)
		}
	}
	return vectors
}

func rank(ctx context.Context, vectors [][]posting, k, workers int) ([][]int, error) {
	inverted := make([][]posting, branches*branches)
	for photo, v := range vectors {
		for _, p := range v {
			inverted[p.photo] = append(inverted[p.photo], posting{photo, p.weight})
		}
	}
	out := make([][]int, len(vectors))
	err := each(ctx, len(vectors), workers, func(i int) {
		score := make([]float64, len(vectors))
		for _, p := range vectors[i] {
			for _, q := range inverted[p.photo] {
				score[q.photo] += p.weight * q.weight
			}
		}
		var others []int
		for j, s := range score {
			if j != i && s > 0 {
				others = append(others, j)
			}
		}
		slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
		out[i] = others[:min(k, len(others))]
	})
	return out, err
}

// tree has the middles of clusters, and of the clusters in each.
type tree struct {
	top [][Size]uint8
	sub [][][Size]uint8
}

func (t *tree) word(d *[Size]uint8) int {
	i := closest(t.top, d)
	return i*branches + closest(t.sub[i], d)
}

func closest(middles [][Size]uint8, d *[Size]uint8) int {
	best, least := 0, int32(math.MaxInt32)
	for i := range middles {
		if dist := distance(d, &middles[i], least); dist < least {
			best, least = i, dist
		}
	}
	return best
}

// learn clusters a sample of all descriptors.
func learn(ctx context.Context, sets [][]uint8, workers int) (*tree, error) {
	var all []*[Size]uint8
	total := 0
	for _, s := range sets {
		total += len(s) / Size
	}
	step := max(1, total/samples)
	n := 0
	for _, s := range sets {
		for ; len(s) >= Size; s = s[Size:] {
			if n%step == 0 {
				all = append(all, (*[Size]uint8)(s))
			}
			n++
		}
	}
	t := &tree{}
	top, member, err := cluster(ctx, all, workers)
	if err != nil {
		return nil, err
	}
	t.top, t.sub = top, make([][][Size]uint8, len(top))
	parts := make([][]*[Size]uint8, len(top))
	for i, m := range member {
		parts[m] = append(parts[m], all[i])
	}
	for i, part := range parts {
		if t.sub[i], _, err = cluster(ctx, part, workers); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// cluster runs k-means from middles spread evenly over the list. Sums are of whole
// numbers, so that their order does not matter.
func cluster(ctx context.Context, all []*[Size]uint8, workers int) (middles [][Size]uint8, member []int, err error) {
	k := min(branches, len(all))
	for i := range k {
		middles = append(middles, *all[i*len(all)/k])
	}
	member = make([]int, len(all))
	for range rounds {
		if err := each(ctx, len(all), workers, func(i int) { member[i] = closest(middles, all[i]) }); err != nil {
			return nil, nil, err
		}
		sums, counts := make([][Size]int64, k), make([]int64, k)
		for i, d := range all {
			m := member[i]
			counts[m]++
			for c, v := range d {
				sums[m][c] += int64(v)
			}
		}
		for m := range middles {
			if counts[m] == 0 {
				continue
			}
			for c := range middles[m] {
				middles[m][c] = uint8((sums[m][c] + counts[m]/2) / counts[m])
			}
		}
	}
	return middles, member, nil
}

// each calls fn for 0 … n-1 on some goroutines, in blocks, until ctx is done.
func each(ctx context.Context, n, workers int, fn func(i int)) error {
	const block = 64
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(max(workers, 1), (n+block-1)/block) {
		g.Go(func() error {
			for {
				from := int(next.Add(block)) - block
				if from >= n {
					return nil
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				for i := from; i < min(from+block, n); i++ {
					fn(i)
				}
			}
		})
	}
	return g.Wait()
}
