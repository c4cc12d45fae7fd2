package mvs

import (
	"context"
	"fmt"
	"math"
	"testing"

	"slate360.ai/worker/geom/camera"
)

// scene is a site with a known shape: level ground and boxes upon it under an empty
// sky, with a pattern that fills space, and one face without any.
type scene struct {
	boxes []box
	views []View
	// depth and face of each pixel, by ray casting: 0 and -1 are the sky.
	depth [][]float32
	face  [][]int
	gray  [][]uint8
	maps  map[mapKey]*Map
}

type box struct{ low, high [3]float64 }

type mapKey struct {
	view      int
	geometric bool
}

// blankFace is the roof of the second box.
const (
	ground    = 0
	blankFace = 1 + 6 + 5
)

// newScene is seen by some views from a quarter circle.
func newScene(views, width, height int) *scene {
	s := &scene{
		boxes: []box{
			{[3]float64{-4, -3, 0}, [3]float64{1, 3, 4}},
			{[3]float64{1.5, -2, 0}, [3]float64{4, 3, 2.5}},
		},
		maps: map[mapKey]*Map{},
	}
	f := 1.0 * float64(width)
	for i := range views {
		a := (-45 + 60*float64(i)/float64(views-1)) * math.Pi / 180
		eye := [3]float64{17 * math.Sin(a), -17 * math.Cos(a), 7 + 1.5*float64(i%2)}
		s.views = append(s.views, View{
			Camera: camera.NewPinhole(width, height, f, f, float64(width)/2, float64(height)/2),
			Pose:   camera.LookAt(eye, [3]float64{0, 0, 2.6}, [3]float64{0, 0, 1}),
		})
	}
	for i := range s.views {
		s.shoot(i)
	}
	Select(s.views, s.points())
	return s
}

// hit returns where a ray first meets the scene.
func (s *scene) hit(o, d [3]float64) (t float64, face int) {
	t, face = math.Inf(1), -1
	if d[2] < 0 {
		x, y := o[0]-d[0]*o[2]/d[2], o[1]-d[1]*o[2]/d[2]
		if math.Abs(x) < 14 && math.Abs(y) < 14 { // the rest looks like sky
			t, face = -o[2]/d[2], ground
		}
	}
	for b, x := range s.boxes {
		for axis := range 3 {
			for side, at := range []float64{x.low[axis], x.high[axis]} {
				u := (at - o[axis]) / d[axis]
				in := u > 0 && u < t
				for k := range 3 {
					p := o[k] + u*d[k]
					in = in && (k == axis || p >= x.low[k] && p <= x.high[k])
				}
				if in {
					t, face = u, 1+6*b+2*axis+side
				}
			}
		}
	}
	return t, face
}

func (s *scene) ray(i int, u, v float64) (o, d [3]float64) {
	x, y := s.views[i].Camera.Direction(u, v)
	return s.views[i].Pose.Center(), s.views[i].Pose.Unrotate([3]float64{x, y, 1})
}

func (s *scene) shoot(i int) {
	w, h := s.views[i].Camera.Width, s.views[i].Camera.Height
	depth, face, gray := make([]float32, w*h), make([]int, w*h), make([]uint8, w*h)
	rnd := newChance(7, i, 0, 0)
	for at := range depth {
		x, y := at%w, at/w
		o, d := s.ray(i, float64(x)+0.5, float64(y)+0.5)
		t, k := s.hit(o, d)
		if face[at] = k; k >= 0 {
			depth[at] = float32(t) // the ray is (x, y, 1) in the camera's frame
		}
		sum := 0.0
		for _, sub := range [4][2]float64{{.25, .25}, {.75, .25}, {.25, .75}, {.75, .75}} {
			sum += s.light(s.ray(i, float64(x)+sub[0], float64(y)+sub[1])) / 4
		}
		gray[at] = uint8(min(max(sum+1.5*float64(rnd.signed()), 0), 255))
	}
	s.depth, s.face, s.gray = append(s.depth, depth), append(s.face, face), append(s.gray, gray)
}

