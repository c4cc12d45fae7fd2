package simplify

import "slices"

// kind is what a place allows.
type kind uint8

const (
	free  kind = iota // a vertex inside a surface
	lined             // lies on a line with two ends: it may move along it
	mixed             // an end of lines, a crossing, several surfaces
	fixed             // locked
)

// Weights of the planes that keep lines.
const (
	borderWeight = 10
	seamWeight   = 1
)

// edgeKind is what an edge of a place is.
type edgeKind uint8

const (
	inner  edgeKind = iota
	seam            // vertices or groups differ on its sides
	border          // one triangle
	odd             // three triangles or more
)

// neighbour is an edge of a place while its triangles are gathered.
type neighbour struct {
	place    uint32
	own      [2]uint32 // vertices of the place on both sides
	other    [2]uint32 // vertices of the neighbour
	group    [2]uint32
	corner   uint32 // of the place, in the first triangle
	count    int
	outgoing int // triangles that run from the place to the neighbour
}

// ringOf gathers the edges of a place. The slice is used again.
func (c *cell) ringOf(place uint32) []neighbour {
	out := c.ring[:0]
	for _, k := range c.around(place) {
		own := c.indices[k]
		g := uint32(0)
		if len(c.groups) > 0 {
			g = c.groups[k/3]
		}
		for side, o := range [2]uint32{c.indices[nextCorner(k)], c.indices[previousCorner(k)]} {
			p := c.place[o]
			i := 0
			for i < len(out) && out[i].place != p {
				i++
			}
			if i == len(out) {
				out = append(out, neighbour{place: p, corner: k})
			}
			e := &out[i]
			if e.count < 2 {
				e.own[e.count], e.other[e.count], e.group[e.count] = own, o, g
			}
			e.count++
			if side == 0 {
				e.outgoing++
			}
		}
	}
	c.ring = out
	return out
}

func (e *neighbour) kind() edgeKind {
	switch {
	case e.count == 1:
		return border
	case e.count > 2 || e.outgoing != 1:
		return odd
	case e.own[0] != e.own[1] || e.other[0] != e.other[1] || e.group[0] != e.group[1]:
		return seam
	}
	return inner
}

// classify tells of each place what it allows. Collapses that respect lines and
// topology do not change it.
func (c *cell) classify() {
	for p := range c.place {
		if c.place[p] != uint32(p) || c.start[p] == c.start[p+1] {
			continue
		}
		if c.locked[p] {
			c.kind[p] = fixed
			continue
		}
		c.kind[p] = c.kindOf(uint32(p))
	}
}

// reclassify looks again at the places around loose collapses.
func (c *cell) reclassify() {
	for _, p := range c.stirred {
		c.reconsider(p)
		for _, k := range c.around(p) {
			c.reconsider(c.place[c.indices[nextCorner(k)]])
			c.reconsider(c.place[c.indices[previousCorner(k)]])
		}
	}
	c.stirred = c.stirred[:0]
}

func (c *cell) reconsider(p uint32) {
	if c.locked[p] || c.start[p] == c.start[p+1] {
		return
	}
	if k := c.kindOf(p); k != c.kind[p] {
		c.kind[p], c.dirty[p] = k, true
	}
}

func (c *cell) kindOf(p uint32) kind {
	lines, borders := 0, 0
	ring := c.ringOf(p)
	for i := range ring {
		switch ring[i].kind() {
		case inner:
		case border:
			lines++
			borders++
		case odd:
			return mixed
		default:
			lines++
		}
	}
	switch {
	case c.o.LockBorder && borders > 0:
		return fixed
	case lines == 0 && c.single(p):
		return free
	case lines == 2 && borders != 1:
		return lined
	}
	return mixed
}

// single tells whether a place has one vertex only.
func (c *cell) single(p uint32) bool {
	list := c.around(p)
	first := c.indices[list[0]]
	return !slices.ContainsFunc(list, func(k uint32) bool { return c.indices[k] != first })
}

