// Package maxflow finds the smallest cut of a graph whose nodes have four neighbours,
// as the cells of a triangulation do.
//
// The method is incremental breadth-first search (A. V. Goldberg, S. Hed, H. Kaplan,
// R. E. Tarjan, R. F. Werneck, "Maximum flows by incremental breadth-first search",
// 2011): two trees grow level by level from the source and from the sink; where they
// meet, flow is pushed, and what was cut off finds a new parent on the lowest level it
// can. It takes 13 bytes a node besides the graph, and polynomial time.
package maxflow

import (
	"context"
	"fmt"
	"math"
)

// Graph is four arcs from each node. Capacities change in Cut.
type Graph struct {
	// Arcs are, for arc i of node v, 4·w+j where that is arc j of node w, the same arc
	// the other way round.
	Arcs [][4]int32
	// Capacity of each arc, not negative. The two directions of an arc together are
	// below 2^31.
	Capacity [][4]int32
	// Terminal is what flows from the source to a node where it is positive, and from
	// there to the sink where it is negative.
	Terminal []int32
}

const (
	// Parents of nodes besides the four arcs.
	terminal = 4
	orphan   = 5
	// checkEvery is after how much work the context is looked at.
	checkEvery = 1 << 15
)

// Cut finds the smallest cut. Node v is on the side of the source where source[v] is
// set; flow is the capacity of the cut. The graph holds what capacity is left. Where
// several cuts are smallest, one is taken, always the same. Errors: a graph whose
// slices do not fit, or that of ctx.
func Cut(ctx context.Context, g *Graph) (source []bool, flow int64, err error) {
	n := len(g.Arcs)
	if len(g.Capacity) != n || len(g.Terminal) != n || n > math.MaxInt32/4 {
		return nil, 0, fmt.Errorf("maxflow: %d nodes with %d capacities and %d terminals", n, len(g.Capacity), len(g.Terminal))
	}
	s := &solver{
		Graph: g, level: make([]int32, n), parent: make([]uint8, n),
		trees: [2]*tree{{sign: 1, top: 1}, {sign: -1, top: 1}},
	}
	for v, t := range g.Terminal {
		if t > 0 {
			s.root(s.trees[0], int32(v))
		} else if t < 0 {
			s.root(s.trees[1], int32(v))
		}
	}
	side := 0
	for len(s.trees[0].active) > 0 && len(s.trees[1].active) > 0 {
		if err := s.grow(ctx, s.trees[side], s.trees[1-side]); err != nil {
			return nil, 0, err
		}
		side = 1 - side
	}
	// The tree that cannot grow holds all that its terminal still reaches.
	source = make([]bool, n)
	complete := len(s.trees[0].active) == 0
	for v, l := range s.level {
		source[v] = l > 0 || (!complete && l == 0)
	}
	return source, s.flow, nil
}

// tree is that of one terminal. Levels are counted from 1, and are stored with the
// tree's sign.
type tree struct {
	sign, top    int32
	active, next []int32   // nodes of the top level, and those of the level above
	orphans      [][]int32 // by level
	lowest       int32     // level with orphans
}

type solver struct {
	*Graph
	level  []int32 // 0 is in no tree
	parent []uint8 // the arc to it
	trees  [2]*tree
	flow   int64
	work   int
}

func (s *solver) root(t *tree, v int32) {
	s.level[v], s.parent[v] = t.sign, terminal
	t.active = append(t.active, v)
}

// residual is what can still flow along arc i of v, away from v in the source's tree,
// towards v in the sink's.
func (s *solver) residual(t *tree, v int32, i int) int32 {
	if t.sign > 0 {
		return s.Capacity[v][i]
	}
	f := s.Arcs[v][i]
	return s.Capacity[f>>2][f&3]
}

