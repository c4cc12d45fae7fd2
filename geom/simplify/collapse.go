package simplify

import (
	"math"
	"slices"
)

func sqrt(v float64) float64 { return math.Sqrt(v) }

// candidate is a place that may go to a neighbour.
type candidate struct {
	cost     float32
	from, to uint32
}

// maxWedges is how many vertices of a place a collapse can take along.
const maxWedges = 16

// pair is where a vertex goes.
type pair struct{ from, to uint32 }

// step makes one pass towards the next target, which may reach several; it adds the
// levels that it reached. Where nothing is left to take, the rule is loosened, or the
// levels are as they are.
func (s *state) step() error {
	for s.reached(len(s.indices) / 3) {
		s.levels = append(s.levels, s.level())
		if len(s.levels) == len(s.o.Targets) {
			return nil
		}
	}
	before := s.live
	limit, err := s.pass()
	if err != nil || s.live < before {
		return err
	}
	if limit || s.rule == reckless || s.o.KeepTopology {
		for len(s.levels) < len(s.o.Targets) {
			s.levels = append(s.levels, s.level())
		}
		return nil
	}
	s.rule++
	s.sloppy = true
	return nil
}

// reached tells whether what is left meets the next target.
func (s *state) reached(triangles int) bool {
	if len(s.levels) == len(s.o.Targets) {
		return false
	}
	t := s.o.Targets[len(s.levels)]
	return (t.Vertices <= 0 || s.live <= t.Vertices) && (t.Triangles <= 0 || triangles <= t.Triangles)
}

// settle forgets where vertices have moved.
func (s *state) settle() {
	for i := range s.moved {
		s.moved[i] = uint32(i)
	}
}

// pass takes away as many vertices as do not touch each other, the cheapest first;
// limit tells that what is left is beyond the greatest error.
func (s *state) pass() (limit bool, err error) {
	s.gather()
	if err := s.ctx.Err(); err != nil {
		return false, err
	}
	if len(s.edges) == 0 {
		return false, nil
	}
	s.sort()
	clear(s.touched)
	most := float32(math.Inf(1))
	if s.o.MaxError > 0 {
		most = float32(s.o.MaxError / s.scale * s.o.MaxError / s.scale)
	}
	triangles := len(s.indices) / 3
	goal, dearest := s.goal(triangles, 0)
	w := walker{s: s}
	done := 0
	for i := range s.sorted {
		c := &s.sorted[i]
		if c.cost > most {
			limit = done == 0
			break
		}
		if c.cost > dearest && done > goal/8 {
			break
		}
		if s.touched[c.from] || s.touched[c.to] || !w.allowed(c) {
			continue
		}
		if done&0xfff == 0 && s.ctx.Err() != nil {
			return false, s.ctx.Err()
		}
		triangles -= w.apply(c)
		s.live -= len(w.pairs)
		done++
		for s.reached(triangles) {
			s.levels = append(s.levels, s.level())
			if len(s.levels) == len(s.o.Targets) {
				return false, nil
			}
			goal, dearest = s.goal(triangles, i)
			goal += done
		}
	}
	if done == 0 {
		return limit, nil
	}
	s.rebuild()
	s.shrink()
	s.settle()
	s.connect()
	return limit, s.classify()
}

// goal is about how many collapses the next target takes, and the cost up to which
// this pass makes them: what is much dearer than the last one that is needed waits
// for the next pass, which may find cheaper ones; but the last few do not. at is how
// many candidates were looked at.
func (s *state) goal(triangles, at int) (int, float32) {
	t := s.o.Targets[len(s.levels)]
	n := 1
	if t.Vertices > 0 {
		n = max(n, s.live-t.Vertices)
	}
	if t.Triangles > 0 {
		n = max(n, (triangles-t.Triangles)/2)
	}
	if at+n >= len(s.sorted) || n <= s.live/lastPass {
		return n, float32(math.Inf(1))
	}
	return n, s.sorted[at+n].cost * 1.5
}

// lastPass is the part of the vertices that one pass takes whatever it costs.
const lastPass = 32

// gather lists, for each edge, the cheaper of its two directions.
func (s *state) gather() {
	parts := make([][]candidate, s.o.Workers)
	s.parallel(len(s.place), func(worker, from, to int) {
		var ring []neighbour
		list := parts[worker][:0]
		for p := from; p < to; p++ {
			if s.place[p] != uint32(p) || s.start[p] == s.start[p+1] {
				continue
			}
			if p&0xffff == 0 && s.ctx.Err() != nil {
				return
			}
			ring = s.ring(uint32(p), ring)
			for i := range ring {
				if e := &ring[i]; e.place > uint32(p) {
					if c, ok := s.consider(uint32(p), e); ok {
						list = append(list, c)
					}
				}
			}
		}
		parts[worker] = list
	})
	s.edges = s.edges[:0]
	for _, list := range parts {
		s.edges = append(s.edges, list...)
	}
}

