package mvs

import (
	"context"
	"sync"
	"sync/atomic"
)

// matcher finds the planes of one view at one size.
type matcher struct {
	lens       lens
	pic        *picture
	sources    []relation
	near, far  float32
	planes     []plane
	cost       []float32
	view       int
	seed       uint64
	workers    int
	best       int // how many of the sources count
	windowStep int
	geometric  float32 // weight of the geometric consistency, 0 for none
}

// round is one pass over both colours of the checkerboard.
type round struct {
	number int
	// far also looks at good planes some pixels away.
	far bool
	// tries of chance, and how far they go, in parts of the depth.
	tries  int
	spread float32
	// anywhere adds a try of any depth.
	anywhere bool
}

// scratch is what a worker needs.
type scratch struct {
	window *window
	a      [][3]float32
	costs  []float32
}

func (m *matcher) scratch() *scratch {
	return &scratch{window: newWindow(m.windowStep, m.lens.w), a: make([][3]float32, len(m.sources)), costs: make([]float32, len(m.sources))}
}

// rows calls f for all rows, on all workers.
func (m *matcher) rows(ctx context.Context, f func(s *scratch, y int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range m.workers {
		wg.Go(func() {
			s := m.scratch()
			for ctx.Err() == nil {
				y := int(next.Add(1)) - 1
				if y >= m.lens.h {
					return
				}
				f(s, y)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// margin is the border of a map that has no planes: windows do not fit there.
func (m *matcher) margin() int { return m.windowStep * windowRadius }

func (m *matcher) inside(x, y int) bool {
	b := m.margin()
	return x >= b && y >= b && x < m.lens.w-b && y < m.lens.h-b
}

// ready loads what belongs to a pixel; false says that nothing can be found there.
func (m *matcher) ready(s *scratch, x, y int, rx, ry float32) bool {
	if !s.window.load(m.pic, x, y) {
		return false
	}
	for i := range m.sources {
		a := &m.sources[i].a
		s.a[i] = [3]float32{a[0]*rx + a[1]*ry + a[2], a[3]*rx + a[4]*ry + a[5], a[6]*rx + a[7]*ry + a[8]}
	}
	return true
}

// measure is the cost of a plane: the mean over the best sources, since others may
// be hidden. It may stop early, with no less than limit, where that is exceeded.
func (m *matcher) measure(s *scratch, p *plane, rx, ry float32, limit float32) float32 {
	if !(p.depth >= m.near && p.depth <= m.far) {
		return worst
	}
	costs := s.costs[:0]
	for i := range m.sources {
		rel := &m.sources[i]
		c := s.window.cost(rel, &m.lens, p, rx, ry, s.a[i][0], s.a[i][1], s.a[i][2])
		if m.geometric > 0 && c < worst {
			c = min(c+m.geometric*rel.inconsistency(&m.lens, p.depth, rx, ry), worst)
		}
		// Insertion keeps the best in front.
		j := len(costs)
		costs = append(costs, c)
		for j > 0 && costs[j-1] > c {
			costs[j] = costs[j-1]
			j--
		}
		costs[j] = c
	}
	n := min(m.best, len(costs))
	sum := float32(0)
	for _, c := range costs[:n] {
		sum += c
	}
	return sum / float32(n)
}

// maxInconsistency is where distances on the photo stop to matter, in pixels.
const maxInconsistency = 3

// inconsistency is how far from its pixel a point comes back that goes by the depth
// map of the source, in pixels.
func (rel *relation) inconsistency(l *lens, depth, rx, ry float32) float32 {
	x := [3]float32{rx * depth, ry * depth, depth}
	r, t := &rel.r, &rel.t
	sx := r[0]*x[0] + r[1]*x[1] + r[2]*x[2] + t[0]
	sy := r[3]*x[0] + r[4]*x[1] + r[5]*x[2] + t[1]
	sz := r[6]*x[0] + r[7]*x[1] + r[8]*x[2] + t[2]
	if sz <= 0 {
		return maxInconsistency
	}
	u, v := rel.to.fx*sx/sz+rel.to.cx, rel.to.fy*sy/sz+rel.to.cy
	if !(u >= 0 && v >= 0 && u < rel.w && v < rel.h) {
		return maxInconsistency
	}
	d := rel.depth[int(v)*rel.to.w+int(u)]
	if d <= 0 {
		return maxInconsistency
	}
	bx, by, bz := (u-rel.to.cx)*rel.to.invFx*d, (v-rel.to.cy)*rel.to.invFy*d, d
	r, t = &rel.back, &rel.backT
	px := r[0]*bx + r[1]*by + r[2]*bz + t[0]
	py := r[3]*bx + r[4]*by + r[5]*bz + t[1]
	pz := r[6]*bx + r[7]*by + r[8]*bz + t[2]
	if pz <= 0 {
		return maxInconsistency
	}
	dx, dy := (px/pz-rx)*l.fx, (py/pz-ry)*l.fy
	d2 := dx*dx + dy*dy
	if !(d2 < maxInconsistency*maxInconsistency) {
		return maxInconsistency
	}
	return sqrt32(d2)
}

// begin measures the planes there are, and draws others where there are none.
func (m *matcher) begin(ctx context.Context) error {
	return m.rows(ctx, func(s *scratch, y int) {
		for x := range m.lens.w {
			at := y*m.lens.w + x
			p := &m.planes[at]
			m.cost[at] = worst
			rx, ry := m.lens.ray(x, y)
			rnd := newChance(m.seed, m.view, 0, at)
			if p.depth <= 0 {
				*p = plane{depth: rnd.depth(m.near, m.far), n: rnd.normal(rx, ry)}
			}
			if m.inside(x, y) && m.ready(s, x, y, rx, ry) {
				m.cost[at] = m.measure(s, p, rx, ry, worst)
			}
		}
	})
}

func (m *matcher) run(ctx context.Context, r round) error {
	for color := range 2 {
		err := m.rows(ctx, func(s *scratch, y int) {
			if y < m.margin() || y >= m.lens.h-m.margin() {
				return
			}
			for x := m.margin() + (m.margin()+y+color)&1; x < m.lens.w-m.margin(); x += 2 {
				m.improve(s, x, y, &r)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Where planes come from, of the other colour: the nearest, and in strips beyond of
// which the best is tried.
var nearest = [4][2]int{{0, -1}, {-1, 0}, {1, 0}, {0, 1}}

const stripLength = 6

func (m *matcher) improve(s *scratch, x, y int, r *round) {
	at := y*m.lens.w + x
	rx, ry := m.lens.ray(x, y)
	if !m.ready(s, x, y, rx, ry) {
		return
	}
	best, cost := m.planes[at], m.cost[at]
	for _, d := range nearest {
		nx, ny := x+d[0], y+d[1]
		if m.inside(nx, ny) {
			m.take(s, &best, &cost, nx, ny, rx, ry)
		}
		if !r.far {
			continue
		}
		// The strip: 3, 5, 7 … pixels away, all of the other colour.
		bx, by, bc := 0, 0, float32(worst)
		for k := range stripLength {
			fx, fy := x+d[0]*(2*k+3), y+d[1]*(2*k+3)
			if !m.inside(fx, fy) {
				break
			}
			if c := m.cost[fy*m.lens.w+fx]; c < bc {
				bx, by, bc = fx, fy, c
			}
		}
		if bc < worst {
			m.take(s, &best, &cost, bx, by, rx, ry)
		}
	}
	m.refine(s, &best, &cost, at, rx, ry, r)
	m.planes[at], m.cost[at] = best, cost
}

// take tries the plane of another pixel.
func (m *matcher) take(s *scratch, best *plane, cost *float32, x, y int, rx, ry float32) {
	from := &m.planes[y*m.lens.w+x]
	px, py := m.lens.ray(x, y)
	p := plane{depth: from.at(px, py, rx, ry), n: from.n}
	// What is the plane already is not measured again.
	if p.depth <= 0 || abs32(p.depth-best.depth) < 1e-5*p.depth && dot3(p.n, best.n) > 0.99995 || !faces(&p.n, rx, ry) {
		return
	}
	if c := m.measure(s, &p, rx, ry, *cost); c < *cost {
		*best, *cost = p, c
	}
}

// faces tells whether a plane is seen from the front, not grazing.
func faces(n *[3]float32, rx, ry float32) bool {
	c := *n
	return facing(&c, rx, ry)
}

// refine tries planes near the best by chance.
func (m *matcher) refine(s *scratch, best *plane, cost *float32, at int, rx, ry float32, r *round) {
	rnd := newChance(m.seed, m.view, r.number, at)
	spread := r.spread
	for range r.tries {
		depth := *best
		depth.depth *= 1 + spread*rnd.signed()
		tilt := *best
		for i := range tilt.n {
			tilt.n[i] += 6 * spread * rnd.signed()
		}
		if c := m.measure(s, &depth, rx, ry, *cost); c < *cost {
			*best, *cost = depth, c
		}
		if facing(&tilt.n, rx, ry) {
			tilt.depth = best.depth
			if c := m.measure(s, &tilt, rx, ry, *cost); c < *cost {
				*best, *cost = tilt, c
			}
		}
		spread /= 2
	}
	if r.anywhere {
		p := plane{depth: rnd.depth(m.near, m.far), n: rnd.normal(rx, ry)}
		if c := m.measure(s, &p, rx, ry, *cost); c < *cost {
			*best, *cost = p, c
		}
	}
}
