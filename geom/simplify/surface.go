package simplify

import (
	"context"
	"math"

	"slate360.ai/worker/geom/weld"
)

// surface is what is left of a mesh between rounds: its vertices and triangles, and
// what they stand for.
type surface struct {
	m      *Mesh
	lo     [3]float64
	extent float64 // of the source, a unit of positions of cells

	vertex  []uint32 // of the source; nil is the same
	place   []uint32 // of each vertex: the first at its position
	owner   []uint32 // group of each vertex, shared, or nil without groups
	locked  []bool   // of places; nil is none
	bare    []bool   // of places: edges between two have no quadrics yet; nil is none
	indices []uint32
	groups  []uint32

	shape  []quadric // of places; nil while nothing has been collapsed
	look   []quadric // of vertices
	course []course
	live   int
}

// shared is the owner of vertices of triangles of several groups.
const shared = math.MaxUint32

// newSurface makes the surface of a mesh. Its triangles are those of the mesh, if
// all have three places.
func newSurface(m *Mesh) *surface {
	s := &surface{m: m, place: weld.Places(m.Positions)}
	s.measure()
	s.indices, s.groups = m.Indices, m.Groups
	flat := func(i int) bool {
		a, b, c := s.place[m.Indices[i]], s.place[m.Indices[i+1]], s.place[m.Indices[i+2]]
		return a == b || b == c || c == a
	}
	for i := 0; i < len(m.Indices); i += 3 {
		if flat(i) {
			s.drop(flat)
			break
		}
	}
	s.own()
	for v, l := range m.Locked {
		if l {
			if s.locked == nil {
				s.locked = make([]bool, len(s.place))
			}
			s.locked[s.place[v]] = true
		}
	}
	used := make([]bool, len(s.place))
	for _, v := range s.indices {
		if !used[v] {
			used[v] = true
			s.live++
		}
	}
	return s
}

// measure finds the bounds.
func (s *surface) measure() {
	s.lo = [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	hi := [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	p := s.m.Positions
	for i := 0; i < len(p); i += 3 {
		for a := range 3 {
			v := float64(p[i+a])
			s.lo[a], hi[a] = min(s.lo[a], v), max(hi[a], v)
		}
	}
	for a := range 3 {
		s.extent = max(s.extent, hi[a]-s.lo[a])
	}
	if !(s.extent > 0) {
		s.extent = 1
	}
}

// drop copies the triangles but for those without area.
func (s *surface) drop(flat func(i int) bool) {
	m := s.m
	s.indices, s.groups = make([]uint32, 0, len(m.Indices)), nil
	for i := 0; i < len(m.Indices); i += 3 {
		if flat(i) {
			continue
		}
		s.indices = append(s.indices, m.Indices[i:i+3]...)
		if m.Groups != nil {
			s.groups = append(s.groups, m.Groups[i/3])
		}
	}
}

// own finds the group of each vertex, where there are several groups.
func (s *surface) own() {
	one := true
	for _, g := range s.groups {
		if g != s.groups[0] {
			one = false
			break
		}
	}
	if one {
		return
	}
	s.owner = make([]uint32, len(s.place))
	seen := make([]bool, len(s.place))
	for i, v := range s.indices {
		g := s.groups[i/3]
		if seen[v] && s.owner[v] != g {
			g = shared
		}
		s.owner[v], seen[v] = g, true
	}
}

func (s *surface) source(v uint32) uint32 {
	if s.vertex != nil {
		return s.vertex[v]
	}
	return v
}

// position of a vertex, extent 1.
func (s *surface) position(v uint32) (p vector) {
	at := s.m.Positions[3*int(s.source(v)):]
	for a := range 3 {
		p[a] = float32((float64(at[a]) - s.lo[a]) / s.extent)
	}
	return p
}

// loader fills cells with parts of a surface, and keeps its memory.
type loader struct {
	s     *surface
	local []uint32 // of vertices of the surface: number in the cell from 1
	first []uint32 // of places of the surface: vertex in the cell from 1
	c     cell
}

func newLoader(ctx context.Context, s *surface, o *Options) *loader {
	return &loader{s: s, local: make([]uint32, len(s.place)), first: make([]uint32, len(s.place)), c: cell{ctx: ctx, o: o, k: s.m.Stride}}
}

// load fills the cell with some triangles, or with all where list is nil. Places
// that cells share are locked.
func (l *loader) load(list []uint32, between []bool) *cell {
	s, c := l.s, &l.c
	n := len(list)
	if list == nil {
		n = len(s.indices) / 3
	}
	c.indices, c.groups, c.global, c.place = c.indices[:0], c.groups[:0], c.global[:0], c.place[:0]
	for i := range n {
		t := i
		if list != nil {
			t = int(list[i])
		}
		for _, v := range s.indices[3*t : 3*t+3] {
			c.indices = append(c.indices, l.number(v))
		}
		if s.owner != nil {
			c.groups = append(c.groups, s.groups[t])
		}
	}
	l.fill(between)
	c.ringUp()
	c.count()
	c.settle()
	c.connect()
	c.classify()
	if s.shape == nil {
		c.planes()
	}
	c.lines(s.shape == nil)
	for _, v := range c.global {
		l.local[v], l.first[s.place[v]] = 0, 0
	}
	return c
}

// number gives a vertex its number in the cell.
func (l *loader) number(v uint32) uint32 {
	if k := l.local[v]; k > 0 {
		return k - 1
	}
	c := &l.c
	k := uint32(len(c.global))
	l.local[v] = k + 1
	c.global = append(c.global, v)
	p := l.s.place[v]
	if l.first[p] == 0 {
		l.first[p] = k + 1
	}
	c.place = append(c.place, l.first[p]-1)
	return k
}

// fill copies what belongs to the vertices and places of the cell.
func (l *loader) fill(between []bool) {
	s, c := l.s, &l.c
	n, k := len(c.global), l.c.k
	c.pos, c.shape = reuse(c.pos, n), reuse(c.shape, n)
	c.locked, c.bare, c.kind = reuse(c.locked, n), reuse(c.bare, n), reuse(c.kind, n)
	c.moved, c.touched, c.used = reuse(c.moved, n), reuse(c.touched, n), reuse(c.used, n)
	c.dirty, c.spent = reuse(c.dirty, n), reuse(c.spent, n)
	c.attr = reuse(c.attr, n*k)
	if k > 0 {
		c.look, c.course = reuse(c.look, n), reuse(c.course, n*k)
	}
	c.owner = c.owner[:0]
	for i, v := range c.global {
		copy(c.attr[i*k:][:k], s.m.Attributes[int(s.source(v))*k:])
		if s.owner != nil {
			c.owner = append(c.owner, s.owner[v])
		}
		p := s.place[v]
		c.pos[i] = s.position(v)
		c.locked[i] = s.locked != nil && s.locked[p] || between != nil && between[p]
		c.bare[i] = s.bare != nil && s.bare[p] || between != nil && between[p]
		if s.shape == nil {
			continue
		}
		if k > 0 && (between == nil || !between[p]) {
			c.look[i] = s.look[v]
			copy(c.course[i*k:][:k], s.course[int(v)*k:])
		}
		if c.place[i] == uint32(i) && (between == nil || !between[p]) {
			c.shape[i] = s.shape[p]
		}
	}
}
