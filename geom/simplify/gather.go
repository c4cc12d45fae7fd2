package simplify

import (
	"math"
	"slices"
)

// candidate is a place that may go to a neighbour.
type candidate struct {
	cost     float32
	from, to uint32
	loose    bool // it respects neither lines nor topology
}

// loosePenalty makes collapses that tear seams, borders or topology dearer: they
// come when the others move the surface by twice as much.
const loosePenalty = 4

// gather lists the collapses that cost no more than the cutoff.
func (c *cell) gather() {
	c.edges = c.edges[:0]
	for t := 0; t < len(c.indices); t += 3 {
		c.considerTriangle(t, true)
	}
	for p := range c.place {
		if c.onLine(uint32(p)) {
			c.considerLines(uint32(p), true)
		}
	}
}

// retain keeps the candidates that a pass did not touch: what they cost is as it was.
func (c *cell) retain() {
	c.edges = c.edges[:0]
	for _, x := range c.sorted {
		if !c.touched[x.from] && !c.touched[x.to] {
			c.edges = append(c.edges, x)
		}
	}
}

// regather weighs anew what a pass has touched.
func (c *cell) regather() {
	c.edges = slices.DeleteFunc(c.edges, func(x candidate) bool { return c.dirty[x.from] || c.dirty[x.to] })
	for t := 0; t < len(c.indices); t += 3 {
		c.considerTriangle(t, false)
	}
	for p := range c.place {
		if c.onLine(uint32(p)) && (c.dirty[p] || c.dirtyAround(uint32(p))) {
			c.considerLines(uint32(p), c.dirty[p])
		}
	}
}

func (c *cell) onLine(p uint32) bool {
	k := c.kind[p]
	return (k == lined || k == mixed) && c.place[p] == p && c.start[p] != c.start[p+1]
}

func (c *cell) dirtyAround(p uint32) bool {
	for _, k := range c.around(p) {
		if c.dirty[c.place[c.indices[nextCorner(k)]]] || c.dirty[c.place[c.indices[previousCorner(k)]]] {
			return true
		}
	}
	return false
}

// considerTriangle weighs the edges of a triangle that have a free end, and a dirty
// one unless all are wanted. An edge inside the surface comes by twice, once in each
// direction.
func (c *cell) considerTriangle(t int, all bool) {
	v := [3]uint32(c.indices[t:])
	p := [3]uint32{c.place[v[0]], c.place[v[1]], c.place[v[2]]}
	d := [3]bool{all || c.dirty[p[0]], all || c.dirty[p[1]], all || c.dirty[p[2]]}
	if p[0] < p[1] && (d[0] || d[1]) {
		c.consider(p[0], p[1], v[0], v[1])
	}
	if p[1] < p[2] && (d[1] || d[2]) {
		c.consider(p[1], p[2], v[1], v[2])
	}
	if p[2] < p[0] && (d[2] || d[0]) {
		c.consider(p[2], p[0], v[2], v[0])
	}
}

// consider weighs both directions of an edge with a free end.
func (c *cell) consider(p, q, v, u uint32) {
	fp, fq := c.kind[p] == free, c.kind[q] == free
	if !fp && !fq {
		return
	}
	d := c.pos[q].sub(c.pos[p])
	best := candidate{cost: c.cutoff}
	found := false
	if fp {
		if cost := c.cost(p, v, u, d, best.cost); cost <= best.cost {
			best, found = candidate{cost: cost, from: p, to: q}, true
		}
	}
	if fq {
		d = vector{-d[0], -d[1], -d[2]}
		if cost := c.cost(q, u, v, d, best.cost); cost < best.cost || !found && cost <= best.cost {
			best, found = candidate{cost: cost, from: q, to: p}, true
		}
	}
	if found {
		c.edges = append(c.edges, best)
	}
}

// worth turns a sum of squares that a place stands for into a cost. The sum alone
// would leave large triangles, and the mean give them away as easily as small ones:
// between the two the distance over the whole surface comes out least.
func worth(sum, w float32) float32 {
	if !(w > 0) {
		return sum
	}
	return sum / sqrt(w)
}

// cost is that of moving the only vertex v of place p by d to vertex u; where the
// shape alone is beyond a bound, it is not exact.
func (c *cell) cost(p, v, u uint32, d vector, bound float32) float32 {
	q := &c.shape[p]
	sum := max(q.at(d), 0)
	if c.k > 0 && worth(sum, q.w) <= bound {
		sum += c.lookAt(v, u, d)
	}
	return worth(sum, q.w)
}

// considerLines weighs the collapses of a place on a line or a crossing, to dirty
// places only unless all are wanted.
func (c *cell) considerLines(p uint32, all bool) {
	ring := c.ringOf(p)
	shape := &c.shape[p]
	for i := range ring {
		e := &ring[i]
		if !all && !c.dirty[e.place] {
			continue
		}
		k := e.kind()
		x := candidate{from: p, to: e.place}
		penalty := float32(1)
		if c.kind[p] != lined || k != border && k != seam {
			if !c.loose {
				continue
			}
			x.loose, penalty = true, loosePenalty
		}
		d := c.pos[e.place].sub(c.pos[p])
		sum := max(shape.at(d), 0)
		if penalty*worth(sum, shape.w) > c.cutoff {
			continue
		}
		if c.k > 0 {
			switch {
			case x.loose:
				if !c.walker.match(c, &x) {
					continue
				}
				for _, m := range c.walker.pairs {
					sum += c.lookAt(m.from, m.to, d)
				}
			default:
				sum += c.lookAt(e.own[0], e.other[0], d)
				if e.count > 1 && e.own[1] != e.own[0] {
					sum += c.lookAt(e.own[1], e.other[1], d)
				}
			}
		}
		if x.cost = penalty * worth(sum, shape.w); x.cost <= c.cutoff {
			c.edges = append(c.edges, x)
		}
	}
}

// order sorts candidates by cost, by counting: eleven bits of the float at a time.
func (c *cell) order() {
	const bits = 11
	n := len(c.edges)
	c.sorted = slices.Grow(c.sorted[:0], n)[:n]
	a, b := c.edges, c.sorted
	var counts [3][1 << bits]uint32
	for i := range a {
		k := math.Float32bits(a[i].cost)
		counts[0][k&(1<<bits-1)]++
		counts[1][k>>bits&(1<<bits-1)]++
		counts[2][k>>(2*bits)]++
	}
	for r := range counts {
		sum := uint32(0)
		for i, k := range counts[r] {
			counts[r][i] = sum
			sum += k
		}
		for i := range a {
			k := math.Float32bits(a[i].cost) >> (bits * r) & (1<<bits - 1)
			b[counts[r][k]] = a[i]
			counts[r][k]++
		}
		a, b = b, a
	}
	c.sorted, c.edges = a, b // three rounds: a is what was sorted
}
