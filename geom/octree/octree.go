// Package octree divides a point cloud into nodes of evenly sampled levels, the
// structure that COPC, EPT and 3D Tiles share.
//
// Each node covers a cube; its children are the eight halves. A node holds a
// sample of the points in its cube that no coarser node holds: one for each cell
// of a grid of Span cells a side, the one nearest to the middle of its cell. What
// remains goes to the children, until so little is left that a node takes all of
// it. Drawing a node and all coarser ones (additive refinement) thus shows points
// at an even spacing, and every point is in exactly one node.
//
// The cloud comes in Morton order (package morton). All points of a cell of any
// level are then neighbours in memory, which makes a level one pass without any
// table of cells, and the whole tree one byte a point: the level that holds it.
// The scheme of keys and sampling is that of COPC 1.0 ("Hierarchy") and EPT 1.1.
package octree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"slate360.ai/worker/geom/morton"
)

// Span is the number of cells a side of the grid that a node samples, and
// spanBits its logarithm.
const (
	Span     = 1 << spanBits
	spanBits = 7
)

// MaxLevel is the deepest level of a tree: cells of a node there have the size of
// a Morton cell. A node at this level takes all that is left.
const MaxLevel = morton.Bits - spanBits

// Key names a node by its level and its place among the 2^Level nodes a side.
type Key struct {
	Level   int
	X, Y, Z uint32
}

// String gives the name that EPT uses: level-x-y-z.
func (k Key) String() string { return fmt.Sprintf("%d-%d-%d-%d", k.Level, k.X, k.Y, k.Z) }

// Parent gives the key of the node above; that of the root is the root.
func (k Key) Parent() Key {
	if k.Level == 0 {
		return k
	}
	return Key{k.Level - 1, k.X >> 1, k.Y >> 1, k.Z >> 1}
}

// Node is one node of a tree.
type Node struct {
	Key Key
	// First and End bound the points in the node's cube, its own and those of all
	// nodes below, in Morton order.
	First, End int
	// Points is the number of its own points; never 0.
	Points int
	// Parent is the index of the node above, -1 for the root.
	Parent int
}

// Tree is a cloud divided into nodes.
type Tree struct {
	// Nodes are in depth-first order, parents before their children.
	Nodes []Node
	// Level of the node that holds each point, in Morton order.
	Level []uint8
}

// Params shape a tree. Zero fields mean the defaults.
type Params struct {
	// LeafPoints is the most points that a node takes without sampling them;
	// default 65,536: a tile of about a megabyte.
	LeafPoints int
	// MinPoints is the fewest points for which a child is worth a request of its
	// own; fewer stay in the parent. Default 1,024.
	MinPoints int
	// Workers is the number of goroutines; default 1.
	Workers int
}

func (p Params) withDefaults() Params {
	if p.LeafPoints <= 0 {
		p.LeafPoints = 1 << 16
	}
	if p.MinPoints <= 0 {
		p.MinPoints = 1 << 10
	}
	p.Workers = max(1, p.Workers)
	return p
}

// splitPoints is the size of a subtree that is worth a goroutine.
const splitPoints = 1 << 18

// Build divides the cloud xyz (x, y, z interleaved, raw LAS integers, Morton
// order of c). It takes 13 bytes a point beyond xyz while it runs. Errors: that
// of ctx, and a cloud that is empty or not in order.
func Build(ctx context.Context, xyz []int32, c morton.Cube, p Params) (*Tree, error) {
	p = p.withDefaults()
	n := len(xyz) / 3
	if n == 0 {
		return nil, errors.New("octree: the cloud has no points")
	}
	if uint64(n) > 1<<32-1 {
		return nil, fmt.Errorf("octree: the cloud has %d points, at most %d are divided at a time", n, uint64(1<<32-1))
	}
	b := &builder{ctx: ctx, xyz: xyz, cube: c, p: p, level: make([]uint8, n), keys: make([]uint64, n), slots: make(chan struct{}, p.Workers-1)}
	if err := b.fillKeys(); err != nil {
		return nil, err
	}
	rest := make([]uint32, n)
	for i := range rest {
		rest[i] = uint32(i)
	}
	nodes := b.divide(Key{}, 0, n, rest)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := &Tree{Nodes: nodes, Level: b.level}
	t.link()
	return t, nil
}

type builder struct {
	ctx   context.Context
	xyz   []int32
	cube  morton.Cube
	p     Params
	keys  []uint64
	level []uint8
	slots chan struct{} // goroutines that may still be started
}