// consider weighs both directions of an edge.
func (s *state) consider(p uint32, e *neighbour) (candidate, bool) {
	k := e.kind()
	best := candidate{cost: float32(math.Inf(1))}
	q := e.place
	if s.mayMove(p, k) {
		best = candidate{s.cost(p, q, e.own, e.other, e.count, best.cost), p, q}
	}
	if s.mayMove(q, k) {
		if c := s.cost(q, p, e.other, e.own, e.count, best.cost); c < best.cost {
			best = candidate{c, q, p}
		}
	}
	return best, best.cost < float32(math.Inf(1))
}

// mayMove tells whether a place may go along an edge.
func (s *state) mayMove(p uint32, k edgeKind) bool {
	if s.locked[p] {
		return false
	}
	if s.rule != strict {
		return !s.o.LockBorder || s.kind[p] != fixed
	}
	switch s.kind[p] {
	case free:
		return true
	case lined:
		return k == border || k == seam
	}
	return false
}

// cost is the mean squared distance to the planes of both ends, and the squared
// difference of attributes, where p goes to the place of q; where the first alone is
// beyond a bound, it is not exact.
func (s *state) cost(p, q uint32, own, other [2]uint32, count int, bound float32) float32 {
	at := s.pos[q]
	shape := &s.shape[p]
	sum := max(shape.at(at), 0)
	if s.look != nil && (!(shape.w > 0) || sum < float64(bound)*shape.w) {
		for i := range min(count, 2) {
			if i == 1 && own[1] == own[0] {
				break
			}
			sum += s.lookAt(own[i], other[i], at)
		}
	}
	w := shape.w
	if !(w > 0) {
		return float32(sum)
	}
	return float32(sum / w)
}

// sort orders candidates by cost, by counting: eleven bits of the float at a time.
func (s *state) sort() {
	const bits = 11
	n := len(s.edges)
	s.sorted = slices.Grow(s.sorted[:0], n)[:n]
	a, b := s.edges, s.sorted
	var counts [3][1 << bits]uint32
	for i := range a {
		k := math.Float32bits(a[i].cost)
		counts[0][k&(1<<bits-1)]++
		counts[1][k>>bits&(1<<bits-1)]++
		counts[2][k>>(2*bits)]++
	}
	for r := range counts {
		sum := uint32(0)
		for i, c := range counts[r] {
			counts[r][i] = sum
			sum += c
		}
		for i := range a {
			k := math.Float32bits(a[i].cost) >> (bits * r) & (1<<bits - 1)
			b[counts[r][k]] = a[i]
			counts[r][k]++
		}
		a, b = b, a
	}
	s.sorted, s.edges = a, b // three rounds: a is what was sorted
}

// walker checks and applies collapses, and keeps its memory.
type walker struct {
	s     *state
	pairs []pair
	seen  []uint32
}

// goesTo is where a vertex is by now.
func (s *state) goesTo(v uint32) uint32 { return s.moved[v] }

// allowed tells whether a collapse respects the rule, and gathers where each vertex
// of the place goes.
func (w *walker) allowed(c *candidate) bool {
	s := w.s
	if !w.match(c) {
		return false
	}
	if s.rule != strict && w.loosens(c) {
		return false
	}
	if s.rule == reckless {
		return true
	}
	return w.upright(c) && (s.rule != strict || w.linked(c))
}

// loosens tells whether a triangle of a locked place, other than the target, would
// go: the edge of a neighbouring mesh could be left without one.
func (w *walker) loosens(c *candidate) bool {
	s := w.s
	if s.m.Locked == nil && !s.o.LockBorder {
		return false
	}
	torn := slices.ContainsFunc(w.pairs, func(p pair) bool { return !s.fits(p.from, p.to) })
	for _, corner := range s.around(c.from) {
		a, b := s.place[s.goesTo(s.indices[nextCorner(corner)])], s.place[s.goesTo(s.indices[previousCorner(corner)])]
		if (a == c.to || torn) && s.locked[b] || (b == c.to || torn) && s.locked[a] {
			return true
		}
	}
	return false
}

// match finds for each vertex of the place the one of the target that it becomes:
// the one at the other end of the edge in a triangle of both. Where there is none,
// or are two, a strict collapse would tear a seam.
func (w *walker) match(c *candidate) bool {
	s := w.s
	w.pairs = w.pairs[:0]
	for _, corner := range s.around(c.from) {
		own := s.indices[corner]
		i := 0
		for i < len(w.pairs) && w.pairs[i].from != own {
			i++
		}
		if i == len(w.pairs) {
			if i == maxWedges && s.rule == strict {
				return false
			}
			w.pairs = append(w.pairs, pair{own, math.MaxUint32})
		}
		for _, o := range [2]uint32{s.goesTo(s.indices[nextCorner(corner)]), s.goesTo(s.indices[previousCorner(corner)])} {
			if s.place[o] != c.to {
				continue
			}
			if w.pairs[i].to != math.MaxUint32 && w.pairs[i].to != o && s.rule == strict {
				return false
			}
			w.pairs[i].to = o
		}
	}
	for i := range w.pairs {
		if w.pairs[i].to != math.MaxUint32 {
			continue
		}
		if s.rule == strict {
			return false
		}
		to, ok := s.nearest(w.pairs[i].from, c.to)
		if !ok && s.rule != reckless {
			return false
		}
		w.pairs[i].to = to
	}
	return len(w.pairs) > 0
}

