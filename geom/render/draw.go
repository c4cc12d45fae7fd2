package render

import (
	"context"
	"errors"
	"image"
	"math"
	"slices"
	"sync"

	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/texture"
)

// Options say how large the picture is.
type Options struct {
	Width, Height int
	// Samples a pixel and side: 2 where it is 0.
	Samples int
	// Direction from the model to the eye; zero chooses by the shape.
	Direction [3]float64
	// View, where it is set, is the camera that takes the picture, instead of one
	// that sees all; Camera is that of the picture's size. Edges are not darkened
	// then.
	View    *View
	Workers int
}

// View is a camera without distortion and where it stands.
type View struct {
	Camera camera.Camera
	Pose   camera.Pose
}

// ErrEmpty says that there is nothing to draw.
var ErrEmpty = errors.New("render: the scene has no vertices")

// screen is a vertex on the picture: pixels, and 1/depth.
type screen struct {
	x, y, w float32
}

// frame is what pixels are drawn into.
type frame struct {
	width, height int
	depth         []float32 // 1/depth; 0 is empty
	color         []float32 // linear RGBA, premultiplied
}

// Draw draws the scene on a transparent background.
func Draw(ctx context.Context, s *Scene, o Options) (*image.NRGBA, error) {
	lo, hi, ok := s.bounds()
	if !ok {
		return nil, ErrEmpty
	}
	o.Samples = samples(o)
	direction := vec(o.Direction)
	if direction == (vec{}) {
		direction = s.choose(lo, hi)
	}
	width, height := o.Width*o.Samples, o.Height*o.Samples
	if o.View != nil {
		return s.draw(ctx, o, o.View.camera(lo, hi, width, height))
	}
	return s.draw(ctx, o, s.fit(direction, lo, hi, width, height))
}

func samples(o Options) int {
	if o.Samples < 1 {
		return 2
	}
	return o.Samples
}

