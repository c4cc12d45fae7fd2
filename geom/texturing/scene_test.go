package texturing

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"

	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/scanline"
)

// site is hilly ground with two boxes on it, a colour known everywhere, and photos of
// it.
type site struct {
	positions []float32
	triangles []uint32
	views     []View
	gains     [][3]float64
	fall      float64 // brightness lost at the corners
	clouds    float64 // how much darker their shadows are, other ones in each photo
	intruder  int     // the view in front of which something red passes; -1 for none
	photos    map[int][]uint8
}

// truth is the colour of the surface at a place, 0 to 255.
func truth(p vec) (c [3]float64) {
	a := math.Sin(p[0]*1.1+0.7*p[2])*math.Cos(p[1]*0.9-0.4*p[2]) + 0.5*math.Sin(2.3*p[0]-1.7*p[1]+p[2])
	b := math.Sin(0.31*p[0]) + math.Cos(0.23*p[1]+0.6*p[2])
	return [3]float64{115 + 30*a + 14*b, 120 + 26*a - 12*b, 100 - 18*a + 16*b}
}

// buried tells whether a place is where no photo can show it.
func buried(p vec) bool {
	below := p[2] < ground(p[0], p[1])-0.1
	inside := func(x0, y0, x1, y1, top float64) bool {
		return p[0] > x0+.2 && p[0] < x1-.2 && p[1] > y0+.2 && p[1] < y1-.2 && p[2] < top-.1
	}
	return below || inside(-8, -6, -1, 2, 6) || inside(4, 3, 9, 11, 4)
}

func ground(x, y float64) float64 { return 1.5*math.Sin(x/9) + 1.2*math.Cos(y/7) }

// top is the height of the highest surface.
func (s *site) top(x, y float64) float64 {
	switch {
	case x > -8 && x < -1 && y > -6 && y < 2:
		return 6
	case x > 4 && x < 9 && y > 3 && y < 11:
		return 4
	}
	return ground(x, y)
}

// grid adds a surface over n × m squares; f places its points.
func (s *site) grid(n, m int, f func(u, v float64) vec) {
	first := uint32(len(s.positions) / 3)
	for j := range m + 1 {
		for i := range n + 1 {
			p := f(float64(i)/float64(n), float64(j)/float64(m))
			s.positions = append(s.positions, float32(p[0]), float32(p[1]), float32(p[2]))
		}
	}
	w := uint32(n + 1)
	for j := range uint32(m) {
		for i := range uint32(n) {
			a := first + j*w + i
			s.triangles = append(s.triangles, a, a+1, a+w+1, a, a+w+1, a+w)
		}
	}
}

func (s *site) box(x0, y0, x1, y1, top float64) {
	const bottom = -3
	lerp := func(a, b, t float64) float64 { return a + (b-a)*t }
	n, m, h := int((x1-x0)*2), int((y1-y0)*2), int((top-bottom)*2)
	s.grid(n, m, func(u, v float64) vec { return vec{lerp(x0, x1, u), lerp(y0, y1, v), top} })
	s.grid(n, h, func(u, v float64) vec { return vec{lerp(x0, x1, u), y0, lerp(bottom, top, v)} })
	s.grid(n, h, func(u, v float64) vec { return vec{lerp(x1, x0, u), y1, lerp(bottom, top, v)} })
	s.grid(m, h, func(u, v float64) vec { return vec{x0, lerp(y1, y0, u), lerp(bottom, top, v)} })
	s.grid(m, h, func(u, v float64) vec { return vec{x1, lerp(y0, y1, u), lerp(bottom, top, v)} })
}

// plainSite is the site with its photos drawn; it must not be changed.
var plainSite = sync.OnceValue(func() *site {
	s := newSite()
	for v := range s.views {
		s.photos[v] = s.draw(v)
	}
	return s
})

