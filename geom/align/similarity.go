// Package align finds the similarity (scale, rotation, shift) that takes points of one
// frame to measured points of another, some of which may be wrong: a reconstruction
// to GPS positions and ground control points.
//
// Estimate tries the similarities of random small samples (M. A. Fischler, R. C.
// Bolles, "Random sample consensus", 1981), each in closed form (S. Umeyama,
// "Least-squares estimation of transformation parameters between two point patterns",
// 1991), and refines the best by iteratively reweighted least squares under Huber's
// loss, with the deviation of each point across and along the vertical.
package align

import (
	"errors"
	"math"
)

// Similarity takes X to Scale·R·X + T. R are the rows of a rotation.
type Similarity struct {
	Scale float64
	R     [9]float64
	T     [3]float64
}

// Identity leaves everything as it is.
func Identity() Similarity {
	return Similarity{Scale: 1, R: [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}}
}

// Rotate turns a direction.
func (s *Similarity) Rotate(x [3]float64) [3]float64 {
	r := &s.R
	return [3]float64{
		r[0]*x[0] + r[1]*x[1] + r[2]*x[2],
		r[3]*x[0] + r[4]*x[1] + r[5]*x[2],
		r[6]*x[0] + r[7]*x[1] + r[8]*x[2],
	}
}

// Apply takes a point over.
func (s *Similarity) Apply(x [3]float64) [3]float64 {
	y := s.Rotate(x)
	for i := range y {
		y[i] = s.Scale*y[i] + s.T[i]
	}
	return y
}

// Then returns the similarity that does s first and then o.
func (s *Similarity) Then(o Similarity) Similarity {
	out := Similarity{Scale: s.Scale * o.Scale, R: multiply(o.R, s.R)}
	out.T = o.Apply(s.T)
	return out
}

func multiply(a, b [9]float64) (c [9]float64) {
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				c[3*i+j] += a[3*i+k] * b[3*k+j]
			}
		}
	}
	return c
}

// ErrDegenerate says that points do not fix a similarity: there are too few, or they
// lie on a line or in one place.
var ErrDegenerate = errors.New("align: the points lie on a line or in one place")

// flat is the least second singular value, in parts of the first, of points that are
// not taken for a line.
const flat = 1e-4

// Umeyama returns the similarity with the least sum of weighted squares of distances
// between images of from and points of to. weights may be nil.
func Umeyama(from, to [][3]float64, weights []float64) (Similarity, error) {
	if len(from) != len(to) || len(from) < 3 {
		return Similarity{}, ErrDegenerate
	}
	weight := func(i int) float64 {
		if weights == nil {
			return 1
		}
		return weights[i]
	}
	var total float64
	var a, b [3]float64
	for i := range from {
		w := weight(i)
		total += w
		for k := range 3 {
			a[k] += w * from[i][k]
			b[k] += w * to[i][k]
		}
	}
	if !(total > 0) {
		return Similarity{}, ErrDegenerate
	}
	for k := range 3 {
		a[k] /= total
		b[k] /= total
	}
	var variance float64
	var cov [9]float64
	for i := range from {
		w := weight(i) / total
		for r := range 3 {
			variance += w * (from[i][r] - a[r]) * (from[i][r] - a[r])
			for c := range 3 {
				cov[3*r+c] += w * (to[i][r] - b[r]) * (from[i][c] - a[c])
			}
		}
	}
	u, d, v := svd(cov)
	if !(variance > 0) || !(d[1] > flat*d[0]) {
		return Similarity{}, ErrDegenerate
	}
	sign := 1.0
	if determinant(u)*determinant(v) < 0 {
		sign = -1
	}
	s := Similarity{Scale: (d[0] + d[1] + sign*d[2]) / variance}
	for r := range 3 {
		for c := range 3 {
			s.R[3*r+c] = u[3*r]*v[3*c] + u[3*r+1]*v[3*c+1] + sign*u[3*r+2]*v[3*c+2]
		}
	}
	moved := s.Rotate(a)
	for k := range 3 {
		s.T[k] = b[k] - s.Scale*moved[k]
	}
	if !(s.Scale > 0) || math.IsInf(s.Scale, 0) {
		return Similarity{}, ErrDegenerate
	}
	return s, nil
}

// upright returns the similarity that keeps up vertical and takes two points, or
// more, over in the plane: the least squares of scale, heading and shift.
func upright(up [3]float64, from, to [][3]float64) (Similarity, error) {
	level := RotationBetween(up, [3]float64{0, 0, 1})
	s := Similarity{Scale: 1, R: level}
	n := float64(len(from))
	var a, b [3]float64
	turned := make([][3]float64, len(from))
	for i := range from {
		turned[i] = s.Rotate(from[i])
		for k := range 3 {
			a[k] += turned[i][k] / n
			b[k] += to[i][k] / n
		}
	}
	// As complex numbers: (to - b) = z·(from - a), z = scale·e^{i·heading}.
	var re, im, norm, size float64
	for i := range turned {
		x, y := turned[i][0]-a[0], turned[i][1]-a[1]
		u, v := to[i][0]-b[0], to[i][1]-b[1]
		re += x*u + y*v
		im += x*v - y*u
		norm += x*x + y*y
		size += u*u + v*v
	}
	length := math.Hypot(re, im)
	if !(norm > 0) || !(size > 0) || !(length > 0) {
		return Similarity{}, ErrDegenerate
	}
	c, d := re/length, im/length
	out := Similarity{Scale: length / norm, R: multiply([9]float64{c, -d, 0, d, c, 0, 0, 0, 1}, level)}
	var middle [3]float64
	for i := range from {
		for k := range 3 {
			middle[k] += from[i][k] / n
		}
	}
	moved := out.Rotate(middle)
	for k := range 3 {
		out.T[k] = b[k] - out.Scale*moved[k]
	}
	return out, nil
}

// RotationBetween returns the rotation that takes direction a to direction b the
// shortest way; they need not have length one.
func RotationBetween(a, b [3]float64) [9]float64 {
	a, b = unit(a), unit(b)
	axis := cross(a, b)
	c := dot(a, b)
	if c < -1+1e-12 { // opposite: half a turn about any axis across
		across := cross(a, [3]float64{1, 0, 0})
		if dot(across, across) < 1e-6 {
			across = cross(a, [3]float64{0, 1, 0})
		}
		return rotation(unit(across), math.Pi)
	}
	// Rodrigues' formula with sin and cos from the products.
	k := 1 / (1 + c)
	return [9]float64{
		c + k*axis[0]*axis[0], k*axis[0]*axis[1] - axis[2], k*axis[0]*axis[2] + axis[1],
		k*axis[1]*axis[0] + axis[2], c + k*axis[1]*axis[1], k*axis[1]*axis[2] - axis[0],
		k*axis[2]*axis[0] - axis[1], k*axis[2]*axis[1] + axis[0], c + k*axis[2]*axis[2],
	}
}

// rotation about an axis of length one by an angle in radians.
func rotation(axis [3]float64, angle float64) [9]float64 {
	s, c := math.Sincos(angle)
	x, y, z := axis[0], axis[1], axis[2]
	k := 1 - c
	return [9]float64{
		c + k*x*x, k*x*y - s*z, k*x*z + s*y,
		k*y*x + s*z, c + k*y*y, k*y*z - s*x,
		k*z*x - s*y, k*z*y + s*x, c + k*z*z,
	}
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func unit(a [3]float64) [3]float64 {
	n := math.Sqrt(dot(a, a))
	if !(n > 0) {
		return [3]float64{0, 0, 1}
	}
	return [3]float64{a[0] / n, a[1] / n, a[2] / n}
}