// draw draws what an eye sees, which is that of a picture with all samples.
func (s *Scene) draw(ctx context.Context, o Options, c eye) (*image.NRGBA, error) {
	n := o.Samples
	f := &frame{width: o.Width * n, height: o.Height * n}
	f.depth = make([]float32, f.width*f.height)
	f.color = make([]float32, 4*f.width*f.height)
	d := &drawing{s: s, f: f, c: c, workers: max(1, o.Workers), samples: n}
	d.lights()
	d.project()
	for _, blend := range []bool{false, true} {
		var wait sync.WaitGroup
		for w := range d.workers {
			wait.Go(func() {
				b := band{d: d, from: f.height * w / d.workers, to: f.height * (w + 1) / d.workers}
				b.draw(ctx, blend)
			})
		}
		wait.Wait()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if o.View == nil {
		d.shadeEdges()
	}
	return f.resolve(o.Width, o.Height, n), nil
}

type drawing struct {
	s       *Scene
	f       *frame
	c       eye
	workers int
	samples int
	screen  [][]screen
	key     vec // direction to the main light
	half    vec
}

func (d *drawing) lights() {
	d.key = unit(add(add(mul(d.c.back, 0.7), mul(d.c.up, 0.9)), mul(d.c.right, -0.55)))
	d.half = unit(add(d.key, d.c.back))
}

// project puts all vertices on the picture.
func (d *drawing) project() {
	c := &d.c
	d.screen = make([][]screen, len(d.s.Meshes))
	for i, m := range d.s.Meshes {
		out := make([]screen, len(m.Positions)/3)
		d.screen[i] = out
		var wait sync.WaitGroup
		for w := range d.workers {
			wait.Go(func() {
				for v := len(out) * w / d.workers; v < len(out)*(w+1)/d.workers; v++ {
					p := sub(vec{float64(m.Positions[3*v]), float64(m.Positions[3*v+1]), float64(m.Positions[3*v+2])}, c.eye)
					depth := -dot(p, c.back)
					if !(depth >= c.near) {
						continue // w stays 0: behind the eye, or nowhere
					}
					k := c.focal / depth
					out[v] = screen{float32(c.cx + dot(p, c.right)*k), float32(c.cy - dot(p, c.up)*k*c.aspect), float32(1 / depth)}
				}
			})
		}
		wait.Wait()
	}
}

// band draws rows of the picture.
type band struct {
	d        *drawing
	from, to int
}

func (b *band) draw(ctx context.Context, blend bool) {
	type deferred struct {
		mesh, triangle int
		depth          float32
	}
	var later []deferred
	for i, m := range b.d.s.Meshes {
		mat := &b.d.s.Materials[min(m.Material, len(b.d.s.Materials)-1)]
		if mat.Blend != blend {
			continue
		}
		if m.Points {
			b.points(m, b.d.screen[i], mat)
			continue
		}
		for t := 0; t+2 < len(m.Indices); t += 3 {
			if t&0xffff == 0 && ctx.Err() != nil {
				return
			}
			if blend {
				s := b.d.screen[i]
				later = append(later, deferred{i, t, s[m.Indices[t]].w + s[m.Indices[t+1]].w + s[m.Indices[t+2]].w})
				continue
			}
			b.triangle(m, b.d.screen[i], mat, t)
		}
	}
	// What is farther is drawn first.
	slices.SortStableFunc(later, func(x, y deferred) int {
		switch {
		case x.depth < y.depth:
			return -1
		case x.depth > y.depth:
			return 1
		}
		return 0
	})
	for _, t := range later {
		m := b.d.s.Meshes[t.mesh]
		b.triangle(m, b.d.screen[t.mesh], &b.d.s.Materials[min(m.Material, len(b.d.s.Materials)-1)], t.triangle)
	}
}

// triangle draws one. Edge functions tell how far a pixel is from each side; their
// shares, weighted by 1/depth, are the place on the triangle.
func (b *band) triangle(m *Mesh, s []screen, mat *Material, t int) {
	i0, i1, i2 := m.Indices[t], m.Indices[t+1], m.Indices[t+2]
	p0, p1, p2 := s[i0], s[i1], s[i2]
	if p0.w == 0 || p1.w == 0 || p2.w == 0 {
		return
	}
	area := (p1.x-p0.x)*(p2.y-p0.y) - (p1.y-p0.y)*(p2.x-p0.x)
	if area == 0 || area-area != 0 {
		return
	}
	f := b.d.f
	// Seen from the front, a triangle runs against the clock: y is down here.
	facing := area < 0
	y0 := max(int(math.Ceil(float64(min(p0.y, p1.y, p2.y)-0.5))), b.from)
	y1 := min(int(math.Floor(float64(max(p0.y, p1.y, p2.y)-0.5))), b.to-1)
	x0 := max(int(math.Ceil(float64(min(p0.x, p1.x, p2.x)-0.5))), 0)
	x1 := min(int(math.Floor(float64(max(p0.x, p1.x, p2.x)-0.5))), f.width-1)
	if y0 > y1 || x0 > x1 {
		return
	}
	inverse := 1 / area
	var shade *shader
	for y := y0; y <= y1; y++ {
		py := float32(y) + 0.5
		for x := x0; x <= x1; x++ {
			px := float32(x) + 0.5
			a := ((p1.x-px)*(p2.y-py) - (p1.y-py)*(p2.x-px)) * inverse
			c := ((p2.x-px)*(p0.y-py) - (p2.y-py)*(p0.x-px)) * inverse
			e := 1 - a - c
			if a < 0 || c < 0 || e < 0 {
				continue
			}
			w := a*p0.w + c*p1.w + e*p2.w
			at := y*f.width + x
			if w <= f.depth[at] {
				continue
			}
			if shade == nil {
				shade = b.d.shader(m, mat, i0, i1, i2, facing, area)
			}
			color, ok := shade.at(a*p0.w/w, c*p1.w/w, e*p2.w/w)
			if !ok {
				continue
			}
			to := f.color[4*at:][:4]
			if mat.Blend {
				k := 1 - color[3]
				for j := range 3 {
					to[j] = color[j]*color[3] + to[j]*k
				}
				to[3] = color[3] + to[3]*k
				continue
			}
			f.depth[at] = w
			to[0], to[1], to[2], to[3] = color[0], color[1], color[2], 1
		}
	}
}

// points draws each as a small square.
func (b *band) points(m *Mesh, s []screen, mat *Material) {
	f := b.d.f
	r := float32(b.d.samples) * 0.75
	for i, p := range s {
		if p.w == 0 {
			continue
		}
		color := mat.Color
		if m.Colors != nil {
			for k := range 3 {
				color[k] *= m.Colors[i*m.ColorSize+k]
			}
		}
		for y := max(int(p.y-r), b.from); y <= min(int(p.y+r), b.to-1); y++ {
			for x := max(int(p.x-r), 0); x <= min(int(p.x+r), f.width-1); x++ {
				if at := y*f.width + x; p.w > f.depth[at] {
					f.depth[at] = p.w
					copy(f.color[4*at:], color[:3])
					f.color[4*at+3] = 1
				}
			}
		}
	}
}

// shadeEdges darkens what lies just behind an edge (C. Boucheny, "Eye-dome
// lighting", 2009), a little: it tells parts apart.
func (d *drawing) shadeEdges() {
	f := d.f
	r := 2 * d.samples
	dark := make([]float32, len(f.depth))
	var wait sync.WaitGroup
	for w := range d.workers {
		wait.Go(func() {
			for y := f.height * w / d.workers; y < f.height*(w+1)/d.workers; y++ {
				for x := range f.width {
					at := y*f.width + x
					here := f.depth[at]
					if here == 0 {
						continue
					}
					sum := float32(0)
					for _, o := range [4][2]int{{r, 0}, {-r, 0}, {0, r}, {0, -r}} {
						xx, yy := x+o[0], y+o[1]
						if xx < 0 || yy < 0 || xx >= f.width || yy >= f.height {
							continue
						}
						if there := f.depth[yy*f.width+xx]; there > here*1.002 {
							sum += min((there/here-1.002)*30, 1)
						}
					}
					dark[at] = sum / 4
				}
			}
		})
	}
	wait.Wait()
	for i, v := range dark {
		k := 1 - 0.45*v
		f.color[4*i] *= k
		f.color[4*i+1] *= k
		f.color[4*i+2] *= k
	}
}

// resolve takes the mean of the samples of each pixel.
func (f *frame) resolve(width, height, n int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var sum [4]float32
			for yy := range n {
				for xx := range n {
					c := f.color[4*((y*n+yy)*f.width+x*n+xx):][:4]
					for k := range 4 {
						sum[k] += min(c[k], 1)
					}
				}
			}
			if sum[3] == 0 {
				continue
			}
			to := out.Pix[out.PixOffset(x, y):][:4]
			for k := range 3 {
				to[k] = texture.Encode(sum[k] / sum[3])
			}
			to[3] = uint8(sum[3]/float32(n*n)*255 + 0.5)
		}
	}
	return out
}
