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
	// MinViews is in how many views a point must be found; default 3, or fewer where
	// a view has fewer neighbours.
	MinViews int
	// MaxReprojection is how far a point may come back from its pixel, default 1.5;
	// MaxDepth how far depths may differ, relative, default 0.01; MaxAngle how far
	// normals, in degrees, default 25.
	MaxReprojection, MaxDepth, MaxAngle float64
	// MaxCost is the worst correlation that counts, as one less it: default 0.6.
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
	set(&o.MaxAngle, 25)
	set(&o.MaxCost, 0.6)
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
// on it; it is the mean of what they say, and what they say is not a point again.
func Fuse(ctx context.Context, views []View, photos Photos, maps Maps, o FuseOptions, progress func(done float64)) (*Cloud, error) {
	f := &fuser{views: views, maps: maps, o: o.defaults(), loaded: map[int]*Map{}, used: make([][]atomic.Uint32, len(views))}
	c := &Cloud{Origin: middle(views), Offsets: []uint32{0}}
	f.origin = c.Origin
	for i, v := range views {
		if len(v.Neighbors) == 0 {
			continue
		}
		if err := f.load(ctx, i); err != nil {
			return nil, err
		}
		rgb, err := photos.RGB(ctx, i)
		if err != nil {
			return nil, err
		}
		if want := 3 * v.Camera.Width * v.Camera.Height; len(rgb) != want {
			return nil, fmt.Errorf("mvs: the photo of view %d has %d bytes of colour, want %d", i, len(rgb), want)
		}
		if err := f.view(ctx, i, rgb, c); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(float64(i+1) / float64(len(views)))
		}
	}
	return c, nil
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
	loaded map[int]*Map
	// used has a bit for each pixel that is part of a point already.
	used [][]atomic.Uint32
}

func (f *fuser) sourcesOf(i int) []int {
	n := f.views[i].Neighbors
	return n[:min(len(n), f.o.Sources)]
}

// load brings the maps of a view and its neighbours, and forgets others.
func (f *fuser) load(ctx context.Context, i int) error {
	next := map[int]*Map{}
	for _, v := range append([]int{i}, f.sourcesOf(i)...) {
		if len(f.views[v].Neighbors) == 0 {
			continue
		}
		m := f.loaded[v]
		if m == nil {
			var err error
			if m, err = f.maps.Load(ctx, v, true); err != nil {
				return err
			}
			c := f.views[v].Camera
			if m.Width != c.Width || m.Height != c.Height || len(m.Depth) != c.Width*c.Height || len(m.Normal) != 3*len(m.Depth) {
				return fmt.Errorf("mvs: the depth map of view %d is %d × %d, its camera %d × %d", v, m.Width, m.Height, c.Width, c.Height)
			}
		}
		if f.used[v] == nil {
			f.used[v] = make([]atomic.Uint32, (len(m.Depth)+31)/32)
		}
		next[v] = m
	}
	f.loaded = next
	return nil
}

// points of one row.
type fusedRow struct {
	points, normals []float32
	colors          []uint8
	views           []uint32
	counts          []uint32
}

