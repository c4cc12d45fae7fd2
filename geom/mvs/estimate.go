package mvs

import (
	"context"
	"fmt"
	"math"
)

// Estimate makes the depth maps of all views: first by their looks, then in passes
// that compare with the maps of neighbours. Maps that are there already are not made
// again.
func Estimate(ctx context.Context, views []View, photos Photos, maps Maps, o Options, progress func(done float64)) error {
	if err := check(views); err != nil {
		return err
	}
	o = o.defaults()
	e := &estimator{views: views, photos: photos, maps: maps, o: o, pyramids: map[int][]*picture{}}
	total := float64(len(views)) * (1 + geometricShare*float64(o.Geometric))
	done := 0.0
	for pass := range o.Geometric + 1 {
		share := 1.0
		if pass > 0 {
			share = geometricShare
		}
		for i := range views {
			if len(views[i].Neighbors) > 0 && !maps.Has(i, pass > 0) || pass > 1 {
				if err := e.view(ctx, i, pass); err != nil {
					return fmt.Errorf("depth of view %d: %w", i, err)
				}
			}
			done += share
			if progress != nil {
				progress(done / total)
			}
		}
	}
	return nil
}

// geometricShare is the time of a geometric pass, in parts of the first.
const geometricShare = 0.6

type estimator struct {
	views  []View
	photos Photos
	maps   Maps
	o      Options
	// pyramids of the views in use now.
	pyramids map[int][]*picture
}

// sourcesOf are the neighbours that a view is matched with.
func (e *estimator) sourcesOf(i int) []int {
	n := e.views[i].Neighbors
	return n[:min(len(n), e.o.Sources)]
}

// load brings the pictures of a view and its sources, and forgets others.
func (e *estimator) load(ctx context.Context, i, levels int) error {
	want := append([]int{i}, e.sourcesOf(i)...)
	next := map[int][]*picture{}
	for _, v := range want {
		if p := e.pyramids[v]; len(p) >= levels {
			next[v] = p
			continue
		}
		gray, err := e.photos.Gray(ctx, v)
		if err != nil {
			return err
		}
		c := e.views[v].Camera
		if len(gray) != c.Width*c.Height {
			return fmt.Errorf("the photo of view %d has %d pixels, its camera %d × %d", v, len(gray), c.Width, c.Height)
		}
		next[v] = pyramid(&picture{w: c.Width, h: c.Height, pix: gray}, levels)
	}
	e.pyramids = next
	return nil
}

func (e *estimator) levels(i int) int {
	levels := 1
	c := e.views[i].Camera
	for side := min(c.Width, c.Height); levels < 4 && side>>levels >= 100; levels++ {
	}
	if e.o.Levels > 0 {
		levels = min(levels, e.o.Levels)
	}
	return levels
}

func (e *estimator) view(ctx context.Context, i, pass int) error {
	levels := e.levels(i)
	if err := e.load(ctx, i, levels); err != nil {
		return err
	}
	var m *matcher
	var err error
	if pass == 0 {
		m, err = e.photometric(ctx, i, levels)
	} else {
		m, err = e.consistent(ctx, i, pass)
	}
	if err != nil {
		return err
	}
	return e.maps.Store(ctx, i, pass > 0, m.result())
}

// rounds of a size: on the coarsest all is open; on the finest, hypotheses are
// good already.
func rounds(level, levels int) []round {
	switch {
	case level == levels-1 && levels > 1 || levels == 1:
		return []round{
			{number: 1, far: true, tries: 1, spread: 0.2, anywhere: true},
			{number: 2, far: true, tries: 1, spread: 0.1, anywhere: true},
			{number: 3, far: true, tries: 1, spread: 0.05, anywhere: true},
			{number: 4, far: true, tries: 2, spread: 0.03, anywhere: true},
			{number: 5, far: true, tries: 2, spread: 0.02},
			{number: 6, far: true, tries: 2, spread: 0.01},
		}
	case level > 0:
		return []round{
			{number: 1, far: true, tries: 1, spread: 0.02, anywhere: true},
			{number: 2, far: true, tries: 1, spread: 0.01},
			{number: 3, tries: 1, spread: 0.006},
		}
	default:
		return []round{
			{number: 1, far: true, tries: 1, spread: 0.006},
			{number: 2, tries: 1, spread: 0.002},
		}
	}
}

