package mvs

import (
	"context"
	"sync"
	"sync/atomic"
)

// fusion is the work on one view.
type fusion struct {
	*fuser
	view   int
	own    *surface
	rgb    []uint8
	others []source
	cosine float32
	parts  parts
	// tried and sure count pixels by part of the view's surface: those looked at, and
	// those of them that are in enough views.
	tried, sure []atomic.Int32
}

// source is a neighbour with its map.
type source struct {
	view int
	rel  relation
	*surface
}

// rows calls f for pixels step apart, on all workers, with room for sightings.
func (f *fusion) rows(ctx context.Context, step int, do func(x, y int, found []sighting) []sighting) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range f.o.Workers {
		wg.Go(func() {
			found := make([]sighting, 0, len(f.others))
			for ctx.Err() == nil {
				y := step * (int(next.Add(1)) - 1)
				if y >= f.own.lens.h {
					return
				}
				for x := 0; x < f.own.lens.w; x += step {
					found = do(x, y, found[:0])
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// survey finds out which parts of the surface are in enough views, by some of their
// pixels.
func (f *fusion) survey(ctx context.Context) error {
	s := f.own
	inverse := func(at int) float32 {
		rx, ry := s.lens.ray(at%s.lens.w, at/s.lens.w)
		return s.planes[at].inverse(rx, ry)
	}
	f.parts = connect(s.lens.w, s.lens.h, func(a, b int) bool { return continuous(inverse(a), inverse(b)) })
	f.tried, f.sure = make([]atomic.Int32, len(s.planes)), make([]atomic.Int32, len(s.planes))
	return f.rows(ctx, 4, func(x, y int, found []sighting) []sighting {
		at := y*s.lens.w + x
		if s.planes[at] == (plane{}) {
			return found
		}
		p := f.look(x, y, found)
		part := f.parts.of(at)
		f.tried[part].Add(1)
		if len(p.found)+1 >= f.need(at, f.o.MinViews) {
			f.sure[part].Add(1)
		}
		return p.found
	})
}

// need is how many views must have the point at a pixel, where shown could.
func (f *fusion) need(at, shown int) int {
	n := min(f.o.MinViews, max(shown, 2))
	if 2*float64(f.own.cost(at)) > f.o.MaxCost {
		n++
	}
	return n
}

// leastSure is the share of a part of the surface that must be in enough views for the
// rest to need only two.
const leastSure = 0.05

// sighting is a pixel of a source that agrees.
type sighting struct{ view, at int }

// pixel appends the point at a pixel to the row, if there is one.
func (f *fusion) pixel(x, y int, out *Cloud, found []sighting) []sighting {
	at := y*f.own.lens.w + x
	if f.own.planes[at] == (plane{}) || f.used[f.view][at/32].Load()&(1<<(at%32)) != 0 || f.own.cost(at) > float32(f.o.MaxCost) {
		return found
	}
	p := f.look(x, y, found)
	shown := f.o.MinViews
	if part := f.parts.of(at); float32(f.sure[part].Load()) > leastSure*float32(f.tried[part].Load()) {
		shown = p.shown
	}
	if len(p.found)+1 >= f.need(at, shown) {
		f.emit(out, &p, at)
	}
	return p.found
}

// seen is what all views say of a point: the sum of the samples by weight, and in how
// many it could be found.
type seen struct {
	sample
	weight float32
	shown  int
	found  []sighting
}

// look finds the views that agree on the point at a pixel.
func (f *fusion) look(x, y int, found []sighting) seen {
	l := &f.own.lens
	at := y*l.w + x
	plane := &f.own.planes[at]
	rx, ry := l.ray(x, y)
	inv := plane.inverse(rx, ry)
	own := sample{point: [3]float32{rx / inv, ry / inv, 1 / inv}, normal: plane.normal()}
	p := seen{shown: 1, found: found}
	p.count(&own, f.own.cost(at))
	for k := range f.others {
		o := &f.others[k]
		s, pixel, inside, same := f.agrees(o, &own, rx, ry)
		if inside {
			p.shown++
		}
		if same {
			p.count(&s, o.cost(pixel))
			p.found = append(p.found, sighting{o.view, pixel})
		}
	}
	return p
}

// count adds what a view says, which weighs more the better it fits.
func (p *seen) count(s *sample, cost float32) {
	w := 1 / (0.1 + cost)
	p.weight += w
	for k := range 3 {
		p.point[k] += w * s.point[k]
		p.normal[k] += w * s.normal[k]
	}
}

// sample is a point with its normal in the frame of the view.
type sample struct{ point, normal [3]float32 }

// emit appends the mean to the cloud, and marks the pixels that agree as used.
func (f *fusion) emit(out *Cloud, s *seen, at int) {
	pose := f.views[f.view].Pose
	p, n, total := s.point, s.normal, s.weight
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
	for _, o := range s.found {
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
