package simplify

import (
	"math"
	"slices"
)

// maxWedges is how many vertices of a place a strict collapse can take along.
const maxWedges = 16

// pair is where a vertex goes.
type pair struct{ from, to uint32 }

// gone is where vertices go that take their triangles with them.
const gone = math.MaxUint32

// walker checks and applies collapses, and keeps its memory.
type walker struct {
	pairs []pair
	mark  []uint32 // of places: the stamp of the last ring that had them
	stamp uint32
}

// verdict is what comes of looking at a collapse.
type verdict uint8

const (
	refused verdict = iota
	tears           // it would be allowed as a loose one
	allowed
)

// judge tells whether a collapse may be made, and gathers where each vertex of the
// place goes.
func (w *walker) judge(c *cell, x *candidate) verdict {
	if !w.match(c, x) {
		return refused
	}
	loose := x.loose || c.wild
	if loose && w.loosens(c, x) {
		return refused
	}
	if c.wild {
		return allowed
	}
	if !w.upright(c, x) {
		return refused
	}
	if loose || w.linked(c, x) {
		return allowed
	}
	if w.loosens(c, x) {
		return refused
	}
	return tears
}

// ends are the places of the other corners of a triangle by now.
func (c *cell) ends(corner uint32) (a, b uint32) {
	return c.place[c.moved[c.indices[nextCorner(corner)]]], c.place[c.moved[c.indices[previousCorner(corner)]]]
}

// loosens tells whether a triangle of a locked place, other than the target, would
// go: the edge of a neighbouring mesh could be left without one.
func (w *walker) loosens(c *cell, x *candidate) bool {
	torn := slices.ContainsFunc(w.pairs, func(p pair) bool { return !c.enters(p.from, p.to) })
	for _, corner := range c.around(x.from) {
		a, b := c.ends(corner)
		if (a == x.to || torn) && c.kind[b] == fixed || (b == x.to || torn) && c.kind[a] == fixed {
			return true
		}
	}
	return false
}

// match finds for each vertex of the place the one of the target that it becomes:
// the one at the other end of the edge in a triangle of both. Where there is none,
// or are two, a strict collapse would tear a seam.
func (w *walker) match(c *cell, x *candidate) bool {
	strict := !x.loose && !c.wild
	w.pairs = w.pairs[:0]
	const none = ^uint32(0)
	for _, corner := range c.around(x.from) {
		own := c.indices[corner]
		i := 0
		for i < len(w.pairs) && w.pairs[i].from != own {
			i++
		}
		if i == len(w.pairs) {
			if i == maxWedges && strict {
				return false
			}
			w.pairs = append(w.pairs, pair{own, none})
		}
		for _, o := range [2]uint32{c.moved[c.indices[nextCorner(corner)]], c.moved[c.indices[previousCorner(corner)]]} {
			if c.place[o] != x.to {
				continue
			}
			if w.pairs[i].to != none && w.pairs[i].to != o && strict {
				return false
			}
			w.pairs[i].to = o
		}
	}
	for i := range w.pairs {
		if w.pairs[i].to != none && c.enters(w.pairs[i].from, w.pairs[i].to) {
			continue
		}
		if strict {
			return false
		}
		to, ok := c.nearest(w.pairs[i].from, x.to)
		if !ok && !c.wild {
			return false
		}
		w.pairs[i].to = to
	}
	return len(w.pairs) > 0
}

// nearest is the vertex in use of a place, of the same group, whose attributes
// differ least; ok is false where there is none of the group.
func (c *cell) nearest(v, place uint32) (best uint32, ok bool) {
	best = place
	var least float32
	k := c.k
	for o := place; ; {
		if c.used[o] > 0 && c.moved[o] == o && c.enters(v, o) {
			var d float32
			for i := range k {
				e := c.attr[int(v)*k+i] - c.attr[int(o)*k+i]
				d += e * e
			}
			if !ok || d < least {
				best, least, ok = o, d, true
			}
		}
		if o = c.next[o]; o == place {
			return best, ok
		}
	}
}

// turned is the least cosine of the angle by which a triangle may turn.
const turned = 0.2