func (b *builder) fillKeys() error {
	n := len(b.keys)
	errs := make([]error, b.p.Workers)
	var wg sync.WaitGroup
	for w := range b.p.Workers {
		first, end := n*w/b.p.Workers, n*(w+1)/b.p.Workers
		wg.Go(func() {
			var last uint64
			for i := first; i < end; i++ {
				if i&0xFFFFF == 0 && b.ctx.Err() != nil {
					return
				}
				k := b.cube.Key(b.xyz[3*i], b.xyz[3*i+1], b.xyz[3*i+2])
				if k < last {
					errs[w] = fmt.Errorf("octree: point %d is not in Morton order", i)
					return
				}
				last = k
				b.keys[i] = k
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, b.ctx.Err())...)
}

// divide gives the nodes of the subtree at key, whose cube holds the points first
// to end, of which rest (ascending) are in no node above. It reuses rest.
func (b *builder) divide(key Key, first, end int, rest []uint32) []Node {
	if len(rest) == 0 || b.ctx.Err() != nil {
		return nil
	}
	if b.small(key, rest) {
		for _, i := range rest {
			b.level[i] = uint8(key.Level)
		}
		return []Node{{Key: key, First: first, End: end, Points: len(rest)}}
	}
	left := b.sample(key.Level, rest)
	nodes := []Node{{Key: key, First: first, End: end, Points: len(rest) - len(left)}}
	return append(nodes, b.children(&nodes[0], left)...)
}

// small tells whether a node takes all points: there are few, it is as deep as
// nodes get, or all are at one place, which no child could divide.
func (b *builder) small(key Key, rest []uint32) bool {
	return len(rest) <= b.p.LeafPoints || key.Level >= MaxLevel || b.keys[rest[0]] == b.keys[rest[len(rest)-1]]
}

// sample picks a point for each cell of a node of a level, marks it, and gives the
// others, in the memory of rest.
func (b *builder) sample(level int, rest []uint32) []uint32 {
	shift := 3 * (morton.Bits - level - spanBits)
	left := rest[:0]
	for i := 0; i < len(rest); {
		cell := b.keys[rest[i]] >> shift
		j := i + 1
		for j < len(rest) && b.keys[rest[j]]>>shift == cell {
			j++
		}
		best := i
		if j-i > 1 {
			best = i + b.nearest(rest[i:j], cell, level+spanBits)
		}
		b.level[rest[best]] = uint8(level)
		// left never overtakes i, since a point was taken from each cell before.
		chosen := rest[best]
		for _, q := range rest[i:j] {
			if q != chosen {
				left = append(left, q)
			}
		}
		i = j
	}
	return left
}

// nearest gives the index of the point nearest to the middle of a cell of a level.
func (b *builder) nearest(points []uint32, cell uint64, level int) int {
	cx, cy, cz := morton.Decode(cell)
	half := func(c uint32, axis int) float64 {
		return float64(b.cube.Min[axis]) + (float64(c)+0.5)*float64(b.cube.Size[axis])/float64(uint64(1)<<level)
	}
	mx, my, mz := half(cx, 0), half(cy, 1), half(cz, 2)
	// Axes of different scales are compared in fractions of the cube.
	ix, iy, iz := 1/float64(b.cube.Size[0]), 1/float64(b.cube.Size[1]), 1/float64(b.cube.Size[2])
	best, least := 0, -1.0
	for i, p := range points {
		at := 3 * int(p)
		dx := (float64(b.xyz[at]) - mx) * ix
		dy := (float64(b.xyz[at+1]) - my) * iy
		dz := (float64(b.xyz[at+2]) - mz) * iz
		if d := dx*dx + dy*dy + dz*dz; least < 0 || d < least {
			best, least = i, d
		}
	}
	return best
}

// children divides what a node left. Children too small for a node of their own
// stay in it.
func (b *builder) children(node *Node, left []uint32) []Node {
	level := node.Key.Level + 1
	shift := 3 * (morton.Bits - level)
	var parts [8][]Node
	var wg sync.WaitGroup
	first := node.First
	for i := 0; i < len(left); {
		prefix := b.keys[left[i]] >> shift
		j, _ := slices.BinarySearchFunc(left[i:], prefix+1, func(p uint32, t uint64) int { return cmp.Compare(b.keys[p]>>shift, t) })
		j += i
		sub := left[i:j]
		i = j
		if len(sub) < b.p.MinPoints {
			for _, p := range sub {
				b.level[p] = uint8(node.Key.Level)
			}
			node.Points += len(sub)
			continue
		}
		lo, _ := slices.BinarySearchFunc(b.keys[first:node.End], prefix<<shift, cmp.Compare[uint64])
		lo += first
		n, _ := slices.BinarySearchFunc(b.keys[lo:node.End], (prefix+1)<<shift, cmp.Compare[uint64])
		hi := lo + n
		first = hi
		x, y, z := morton.Decode(prefix)
		key := Key{level, x, y, z}
		run := func() { parts[prefix&7] = b.divide(key, lo, hi, sub) }
		if len(sub) >= splitPoints {
			select {
			case b.slots <- struct{}{}:
				wg.Go(func() {
					defer func() { <-b.slots }()
					run()
				})
				continue
			default:
			}
		}
		run()
	}
	wg.Wait()
	return slices.Concat(parts[:]...)
}

// link sets the parents.
func (t *Tree) link() {
	var path [MaxLevel + 1]int
	for i := range t.Nodes {
		n := &t.Nodes[i]
		n.Parent = -1
		if n.Key.Level > 0 {
			n.Parent = path[n.Key.Level-1]
		}
		path[n.Key.Level] = i
	}
}

// Points appends the places, in Morton order, of the points of node n to dst.
func (t *Tree) Points(n int, dst []uint32) []uint32 {
	node := &t.Nodes[n]
	level := uint8(node.Key.Level)
	for i, l := range t.Level[node.First:node.End] {
		if l == level {
			dst = append(dst, uint32(node.First+i))
		}
	}
	return dst
}

// Depth is the number of levels.
func (t *Tree) Depth() int {
	depth := 0
	for i := range t.Nodes {
		depth = max(depth, t.Nodes[i].Key.Level+1)
	}
	return depth
}
