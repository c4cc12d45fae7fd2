// Package knn finds the nearest neighbours of all points of a cloud at once.
//
// Points come in Morton order (package morton), so that a run of them is a small
// clump. Runs are the leaves of a tree of bounding boxes that needs no building
// beyond the boxes themselves; all points of a leaf search together, starting from
// the leaf and those beside it. Distances are exact to single precision.
package knn

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

const (
	leafPoints = 16 // a run of points that one box holds; measured, 8 and 32 are slower
	fan        = 8  // boxes that the box above holds
	// MaxK is the most neighbours that can be asked for.
	MaxK = 256
)

// box bounds points in raw coordinates.
type box struct {
	lo, hi [3]int32
}

// MeanDistances puts the mean distance of each point to its k nearest other points
// into dst, in real units (scale is that of the raw coordinates). Points are x, y,
// z interleaved in Morton order. Where there are fewer than k others the mean is
// over those, of a single point 0. progress, which may be nil, is called
// concurrently with the number of points done. It takes 2 bytes a point while it
// runs. Errors: k outside 1 to MaxK, slices that do not fit, and that of ctx.
func MeanDistances(ctx context.Context, xyz []int32, scale [3]float64, k, workers int, dst []float32, progress func(done int)) error {
	n := len(xyz) / 3
	if k < 1 || k > MaxK {
		return fmt.Errorf("knn: %d neighbours; 1 to %d can be found", k, MaxK)
	}
	if len(dst) != n {
		return fmt.Errorf("knn: room for %d distances of %d points", len(dst), n)
	}
	if n < 2 {
		clear(dst)
		return nil
	}
	t := newTree(xyz, scale)
	leaves := len(t.levels[0])
	const batch = 256 // leaves that a worker takes at a time
	var next, done atomic.Int64
	var wg sync.WaitGroup
	for range max(1, workers) {
		wg.Go(func() {
			s := newSearch(t, min(k, n-1))
			for ctx.Err() == nil {
				first := int(next.Add(batch)) - batch
				if first >= leaves {
					return
				}
				end := min(first+batch, leaves)
				for leaf := first; leaf < end; leaf++ {
					s.leaf(leaf, dst)
				}
				if progress != nil {
					progress(int(done.Add(int64(min(end*leafPoints, n) - first*leafPoints))))
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// tree holds the boxes, those of the leaves first.
type tree struct {
	xyz    []int32
	scale  [3]float32
	levels [][]box
}

func newTree(xyz []int32, scale [3]float64) *tree {
	t := &tree{xyz: xyz}
	for i, s := range scale {
		t.scale[i] = float32(math.Abs(s))
	}
	n := len(xyz) / 3
	leaves := make([]box, (n+leafPoints-1)/leafPoints)
	for i := range leaves {
		p := xyz[3*i*leafPoints : 3*min((i+1)*leafPoints, n)]
		b := box{[3]int32{p[0], p[1], p[2]}, [3]int32{p[0], p[1], p[2]}}
		for ; len(p) >= 3; p = p[3:] {
			for a := range 3 {
				b.lo[a], b.hi[a] = min(b.lo[a], p[a]), max(b.hi[a], p[a])
			}
		}
		leaves[i] = b
	}
	t.levels = append(t.levels, leaves)
	for len(leaves) > 1 {
		up := make([]box, (len(leaves)+fan-1)/fan)
		for i := range up {
			b := leaves[i*fan]
			for _, o := range leaves[i*fan : min((i+1)*fan, len(leaves))] {
				for a := range 3 {
					b.lo[a], b.hi[a] = min(b.lo[a], o.lo[a]), max(b.hi[a], o.hi[a])
				}
			}
			up[i] = b
		}
		t.levels = append(t.levels, up)
		leaves = up
	}
	return t
}

// gap is the squared distance between two boxes.
func (t *tree) gap(a, b *box) float32 {
	var sum float32
	for i := range 3 {
		var d int64
		if a.lo[i] > b.hi[i] {
			d = int64(a.lo[i]) - int64(b.hi[i])
		} else if b.lo[i] > a.hi[i] {
			d = int64(b.lo[i]) - int64(a.hi[i])
		}
		f := float32(d) * t.scale[i]
		sum += f * f
	}
	return sum
}

// search is the state of a worker, for the leaf that begins with point first.
type search struct {
	*tree
	k     int
	first int
	best  []float32 // k of each point of the leaf, ascending squares
	stack []entry
	near  []candidate
}

type entry struct {
	gap          float32
	level, index int32
}

type candidate struct {
	gap  float32
	leaf int32
}

// maxNear is the most leaves that the points of a leaf look at together. Where
// there are more, the leaf spans a gap, such as from the ground to a stray in the
// sky, and its points search one by one.
const maxNear = 96

func newSearch(t *tree, k int) *search {
	return &search{tree: t, k: k, best: make([]float32, k*leafPoints)}
}

// leaf finds the neighbours of the points of a leaf.
func (s *search) leaf(leaf int, dst []float32) {
	n := len(s.xyz) / 3
	first, end := leaf*leafPoints, min((leaf+1)*leafPoints, n)
	s.first = first
	inf := float32(math.Inf(1))
	for i := range s.best {
		s.best[i] = inf
	}
	// The leaf itself and as many beside it as it takes to find k give a bound.
	lo, hi := leaf, leaf
	s.visit(first, end, leaf)
	for hi-lo < 2 || s.worst(end-first) == inf {
		grown := false
		if lo > 0 {
			lo--
			s.visit(first, end, lo)
			grown = true
		}
		if hi+1 < len(s.levels[0]) {
			hi++
			s.visit(first, end, hi)
			grown = true
		}
		if !grown {
			break
		}
	}
	if s.collect(leaf, lo, hi, s.worst(end-first)) {
		bound := s.worst(end - first)
		for _, c := range s.near {
			if c.gap < bound {
				s.visit(first, end, int(c.leaf))
				bound = s.worst(end - first)
			}
		}
	} else {
		for i := first; i < end; i++ {
			s.point(i, lo, hi)
		}
	}
	for i := first; i < end; i++ {
		var sum float64
		for _, d := range s.best[(i-first)*s.k : (i-first+1)*s.k] {
			sum += math.Sqrt(float64(d))
		}
		dst[i] = float32(sum / float64(s.k))
	}
}

// worst gives the largest distance that a point of the leaf still has among its k.
func (s *search) worst(points int) float32 {
	w := float32(0)
	for i := range points {
		w = max(w, s.best[i*s.k+s.k-1])
	}
	return w
}

// collect lists the leaves other than lo to hi that are nearer than bound, nearest
// first; false where there are too many.
func (s *search) collect(leaf, lo, hi int, bound float32) bool {
	own := &s.levels[0][leaf]
	s.near = s.near[:0]
	s.stack = append(s.stack[:0], entry{0, int32(len(s.levels) - 1), 0})
	for len(s.stack) > 0 {
		e := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		g := s.gap(own, &s.levels[e.level][e.index])
		if g >= bound {
			continue
		}
		if e.level == 0 {
			if int(e.index) < lo || int(e.index) > hi {
				if len(s.near) == maxNear {
					return false
				}
				s.near = append(s.near, candidate{g, e.index})
			}
			continue
		}
		below := s.levels[e.level-1]
		for i := int(e.index) * fan; i < min((int(e.index)+1)*fan, len(below)); i++ {
			s.stack = append(s.stack, entry{0, e.level - 1, int32(i)})
		}
	}
	// Insertion sort: the list is short.
	for i := 1; i < len(s.near); i++ {
		c := s.near[i]
		j := i
		for ; j > 0 && s.near[j-1].gap > c.gap; j-- {
			s.near[j] = s.near[j-1]
		}
		s.near[j] = c
	}
	return true
}

// point finds the neighbours of one point in all leaves but lo to hi, going down
// into the nearest box first.
func (s *search) point(i, lo, hi int) {
	p := s.xyz[3*i : 3*i+3]
	limit := &s.best[(i-s.first+1)*s.k-1]
	s.stack = append(s.stack[:0], entry{0, int32(len(s.levels) - 1), 0})
	for len(s.stack) > 0 {
		e := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		if e.gap >= *limit {
			continue
		}
		if e.level == 0 {
			if int(e.index) < lo || int(e.index) > hi {
				s.visit(i, i+1, int(e.index))
			}
			continue
		}
		below := s.levels[e.level-1]
		start := len(s.stack)
		for j := int(e.index) * fan; j < min((int(e.index)+1)*fan, len(below)); j++ {
			c := entry{s.outside(p, &below[j]), e.level - 1, int32(j)}
			if c.gap >= *limit {
				continue
			}
			s.stack = append(s.stack, c)
			for at := len(s.stack) - 1; at > start && s.stack[at-1].gap < c.gap; at-- {
				s.stack[at], s.stack[at-1] = s.stack[at-1], c
			}
		}
	}
}

// visit compares the points first to end, of the leaf being searched for, with
// those of a leaf.
func (s *search) visit(first, end, leaf int) {
	n := len(s.xyz) / 3
	from := leaf * leafPoints
	others := s.xyz[3*from : 3*min(from+leafPoints, n)]
	b := &s.levels[0][leaf]
	sx, sy, sz := s.scale[0], s.scale[1], s.scale[2]
	for i := first; i < end; i++ {
		best := s.best[(i-s.first)*s.k : (i-s.first+1)*s.k]
		limit := best[len(best)-1]
		p := s.xyz[3*i : 3*i+3]
		if s.outside(p, b) >= limit {
			continue
		}
		x, y, z := int64(p[0]), int64(p[1]), int64(p[2])
		self := i - from
		for j := 0; 3*j+2 < len(others); j++ {
			dx := float32(int64(others[3*j])-x) * sx
			dy := float32(int64(others[3*j+1])-y) * sy
			dz := float32(int64(others[3*j+2])-z) * sz
			d := dx*dx + dy*dy + dz*dz
			if d < limit && j != self {
				at := len(best) - 1
				for ; at > 0 && best[at-1] > d; at-- {
					best[at] = best[at-1]
				}
				best[at] = d
				limit = best[len(best)-1]
			}
		}
	}
}

// outside is the squared distance of a point to a box.
func (s *search) outside(p []int32, b *box) float32 {
	var sum float32
	for i := range 3 {
		var d int64
		if p[i] < b.lo[i] {
			d = int64(b.lo[i]) - int64(p[i])
		} else if p[i] > b.hi[i] {
			d = int64(p[i]) - int64(b.hi[i])
		}
		f := float32(d) * s.scale[i]
		sum += f * f
	}
	return sum
}
