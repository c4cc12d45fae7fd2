package simplify

import "math"

// order has the steps of all cells by their cost, and then by cell: any prefix is
// one of the record of each cell.
type order struct{ steps []ordered }

type ordered struct {
	cost      float32
	cell      uint32
	vertices  uint16
	triangles uint16
}

func newOrder(results []result) order {
	total := 0
	for i := range results {
		total += len(results[i].log.steps)
	}
	o := order{make([]ordered, 0, total)}
	for i := range results {
		r := &results[i].log
		for _, s := range r.steps {
			o.steps = append(o.steps, ordered{s.cost, uint32(i), s.vertices, s.triangles})
		}
	}
	if len(results) > 1 {
		o.sort()
	}
	return o
}

// sort is stable, by counting: eleven bits of the cost at a time.
func (o *order) sort() {
	const bits = 11
	a, b := o.steps, make([]ordered, len(o.steps))
	for r := range 3 {
		var counts [1 << bits]uint32
		for i := range a {
			counts[math.Float32bits(a[i].cost)>>(bits*r)&(1<<bits-1)]++
		}
		sum := uint32(0)
		for i, k := range counts {
			counts[i] = sum
			sum += k
		}
		for i := range a {
			k := math.Float32bits(a[i].cost) >> (bits * r) & (1<<bits - 1)
			b[counts[k]] = a[i]
			counts[k]++
		}
		a, b = b, a
	}
	o.steps = a
}

// take makes the levels that a round has passed.
func (d *descent) take(results []result) {
	o := newOrder(results)
	prefix := make([]int, len(results))
	vertices, triangles := d.s.live, len(d.s.indices)/3
	for _, s := range o.steps {
		vertices -= int(s.vertices)
		triangles -= int(s.triangles)
		prefix[s.cell]++
		for d.met(vertices, triangles) {
			d.levels = append(d.levels, d.level(results, prefix))
			if d.finished() {
				return
			}
		}
	}
	for i := range results {
		d.note(&results[i].log, len(results[i].log.steps))
	}
}

// note keeps in mind what the steps of a record did.
func (d *descent) note(r *record, n int) (far float32, sloppy bool) {
	far, sloppy = d.far, d.sloppy
	for _, s := range r.steps[:n] {
		far, sloppy = max(far, s.far), sloppy || s.loose
	}
	if n == len(r.steps) {
		d.far, d.sloppy = far, sloppy
	}
	return far, sloppy
}

// level makes the mesh of the surface after so many steps of each cell.
func (d *descent) level(results []result, prefix []int) Level {
	s := d.s
	var l Level
	to := make([]uint32, len(s.place))
	for v := range to {
		to[v] = uint32(v)
	}
	far, sloppy := d.far, d.sloppy
	for i := range prefix {
		r := &results[i].log
		for j, step := range r.steps[:prefix[i]] {
			far, sloppy = max(far, step.far), sloppy || step.loose
			for _, p := range r.pairsOf(j) {
				to[p.from] = p.to
			}
		}
	}
	const unused = math.MaxUint32
	number := make([]uint32, len(to))
	for v := range number {
		number[v] = unused
	}
	for i := 0; i < len(s.indices); i += 3 {
		a, b, c := follow(to, s.indices[i]), follow(to, s.indices[i+1]), follow(to, s.indices[i+2])
		if !s.solid(a, b, c) {
			continue
		}
		number[a], number[b], number[c] = 0, 0, 0
		l.Indices = append(l.Indices, a, b, c)
		if s.m.Groups != nil {
			l.Groups = append(l.Groups, s.group(i/3))
		}
	}
	for v, k := range number {
		if k != unused {
			number[v] = uint32(len(l.Vertices))
			l.Vertices = append(l.Vertices, s.source(uint32(v)))
		}
	}
	for i, v := range l.Indices {
		l.Indices[i] = number[v]
	}
	l.Relative = math.Sqrt(float64(far))
	l.Error, l.Sloppy = l.Relative*s.extent, sloppy
	return l
}

// follow returns where a vertex has gone, and shortens the way.
func follow(to []uint32, v uint32) uint32 {
	for to[v] != v {
		next := to[v]
		if next == gone {
			return gone
		}
		to[v] = to[next]
		v = next
	}
	return v
}

// solid tells whether three vertices make a triangle.
func (s *surface) solid(a, b, c uint32) bool {
	if a == gone || b == gone || c == gone {
		return false
	}
	pa, pb, pc := s.place[a], s.place[b], s.place[c]
	return pa != pb && pb != pc && pc != pa
}

// group is that of a triangle: where all are of one, cells do not keep it.
func (s *surface) group(triangle int) uint32 {
	if s.owner == nil {
		return s.m.Groups[0]
	}
	return s.groups[triangle]
}