func (f *fuser) view(ctx context.Context, i int, rgb []uint8, c *Cloud) error {
	m := f.loaded[i]
	type other struct {
		view int
		rel  relation
		m    *Map
	}
	var others []other
	for _, v := range f.sourcesOf(i) {
		if om := f.loaded[v]; om != nil {
			rel := relate(f.views[i], f.views[v], 0, nil)
			rel.depth = om.Depth
			others = append(others, other{v, rel, om})
		}
	}
	need := min(f.o.MinViews, len(others)+1, max(2, (len(others)+2)/2+1))
	l := lensOf(f.views[i].Camera, 0)
	cosine := float32(math.Cos(f.o.MaxAngle * math.Pi / 180))
	maxCost := float32(f.o.MaxCost)
	rows := make([]fusedRow, l.h)
	used := f.used[i]
	var next atomic.Int64
	var wg sync.WaitGroup
	for range f.o.Workers {
		wg.Go(func() {
			type agreed struct{ view, at int }
			list := make([]agreed, 0, len(others))
			for ctx.Err() == nil {
				y := int(next.Add(1)) - 1
				if y >= l.h {
					return
				}
				out := &rows[y]
				for x := range l.w {
					at := y*l.w + x
					d := m.Depth[at]
					if d <= 0 || used[at/32].Load()&(1<<(at%32)) != 0 || m.Cost != nil && m.Cost[at] > maxCost {
						continue
					}
					rx, ry := l.ray(x, y)
					p := [3]float32{rx * d, ry * d, d}
					n := [3]float32(m.Normal[3*at : 3*at+3])
					sum, nsum := p, n
					list = list[:0]
					for k := range others {
						o := &others[k]
						q, qn, oat, ok := o.rel.agrees(&l, p, rx, ry, n, o.m, f.o, cosine)
						if !ok {
							continue
						}
						for a := range 3 {
							sum[a] += q[a]
							nsum[a] += qn[a]
						}
						list = append(list, agreed{o.view, oat})
					}
					if len(list)+1 < need {
						continue
					}
					inv := 1 / float32(len(list)+1)
					w := f.views[i].Pose.Invert([3]float64{float64(sum[0] * inv), float64(sum[1] * inv), float64(sum[2] * inv)})
					wn := f.views[i].Pose.Unrotate([3]float64{float64(nsum[0]), float64(nsum[1]), float64(nsum[2])})
					nl := math.Sqrt(wn[0]*wn[0] + wn[1]*wn[1] + wn[2]*wn[2])
					if nl == 0 {
						continue
					}
					for a := range 3 {
						out.points = append(out.points, float32(w[a]-f.origin[a]))
						out.normals = append(out.normals, float32(wn[a]/nl))
					}
					out.colors = append(out.colors, rgb[3*at:3*at+3]...)
					out.views = append(out.views, uint32(i))
					for _, o := range list {
						out.views = append(out.views, uint32(o.view))
						f.used[o.view][o.at/32].Or(1 << (o.at % 32))
					}
					out.counts = append(out.counts, uint32(len(list)+1))
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for y := range rows {
		r := &rows[y]
		c.Points = append(c.Points, r.points...)
		c.Normals = append(c.Normals, r.normals...)
		c.Colors = append(c.Colors, r.colors...)
		c.Views = append(c.Views, r.views...)
		for _, n := range r.counts {
			c.Offsets = append(c.Offsets, c.Offsets[len(c.Offsets)-1]+n)
		}
		*r = fusedRow{}
	}
	return nil
}

// agrees looks up what the source says of a point p of the view: the point and the
// normal, in the frame of the view, and its pixel.
func (rel *relation) agrees(l *lens, p [3]float32, rx, ry float32, n [3]float32, m *Map, o FuseOptions, cosine float32) (q, qn [3]float32, at int, ok bool) {
	r, t := &rel.r, &rel.t
	sx := r[0]*p[0] + r[1]*p[1] + r[2]*p[2] + t[0]
	sy := r[3]*p[0] + r[4]*p[1] + r[5]*p[2] + t[1]
	sz := r[6]*p[0] + r[7]*p[1] + r[8]*p[2] + t[2]
	if sz <= 0 {
		return q, qn, 0, false
	}
	u, v := rel.to.fx*sx/sz+rel.to.cx, rel.to.fy*sy/sz+rel.to.cy
	if !(u >= 0 && v >= 0 && u < rel.w && v < rel.h) {
		return q, qn, 0, false
	}
	at = int(v)*rel.to.w + int(u)
	d := m.Depth[at]
	if d <= 0 || abs32(d-sz) > float32(o.MaxDepth)*sz || m.Cost != nil && m.Cost[at] > float32(o.MaxCost) {
		return q, qn, 0, false
	}
	// The plane of the source's pixel, met where the point is seen in it.
	sn := [3]float32(m.Normal[3*at : 3*at+3])
	px, py := rel.to.ray(int(u), int(v))
	ux, uy := (u-rel.to.cx)*rel.to.invFx, (v-rel.to.cy)*rel.to.invFy
	own := plane{depth: d, n: sn}
	if e := own.at(px, py, ux, uy); e > 0 && abs32(e-d) < 0.02*d {
		d = e
	}
	b := [3]float32{ux * d, uy * d, d}
	r, t = &rel.back, &rel.backT
	for k := range 3 {
		q[k] = r[3*k]*b[0] + r[3*k+1]*b[1] + r[3*k+2]*b[2] + t[k]
		qn[k] = r[3*k]*sn[0] + r[3*k+1]*sn[1] + r[3*k+2]*sn[2]
	}
	if q[2] <= 0 || dot3(qn, n) < cosine {
		return q, qn, 0, false
	}
	dx, dy := (q[0]/q[2]-rx)*l.fx, (q[1]/q[2]-ry)*l.fy
	if dx*dx+dy*dy > float32(o.MaxReprojection*o.MaxReprojection) || abs32(q[2]-p[2]) > float32(o.MaxDepth)*p[2] {
		return q, qn, 0, false
	}
	return q, qn, at, true
}