// nearest is the vertex in use of a place, of the same group, whose attributes
// differ least; ok is false where there is none of the group.
func (s *state) nearest(v, place uint32) (best uint32, ok bool) {
	best, least := place, math.Inf(1)
	k := s.m.Stride
	for o := place; ; {
		if s.used[o] && s.moved[o] == o && s.fits(v, o) {
			d := 0.0
			for i := range k {
				e := float64(s.attr[int(v)*k+i] - s.attr[int(o)*k+i])
				d += e * e
			}
			if d < least {
				best, least, ok = o, d, true
			}
		}
		if o = s.next[o]; o == place {
			return best, ok
		}
	}
}

// turned is the least cosine of the angle by which a triangle may turn.
const turned = 0.2

// upright tells whether no triangle around the place turns over.
func (w *walker) upright(c *candidate) bool {
	s := w.s
	from, to := s.pos[c.from], s.pos[c.to]
	for _, corner := range s.around(c.from) {
		a, b := s.place[s.goesTo(s.indices[nextCorner(corner)])], s.place[s.goesTo(s.indices[previousCorner(corner)])]
		if a == b || a == c.to || b == c.to || a == c.from || b == c.from {
			continue
		}
		pa := s.pos[a]
		e := sub(s.pos[b], pa)
		before, after := cross(e, sub(from, pa)), cross(e, sub(to, pa))
		if d := dot(before, after); d <= turned*sqrt(dot(before, before)*dot(after, after)) {
			return false
		}
	}
	return true
}

// linked tells whether the ends have no neighbours in common but those across the
// triangles between them: else the surface would touch itself.
func (w *walker) linked(c *candidate) bool {
	s := w.s
	w.seen = w.seen[:0]
	across := 0
	for _, corner := range s.around(c.from) {
		a, b := s.place[s.goesTo(s.indices[nextCorner(corner)])], s.place[s.goesTo(s.indices[previousCorner(corner)])]
		if a == b || a == c.from || b == c.from {
			continue
		}
		if a == c.to || b == c.to {
			across++
		}
		for _, p := range [2]uint32{a, b} {
			if p != c.to && !slices.Contains(w.seen, p) {
				w.seen = append(w.seen, p)
			}
		}
	}
	common := 0
	n := len(w.seen)
	for _, corner := range s.around(c.to) {
		a, b := s.place[s.goesTo(s.indices[nextCorner(corner)])], s.place[s.goesTo(s.indices[previousCorner(corner)])]
		if a == b || a == c.to || b == c.to {
			continue
		}
		for _, p := range [2]uint32{a, b} {
			if i := slices.Index(w.seen[:n], p); i >= 0 {
				n--
				w.seen[i], w.seen[n] = w.seen[n], w.seen[i]
				common++
			}
		}
	}
	return common == across
}

// apply moves the vertices of a place, and returns how many triangles go.
func (w *walker) apply(c *candidate) int {
	s := w.s
	removed := 0
	for _, corner := range s.around(c.from) {
		a, b := s.place[s.goesTo(s.indices[nextCorner(corner)])], s.place[s.goesTo(s.indices[previousCorner(corner)])]
		if a != b && (a == c.to || b == c.to) {
			removed++
		}
	}
	at := s.pos[c.to]
	if q := &s.shape[c.from]; q.w > 0 {
		s.error2 = max(s.error2, q.at(at)/(q.w+q.lines))
	}
	for _, p := range w.pairs {
		s.moved[p.from] = p.to
		if s.look == nil {
			continue
		}
		s.look[p.to].add(&s.look[p.from])
		k := s.m.Stride
		to, from := s.course[int(p.to)*k:][:k], s.course[int(p.from)*k:][:k]
		for i := range to {
			to[i].x += from[i].x
			to[i].y += from[i].y
			to[i].z += from[i].z
			to[i].c += from[i].c
		}
	}
	s.shape[c.to].add(&s.shape[c.from])
	s.touched[c.from], s.touched[c.to] = true, true
	return removed
}

// rebuild moves corners and drops triangles that are none any more.
func (s *state) rebuild() {
	kept := 0
	for i := 0; i < len(s.indices); i += 3 {
		a, b, c, ok := s.triangle(i)
		if !ok {
			continue
		}
		s.indices[kept], s.indices[kept+1], s.indices[kept+2] = a, b, c
		if s.groups != nil {
			s.groups[kept/3] = s.groups[i/3]
		}
		kept += 3
	}
	s.indices = s.indices[:kept]
	if s.groups != nil {
		s.groups = s.groups[:kept/3]
	}
	s.count()
}
