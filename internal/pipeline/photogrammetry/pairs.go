package photogrammetry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/geom/retrieval"
)

// How pairs of photos are chosen.
const (
	// allPairs is up to how many photos every pair is matched: fewer pairs than what
	// choosing would save.
	allPairs = 12
	// allScored is up to how many photos every pair is compared cheaply.
	allScored = 40
	// near is how many neighbours by position are compared cheaply, following how
	// many before and after in the order of time, similar how many by visual words.
	near, following, similar = 24, 5, 24
	// scoredFeatures are the largest features of a photo that are compared.
	scoredFeatures = 400
	// telling is the number of common features from which two photos show the same:
	// unrelated photos have up to 5 by chance.
	telling = 6
	// mostMatched bounds the pairs of a photo that are matched because they show the
	// same: 80 % overlap gives some 20 neighbours, of which half tie as well.
	mostMatched = 12
	// insured are the best pairs of a photo that are matched whatever they look like.
	insured = 2
	// secondChances are the pairs tried for a group of photos that is not tied to the
	// others, with hinting common features or more; photosPerRescue are the photos for
	// each such pair.
	secondChances, hinting, photosPerRescue = 4, 2, 4
	// photosPerLoop are the photos for each pair that is matched because both photos
	// match a third.
	photosPerLoop = 3
)

// pair of indices of photos, the lower first.
type pair [2]int

func pairOf(a, b int) pair { return pair{min(a, b), max(a, b)} }

// scored is a pair with the number of common features among the largest.
type scored struct {
	pair
	score int
}

// candidatePairs returns the pairs that are worth a cheap comparison.
func candidatePairs(photos []Photo, words [][]int) []pair {
	n := len(photos)
	set := map[pair]bool{}
	if n <= allScored {
		for a := range n {
			for b := range a {
				set[pairOf(a, b)] = true
			}
		}
		return sortedPairs(set)
	}
	for a, list := range nearestByPosition(photos, near) {
		for _, b := range list {
			set[pairOf(a, b)] = true
		}
	}
	order := byTime(photos)
	for i := range order {
		for d := 1; d <= following && i+d < n; d++ {
			set[pairOf(order[i], order[i+d])] = true
		}
	}
	for a, list := range words {
		for _, b := range list {
			set[pairOf(a, b)] = true
		}
	}
	return sortedPairs(set)
}

func sortedPairs(set map[pair]bool) []pair {
	list := make([]pair, 0, len(set))
	for p := range set {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b pair) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return list
}

// nearestByPosition returns for each photo with a position its k nearest.
func nearestByPosition(photos []Photo, k int) [][]int {
	out := make([][]int, len(photos))
	for a := range photos {
		if photos[a].GPS == nil {
			continue
		}
		type at struct {
			photo  int
			metres float64
		}
		var list []at
		for b := range photos {
			if b != a && photos[b].GPS != nil {
				list = append(list, at{b, metresApart(photos[a].GPS, photos[b].GPS)})
			}
		}
		slices.SortFunc(list, func(x, y at) int { return cmp.Or(cmp.Compare(x.metres, y.metres), cmp.Compare(x.photo, y.photo)) })
		for _, l := range list[:min(k, len(list))] {
			out[a] = append(out[a], l.photo)
		}
	}
	return out
}

// positioned tells how many photos have a position.
func positioned(photos []Photo) (n int) {
	for i := range photos {
		if photos[i].GPS != nil {
			n++
		}
	}
	return n
}

// byTime returns the order in which photos were taken: by time where it is known, and
// by name.
func byTime(photos []Photo) []int {
	order := make([]int, len(photos))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(photos[a].Time.Compare(photos[b].Time), cmp.Compare(photos[a].File, photos[b].File))
	})
	return order
}

// scorePairs compares the largest features of pairs.
func scorePairs(ctx context.Context, pairs []pair, descriptors [][]uint8, workers int, progress func(done, total float64)) ([]scored, error) {
	out := make([]scored, len(pairs))
	var next, done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range max(workers, 1) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(pairs) {
					return nil
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				p := pairs[i]
				out[i] = scored{p, retrieval.Match(descriptors[p[0]], descriptors[p[1]])}
				progress(float64(done.Add(1)), float64(len(pairs)))
			}
		})
	}
	return out, g.Wait()
}

