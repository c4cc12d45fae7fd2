package surface

import (
	"math"
	"math/rand/v2"
)

// scene is a ground with bodies on it, known exactly: a distance to the surface that is
// negative inside.
type scene struct {
	distance func(p vec) float64
	cameras  []vec
	target   vec
	spacing  float64 // between points of one view, about
	angle    float64 // between its rays
	rays     int     // a side
	noise    float64 // standard deviation, in spacings
	outliers float64 // in parts of the points
	within   float64 // points farther from the target in plan are left out
}

func box(p, middle, half vec) float64 {
	var out vec
	in := math.Inf(-1)
	for a := range 3 {
		d := math.Abs(p[a]-middle[a]) - half[a]
		out[a] = max(d, 0)
		in = max(in, d)
	}
	return length(out) + min(in, 0)
}

func ball(p, middle vec, radius float64) float64 { return length(sub(p, middle)) - radius }

// site is a ground with two houses and a dome, seen from a ring of cameras and from
// above.
func site() *scene {
	s := &scene{
		distance: func(p vec) float64 {
			return min(p[2], box(p, vec{-3, 0, 1.5}, vec{1.5, 2, 1.5}), box(p, vec{3, 2, 1}, vec{1, 1, 1}), ball(p, vec{2.5, -3, 0}, 2))
		},
		target: vec{0, 0, 1}, rays: 90, noise: 0.5, outliers: 0.02, within: 7,
	}
	for i := range 10 {
		a := float64(i) * 2 * math.Pi / 10
		s.cameras = append(s.cameras, vec{14 * math.Cos(a), 14 * math.Sin(a), 5}, vec{9 * math.Cos(a+0.3), 9 * math.Sin(a+0.3), 11})
	}
	return s.measured()
}

// globe is a body that cameras see from all sides.
func globe() *scene {
	s := &scene{distance: func(p vec) float64 { return ball(p, vec{1, 2, 3}, 2) }, target: vec{1, 2, 3}, rays: 60, noise: 0.4, outliers: 0.02, within: 100}
	for i := range 24 {
		z := 1 - (2*float64(i)+1)/24
		r, a := math.Sqrt(1-z*z), float64(i)*2.4
		s.cameras = append(s.cameras, vec{1 + 7*r*math.Cos(a), 2 + 7*r*math.Sin(a), 3 + 7*z})
	}
	return s.measured()
}

func (s *scene) measured() *scene {
	s.angle = 2 * math.Tan(32*math.Pi/180) / float64(s.rays)
	s.spacing = s.angle * length(sub(s.cameras[0], s.target))
	return s
}

// hit follows a ray to the surface.
func (s *scene) hit(from, direction vec) (p vec, ok bool) {
	t := 0.0
	for range 300 {
		for a := range 3 {
			p[a] = from[a] + t*direction[a]
		}
		d := s.distance(p)
		if d < 1e-6 {
			return p, true
		}
		if t += d; t > 100 {
			break
		}
	}
	return p, false
}

func (s *scene) normal(p vec) vec {
	const h = 1e-5
	var n vec
	for a := range 3 {
		q, r := p, p
		q[a] += h
		r[a] -= h
		n[a] = s.distance(q) - s.distance(r)
	}
	return unitVec(n)
}

func unitVec(v vec) vec {
	l := length(v)
	return vec{v[0] / l, v[1] / l, v[2] / l}
}