// upright tells whether no triangle around the place turns over.
func (w *walker) upright(c *cell, x *candidate) bool {
	from, to := c.pos[x.from], c.pos[x.to]
	for _, corner := range c.around(x.from) {
		a, b := c.ends(corner)
		if a == b || a == x.to || b == x.to || a == x.from || b == x.from {
			continue
		}
		pa := c.pos[a]
		e := c.pos[b].sub(pa)
		before, after := e.cross(from.sub(pa)), e.cross(to.sub(pa))
		if d := before.dot(after); d <= turned*sqrt(before.dot(before)*after.dot(after)) {
			return false
		}
	}
	return true
}

// linked tells whether the ends have no neighbours in common but those across the
// triangles between them: else the surface would touch itself.
func (w *walker) linked(c *cell, x *candidate) bool {
	if len(w.mark) < len(c.place) {
		w.mark = make([]uint32, len(c.place))
		w.stamp = 0
	}
	if w.stamp >= 1<<32-3 {
		clear(w.mark)
		w.stamp = 0
	}
	w.stamp += 2
	seen, counted := w.stamp-1, w.stamp
	across, common := 0, 0
	for _, corner := range c.around(x.from) {
		a, b := c.ends(corner)
		if a == b || a == x.from || b == x.from {
			continue
		}
		if a == x.to || b == x.to {
			across++
		}
		w.mark[a], w.mark[b] = seen, seen
	}
	w.mark[x.to] = 0
	for _, corner := range c.around(x.to) {
		a, b := c.ends(corner)
		if a == b || a == x.to || b == x.to {
			continue
		}
		for _, p := range [2]uint32{a, b} {
			if w.mark[p] == seen {
				w.mark[p] = counted
				common++
			}
		}
	}
	return common == across
}

// apply moves the vertices of a place, and writes it down.
func (w *walker) apply(c *cell, x *candidate) {
	d := c.pos[x.to].sub(c.pos[x.from])
	far := c.far(x)
	for _, p := range w.pairs {
		to := c.global[p.to]
		if !c.enters(p.from, p.to) {
			to = gone
		}
		c.log.pairs = append(c.log.pairs, pair{c.global[p.from], to})
	}
	for v := x.from; ; {
		c.bury(v)
		if v = c.next[v]; v == x.from {
			break
		}
	}
	live := c.live
	removed := w.move(c, x)
	c.log.add(x, far, live-c.live, removed)
	for _, p := range w.pairs {
		c.spent[p.from] = true
		if c.k > 0 {
			c.moveLook(p.from, p.to, d)
		}
	}
	q := c.shape[x.from]
	q.shift(d)
	c.shape[x.to].add(&q)
	c.touched[x.from], c.touched[x.to], c.dirty[x.to] = true, true, true
	if x.loose {
		c.stirred = append(c.stirred, x.to)
	}
}

// bury writes down that a vertex which no triangle uses any more stays behind: the
// triangles that it had must not come back when the rest of its place moves on.
func (c *cell) bury(v uint32) {
	if c.used[v] == 0 && !c.spent[v] {
		c.spent[v] = true
		c.log.pairs = append(c.log.pairs, pair{c.global[v], gone})
	}
}

// move makes the triangles of a place those of the target, and returns how many go.
func (w *walker) move(c *cell, x *candidate) (removed int) {
	around := c.around(x.from)
	for i := range w.pairs {
		c.moved[w.pairs[i].from] = w.pairs[i].from
	}
	for pass := range 2 {
		for _, k := range around {
			a, b, o, ok := c.triangle(int(k - k%3))
			switch {
			case !ok:
			case pass == 0:
				removed++
				c.drop(a)
				c.drop(b)
				c.drop(o)
			default:
				removed--
				c.take(a)
				c.take(b)
				c.take(o)
			}
		}
		for _, p := range w.pairs {
			c.moved[p.from] = p.to
		}
	}
	return removed
}

// drop takes a triangle from a vertex, take gives it one.
func (c *cell) drop(v uint32) {
	if c.used[v]--; c.used[v] == 0 {
		c.live--
	}
}

func (c *cell) take(v uint32) {
	if c.used[v]++; c.used[v] == 1 {
		c.live++
	}
}

// far is the mean squared distance to the planes that a place stands for, after a
// collapse.
func (c *cell) far(x *candidate) float32 {
	q := &c.shape[x.from]
	if !(q.w > 0) {
		return 0
	}
	return max(q.at(c.pos[x.to].sub(c.pos[x.from])), 0) / (q.w + q.lines)
}