// choosePairs picks the pairs to match: those that show the same, the best of each
// photo, and each photo's neighbours in position and time as an insurance.
func choosePairs(photos []Photo, list []scored) []pair {
	best := bestFirst(len(photos), list)
	chosen := map[pair]bool{}
	for _, mine := range best {
		for k, s := range mine {
			if k < insured || k < mostMatched && s.score >= telling {
				chosen[s.pair] = true
			}
		}
	}
	for a, list := range nearestByPosition(photos, 1) {
		for _, b := range list {
			chosen[pairOf(a, b)] = true
		}
	}
	order := byTime(photos)
	for i := range len(order) - 1 {
		chosen[pairOf(order[i], order[i+1])] = true
	}
	return sortedPairs(chosen)
}

// bestFirst returns the pairs of each photo, most common features first.
func bestFirst(n int, list []scored) [][]scored {
	out := make([][]scored, n)
	for _, s := range list {
		out[s.pair[0]] = append(out[s.pair[0]], s)
		out[s.pair[1]] = append(out[s.pair[1]], s)
	}
	for i := range out {
		slices.SortStableFunc(out[i], func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	}
	return out
}

// rescuePairs returns more pairs for groups of photos that are not tied to the largest,
// given the pairs that were found to match: the most likely of each group, and not
// many in all, since groups may have nothing in common.
func rescuePairs(n int, list []scored, tried map[pair]bool, verified []pair) []pair {
	group := groups(n, verified)
	main := largestGroup(group)
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	count := map[int]int{}
	more := map[pair]bool{}
	for _, s := range sorted {
		if s.score < hinting || len(more) >= n/photosPerRescue {
			break
		}
		a, b := group[s.pair[0]], group[s.pair[1]]
		if a == b || tried[s.pair] || a != main && count[a] >= secondChances || b != main && count[b] >= secondChances {
			continue
		}
		more[s.pair] = true
		count[a]++
		count[b]++
	}
	return sortedPairs(more)
}

// closePairs returns pairs that were not tried though both photos match a third well:
// they close loops. The best are taken, one for every few photos.
func closePairs(n int, counts map[pair]int, tried map[pair]bool) []pair {
	neighbours := make([][]int, n)
	for _, p := range verifiedPairs(counts) {
		neighbours[p[0]] = append(neighbours[p[0]], p[1])
		neighbours[p[1]] = append(neighbours[p[1]], p[0])
	}
	strength := map[pair]int{}
	for b, list := range neighbours {
		for i, a := range list {
			for _, c := range list[:i] {
				p := pairOf(a, c)
				if s := min(counts[pairOf(a, b)], counts[pairOf(b, c)]); !tried[p] && s > strength[p] {
					strength[p] = s
				}
			}
		}
	}
	set := make(map[pair]bool, len(strength))
	for p := range strength {
		set[p] = true
	}
	list := sortedPairs(set)
	slices.SortStableFunc(list, func(a, b pair) int { return cmp.Compare(strength[b], strength[a]) })
	return list[:min(len(list), n/photosPerLoop)]
}

// groups gives each photo the number of its connected group.
func groups(n int, pairs []pair) []int {
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, p := range pairs {
		a, b := root(p[0]), root(p[1])
		parent[max(a, b)] = min(a, b)
	}
	for i := range parent {
		parent[i] = root(i)
	}
	return parent
}

func largestGroup(group []int) int {
	count := map[int]int{}
	best := 0
	for _, g := range group {
		count[g]++
	}
	for _, g := range group {
		if count[g] > count[best] {
			best = g
		}
	}
	return best
}

// describePair names photos for people.
func describePair(photos []Photo, p pair) string {
	return fmt.Sprintf("%s and %s", photos[p[0]].File, photos[p[1]].File)
}
