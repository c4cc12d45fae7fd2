package simplify

import (
	"context"
	"slices"
)

// cell is a part of a surface, or all of it, on its way down. Vertices and places
// have numbers of its own, so that what is near in space lies near in memory.
type cell struct {
	ctx context.Context
	o   *Options
	k   int // attributes a vertex

	global []uint32 // of each vertex: its number in the surface
	place  []uint32 // of each vertex: the first vertex at its position
	next   []uint32 // the vertices of a place in a ring
	pos    []vector // of places, extent 1
	attr   []float32
	owner  []uint32 // group of each vertex, shared, or empty without groups
	locked []bool   // of places
	bare   []bool   // of places: edges between two have no quadrics yet

	shape  []quadric // of places
	look   []quadric // of vertices: attributes; empty without
	course []course  // of vertices, k each

	indices []uint32
	groups  []uint32

	// adjacency: the corners of each place
	start   []uint32
	corners []uint32
	kind    []kind
	ring    []neighbour
	edges   []candidate
	sorted  []candidate
	later   []candidate
	moved   []uint32 // where a vertex has gone in this pass
	touched []bool   // places that a collapse of this pass has moved or moved to
	dirty   []bool   // places whose collapses have to be weighed anew
	stirred []uint32 // places that loose collapses have moved to
	used    []uint32 // triangles of each vertex
	spent   []bool   // vertices that have gone for good
	walker  walker

	live   int // vertices in use
	loose  bool
	wild   bool // nothing is respected any more
	cutoff float32
	log    *record
}

// reuse returns a slice of n zeros in the memory of another where that is enough.
func reuse[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/8)
	}
	s = s[:n]
	clear(s)
	return s
}

// ringUp links the vertices of each place.
func (c *cell) ringUp() {
	c.next = reuse(c.next, len(c.place))
	for v := range c.next {
		c.next[v] = uint32(v)
		if p := c.place[v]; p != uint32(v) {
			c.next[v], c.next[p] = c.next[p], uint32(v)
		}
	}
}

// settle forgets where vertices have moved.
func (c *cell) settle() {
	for i := range c.moved {
		c.moved[i] = uint32(i)
	}
}

// count finds the vertices that triangles use.
func (c *cell) count() {
	clear(c.used)
	c.live = 0
	for _, v := range c.indices {
		if c.used[v]++; c.used[v] == 1 {
			c.live++
		}
	}
}

// held is how many vertices in use are locked.
func (c *cell) held() int {
	n := 0
	for v, used := range c.used {
		if used > 0 && c.locked[c.place[v]] {
			n++
		}
	}
	return n
}

// connect lists the corners of each place.
func (c *cell) connect() {
	n := len(c.place)
	c.start = reuse(c.start, n+1)
	c.corners = reuse(c.corners, len(c.indices))
	for _, v := range c.indices {
		c.start[c.place[v]+1]++
	}
	for i := range n {
		c.start[i+1] += c.start[i]
	}
	at := c.start
	for k, v := range c.indices {
		p := c.place[v]
		c.corners[at[p]] = uint32(k)
		at[p]++
	}
	// at moved each start to the end of its list: move them back.
	copy(c.start[1:], c.start[:n])
	c.start[0] = 0
}

func (c *cell) around(place uint32) []uint32 { return c.corners[c.start[place]:c.start[place+1]] }

func nextCorner(c uint32) uint32 {
	if c%3 == 2 {
		return c - 2
	}
	return c + 1
}

func previousCorner(c uint32) uint32 {
	if c%3 == 0 {
		return c + 2
	}
	return c - 1
}

// enters tells whether a vertex can become another: its triangles are of one group
// with that, or that is one of several groups.
func (c *cell) enters(from, to uint32) bool {
	return len(c.owner) == 0 || c.owner[to] == c.owner[from] || c.owner[to] == shared
}

// triangle returns where the corners of a triangle are by now; ok is false where it
// is none any more: without area, or left without vertices of its group.
func (c *cell) triangle(i int) (x, y, z uint32, ok bool) {
	u, v, w := c.indices[i], c.indices[i+1], c.indices[i+2]
	x, y, z = c.moved[u], c.moved[v], c.moved[w]
	px, py, pz := c.place[x], c.place[y], c.place[z]
	ok = px != py && py != pz && pz != px
	if ok && len(c.owner) > 0 {
		ok = c.enters(u, x) && c.enters(v, y) && c.enters(w, z)
	}
	return x, y, z, ok
}

// rebuild moves corners and drops triangles that are none any more.
func (c *cell) rebuild() {
	kept := 0
	for i := 0; i < len(c.indices); i += 3 {
		x, y, z, ok := c.triangle(i)
		if !ok {
			continue
		}
		c.indices[kept], c.indices[kept+1], c.indices[kept+2] = x, y, z
		if len(c.groups) > 0 {
			c.groups[kept/3] = c.groups[i/3]
		}
		kept += 3
	}
	c.indices = c.indices[:kept]
	if len(c.groups) > 0 {
		c.groups = c.groups[:kept/3]
	}
	c.count()
}

// shrink leaves out vertices that are not used any more, where they are most: what
// is left then lies close together.
func (c *cell) shrink() {
	n := len(c.used)
	if c.live > n*3/4 || n < 4096 {
		return
	}
	// A place is kept with its first vertex, used or not: it holds the position.
	keep := c.touched
	clear(keep)
	for v, u := range c.used {
		if u > 0 {
			keep[v], keep[c.place[v]] = true, true
		}
	}
	to := c.moved
	kept := uint32(0)
	k := c.k
	for v, u := range keep {
		if !u {
			c.bury(uint32(v))
			continue
		}
		to[v] = kept
		c.global[kept], c.pos[kept], c.shape[kept], c.locked[kept], c.bare[kept] = c.global[v], c.pos[v], c.shape[v], c.locked[v], c.bare[v]
		c.used[kept], c.place[kept], c.kind[kept], c.dirty[kept], c.spent[kept] = c.used[v], to[c.place[v]], c.kind[v], c.dirty[v], c.spent[v]
		if len(c.owner) > 0 {
			c.owner[kept] = c.owner[v]
		}
		if k > 0 {
			c.look[kept] = c.look[v]
			copy(c.course[int(kept)*k:][:k], c.course[v*k:][:k])
			copy(c.attr[int(kept)*k:][:k], c.attr[v*k:][:k])
		}
		kept++
	}
	for i, v := range c.indices {
		c.indices[i] = to[v]
	}
	c.edges = slices.DeleteFunc(c.edges, func(x candidate) bool { return !keep[x.from] || !keep[x.to] })
	for i, x := range c.edges {
		c.edges[i].from, c.edges[i].to = to[x.from], to[x.to]
	}
	c.stirred = slices.DeleteFunc(c.stirred, func(p uint32) bool { return !keep[p] })
	for i, p := range c.stirred {
		c.stirred[i] = to[p]
	}
	c.global, c.pos, c.shape, c.locked, c.bare = c.global[:kept], c.pos[:kept], c.shape[:kept], c.locked[:kept], c.bare[:kept]
	c.used, c.spent, c.place, c.kind, c.dirty = c.used[:kept], c.spent[:kept], c.place[:kept], c.kind[:kept], c.dirty[:kept]
	c.moved, c.touched = c.moved[:kept], c.touched[:kept]
	if k > 0 {
		c.look, c.course, c.attr = c.look[:kept], c.course[:int(kept)*k], c.attr[:int(kept)*k]
	}
	if len(c.owner) > 0 {
		c.owner = c.owner[:kept]
	}
	c.ringUp()
}
