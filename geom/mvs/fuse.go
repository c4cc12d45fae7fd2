package mvs

import (
	"context"
	"fmt"
	"math"
	"sync"
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
	// show the place, two are enough for what fits well.
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

// fusion is the work on one view.
type fusion struct {
	*fuser
	view   int
	own    *surface
	rgb    []uint8
	others []source
	cosine float32
}

// source is a neighbour with its map.
type source struct {
	view int
	rel  relation
	*surface
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
	rows, err := w.rows(ctx)
	if err != nil {
		return nil, err
	}
	part := &Cloud{Origin: f.origin, Offsets: []uint32{0}}
	for y := range rows {
		part.add(&rows[y])
	}
	return part, nil
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

// rows finds the points of the rows of the view.
func (f *fusion) rows(ctx context.Context) ([]Cloud, error) {
	rows := make([]Cloud, f.own.lens.h)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range f.o.Workers {
		wg.Go(func() {
			found := make([]sighting, 0, len(f.others))
			for ctx.Err() == nil {
				y := int(next.Add(1)) - 1
				if y >= len(rows) {
					return
				}
				for x := range f.own.lens.w {
					found = f.pixel(x, y, &rows[y], found[:0])
				}
			}
		})
	}
	wg.Wait()
	return rows, ctx.Err()
}

// sighting is a pixel of a source that agrees.
type sighting struct{ view, at int }

// pixel appends the point at a pixel to the row, if there is one.
func (f *fusion) pixel(x, y int, out *Cloud, found []sighting) []sighting {
	l := &f.own.lens
	at := y*l.w + x
	p := &f.own.planes[at]
	if *p == (plane{}) || f.used[f.view][at/32].Load()&(1<<(at%32)) != 0 || f.own.cost(at) > float32(f.o.MaxCost) {
		return found
	}
	rx, ry := l.ray(x, y)
	inv := p.inverse(rx, ry)
	mean := sample{point: [3]float32{rx / inv, ry / inv, 1 / inv}, normal: p.normal()}
	sum := sample{}
	sum.add(&mean, weight(f.own.cost(at)))
	total := weight(f.own.cost(at))
	shown := 1
	for k := range f.others {
		o := &f.others[k]
		s, pixel, inside, same := f.agrees(o, &mean, rx, ry)
		if inside {
			shown++
		}
		if same {
			w := weight(o.cost(pixel))
			sum.add(&s, w)
			total += w
			found = append(found, sighting{o.view, pixel})
		}
	}
	need := min(f.o.MinViews, max(shown, 2))
	if 2*float64(f.own.cost(at)) > f.o.MaxCost {
		need++
	}
	if len(found)+1 < need {
		return found
	}
	f.emit(out, &sum, total, at, found)
	return found
}

func weight(cost float32) float32 { return 1 / (0.1 + cost) }

// sample is a point with its normal in the frame of the view.
type sample struct{ point, normal [3]float32 }

func (s *sample) add(o *sample, w float32) {
	for k := range 3 {
		s.point[k] += w * o.point[k]
		s.normal[k] += w * o.normal[k]
	}
}

// emit appends the mean to the cloud, and marks the pixels that agree as used.
func (f *fusion) emit(out *Cloud, sum *sample, total float32, at int, found []sighting) {
	pose := f.views[f.view].Pose
	p, n := sum.point, sum.normal
	w := pose.Invert([3]float64{float64(p[0] / total), float64(p[1] / total), float64(p[2] / total)})
	l := 1 / sqrt32(dot3(n, n)) // not zero: normals differ by less than a right angle from the first
	wn := pose.Unrotate([3]float64{float64(n[0] * l), float64(n[1] * l), float64(n[2] * l)})
	for k := range 3 {
		out.Points = append(out.Points, float32(w[k]-f.origin[k]))
		out.Normals = append(out.Normals, float32(wn[k]))
	}
	out.Colors = append(out.Colors, f.rgb[3*at:3*at+3]...)
	if len(out.Offsets) == 0 {
		out.Offsets = append(out.Offsets, 0)
	}
	out.Views = append(out.Views, uint32(f.view))
	for _, o := range found {
		out.Views = append(out.Views, uint32(o.view))
		f.used[o.view][o.at/32].Or(1 << (o.at % 32))
	}
	out.Offsets = append(out.Offsets, uint32(len(out.Views)))
}

// agrees looks up what the source says of a point of the view at ray (rx, ry), and
// tells whether it shows the place at all, and whether it is the same point.
func (f *fusion) agrees(o *source, p *sample, rx, ry float32) (s sample, at int, inside, same bool) {
	rel := &o.rel
	q := rigid(&rel.r, &rel.t, p.point)
	if q[2] <= 0 {
		return s, 0, false, false
	}
	k := &o.lens
	sx, sy := q[0]/q[2], q[1]/q[2]
	u, v := k.fx*sx+k.cx, k.fy*sy+k.cy
	if !(u >= 0 && v >= 0 && u < float32(k.w) && v < float32(k.h)) {
		return s, 0, false, false
	}
	at = int(v)*k.w + int(u)
	w := &o.planes[at]
	inv := w.inverse(sx, sy)
	if !(inv > 0) || abs32(inv*q[2]-1) > float32(f.o.MaxDepth) || o.cost(at) > float32(f.o.MaxCost) {
		return s, 0, true, false
	}
	s.point = rigid(&rel.back, &rel.backT, [3]float32{sx / inv, sy / inv, 1 / inv})
	s.normal = rigid(&rel.back, &[3]float32{}, w.normal())
	if s.point[2] <= 0 || dot3(s.normal, p.normal) < f.cosine {
		return s, 0, true, false
	}
	l := &f.own.lens
	dx, dy := (s.point[0]/s.point[2]-rx)*l.fx, (s.point[1]/s.point[2]-ry)*l.fy
	return s, at, true, dx*dx+dy*dy <= float32(f.o.MaxReprojection*f.o.MaxReprojection)
}

func rigid(r *[9]float32, t *[3]float32, x [3]float32) [3]float32 {
	return [3]float32{
		r[0]*x[0] + r[1]*x[1] + r[2]*x[2] + t[0],
		r[3]*x[0] + r[4]*x[1] + r[5]*x[2] + t[1],
		r[6]*x[0] + r[7]*x[1] + r[8]*x[2] + t[2],
	}
}
