package mvs

import (
	"context"
	"fmt"
)

// Estimate makes the depth maps of all views, in two passes: by the looks of the
// photos alone, up to half their size; then at full size, compared with the maps of
// the neighbours. Maps that are there already are not made again.
func Estimate(ctx context.Context, views []View, photos Photos, maps Maps, o Options, progress func(done float64)) error {
	if err := check(views); err != nil {
		return err
	}
	e := &estimator{views: views, photos: photos, maps: maps, o: o.defaults(), pyramids: map[int][]*picture{}}
	const first = 0.3 // of the time
	for pass, share := range []float64{first, 1 - first} {
		for i := range views {
			if len(views[i].Neighbors) > 0 && !maps.Has(i, pass > 0) {
				if err := e.view(ctx, i, pass > 0); err != nil {
					return fmt.Errorf("depth of view %d: %w", i, err)
				}
			}
			if progress != nil {
				progress(float64(pass)*first + share*float64(i+1)/float64(len(views)))
			}
		}
	}
	return nil
}

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
func (e *estimator) load(ctx context.Context, i int) error {
	next := map[int][]*picture{}
	for _, v := range append([]int{i}, e.sourcesOf(i)...) {
		next[v] = e.pyramids[v]
		if next[v] != nil {
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
		next[v] = pyramid(newPicture(c.Width, c.Height, gray), maxLevels)
	}
	e.pyramids = next
	return nil
}

const (
	maxLevels = 4
	// leastSide is that of the smaller side of the coarsest size, in pixels.
	leastSide = 100
)

func (e *estimator) levels(i int) int {
	levels := 1
	c := e.views[i].Camera
	for side := min(c.Width, c.Height); levels < maxLevels && side>>levels >= leastSide; levels++ {
	}
	return levels
}

func (e *estimator) view(ctx context.Context, i int, geometric bool) error {
	if err := e.load(ctx, i); err != nil {
		return err
	}
	work := e.photometric
	if geometric {
		work = e.geometric
	}
	m, err := work(ctx, i)
	if err != nil {
		return err
	}
	return e.maps.Store(ctx, i, geometric, m.result(geometric))
}

// The rounds of a size: on the coarsest everything is open; on finer ones hypotheses
// are good already.
var (
	coarsest = []round{
		{number: 1, far: true, tries: 1, reach: 4, anywhere: true},
		{number: 2, far: true, tries: 1, reach: 2, anywhere: true},
		{number: 3, far: true, tries: 1, reach: 2, anywhere: true},
		{number: 4, far: true, tries: 2, reach: 1},
		{number: 5, far: true, tries: 2, reach: 1},
	}
	coarse = []round{
		{number: 1, far: true, tries: 1, reach: 1, anywhere: true},
		{number: 2, far: true, tries: 1, reach: 0.5},
	}
	compared = []round{
		{number: 11, far: true, tries: 1, reach: 1},
	}
	finest = []round{
		{number: 21, tries: 1, reach: 0.7},
		{number: 22, tries: 1, reach: 0.35},
	}
)

// photometric goes from the coarsest size to half the full one.
func (e *estimator) photometric(ctx context.Context, i int) (*matcher, error) {
	top := e.levels(i) - 1
	m := e.matcher(i, top)
	m.plant(e.views[i].Seeds, top)
	if err := m.settle(ctx, coarsest); err != nil {
		return nil, err
	}
	for level := top - 1; level >= 1; level-- {
		finer := e.matcher(i, level)
		finer.inherit(m)
		m = finer
		if err := m.settle(ctx, coarse); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// geometric goes on from there, with the maps of the sources.
func (e *estimator) geometric(ctx context.Context, i int) (*matcher, error) {
	own, err := e.known(ctx, i)
	if err != nil {
		return nil, err
	}
	var surfaces [maxSources]*surface
	for k, v := range e.sourcesOf(i) {
		if len(e.views[v].Neighbors) > 0 {
			if surfaces[k], err = e.known(ctx, v); err != nil {
				return nil, err
			}
		}
	}
	start := min(1, e.levels(i)-1)
	var m *matcher
	for level := start; level >= 0; level-- {
		last := m
		m = e.matcher(i, level)
		if last == nil {
			copy(m.planes, own.planes)
		} else {
			m.inherit(last)
		}
		for k := range m.sources {
			if s := surfaces[k]; s != nil {
				m.sources[k].surface, m.sources[k].known = s.planes, s.lens
			}
		}
		rounds := finest
		if level > 0 {
			rounds = compared
		}
		if err := m.settle(ctx, rounds); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// known loads the map of the first pass. One of the full size, by another program, will
// do as well.
func (e *estimator) known(ctx context.Context, i int) (*surface, error) {
	m, err := e.maps.Load(ctx, i, false)
	if err != nil {
		return nil, err
	}
	l, full := lensOf(e.views[i].Camera, min(1, e.levels(i)-1)), lensOf(e.views[i].Camera, 0)
	if m.Width == full.w && m.Height == full.h {
		s, err := surfaceOf(m, full)
		if err != nil {
			return nil, fmt.Errorf("view %d: %w", i, err)
		}
		return s.at(l), nil
	}
	s, err := surfaceOf(m, l)
	if err != nil {
		return nil, fmt.Errorf("view %d: %w", i, err)
	}
	return s, nil
}

func (e *estimator) matcher(i, level int) *matcher {
	v := &e.views[i]
	l := lensOf(v.Camera, level)
	m := &matcher{
		lens: l, pic: e.pyramids[i][level], near: float32(1 / v.Near), far: float32(1 / v.Far),
		planes: make([]plane, l.w*l.h), cost: make([]float32, l.w*l.h), chosen: make([]uint16, l.w*l.h),
		view: i, level: level, seed: e.o.Seed, workers: e.o.Workers,
	}
	for _, n := range e.sourcesOf(i) {
		m.sources = append(m.sources, relate(*v, e.views[n], level, e.pyramids[n][level]))
	}
	m.best = min(max((len(m.sources)+1)/2, 1), 3)
	return m
}

// settle begins with the planes there are and goes through rounds.
func (m *matcher) settle(ctx context.Context, rounds []round) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	for _, r := range rounds {
		if err := m.run(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// plant starts from known points: each pixel takes the depth of the nearest in its
// neighbourhood.
func (m *matcher) plant(seeds [][3]float32, level int) {
	scale := 1 / float32(int(1)<<level)
	const reach = 8
	distance := make([]int, len(m.planes))
	for _, s := range seeds {
		x, y := int(s[0]*scale), int(s[1]*scale)
		if inv := 1 / s[2]; !(inv >= m.far && inv <= m.near) {
			continue
		}
		for py := max(y-reach, 0); py <= min(y+reach, m.lens.h-1); py++ {
			for px := max(x-reach, 0); px <= min(x+reach, m.lens.w-1); px++ {
				at, d := py*m.lens.w+px, (px-x)*(px-x)+(py-y)*(py-y)+1
				if distance[at] == 0 || d < distance[at] {
					distance[at] = d
					rx, ry := m.lens.ray(px, py)
					rnd := newChance(m.seed, m.view, 255, at)
					m.planes[at] = rnd.tilted(s[2], rx, ry)
				}
			}
		}
	}
}

// inherit takes the planes of the next coarser size.
func (m *matcher) inherit(c *matcher) {
	const b = windowRadius
	for y := range m.lens.h {
		cy := min(max(y/2, b), c.lens.h-1-b)
		for x := range m.lens.w {
			cx := min(max(x/2, b), c.lens.w-1-b)
			m.planes[y*m.lens.w+x] = c.planes[cy*c.lens.w+cx]
			m.chosen[y*m.lens.w+x] = c.chosen[cy*c.lens.w+cx]
		}
	}
}
