package mvs

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
)

// matcher finds the planes of one view at one size.
type matcher struct {
	lens      lens
	pic       *picture
	sources   []relation
	near, far float32 // inverse depths
	planes    []plane
	cost      []float32
	// chosen has a bit for each source that a pixel is compared with.
	chosen  []uint16
	view    int
	level   int
	seed    uint64
	workers int
	best    int // how many of the sources count
}

// maxSources is how many fit chosen.
const maxSources = 16

// scratch is what a worker needs.
type scratch struct {
	window *window
	rx, ry float32
	rays   [maxSources][3]float32 // A·ray of the sources
	// pixel is the inverse depth that moves a point about a pixel in the sources.
	pixel float32
}

// rows calls f for all rows, on all workers.
func (m *matcher) rows(ctx context.Context, f func(s *scratch, y int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range m.workers {
		wg.Go(func() {
			s := &scratch{window: newWindow(m.lens.w, m.level)}
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

// inside tells whether a window fits there. The border has no planes.
func (m *matcher) inside(x, y int) bool {
	const b = windowRadius
	return x >= b && y >= b && x < m.lens.w-b && y < m.lens.h-b
}

// ready loads what belongs to a pixel; false says that nothing can be found there.
func (m *matcher) ready(s *scratch, x, y int) bool {
	if !s.window.load(m.pic, x, y) {
		return false
	}
	s.rx, s.ry = m.lens.ray(x, y)
	for i := range m.sources {
		s.rays[i] = m.sources[i].project(s.rx, s.ry)
	}
	return true
}

// geometricWeight is what a pixel of inconsistency costs.
const geometricWeight = 0.1

// single is the cost of a plane by one source.
func (m *matcher) single(s *scratch, i int, p *plane, inv float32) float32 {
	rel := &m.sources[i]
	c := s.window.cost(rel, &m.lens, p, inv, &s.rays[i])
	if rel.surface != nil && c < worst {
		c = min(c+geometricWeight*rel.inconsistency(&m.lens, inv, s.rx, s.ry), worst)
	}
	return c
}

// candidate is a plane with the sources that it is compared with: the same plane at
// a neighbour is likely hidden from the same ones.
type candidate struct {
	plane  plane
	chosen uint16
	cost   float32
}

// possible returns the inverse depth of a plane where it is one that can be seen.
func (m *matcher) possible(s *scratch, p *plane) (inv float32, ok bool) {
	inv = p.inverse(s.rx, s.ry)
	return inv, inv >= m.far && inv <= m.near && p.faces(inv, s.rx, s.ry)
}

// attempt takes a plane where it is better than the best so far, by the mean cost over
// the sources chosen for it. It stops as soon as that is out of reach.
func (m *matcher) attempt(s *scratch, best *candidate, p *plane, chosen uint16) {
	inv, ok := m.possible(s, p)
	if !ok || chosen == 0 {
		return
	}
	n := bits.OnesCount16(chosen)
	limit, sum := best.cost*float32(n), float32(0)
	for left := chosen; left != 0; left &= left - 1 {
		if sum += m.single(s, bits.TrailingZeros16(left), p, inv); sum >= limit {
			return
		}
	}
	*best = candidate{*p, chosen, sum / float32(n)}
}

// search takes a plane where it is better than the best so far, by the mean cost over
// those sources that it fits best, since others may be hidden. It stops where the
// first few, the best of the view, are all worse.
func (m *matcher) search(s *scratch, best *candidate, p *plane) {
	inv, ok := m.possible(s, p)
	if !ok {
		return
	}
	var order [maxSources]uint8
	var costs [maxSources]float32
	for k := range m.sources {
		if k == m.best && costs[order[0]] >= best.cost {
			return
		}
		c := m.single(s, k, p, inv)
		costs[k] = c
		j := k
		for j > 0 && costs[order[j-1]] > c {
			order[j] = order[j-1]
			j--
		}
		order[j] = uint8(k)
	}
	found := candidate{plane: *p}
	n := 0
	for n < m.best && costs[order[n]] < worst {
		found.cost += costs[order[n]]
		found.chosen |= 1 << order[n]
		n++
	}
	if n == 0 {
		return
	}
	if found.cost /= float32(n); found.cost < best.cost {
		*best = found
	}
}

// begin measures the planes there are, draws others where there are none, and
// chooses the sources of pixels that have none yet.
func (m *matcher) begin(ctx context.Context) error {
	return m.rows(ctx, func(s *scratch, y int) {
		for x := range m.lens.w {
			at := y*m.lens.w + x
			best := candidate{plane: m.planes[at], cost: worst}
			if m.inside(x, y) && m.ready(s, x, y) {
				if best.plane == (plane{}) {
					rnd := newChance(m.seed, m.view, 32*m.level, at)
					best.plane = rnd.plane(m.near, m.far, s.rx, s.ry)
				}
				p := best.plane
				if m.attempt(s, &best, &p, m.chosen[at]); best.cost > doubtful {
					m.search(s, &best, &p)
				}
			}
			m.set(at, &best)
		}
	})
}

// doubtful is the cost from which all sources are looked at again.
const doubtful = 0.4

func (m *matcher) set(at int, c *candidate) {
	m.planes[at], m.chosen[at], m.cost[at] = c.plane, c.chosen, c.cost
}

// round is one pass over both colours of the checkerboard.
type round struct {
	number int
	// far also looks at good planes some pixels away.
	far bool
	// tries of chance, and how far the first goes, in pixels of the sources.
	tries int
	reach float32
	// anywhere adds a try of any depth.
	anywhere bool
}

func (m *matcher) run(ctx context.Context, r round) error {
	for color := range 2 {
		err := m.rows(ctx, func(s *scratch, y int) {
			if y < windowRadius || y >= m.lens.h-windowRadius {
				return
			}
			for x := windowRadius + (y+color)&1; x < m.lens.w-windowRadius; x += 2 {
				m.improve(s, x, y, &r)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// improve looks for a better plane at a pixel.
func (m *matcher) improve(s *scratch, x, y int, r *round) {
	if !m.ready(s, x, y) {
		return
	}
	at := y*m.lens.w + x
	best := candidate{m.planes[at], m.chosen[at], m.cost[at]}
	s.pixel = m.pixel(s, &best)
	m.spread(s, &best, x, y, r.far)
	m.refine(s, &best, at, r)
	m.set(at, &best)
}

// Where planes come from, of the other colour: the nearest, and in strips beyond, of
// which the best is tried.
var nearest = [4][2]int{{0, -1}, {-1, 0}, {1, 0}, {0, 1}}

const stripLength = 6

// spread tries the planes of other pixels.
func (m *matcher) spread(s *scratch, best *candidate, x, y int, far bool) {
	for _, d := range nearest {
		if nx, ny := x+d[0], y+d[1]; m.inside(nx, ny) {
			m.take(s, best, ny*m.lens.w+nx)
		}
		if !far {
			continue
		}
		// The strip: 3, 5, 7 … pixels away, all of the other colour.
		from, cost := 0, float32(worst)
		for k := range stripLength {
			fx, fy := x+d[0]*(2*k+3), y+d[1]*(2*k+3)
			if !m.inside(fx, fy) {
				break
			}
			if i := fy*m.lens.w + fx; m.cost[i] < cost {
				from, cost = i, m.cost[i]
			}
		}
		if cost < worst {
			m.take(s, best, from)
		}
	}
}

// take tries the plane of another pixel, unless that is about the same.
func (m *matcher) take(s *scratch, best *candidate, from int) {
	p := &m.planes[from]
	if m.cost[from] >= worst {
		return
	}
	const same = 0.05 // pixels, at the middle of the window and, twice that, its border
	border := windowRadius * m.lens.invFx
	if abs32(p.inverse(s.rx, s.ry)-best.plane.inverse(s.rx, s.ry)) < same*s.pixel &&
		(abs32(p[0]-best.plane[0])+abs32(p[1]-best.plane[1]))*border < 2*same*s.pixel {
		return
	}
	m.attempt(s, best, p, m.chosen[from])
}

// refine tries planes near the best by chance: moved, then tilted.
func (m *matcher) refine(s *scratch, best *candidate, at int, r *round) {
	rnd := newChance(m.seed, m.view, 32*m.level+r.number, at)
	s.pixel = m.pixel(s, best) // of the sources chosen now
	reach := r.reach
	for range r.tries {
		inv := best.plane.inverse(s.rx, s.ry)
		f := 1 + rnd.signed()*min(reach*s.pixel/inv, 0.25)
		p := plane{best.plane[0] * f, best.plane[1] * f, best.plane[2] * f}
		m.attempt(s, best, &p, best.chosen)
		// So that the border of the window moves about as far.
		tilt := 1.5 * reach * s.pixel / (windowRadius * m.lens.invFx)
		p = best.plane
		inv = p.inverse(s.rx, s.ry)
		p[0] += tilt * rnd.signed()
		p[1] += tilt * rnd.signed()
		p[2] = inv - p[0]*s.rx - p[1]*s.ry
		m.attempt(s, best, &p, best.chosen)
		reach /= 2
	}
	if r.anywhere {
		p := rnd.plane(m.near, m.far, s.rx, s.ry)
		m.search(s, best, &p)
	}
}

// pixel is the change of inverse depth that moves the point by a pixel in the source
// where it moves most, of those chosen.
func (m *matcher) pixel(s *scratch, best *candidate) float32 {
	inv := best.plane.inverse(s.rx, s.ry)
	most := float32(0)
	for left := best.chosen; left != 0; left &= left - 1 {
		i := bits.TrailingZeros16(left)
		most = max(most, m.sources[i].parallax(&s.rays[i], inv))
	}
	if most < 1e-12 {
		return 0
	}
	return 1 / most
}
