package texturing

import (
	"math"

	"slate360.ai/worker/geom/scanline"
)

const (
	// frame is how far from the border of a photo triangles must keep, in pixels.
	frame = 2
	// halo is how far, in pixels, edges of what is in front may be from where the mesh
	// has them.
	halo = 3
	// slack is by how many pixels' width a surface may lie behind another and still
	// count as the same.
	slack = 3
	// jump is the share of the depth by which something nearby must be in front to be
	// another thing.
	jump = 0.005
	// slanting and grazing are cosines of the angle of sight.
	slanting, grazing = 0.12, 0.02
	// plain is the gradient that stands for the area of a triangle in its detail.
	plain = 6
)

// observe finds how each view shows each triangle.
func (t *texturer) observe() error {
	t.sights = newSights(len(t.mesh.area), len(t.views))
	t.skipped = make([]bool, len(t.views))
	all := make([]int, len(t.views))
	for i := range all {
		all[i] = i
	}
	o := &observer{t: t, screen: make([]screen, len(t.mesh.positions)/3)}
	err := t.eachPhoto(all, func(view int, rgb []uint8) error {
		t.progress(0.45 * float64(view) / float64(len(t.views)))
		return o.look(view, rgb)
	})
	if err != nil {
		return err
	}
	for _, n := range t.sights.count {
		if n > 0 {
			return nil
		}
	}
	return ErrUnseen
}

// observer keeps the memory of looking at one photo after the other.
type observer struct {
	t      *texturer
	lens   lens
	screen []screen
	bands  []int32 // triangles by bands of rows
	starts []int
	depth  []float32 // 1/depth of what is in front
	near   []float32 // the largest of depth nearby
	pic    *picture
}

const bandRows = 64

func (o *observer) look(view int, rgb []uint8) error {
	t := o.t
	reduce := reduction(t.views[view])
	o.lens = lensOf(t.views[view], reduce)
	var err error
	if o.pic, err = t.picture(rgb, t.views[view].Camera.Width, &o.lens, reduce); err != nil {
		return err
	}
	err = t.each(len(o.screen), 1<<14, func(from, to int) {
		for v := from; v < to; v++ {
			o.screen[v] = o.lens.project(t.mesh.point(uint32(v)))
		}
	})
	if err != nil {
		return err
	}
	o.sort()
	if err := o.draw(); err != nil {
		return err
	}
	if err := o.widen(); err != nil {
		return err
	}
	scale := float32(reduce * reduce)
	return t.each(len(t.mesh.area), 1<<12, func(from, to int) {
		for f := from; f < to; f++ {
			if s, ok := o.measure(f); ok {
				s.view = uint16(view)
				s.detail *= scale
				t.sights.add(f, s)
			}
		}
	})
}

func (o *observer) corners(f int) (a, b, c *screen, ok bool) {
	m := o.t.mesh
	a, b, c = &o.screen[m.triangles[3*f]], &o.screen[m.triangles[3*f+1]], &o.screen[m.triangles[3*f+2]]
	return a, b, c, m.area[f] > 0 && a.w > 0 && b.w > 0 && c.w > 0
}

// sort puts triangles that touch the photo into bands of rows.
func (o *observer) sort() {
	count := (o.lens.h + bandRows - 1) / bandRows
	o.starts = append(o.starts[:0], make([]int, count+1)...)
	span := func(f int) (first, last int) {
		a, b, c, ok := o.corners(f)
		if !ok || max(a.x, b.x, c.x) < 0 || min(a.x, b.x, c.x) > float32(o.lens.w) {
			return 0, -1
		}
		lo, hi := min(a.y, b.y, c.y), max(a.y, b.y, c.y)
		if hi < 0 || lo > float32(o.lens.h) {
			return 0, -1
		}
		return max(int(lo)/bandRows, 0), min(int(hi)/bandRows, count-1)
	}
	for f := range o.t.mesh.area {
		for first, last := span(f); first <= last; first++ {
			o.starts[first+1]++
		}
	}
	for i := range count {
		o.starts[i+1] += o.starts[i]
	}
	if cap(o.bands) < o.starts[count] {
		o.bands = make([]int32, o.starts[count]*5/4)
	}
	o.bands = o.bands[:o.starts[count]]
	at := append([]int(nil), o.starts...)
	for f := range o.t.mesh.area {
		for first, last := span(f); first <= last; first++ {
			o.bands[at[first]] = int32(f)
			at[first]++
		}
	}
}

