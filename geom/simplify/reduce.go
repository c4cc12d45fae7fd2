package simplify

import "math"

// limits say where a cell stops: at so many vertices and triangles, and before a
// collapse that costs more, or goes farther from the source (a squared distance).
type limits struct {
	vertices, triangles int
	cost, far           float32
}

// passShare is the part of the vertices that one pass takes at most: what is dearer
// waits for the next one, which may find cheaper collapses. Small meshes take their
// time. lastPass is the part that one pass takes whatever it costs.
const (
	passShare = 4
	smallPass = 12
	small     = 40_000
	lastPass  = 32
)

// reduce goes down until the limits, or until nothing is left to do. final is for
// the last cell: where all else is done it collapses whatever can be.
func (c *cell) reduce(l limits, final bool) error {
	c.walker.mark = c.walker.mark[:0]
	c.loose, c.wild = !c.o.KeepTopology, false
	c.cutoff = l.cost
	c.gather()
	for c.live > l.vertices || len(c.indices)/3 > l.triangles {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		done, err := c.pass(l)
		if err != nil {
			return err
		}
		if done > 0 {
			c.regather()
			continue
		}
		if !final || c.wild || l.far < math.MaxFloat32 || c.o.KeepTopology {
			return nil
		}
		c.goWild()
	}
	return nil
}

// goWild lets anything collapse. Nothing is free any more: all edges of all places
// are looked at.
func (c *cell) goWild() {
	c.wild = true
	for p := range c.kind {
		if c.kind[p] != fixed {
			c.kind[p] = mixed
		}
	}
	c.gather()
}

// pass takes away vertices that do not touch each other, the cheapest first. Loose
// collapses come last: those that turned out to be loose only where they were tried.
func (c *cell) pass(l limits) (done int, err error) {
	c.order()
	rank, dearest := c.bound(l)
	clear(c.touched)
	clear(c.dirty)
	c.later = c.later[:0]
	b := batch{c: c, l: l, triangles: len(c.indices) / 3, dearest: dearest, enough: rank / 8}
	if err := b.run(c.sorted); err != nil {
		return 0, err
	}
	if err := b.run(c.later); err != nil {
		return 0, err
	}
	if b.done == 0 {
		return 0, nil
	}
	c.rebuild()
	c.retain()
	c.shrink()
	c.settle()
	c.connect()
	if !c.wild {
		c.reclassify()
	}
	return b.done, nil
}

// bound is about how many collapses a pass makes, and the most that they may cost;
// but the last few do not wait for cheaper ones.
func (c *cell) bound(l limits) (rank int, dearest float32) {
	goal := max(1, c.live-l.vertices, (len(c.indices)/3-l.triangles)/2)
	share := passShare
	if c.live < small {
		share = smallPass
	}
	rank = min(goal, max(1, c.live/share))
	if goal <= c.live/lastPass || rank >= len(c.sorted) {
		return rank, math.MaxFloat32
	}
	return rank, c.sorted[rank].cost * 1.5
}

// batch are the collapses of a pass.
type batch struct {
	c         *cell
	l         limits
	triangles int
	dearest   float32
	enough    int // collapses after which the dearest is heeded
	done      int
}

// run tries candidates in the order of their cost.
func (b *batch) run(list []candidate) error {
	c := b.c
	for i := range list {
		x := &list[i]
		if c.live <= b.l.vertices && b.triangles <= b.l.triangles || x.cost > b.dearest && b.done > b.enough {
			return nil
		}
		if c.touched[x.from] || c.touched[x.to] || b.l.far < math.MaxFloat32 && c.far(x) > b.l.far {
			continue
		}
		switch c.walker.judge(c, x) {
		case tears:
			if cost := x.cost * loosePenalty; c.loose && !x.loose && cost <= c.cutoff {
				c.later = append(c.later, candidate{cost: cost, from: x.from, to: x.to, loose: true})
			}
		case allowed:
			c.walker.apply(c, x)
			b.triangles -= int(c.log.steps[len(c.log.steps)-1].triangles)
			if b.done++; b.done&0x3ff == 0 && c.ctx.Err() != nil {
				return c.ctx.Err()
			}
		}
	}
	return nil
}
