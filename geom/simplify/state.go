package simplify

import (
	"context"
	"math"
	"sync"

	"slate360.ai/worker/geom/weld"
)

// state is a mesh on its way down.
type state struct {
	ctx context.Context
	m   *Mesh
	o   Options

	origin []uint32     // of each vertex: its index in the source; nil is the same
	attr   []float32    // of vertices, Stride each
	pos    [][3]float64 // of places, extent 1
	scale  float64      // of a unit of pos, in units of the mesh
	owner  []uint32     // group of each vertex, shared, or empty without groups
	place  []uint32     // of each vertex: the first vertex at its position
	next   []uint32     // the vertices of a place in a ring
	locked []bool       // of places

	shape  []quadric // of places
	look   []quadric // of vertices: attributes; empty without
	course []course  // of vertices, Stride each

	indices []uint32
	groups  []uint32

	// adjacency: the corners of each place
	start   []uint32
	corners []uint32
	kind    []kind
	edges   []candidate
	sorted  []candidate
	moved   []uint32 // where a vertex has gone in this pass
	touched []bool

	levels []Level
	live   int // vertices in use
	used   []bool
	error2 float64 // greatest mean squared distance so far
	rule   rule
	sloppy bool
}

// rule is what a collapse must respect.
type rule uint8

const (
	strict   rule = iota // lines, seams, topology, orientation
	relaxed              // orientation
	reckless             // nothing
)

func newState(ctx context.Context, m *Mesh, o Options) (*state, error) {
	n := len(m.Positions) / 3
	s := &state{ctx: ctx, m: m, o: o, attr: m.Attributes}
	s.o.Workers = max(1, o.Workers)
	s.normalize()
	s.places()
	s.locked = make([]bool, n)
	for v, l := range m.Locked {
		if l {
			s.locked[s.place[v]] = true
		}
	}
	s.indices = make([]uint32, 0, len(m.Indices))
	if m.Groups != nil {
		s.groups = make([]uint32, 0, len(m.Groups))
	}
	for i := 0; i < len(m.Indices); i += 3 {
		a, b, c := m.Indices[i], m.Indices[i+1], m.Indices[i+2]
		if s.place[a] == s.place[b] || s.place[b] == s.place[c] || s.place[c] == s.place[a] {
			continue
		}
		s.indices = append(s.indices, a, b, c)
		if m.Groups != nil {
			s.groups = append(s.groups, m.Groups[i/3])
		}
	}
	s.moved = make([]uint32, n)
	s.touched = make([]bool, n)
	s.kind = make([]kind, n)
	s.used = make([]bool, n)
	s.own()
	s.settle()
	s.count()
	s.connect()
	if err := s.classify(); err != nil {
		return nil, err
	}
	s.quadrics()
	return s, ctx.Err()
}

// shared is the owner of vertices of triangles of several groups.
const shared = math.MaxUint32

// own finds the group of each vertex.
func (s *state) own() {
	if s.groups == nil {
		return
	}
	s.owner = make([]uint32, len(s.pos))
	seen := make([]bool, len(s.pos))
	for i, v := range s.indices {
		g := s.groups[i/3]
		if seen[v] && s.owner[v] != g {
			g = shared
		}
		s.owner[v], seen[v] = g, true
	}
}

// fits tells whether vertices can be in one triangle, or stand for each other.
func (s *state) fits(a, b uint32) bool {
	return s.owner == nil || s.owner[a] == s.owner[b] || s.owner[a] == shared || s.owner[b] == shared
}

// normalize scales positions to an extent of 1.
func (s *state) normalize() {
	lo, hi := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}, [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	p := s.m.Positions
	for i, v := range p {
		lo[i%3], hi[i%3] = min(lo[i%3], float64(v)), max(hi[i%3], float64(v))
	}
	for a := range 3 {
		s.scale = max(s.scale, hi[a]-lo[a])
	}
	if !(s.scale > 0) {
		s.scale = 1
	}
	s.pos = make([][3]float64, len(p)/3)
	for i := range s.pos {
		for a := range 3 {
			s.pos[i][a] = (float64(p[3*i+a]) - lo[a]) / s.scale
		}
	}
}

// places rings the vertices of each place.
func (s *state) places() {
	s.place = weld.Places(s.m.Positions)
	s.next = make([]uint32, len(s.place))
	for v := range s.next {
		s.next[v] = uint32(v)
		if p := s.place[v]; p != uint32(v) {
			s.next[v], s.next[p] = s.next[p], uint32(v)
		}
	}
}

// count finds the vertices that triangles use.
func (s *state) count() {
	clear(s.used)
	s.live = 0
	for _, v := range s.indices {
		if !s.used[v] {
			s.used[v] = true
			s.live++
		}
	}
}