// grow adds a level to a tree, and pushes flow wherever it meets the other.
func (s *solver) grow(ctx context.Context, t, other *tree) error {
	for k := 0; k < len(t.active); k++ {
		v := t.active[k]
		for i := 0; i < 4 && s.level[v] == t.sign*t.top; {
			f := s.Arcs[v][i]
			w := f >> 2
			l := s.level[w] * t.sign
			if l > 0 || s.residual(t, v, i) == 0 {
				i++
				continue
			}
			if l == 0 {
				s.level[w], s.parent[w] = t.sign*(t.top+1), uint8(f&3)
				t.next = append(t.next, w)
				i++
				continue
			}
			if t.sign > 0 {
				s.augment(v, i)
			} else {
				s.augment(w, int(f&3))
			}
			s.adopt(t, true)
			s.adopt(other, false)
		}
		if s.work++; s.work >= checkEvery {
			s.work = 0
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	t.active, t.next = t.next, t.active[:0]
	t.top++
	return nil
}

// augment pushes as much flow as possible from the source to v, along arc i of it, and
// on to the sink.
func (s *solver) augment(v int32, i int) {
	f := s.Arcs[v][i]
	w := f >> 2
	push := s.Capacity[v][i]
	x := v
	for s.parent[x] != terminal {
		p := s.Arcs[x][s.parent[x]]
		push = min(push, s.Capacity[p>>2][p&3])
		x = p >> 2
	}
	push = min(push, s.Terminal[x])
	y := w
	for s.parent[y] != terminal {
		push = min(push, s.Capacity[y][s.parent[y]])
		y = s.Arcs[y][s.parent[y]] >> 2
		s.work++
	}
	push = min(push, -s.Terminal[y])

	s.flow += int64(push)
	s.Capacity[v][i] -= push
	s.Capacity[w][f&3] += push
	for x := v; ; {
		i := s.parent[x]
		if i == terminal {
			if s.Terminal[x] -= push; s.Terminal[x] == 0 {
				s.cutOff(s.trees[0], x)
			}
			break
		}
		p := s.Arcs[x][i]
		s.Capacity[x][i] += push
		if s.Capacity[p>>2][p&3] -= push; s.Capacity[p>>2][p&3] == 0 {
			s.cutOff(s.trees[0], x)
		}
		x = p >> 2
	}
	for y := w; ; {
		i := s.parent[y]
		if i == terminal {
			if s.Terminal[y] += push; s.Terminal[y] == 0 {
				s.cutOff(s.trees[1], y)
			}
			break
		}
		p := s.Arcs[y][i]
		s.Capacity[p>>2][p&3] += push
		if s.Capacity[y][i] -= push; s.Capacity[y][i] == 0 {
			s.cutOff(s.trees[1], y)
		}
		y = p >> 2
	}
}

// cutOff makes an orphan.
func (s *solver) cutOff(t *tree, v int32) {
	s.parent[v] = orphan
	l := s.level[v] * t.sign
	for int(l) >= len(t.orphans) {
		t.orphans = append(t.orphans, nil)
	}
	t.orphans[l] = append(t.orphans[l], v)
	if t.lowest == 0 || l < t.lowest {
		t.lowest = l
	}
}

// adopt finds parents for the orphans of a tree, from the lowest level up, so that the
// tree stays one of shortest paths. Those for which there is none leave the tree.
func (s *solver) adopt(t *tree, growing bool) {
	if t.lowest == 0 {
		return
	}
	highest := t.top
	if growing {
		highest++
	}
	for l := t.lowest; int(l) < len(t.orphans); l++ {
		for k := 0; k < len(t.orphans[l]); k++ {
			v := t.orphans[l][k]
			if s.parent[v] != orphan || s.level[v] != t.sign*l {
				continue
			}
			s.adoptOne(t, v, l, highest)
		}
		t.orphans[l] = t.orphans[l][:0]
	}
	t.lowest = 0
}

// adoptOne gives an orphan a parent on the level below, or else puts it on the lowest
// level it can be on, to be looked at again there.
func (s *solver) adoptOne(t *tree, v, l, highest int32) {
	s.work++
	best, slot := highest, -1
	for i, f := range s.Arcs[v] {
		w := f >> 2
		m := s.level[w] * t.sign
		// A parent passes flow on: what is left of the arc that comes from it.
		if m <= 0 || m >= best || s.residual(t, w, int(f&3)) == 0 {
			continue
		}
		if m == l-1 {
			s.parent[v] = uint8(i)
			return
		}
		best, slot = m, i
	}
	for _, f := range s.Arcs[v] {
		if w := f >> 2; s.level[w]*t.sign > 0 && s.parent[w] == uint8(f&3) {
			s.cutOff(t, w)
		}
	}
	if slot < 0 {
		s.level[v] = 0
		return
	}
	s.level[v] = t.sign * (best + 1)
	for int(best+1) >= len(t.orphans) {
		t.orphans = append(t.orphans, nil)
	}
	t.orphans[best+1] = append(t.orphans[best+1], v)
	switch best + 1 {
	case t.top:
		t.active = append(t.active, v)
	case t.top + 1:
		t.next = append(t.next, v)
	}
}