// photometric goes from the coarsest size to the finest.
func (e *estimator) photometric(ctx context.Context, i, levels int) (*matcher, error) {
	var m *matcher
	for level := levels - 1; level >= 0; level-- {
		coarse := m
		m = e.matcher(i, level)
		if coarse == nil {
			m.plant(e.views[i].Seeds, level)
		} else {
			m.inherit(coarse)
		}
		if err := m.begin(ctx); err != nil {
			return nil, err
		}
		for _, r := range rounds(level, levels) {
			r.number += 16 * level
			if err := m.run(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// geometricWeight is what a pixel of inconsistency costs.
const geometricWeight = 0.12

// consistent goes on from the map of the pass before, with those of the sources.
func (e *estimator) consistent(ctx context.Context, i, pass int) (*matcher, error) {
	m := e.matcher(i, 0)
	own, err := e.maps.Load(ctx, i, pass > 1)
	if err != nil {
		return nil, err
	}
	if len(own.Depth) != len(m.planes) {
		return nil, fmt.Errorf("its depth map has %d pixels, want %d", len(own.Depth), len(m.planes))
	}
	for k := range m.planes {
		m.planes[k] = plane{depth: own.Depth[k], n: [3]float32(own.Normal[3*k : 3*k+3])}
	}
	m.geometric = geometricWeight
	for k, v := range e.sourcesOf(i) {
		// Maps of the first pass, so that the order of views does not matter.
		if d, err := e.maps.Load(ctx, v, false); err == nil {
			m.sources[k].depth = d.Depth
		} else if len(e.views[v].Neighbors) > 0 {
			return nil, err
		}
		if m.sources[k].depth == nil {
			m.sources[k].depth = make([]float32, m.sources[k].to.w*m.sources[k].to.h)
		}
	}
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	return m, m.run(ctx, round{number: 64 * pass, far: true, tries: 2, spread: 0.004})
}

func (e *estimator) matcher(i, level int) *matcher {
	v := &e.views[i]
	l := lensOf(v.Camera, level)
	m := &matcher{
		lens: l, pic: e.pyramids[i][level], near: float32(v.Near), far: float32(v.Far),
		planes: make([]plane, l.w*l.h), cost: make([]float32, l.w*l.h),
		view: i, seed: e.o.Seed, workers: e.o.Workers, windowStep: 1,
	}
	if level == 0 && min(l.w, l.h) >= 400 {
		m.windowStep = 2
	}
	for _, n := range e.sourcesOf(i) {
		m.sources = append(m.sources, relate(*v, e.views[n], level, e.pyramids[n][level]))
	}
	m.best = min(max((len(m.sources)+1)/2, 1), 3)
	return m
}

// plant starts from known points: each pixel takes the depth of the nearest in its
// neighbourhood.
func (m *matcher) plant(seeds [][3]float32, level int) {
	scale := 1 / float32(int(1)<<level)
	const reach = 6
	distance := make([]int, len(m.planes))
	for _, s := range seeds {
		x, y := int(s[0]*scale), int(s[1]*scale)
		if !(s[2] >= m.near && s[2] <= m.far) {
			continue
		}
		for dy := -reach; dy <= reach; dy++ {
			for dx := -reach; dx <= reach; dx++ {
				px, py := x+dx, y+dy
				if px < 0 || py < 0 || px >= m.lens.w || py >= m.lens.h {
					continue
				}
				at, d := py*m.lens.w+px, dx*dx+dy*dy+1
				if distance[at] == 0 || d < distance[at] {
					distance[at] = d
					rx, ry := m.lens.ray(px, py)
					rnd := newChance(m.seed, m.view, 15, at)
					m.planes[at] = plane{depth: s[2], n: rnd.normal(rx, ry)}
				}
			}
		}
	}
}

// inherit takes the planes of the next coarser size.
func (m *matcher) inherit(c *matcher) {
	for y := range m.lens.h {
		for x := range m.lens.w {
			b := c.margin()
			cx := min(max(x/2, b), c.lens.w-1-b)
			cy := min(max(y/2, b), c.lens.h-1-b)
			from := &c.planes[cy*c.lens.w+cx]
			px, py := c.lens.ray(cx, cy)
			rx, ry := m.lens.ray(x, y)
			p := plane{depth: from.at(px, py, rx, ry), n: from.n}
			if !(p.depth >= m.near && p.depth <= m.far) || !faces(&p.n, rx, ry) {
				p = plane{depth: from.depth, n: newNormal(rx, ry)}
			}
			m.planes[y*m.lens.w+x] = p
		}
	}
}

// newNormal looks straight at the camera.
func newNormal(rx, ry float32) [3]float32 {
	l := sqrt32(rx*rx + ry*ry + 1)
	return [3]float32{-rx / l, -ry / l, -1 / l}
}

// result is the map; pixels that could not be compared have no depth.
func (m *matcher) result() *Map {
	out := &Map{
		Width: m.lens.w, Height: m.lens.h,
		Depth: make([]float32, len(m.planes)), Normal: make([]float32, 3*len(m.planes)), Cost: m.cost,
	}
	for i := range m.planes {
		if m.cost[i] < worst {
			out.Depth[i] = m.planes[i].depth
			copy(out.Normal[3*i:], m.planes[i].n[:])
		}
	}
	return out
}

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