// light is the brightness along a ray.
func (s *scene) light(o, d [3]float64) float64 {
	t, face := s.hit(o, d)
	switch face {
	case -1:
		return 235
	case blankFace:
		return 90
	}
	p := [3]float64{o[0] + t*d[0], o[1] + t*d[1], o[2] + t*d[2]}
	return 115 + 10*float64(face%5) + 60*(pattern(p, 3)+0.7*pattern(p, 7)+0.5*pattern(p, 13))
}

// pattern is smooth noise over space, from -0.5 to 0.5, of so many waves a metre.
func pattern(p [3]float64, frequency float64) float64 {
	var cell [3]int
	var f [3]float64
	for k := range 3 {
		x := p[k]*frequency + 1000.37
		cell[k] = int(math.Floor(x))
		f[k] = x - math.Floor(x)
		f[k] = f[k] * f[k] * (3 - 2*f[k])
	}
	sum := 0.0
	for corner := range 8 {
		weight, key := 1.0, 0
		for k := range 3 {
			c, g := cell[k], 1-f[k]
			if corner>>k&1 != 0 {
				c, g = c+1, f[k]
			}
			weight *= g
			key = key*4093 + c
		}
		rnd := newChance(uint64(frequency), 0, 0, key)
		sum += weight * float64(rnd.unit())
	}
	return sum - 0.5
}

// points are a sparse model: some points of the surfaces, with the views that see them.
func (s *scene) points() []Point {
	var list []Point
	for i := range s.views {
		w, h := s.views[i].Camera.Width, s.views[i].Camera.Height
		for k := range 150 {
			rnd := newChance(3, i, 1, k)
			x, y := int(rnd.unit()*float32(w)), int(rnd.unit()*float32(h))
			if at := y*w + x; s.depth[i][at] > 0 && s.face[i][at] != blankFace {
				if p := s.world(i, x, y, s.depth[i][at]); len(s.seenBy(p)) >= 2 {
					list = append(list, Point{XYZ: p, Views: s.seenBy(p)})
				}
			}
		}
	}
	return list
}

func (s *scene) world(i, x, y int, depth float32) [3]float64 {
	dx, dy := s.views[i].Camera.Direction(float64(x)+0.5, float64(y)+0.5)
	return s.views[i].Pose.Invert([3]float64{dx * float64(depth), dy * float64(depth), float64(depth)})
}

// seenBy are the views that see a point of a surface, where a window fits.
func (s *scene) seenBy(p [3]float64) (list []int) {
	for i, v := range s.views {
		x := v.Pose.Apply(p)
		u, w, ok := v.Camera.Project(x)
		const b = windowRadius + 2
		if !ok || u < b || w < b || u >= float64(v.Camera.Width-b) || w >= float64(v.Camera.Height-b) {
			continue
		}
		if d := s.depth[i][int(w)*v.Camera.Width+int(u)]; math.Abs(float64(d)-x[2]) < 0.02*x[2] {
			list = append(list, i)
		}
	}
	return list
}

// distance is how far a point is from the nearest surface.
func (s *scene) distance(p [3]float64) float64 {
	best := math.Abs(p[2])
	for _, b := range s.boxes {
		out, in := 0.0, math.Inf(-1)
		for k := range 3 {
			d := max(b.low[k]-p[k], p[k]-b.high[k])
			out += max(d, 0) * max(d, 0)
			in = max(in, d)
		}
		best = min(best, max(math.Sqrt(out), -min(in, 0)))
	}
	return best
}

func (s *scene) Gray(_ context.Context, view int) ([]uint8, error) { return s.gray[view], nil }

func (s *scene) RGB(_ context.Context, view int) ([]uint8, error) {
	var out []uint8
	for _, g := range s.gray[view] {
		out = append(out, g, g, g)
	}
	return out, nil
}

func (s *scene) Load(_ context.Context, view int, geometric bool) (*Map, error) {
	m := s.maps[mapKey{view, geometric}]
	if m == nil {
		return nil, fmt.Errorf("there is no map of view %d", view)
	}
	return m, nil
}

func (s *scene) Store(_ context.Context, view int, geometric bool, m *Map) error {
	s.maps[mapKey{view, geometric}] = m
	return nil
}

func (s *scene) Has(view int, geometric bool) bool { return s.maps[mapKey{view, geometric}] != nil }

// estimated is the scene with its depth maps, made once for all tests.
func estimated(t testing.TB) *scene {
	t.Helper()
	s, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
