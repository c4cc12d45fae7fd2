package mvs

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
)

// Cloud is what fused depth maps give.
type Cloud struct {
	// Points, Normals and Colors are three a point, in the frame of the world less
	// Origin.
	Origin  [3]float64
	Points  []float32
	Normals []float32
	Colors  []uint8
	// Views that see point i are Views[Offsets[i]:Offsets[i+1]], the one that it was
	// first found in in front.
	Views   []uint32
	Offsets []uint32
}

// Len is the number of points.
func (c *Cloud) Len() int { return len(c.Points) / 3 }

// FuseOptions say what counts as the same point. Zero fields mean the defaults.
type FuseOptions struct {
	// MinViews is in how many views a point must be found; default 3. Where fewer photos
	// show the place, two are enough for what fits well and is part of a surface that
	// more show elsewhere.
	MinViews int
	// MaxReprojection is how far a point may come back from its pixel, default 1.5;
	// MaxDepth how far depths may differ, relative, default 0.01; MaxAngle how far
	// normals, in degrees, default 30.
	MaxReprojection, MaxDepth, MaxAngle float64
	// MaxCost is the worst cost that counts: default 0.9. From half of it on, what fits
	// is likely chance, and must be found in one view more.
	MaxCost float64
	// Sources is how many neighbours are compared; default 8.
	Sources int
	Workers int
}

func (o FuseOptions) defaults() FuseOptions {
	set := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.MaxReprojection, 1.5)
	set(&o.MaxDepth, 0.01)
	set(&o.MaxAngle, 30)
	set(&o.MaxCost, 0.9)
	if o.MinViews == 0 {
		o.MinViews = 3
	}
	if o.Sources == 0 {
		o.Sources = 8
	}
	o.Workers = max(o.Workers, 1)
	return o
}

// Fuse joins the depth maps of the views. A point is kept where enough views agree
// on it; it is the mean of what they say, weighted by how well each fits, and what
// they say is not a point again.
func Fuse(ctx context.Context, views []View, photos Photos, maps Maps, o FuseOptions, progress func(done float64)) (*Cloud, error) {
	c := &Cloud{Origin: middle(views), Offsets: []uint32{0}}
	err := FuseParts(ctx, views, photos, maps, o, func(part *Cloud) error {
		c.add(part)
		return nil
	}, progress)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// FuseParts is Fuse for clouds that need not fit in memory: it gives the points that
// are first found in a view, view by view. A part is emit's to keep.
func FuseParts(ctx context.Context, views []View, photos Photos, maps Maps, o FuseOptions, emit func(part *Cloud) error, progress func(done float64)) error {
	if err := check(views); err != nil {
		return err
	}
	f := &fuser{views: views, maps: maps, o: o.defaults(), origin: middle(views), loaded: map[int]*surface{}, used: make([][]atomic.Uint32, len(views))}
	for i := range views {
		if len(views[i].Neighbors) > 0 {
			part, err := f.view(ctx, i, photos)
			if err != nil {
				return fmt.Errorf("fusing view %d: %w", i, err)
			}
			if err := emit(part); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(float64(i+1) / float64(len(views)))
		}
	}
	return nil
}

// middle is the mean of the camera centres, which keeps float32 exact enough.
func middle(views []View) (m [3]float64) {
	for _, v := range views {
		c := v.Pose.Center()
		for k := range m {
			m[k] += c[k] / float64(len(views))
		}
	}
	return m
}

type fuser struct {
	views  []View
	maps   Maps
	o      FuseOptions
	origin [3]float64
	loaded map[int]*surface
	// used has a bit for each pixel that is part of a point already.
	used [][]atomic.Uint32
}

func (f *fuser) sourcesOf(i int) []int {
	n := f.views[i].Neighbors
	return n[:min(len(n), f.o.Sources)]
}

// load brings the maps of a view and its neighbours, and forgets others.
func (f *fuser) load(ctx context.Context, i int) error {
	next := map[int]*surface{}
	for _, v := range append([]int{i}, f.sourcesOf(i)...) {
		if len(f.views[v].Neighbors) == 0 {
			continue
		}
		s := f.loaded[v]
		if s == nil {
			m, err := f.maps.Load(ctx, v, true)
			if err != nil {
				return err
			}
			if s, err = surfaceOf(m, lensOf(f.views[v].Camera, 0)); err != nil {
				return fmt.Errorf("view %d: %w", v, err)
			}
		}
		if f.used[v] == nil {
			f.used[v] = make([]atomic.Uint32, (len(s.planes)+31)/32)
		}
		next[v] = s
	}
	f.loaded = next
	return nil
}

func (f *fuser) view(ctx context.Context, i int, photos Photos) (*Cloud, error) {
	if err := f.load(ctx, i); err != nil {
		return nil, err
	}
	rgb, err := photos.RGB(ctx, i)
	if err != nil {
		return nil, err
	}
	v := f.views[i]
	if want := 3 * v.Camera.Width * v.Camera.Height; len(rgb) != want {
		return nil, fmt.Errorf("its photo has %d bytes of colour, want %d", len(rgb), want)
	}
	w := &fusion{fuser: f, view: i, own: f.loaded[i], rgb: rgb, cosine: float32(math.Cos(f.o.MaxAngle * math.Pi / 180))}
	for _, k := range f.sourcesOf(i) {
		if s := f.loaded[k]; s != nil {
			w.others = append(w.others, source{k, relate(v, f.views[k], 0, nil), s})
		}
	}
	if err := w.survey(ctx); err != nil {
		return nil, err
	}
	rows := make([]Cloud, w.own.lens.h)
	err = w.rows(ctx, 1, func(x, y int, found []sighting) []sighting { return w.pixel(x, y, &rows[y], found) })
	if err != nil {
		return nil, err
	}
	points := &Cloud{Origin: f.origin, Offsets: []uint32{0}}
	for y := range rows {
		points.add(&rows[y])
	}
	return points, nil
}

// add appends the points of a part with the same origin.
func (c *Cloud) add(part *Cloud) {
	c.Points = append(c.Points, part.Points...)
	c.Normals = append(c.Normals, part.Normals...)
	c.Colors = append(c.Colors, part.Colors...)
	first := uint32(len(c.Views))
	c.Views = append(c.Views, part.Views...)
	if len(part.Offsets) > 0 {
		for _, o := range part.Offsets[1:] {
			c.Offsets = append(c.Offsets, first+o)
		}
	}
}