// connect lists the corners of each place.
func (s *state) connect() {
	n := len(s.place)
	if s.start == nil {
		s.start = make([]uint32, n+1)
		s.corners = make([]uint32, len(s.indices))
	}
	clear(s.start)
	for _, v := range s.indices {
		s.start[s.place[v]+1]++
	}
	for i := range n {
		s.start[i+1] += s.start[i]
	}
	at := s.start
	s.corners = s.corners[:len(s.indices)]
	for c, v := range s.indices {
		p := s.place[v]
		s.corners[at[p]] = uint32(c)
		at[p]++
	}
	// at moved each start to the end of its list: move them back.
	copy(s.start[1:], s.start[:n])
	s.start[0] = 0
}

func (s *state) around(place uint32) []uint32 { return s.corners[s.start[place]:s.start[place+1]] }

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

// parallel runs f over parts of n things.
func (s *state) parallel(n int, f func(worker, from, to int)) {
	workers := min(s.o.Workers, max(1, n/4096))
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() { f(w, n*w/workers, n*(w+1)/workers) })
	}
	wait.Wait()
}

// level takes what is left, in the middle of a pass too, when vertices have moved
// that triangles still have.
func (s *state) level() Level {
	l := Level{Indices: make([]uint32, 0, len(s.indices)), Vertices: make([]uint32, 0, s.live), Sloppy: s.sloppy}
	const unused = math.MaxUint32
	to := make([]uint32, len(s.used))
	for v := range to {
		to[v] = unused
	}
	for i := 0; i < len(s.indices); i += 3 {
		a, b, c, ok := s.triangle(i)
		if !ok {
			continue
		}
		to[a], to[b], to[c] = 0, 0, 0
		l.Indices = append(l.Indices, a, b, c)
		if s.groups != nil {
			l.Groups = append(l.Groups, s.groups[i/3])
		}
	}
	for v := range to {
		if to[v] == unused {
			continue
		}
		to[v] = uint32(len(l.Vertices))
		if s.origin != nil {
			v = int(s.origin[v])
		}
		l.Vertices = append(l.Vertices, uint32(v))
	}
	for i, v := range l.Indices {
		l.Indices[i] = to[v]
	}
	l.Relative = math.Sqrt(s.error2)
	l.Error = l.Relative * s.scale
	return l
}

// triangle returns where the corners of a triangle are by now; ok is false where it
// is none any more: without area, or left without vertices of its group.
func (s *state) triangle(i int) (a, b, c uint32, ok bool) {
	a, b, c = s.moved[s.indices[i]], s.moved[s.indices[i+1]], s.moved[s.indices[i+2]]
	pa, pb, pc := s.place[a], s.place[b], s.place[c]
	ok = pa != pb && pb != pc && pc != pa && s.fits(a, b) && s.fits(b, c) && s.fits(c, a)
	return a, b, c, ok
}

// shrink leaves out vertices that are not used any more, where they are most: what
// is left then lies close together.
func (s *state) shrink() {
	n := len(s.used)
	if s.live > n/2 || n < 4096 {
		return
	}
	// A place is kept with its first vertex, used or not: it holds the position.
	keep := make([]bool, n)
	for v, u := range s.used {
		if u {
			keep[v], keep[s.place[v]] = true, true
		}
	}
	to := make([]uint32, n)
	kept := uint32(0)
	k := s.m.Stride
	if s.origin == nil {
		s.origin = make([]uint32, n)
		for i := range s.origin {
			s.origin[i] = uint32(i)
		}
		s.attr = append([]float32(nil), s.attr...)
	}
	for v, u := range keep {
		if !u {
			continue
		}
		to[v] = kept
		s.origin[kept], s.pos[kept], s.shape[kept], s.locked[kept] = s.origin[v], s.pos[v], s.shape[v], s.locked[v]
		s.used[kept], s.place[kept] = s.used[v], to[s.place[v]]
		if s.owner != nil {
			s.owner[kept] = s.owner[v]
		}
		if k > 0 {
			s.look[kept] = s.look[v]
			copy(s.course[int(kept)*k:][:k], s.course[v*k:][:k])
			copy(s.attr[int(kept)*k:][:k], s.attr[v*k:][:k])
		}
		kept++
	}
	s.origin, s.pos, s.shape, s.locked, s.used, s.place = s.origin[:kept], s.pos[:kept], s.shape[:kept], s.locked[:kept], s.used[:kept], s.place[:kept]
	if k > 0 {
		s.look, s.course, s.attr = s.look[:kept], s.course[:int(kept)*k], s.attr[:int(kept)*k]
	}
	if s.owner != nil {
		s.owner = s.owner[:kept]
	}
	s.next, s.moved, s.touched, s.kind = s.next[:kept], s.moved[:kept], s.touched[:kept], s.kind[:kept]
	s.start = s.start[:kept+1]
	for v := range kept {
		s.next[v] = v
		if p := s.place[v]; p != v {
			s.next[v], s.next[p] = s.next[p], v
		}
	}
	for i, v := range s.indices {
		s.indices[i] = to[v]
	}
}