func newSite() *site {
	s := &site{intruder: 9, fall: 0.25, photos: map[int][]uint8{}}
	s.grid(60, 60, func(u, v float64) vec {
		x, y := 40*u-20, 40*v-20
		return vec{x, y, ground(x, y)}
	})
	s.box(-8, -6, -1, 2, 6)
	s.box(4, 3, 9, 11, 4)
	r := rand.New(rand.NewPCG(4, 7))
	cam := camera.NewPinhole(400, 300, 350, 350, 200, 150)
	add := func(eye, target [3]float64) {
		s.views = append(s.views, View{cam, camera.LookAt(eye, target, [3]float64{0, 0, 1})})
		e := r.NormFloat64() * 0.12
		s.gains = append(s.gains, [3]float64{math.Exp(e + r.NormFloat64()*0.03), math.Exp(e + r.NormFloat64()*0.03), math.Exp(e + r.NormFloat64()*0.03)})
	}
	for i := range 8 {
		sin, cos := math.Sincos(float64(i) * math.Pi / 4)
		add([3]float64{32 * cos, 32 * sin, 22}, [3]float64{2 * cos, 2 * sin, 0})
	}
	for i := range 4 {
		add([3]float64{float64(i%2*16 - 8), float64(i/2*16 - 8), 34}, [3]float64{float64(i%2*10 - 5), float64(i/2*10 - 5), 0})
	}
	return s
}

// RGB draws a photo once.
func (s *site) RGB(_ context.Context, view int) ([]uint8, error) {
	if s.photos[view] == nil {
		s.photos[view] = s.draw(view)
	}
	return s.photos[view], nil
}

// draw draws the site through the lens, four samples a pixel.
func (s *site) draw(view int) []uint8 {
	const n = 2
	v := s.views[view]
	l := lensOf(v, 1)
	big := lens{pose: l.pose, fx: l.fx * n, fy: l.fy * n, cx: l.cx * n, cy: l.cy * n, w: l.w * n, h: l.h * n}
	depth, color := make([]float32, big.w*big.h), make([][3]float64, big.w*big.h)
	for f := 0; f < len(s.triangles); f += 3 {
		var p [3]screen
		var at [3]vec
		for k := range 3 {
			i := 3 * s.triangles[f+k]
			at[k] = vec{float64(s.positions[i]), float64(s.positions[i+1]), float64(s.positions[i+2])}
			p[k] = big.project(at[k])
		}
		if area(&p[0], &p[1], &p[2]) <= 0 {
			continue
		}
		tri := triangleOf(&p[0], &p[1], &p[2])
		w, _ := tri.Plane([3]float32{p[0].w, p[1].w, p[2].w})
		var over [3]scanline.Plane // position over depth
		for k := range 3 {
			over[k], _ = tri.Plane([3]float32{float32(at[0][k]) * p[0].w, float32(at[1][k]) * p[1].w, float32(at[2][k]) * p[2].w})
		}
		y0, y1 := tri.Rows(0, big.h)
		for y := y0; y < y1; y++ {
			x0, x1 := tri.Row(y, big.w)
			for x := x0; x < x1; x++ {
				if d := w.At(x, y); d > depth[y*big.w+x] {
					depth[y*big.w+x] = d
					p := vec{float64(over[0].At(x, y) / d), float64(over[1].At(x, y) / d), float64(over[2].At(x, y) / d)}
					c := truth(p)
					shadow := 1 + s.clouds*math.Sin(p[0]/7+float64(view))*math.Cos(p[1]/6+2*float64(view))
					color[y*big.w+x] = [3]float64{c[0] * shadow, c[1] * shadow, c[2] * shadow}
				}
			}
		}
	}
	out := make([]uint8, 3*l.w*l.h)
	r := rand.New(rand.NewPCG(uint64(view), 1))
	for y := range l.h {
		for x := range l.w {
			radius := l.radius(float64(x)+0.5, float64(y)+0.5)
			light := 1 - s.fall*radius*radius
			for k := range 3 {
				sum := 0.0
				for j := range n {
					for i := range n {
						sum += color[(y*n+j)*big.w+x*n+i][k]
					}
				}
				v := sum/(n*n)*light*s.gains[view][k] + r.NormFloat64()
				if view == s.intruder && math.Hypot(float64(x)-206, float64(y)-156) < 40 {
					v = [3]float64{200 + 50*float64((x+y)/3%2), 30, 25}[k]
				}
				out[3*(y*l.w+x)+k] = uint8(min(max(v+0.5, 0), 255))
			}
		}
	}
	return out
}