// cloud samples the scene as a stereo program would: a point for each pixel of each
// camera that two others see too, with noise along the ray. truth are the same points
// without noise and outliers.
func (s *scene) cloud() (c Cloud, truth []vec) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, p := range s.cameras {
		c.Centers = append(c.Centers, [3]float32{float32(p[0]), float32(p[1]), float32(p[2])})
	}
	c.Offsets = []uint32{0}
	add := func(p, n vec, views []uint32) {
		for a := range 3 {
			c.Points = append(c.Points, float32(p[a]))
			c.Normals = append(c.Normals, float32(n[a]))
		}
		c.Views = append(c.Views, views...)
		c.Offsets = append(c.Offsets, uint32(len(c.Views)))
	}
	for i, eye := range s.cameras {
		forward := unitVec(sub(s.target, eye))
		right := unitVec(cross(forward, vec{0.01, 0, 1}))
		up := cross(right, forward)
		for y := range s.rays {
			for x := range s.rays {
				u, v := (float64(x)-float64(s.rays)/2+r.Float64())*s.angle, (float64(y)-float64(s.rays)/2+r.Float64())*s.angle
				var d vec
				for a := range 3 {
					d[a] = forward[a] + u*right[a] + v*up[a]
				}
				d = unitVec(d)
				p, ok := s.hit(eye, d)
				if !ok || math.Hypot(p[0]-s.target[0], p[1]-s.target[1]) > s.within {
					continue
				}
				n := s.normal(p)
				views := append([]uint32{uint32(i)}, s.seers(p, n, i)...)
				if len(views) < 3 {
					continue
				}
				truth = append(truth, p)
				for a := range 3 {
					p[a] += d[a] * r.NormFloat64() * s.noise * s.spacing
					n[a] += 0.2 * r.NormFloat64()
				}
				add(p, unitVec(n), views)
			}
		}
	}
	for range int(s.outliers * float64(len(truth))) {
		p := vec{s.target[0] + 8*r.NormFloat64()/2, s.target[1] + 8*r.NormFloat64()/2, s.target[2] + 5*r.NormFloat64()/2}
		n := len(s.cameras)
		first := r.IntN(n)
		add(p, unitVec(vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}), []uint32{uint32(first), uint32((first + 1) % n), uint32((first + 2) % n)})
	}
	return c, truth
}

// seers are the cameras besides one that see a point well enough to match it.
func (s *scene) seers(p, n vec, but int) (views []uint32) {
	for i, eye := range s.cameras {
		d := sub(eye, p)
		l := length(d)
		if i == but || dot(d, n) < 0.25*l || len(views) == 6 {
			continue
		}
		d = unitVec(d)
		var from vec
		for a := range 3 {
			from[a] = p[a] + 0.01*n[a]
		}
		if q, ok := s.hit(from, d); !ok || length(sub(q, from)) > l {
			views = append(views, uint32(i))
		}
	}
	return views
}

// samplesOf are points spread evenly over a mesh, one for each so much area.
func samplesOf(m *Mesh, each float64) (points []vec) {
	r := rand.New(rand.NewPCG(1, 1))
	owed := 0.0
	for i := 0; i < len(m.Triangles); i += 3 {
		var p [3]vec
		for k := range 3 {
			for a := range 3 {
				p[k][a] = float64(m.Positions[3*m.Triangles[i+k]+uint32(a)])
			}
		}
		u, v := sub(p[1], p[0]), sub(p[2], p[0])
		for owed += length(cross(u, v)) / 2 / each; owed >= 1; owed-- {
			x, y := r.Float64(), r.Float64()
			if x+y > 1 {
				x, y = 1-x, 1-y
			}
			var q vec
			for a := range 3 {
				q[a] = p[0][a] + x*u[a] + y*v[a]
			}
			points = append(points, q)
		}
	}
	return points
}

// score is the harmonic mean of the part of the mesh that is right and of the part of
// the truth that it has, both to within a distance.
func (s *scene) score(m *Mesh, truth []vec, within float64) (f, precision, recall float64) {
	points := samplesOf(m, within*within/9)
	cells := map[[3]int][]vec{}
	cell := func(p vec) [3]int {
		return [3]int{int(math.Floor(p[0] / within)), int(math.Floor(p[1] / within)), int(math.Floor(p[2] / within))}
	}
	right := 0
	for _, p := range points {
		if math.Abs(s.distance(p)) <= within {
			right++
		}
		c := cell(p)
		if len(cells[c]) < 64 {
			cells[c] = append(cells[c], p)
		}
	}
	found := 0
	for _, p := range truth {
		if near(cells, cell(p), p, within) {
			found++
		}
	}
	precision, recall = float64(right)/float64(len(points)), float64(found)/float64(len(truth))
	return 2 * precision * recall / (precision + recall), precision, recall
}

func near(cells map[[3]int][]vec, c [3]int, p vec, within float64) bool {
	for x := -1; x <= 1; x++ {
		for y := -1; y <= 1; y++ {
			for z := -1; z <= 1; z++ {
				for _, q := range cells[[3]int{c[0] + x, c[1] + y, c[2] + z}] {
					if length(sub(p, q)) <= within {
						return true
					}
				}
			}
		}
	}
	return false
}