// planes gives each place the planes of its triangles, and each vertex the course of
// its attributes.
func (c *cell) planes() {
	for f := 0; f < len(c.indices); f += 3 {
		v := [3]uint32(c.indices[f:])
		p := [3]uint32{c.place[v[0]], c.place[v[1]], c.place[v[2]]}
		a, b := c.pos[p[1]].sub(c.pos[p[0]]), c.pos[p[2]].sub(c.pos[p[0]])
		n := a.cross(b)
		l := sqrt(n.dot(n))
		if !(l > 0) {
			continue
		}
		var q quadric
		area := sqrt(l / 2)
		q.plane(n.scale(1/l), area)
		q.w = area
		for _, k := range p {
			c.shape[k].add(&q)
		}
		if c.k > 0 {
			c.courses(v, a, b, area)
		}
	}
}

// courses adds the course of attributes over a triangle to its vertices.
func (c *cell) courses(v [3]uint32, a, b vector, area float32) {
	g, ok := newGradients(a, b)
	if !ok {
		return
	}
	var q quadric
	q.w = area
	k := c.k
	s0, s1, s2 := c.attr[int(v[0])*k:][:k], c.attr[int(v[1])*k:][:k], c.attr[int(v[2])*k:][:k]
	for i := range k {
		d1, d2 := s1[i]-s0[i], s2[i]-s0[i]
		if d1 == 0 && d2 == 0 {
			continue
		}
		dir := g.of(d1, d2)
		q.plane(dir, area)
		t := course{dir[0] * area, dir[1] * area, dir[2] * area, 0}
		for _, u := range v {
			c.course[int(u)*k+i].add(&t)
		}
	}
	for _, u := range v {
		c.look[u].add(&q)
	}
}

// lines adds the planes that keep lines to the ends of their edges. An edge between
// two places that cells share waits until both are inside one.
func (c *cell) lines(first bool) {
	for p := range c.place {
		if c.place[p] != uint32(p) || c.start[p] == c.start[p+1] || c.kind[p] == free || !first && !c.bare[p] {
			continue
		}
		ring := c.ringOf(uint32(p))
		for i := range ring {
			e := &ring[i]
			if c.locked[p] && c.locked[e.place] && c.bare[p] && c.bare[e.place] || !first && !c.bare[e.place] {
				continue
			}
			var weight float32
			switch e.kind() {
			case border:
				weight = borderWeight
			case seam:
				weight = seamWeight
			default:
				continue
			}
			third := nextCorner(e.corner)
			if c.place[c.indices[third]] == e.place {
				third = previousCorner(e.corner)
			}
			c.shape[p].edge(c.pos[p], c.pos[e.place], c.pos[c.place[c.indices[third]]], weight)
		}
	}
}

// lookAt is the squared difference of attributes that vertex v stands for, to those
// of vertex to, which lies at d from it.
func (c *cell) lookAt(v, to uint32, d vector) float32 {
	q := &c.look[v]
	sum := q.at(d)
	k := c.k
	from, at, t := c.attr[int(v)*k:][:k], c.attr[int(to)*k:][:k], c.course[int(v)*k:][:k]
	for i, x := range at {
		e := x - from[i]
		sum += e * (e*q.w - 2*t[i].at(d))
	}
	return max(sum, 0)
}

// move adds what vertex v stands for to vertex to, which lies at d from it.
func (c *cell) moveLook(v, to uint32, d vector) {
	q := c.look[v]
	k := c.k
	from, at, t := c.attr[int(v)*k:][:k], c.attr[int(to)*k:][:k], c.course[int(v)*k:][:k]
	into := c.course[int(to)*k:][:k]
	all := c.lookAt(v, to, d)
	q.shift(d)
	q.c = all
	for i, x := range at {
		e := x - from[i]
		o := course{t[i].x, t[i].y, t[i].z, t[i].at(d) - e*q.w}
		q.x -= e * o.x
		q.y -= e * o.y
		q.z -= e * o.z
		into[i].add(&o)
	}
	c.look[to].add(&q)
}
