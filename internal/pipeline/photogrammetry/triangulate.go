package photogrammetry

import (
	"math"

	"slate360.ai/worker/geom/align"
	"slate360.ai/worker/geom/camera"
)

// sight is a view of a point.
type sight struct {
	camera camera.Camera
	pose   camera.Pose
	x, y   float64 // pixels
}

// narrowest is the least angle between rays that fix a point, in radians.
const narrowest = 1.0 * math.Pi / 180

// triangulate returns the point that fits the sights best and the mean distance of
// its reprojection, in pixels. It starts where the rays come nearest each other, and
// refines by Gauss-Newton on pixels.
func triangulate(sights []sight) (p [3]float64, pixels float64, ok bool) {
	if len(sights) < 2 || widest(sights) < narrowest {
		return p, 0, false
	}
	if p, ok = nearestToRays(sights); !ok {
		return p, 0, false
	}
	for range 20 {
		next, ok := improve(sights, p)
		if !ok {
			break
		}
		moved := math.Hypot(math.Hypot(next[0]-p[0], next[1]-p[1]), next[2]-p[2])
		p = next
		if moved < 1e-12*(1+math.Abs(p[0])+math.Abs(p[1])+math.Abs(p[2])) {
			break
		}
	}
	for _, s := range sights {
		u, v, front := s.camera.Project(s.pose.Apply(p))
		if !front {
			return p, 0, false
		}
		pixels += math.Hypot(u-s.x, v-s.y) / float64(len(sights))
	}
	return p, pixels, true
}

func (s *sight) ray() [3]float64 {
	x, y := s.camera.Direction(s.x, s.y)
	n := math.Sqrt(x*x + y*y + 1)
	return s.pose.Unrotate([3]float64{x / n, y / n, 1 / n})
}

// widest is the largest angle between two rays.
func widest(sights []sight) (angle float64) {
	for i := range sights {
		a := sights[i].ray()
		for j := range i {
			b := sights[j].ray()
			angle = max(angle, math.Acos(max(-1, min(1, a[0]*b[0]+a[1]*b[1]+a[2]*b[2]))))
		}
	}
	return angle
}

// nearestToRays solves Σ (I - d·dᵀ)(X - c) = 0.
func nearestToRays(sights []sight) ([3]float64, bool) {
	var m [9]float64
	var b [3]float64
	for i := range sights {
		d, c := sights[i].ray(), sights[i].pose.Center()
		for r := range 3 {
			for k := range 3 {
				a := -d[r] * d[k]
				if r == k {
					a++
				}
				m[3*r+k] += a
				b[r] += a * c[k]
			}
		}
	}
	return solve3(m, b)
}

// improve is one step of Gauss-Newton; derivatives are differences.
func improve(sights []sight, p [3]float64) ([3]float64, bool) {
	var m [9]float64
	var b [3]float64
	for _, s := range sights {
		q := s.pose.Apply(p)
		u, v, front := s.camera.Project(q)
		if !front {
			return p, false
		}
		h := 1e-6 * q[2]
		var j [2][3]float64
		for k := range 3 {
			moved := p
			moved[k] += h
			u2, v2, _ := s.camera.Project(s.pose.Apply(moved))
			j[0][k], j[1][k] = (u2-u)/h, (v2-v)/h
		}
		for r := range 3 {
			for k := range 3 {
				m[3*r+k] += j[0][r]*j[0][k] + j[1][r]*j[1][k]
			}
			b[r] += j[0][r]*(s.x-u) + j[1][r]*(s.y-v)
		}
	}
	d, ok := solve3(m, b)
	return [3]float64{p[0] + d[0], p[1] + d[1], p[2] + d[2]}, ok
}

// solve3 solves a symmetric system by its eigenvectors.
func solve3(m [9]float64, b [3]float64) (x [3]float64, ok bool) {
	values, vectors := align.Eigen(m)
	if !(values[2] > 1e-12*values[0]) {
		return x, false
	}
	for i := range 3 {
		k := (vectors[i]*b[0] + vectors[3+i]*b[1] + vectors[6+i]*b[2]) / values[i]
		for r := range 3 {
			x[r] += k * vectors[3*r+i]
		}
	}
	return x, true
}