// draw fills the depth buffer.
func (o *observer) draw() error {
	n := o.lens.w * o.lens.h
	if cap(o.depth) < n {
		o.depth, o.near = make([]float32, n), make([]float32, n)
	}
	o.depth, o.near = o.depth[:n], o.near[:n]
	return o.t.each(o.lens.h, bandRows, func(from, to int) {
		clear(o.depth[from*o.lens.w : to*o.lens.w])
		band := from / bandRows
		for i, f := range o.bands[o.starts[band]:o.starts[band+1]] {
			if i&0xfff == 0 && o.t.ctx.Err() != nil {
				return
			}
			a, b, c, _ := o.corners(int(f))
			p := triangleOf(a, b, c)
			w, ok := p.Plane([3]float32{a.w, b.w, c.w})
			if !ok {
				continue
			}
			y0, y1 := p.Rows(from, to)
			for y := y0; y < y1; y++ {
				x0, x1 := p.Row(y, o.lens.w)
				if x0 >= x1 {
					continue
				}
				row := o.depth[y*o.lens.w:][:x1]
				v := w.At(x0, y)
				for x := x0; x < x1; x++ {
					row[x] = max(row[x], v)
					v += w.DX
				}
			}
		}
	})
}

// widen spreads what is in front by halo pixels.
func (o *observer) widen() error {
	w, h := o.lens.w, o.lens.h
	return o.t.each(h, bandRows, func(from, to int) {
		across := make([]float32, w)
		for y := from; y < to; y++ {
			copy(across, o.depth[y*w:][:w])
			for j := max(y-halo, 0); j <= min(y+halo, h-1); j++ {
				row := o.depth[j*w:][:w]
				for x, v := range row {
					across[x] = max(across[x], v)
				}
			}
			out := o.near[y*w:][:w]
			for x := range out {
				m := across[x]
				for i := max(x-halo, 0); i <= min(x+halo, w-1); i++ {
					m = max(m, across[i])
				}
				out[x] = m
			}
		}
	})
}

// tally is what the pixels of a triangle show.
type tally struct {
	pixels, seen, clear int
	gradient            int
	color               [3]int
}

// measure tells how a triangle is seen; ok is false where it is not.
func (o *observer) measure(f int) (s sight, ok bool) {
	a, b, c, ok := o.corners(f)
	if !ok {
		return s, false
	}
	double := area(a, b, c)
	if !(double > 0) {
		return s, false // from behind
	}
	if min(a.x, b.x, c.x) < frame || min(a.y, b.y, c.y) < frame ||
		max(a.x, b.x, c.x) > float32(o.lens.w-frame) || max(a.y, b.y, c.y) > float32(o.lens.h-frame) {
		return s, false
	}
	tri := triangleOf(a, b, c)
	w, ok := tri.Plane([3]float32{a.w, b.w, c.w})
	if !ok {
		return s, false
	}
	cosine := o.cosine(f)
	if cosine < grazing {
		return s, false
	}
	n := o.tally(a, b, c, &tri, &w)
	if 2*n.seen < n.pixels {
		return s, false
	}
	s.trust = whole
	switch {
	case cosine < slanting || 20*n.seen < 19*n.pixels:
		s.trust = partly
	case 20*n.clear < 19*n.pixels:
		s.trust = edge
	}
	mean := float32(n.gradient) / float32(n.seen)
	s.detail = (mean + plain) * double / 2
	for k := range 3 {
		s.color[k] = uint8((n.color[k] + n.seen/2) / n.seen)
	}
	return s, true
}

// cosine is that of the angle between the normal and the direction to the camera.
func (o *observer) cosine(f int) float64 {
	n, d := o.t.mesh.normal(f), o.lens.center.sub(o.t.mesh.middle(f))
	return n.dot(d) / (n.length() * d.length())
}

func (o *observer) tally(a, b, c *screen, p *scanline.Triangle, w *scanline.Plane) (n tally) {
	slope := float32(math.Abs(float64(w.DX)) + math.Abs(float64(w.DY)))
	behind := float32(slack / o.lens.fx)
	visit := func(x, y int, v float32) {
		at := y*o.lens.w + x
		n.pixels++
		if v*(1+behind) < o.depth[at] {
			return
		}
		n.seen++
		if v*(1+jump)+2*halo*slope >= o.near[at] {
			n.clear++
		}
		n.gradient += int(o.pic.gradient[at])
		rgb := o.pic.rgb[3*at:][:3]
		n.color[0] += int(rgb[0])
		n.color[1] += int(rgb[1])
		n.color[2] += int(rgb[2])
	}
	y0, y1 := p.Rows(0, o.lens.h)
	for y := y0; y < y1; y++ {
		x0, x1 := p.Row(y, o.lens.w)
		for x := x0; x < x1; x++ {
			visit(x, y, w.At(x, y))
		}
	}
	if n.pixels == 0 { // smaller than the raster
		x, y := int((a.x+b.x+c.x)/3), int((a.y+b.y+c.y)/3)
		visit(x, y, max((a.w+b.w+c.w)/3, w.At(x, y)))
	}
	return n
}
