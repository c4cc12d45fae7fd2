package simplify

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
)

// Cells have so many triangles at most, unless told otherwise: what belongs to one
// fits the cache of a core.
const defaultCell = 1 << 16

const (
	// roundShare is the part of the vertices that a round leaves.
	roundShare = 4
	// leastShare is what a round leaves of a single cell at least.
	leastShare = 32
	// samples is how many cells are tried first, to find what collapses cost.
	samples = 4
)

// descent is a mesh on its way down, in rounds. In each, the surface is cut into
// cells which are simplified side by side, with the vertices that they share locked;
// the next round cuts at other places. The last one has one cell.
type descent struct {
	ctx context.Context
	o   *Options
	s   *surface

	levels []Level
	rounds int
	far    float32 // greatest mean squared distance so far
	sloppy bool
	whole  bool // cells did not help: the rest is one
}

// result is what comes of a cell.
type result struct {
	log     record
	global  []uint32 // vertices that are left
	indices []uint32 // of them
	groups  []uint32
	place   []uint32
	shape   []quadric
	look    []quadric
	course  []course
}

// met tells whether what is left meets the next target.
func (d *descent) met(vertices, triangles int) bool {
	t := d.o.Targets[len(d.levels)]
	return (t.Vertices <= 0 || vertices <= t.Vertices) && (t.Triangles <= 0 || triangles <= t.Triangles)
}

func (d *descent) finished() bool { return len(d.levels) == len(d.o.Targets) }

// ratio is the part of the vertices that a target leaves.
func (d *descent) ratio(t Target) float64 {
	r := 1.0
	if t.Vertices > 0 {
		r = min(r, float64(t.Vertices)/float64(max(1, d.s.live)))
	}
	if t.Triangles > 0 {
		r = min(r, 3*float64(t.Triangles)/float64(max(1, len(d.s.indices))))
	}
	return r
}

// round makes one round, and the levels on its way.
func (d *descent) round() error {
	for !d.finished() && d.met(d.s.live, len(d.s.indices)/3) {
		d.levels = append(d.levels, d.level(nil, nil))
	}
	if d.finished() {
		return nil
	}
	if most := d.cellSize(); d.whole || len(d.s.indices)/3 <= 2*most {
		return d.last()
	}
	return d.spread()
}

func (d *descent) cellSize() int {
	if d.o.Cell > 0 {
		return d.o.Cell
	}
	return defaultCell
}

// most is the greatest squared distance that options allow.
func (d *descent) most() float32 {
	if d.o.MaxError <= 0 {
		return math.MaxFloat32
	}
	e := d.o.MaxError / d.s.extent
	return float32(e * e)
}

// last simplifies all that is left, as one cell.
func (d *descent) last() error {
	c := newLoader(d.ctx, d.s, d.o).load(nil, nil)
	var r result
	c.log = &r.log
	t := d.o.Targets[len(d.o.Targets)-1]
	for _, u := range d.o.Targets {
		t.Vertices, t.Triangles = tighter(t.Vertices, u.Vertices), tighter(t.Triangles, u.Triangles)
	}
	l := limits{vertices: t.Vertices, triangles: t.Triangles, cost: math.MaxFloat32, far: d.most()}
	if t.Vertices <= 0 {
		l.vertices = math.MaxInt
	}
	if t.Triangles <= 0 {
		l.triangles = math.MaxInt
	}
	if err := c.reduce(l, true); err != nil {
		return err
	}
	results := []result{r}
	d.take(results)
	for !d.finished() {
		d.levels = append(d.levels, d.level(results, []int{len(r.log.steps)}))
	}
	return nil
}

func tighter(a, b int) int {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// spread simplifies the cells of a round side by side, takes the levels that they
// reach, and puts what is left together.
func (d *descent) spread() error {
	want := d.ratio(d.o.Targets[len(d.levels)])
	if want >= 0.5 {
		want *= 0.85 // past the level, which is then made from what was done
	} else {
		want = max(want*1.5, 1.0/roundShare)
	}
	k := cutter{positions: d.s.m.Positions, vertex: d.s.vertex, indices: d.s.indices, most: d.cellSize(), share: 0.5}
	if d.rounds%2 == 1 {
		k.share = 0.38
	}
	cells := k.cut(d.o.Workers)
	between := shares(d.s, cells)
	d.rounds++
	cost, err := d.sample(cells, between, want)
	if err != nil {
		return err
	}
	results, err := d.reduceAll(cells, between, func(c *cell) limits {
		return limits{vertices: c.live / leastShare, triangles: math.MaxInt, cost: cost, far: d.most()}
	})
	if err != nil {
		return err
	}
	d.take(results)
	if d.finished() {
		return nil
	}
	before := d.s.live
	d.merge(results, between)
	d.whole = d.s.live > before-before/20
	return nil
}

// sample finds up to which cost collapses have to go so that so much is left, from
// some cells.
func (d *descent) sample(cells [][]uint32, between []bool, want float64) (float32, error) {
	n := min(samples, len(cells))
	var some [][]uint32
	for i := range n {
		some = append(some, cells[(2*i+1)*len(cells)/(2*n)])
	}
	live, held := 0, 0
	var mu sync.Mutex
	results, err := d.reduceAll(some, between, func(c *cell) limits {
		mu.Lock()
		defer mu.Unlock()
		live, held = live+c.live, held+c.held()
		return limits{vertices: int(float64(c.live) * want / 2), triangles: math.MaxInt, cost: math.MaxFloat32, far: d.most()}
	})
	if err != nil {
		return 0, err
	}
	o := newOrder(results)
	left := held + int(float64(live-held)*want) // what cells share is not asked to go
	for _, s := range o.steps {
		if live -= int(s.vertices); live <= left {
			return s.cost, nil
		}
	}
	return math.MaxFloat32, nil
}

// reduceAll simplifies cells side by side.
func (d *descent) reduceAll(cells [][]uint32, between []bool, limit func(*cell) limits) ([]result, error) {
	results := make([]result, len(cells))
	workers := min(d.o.Workers, len(cells))
	errs := make([]error, workers)
	var next atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			l := newLoader(d.ctx, d.s, d.o)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(cells) {
					return
				}
				c := l.load(cells[i], between)
				c.log = &results[i].log
				if errs[w] = c.reduce(limit(c), false); errs[w] != nil {
					return
				}
				results[i].keep(c)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// keep copies what is left of a cell.
func (r *result) keep(c *cell) {
	r.groups = append([]uint32(nil), c.groups...)
	to := make([]uint32, len(c.global))
	k := c.k
	keep := func(v int) {
		if to[v] == 0 {
			r.global = append(r.global, c.global[v])
			to[v] = uint32(len(r.global))
			if k > 0 {
				r.look = append(r.look, c.look[v])
				r.course = append(r.course, c.course[v*k:][:k]...)
			}
		}
	}
	for v, used := range c.used {
		if used > 0 {
			keep(v)
		}
	}
	r.indices = make([]uint32, len(c.indices))
	for i, v := range c.indices {
		r.indices[i] = to[v] - 1
	}
	seen := make([]bool, len(c.global))
	for v, used := range c.used {
		if p := c.place[v]; used > 0 && !seen[p] {
			seen[p] = true
			r.place = append(r.place, to[v]-1)
			r.shape = append(r.shape, c.shape[p])
		}
	}
}
