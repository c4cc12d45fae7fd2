// Package evaluate measures a reconstruction against the truth of a synthetic survey:
// where cameras are, how much of the surface is right and how much of it is there, and
// how far the orthophoto is shifted. It shares no code with what it measures.
package evaluate

import (
	"errors"
	"math"
)

// Similarity takes X to Scale·R·X + T. R are the rows of a rotation.
type Similarity struct {
	Scale float64    `json:"scale"`
	R     [9]float64 `json:"rotation"`
	T     [3]float64 `json:"translation"`
}

// Apply takes a point over.
func (s *Similarity) Apply(x [3]float64) [3]float64 {
	r := s.R
	return [3]float64{
		s.Scale*(r[0]*x[0]+r[1]*x[1]+r[2]*x[2]) + s.T[0],
		s.Scale*(r[3]*x[0]+r[4]*x[1]+r[5]*x[2]) + s.T[1],
		s.Scale*(r[6]*x[0]+r[7]*x[1]+r[8]*x[2]) + s.T[2],
	}
}

// Inverse is the way back.
func (s *Similarity) Inverse() Similarity {
	r := s.R
	i := Similarity{Scale: 1 / s.Scale, R: [9]float64{r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]}}
	t := i.Apply(s.T)
	i.T = [3]float64{-t[0], -t[1], -t[2]}
	return i
}

// ErrDegenerate says that points do not fix a similarity.
var ErrDegenerate = errors.New("evaluate: fewer than three points, or points on a line, fix no similarity")

// Align returns the similarity that takes the points from nearest to the points to, by
// least squares (B. K. P. Horn, "Closed-form solution of absolute orientation using
// unit quaternions", 1987).
func Align(from, to [][3]float64) (Similarity, error) {
	n := len(from)
	if n < 3 || n != len(to) {
		return Similarity{}, ErrDegenerate
	}
	var ma, mb [3]float64
	for i := range from {
		for k := range 3 {
			ma[k] += from[i][k] / float64(n)
			mb[k] += to[i][k] / float64(n)
		}
	}
	var m [3][3]float64 // sums of products
	squares := 0.0
	for i := range from {
		for k := range 3 {
			a := from[i][k] - ma[k]
			squares += a * a
			for l := range 3 {
				m[k][l] += a * (to[i][l] - mb[l])
			}
		}
	}
	values, vectors := jacobi([4][4]float64{
		{m[0][0] + m[1][1] + m[2][2], m[1][2] - m[2][1], m[2][0] - m[0][2], m[0][1] - m[1][0]},
		{m[1][2] - m[2][1], m[0][0] - m[1][1] - m[2][2], m[0][1] + m[1][0], m[2][0] + m[0][2]},
		{m[2][0] - m[0][2], m[0][1] + m[1][0], m[1][1] - m[0][0] - m[2][2], m[1][2] + m[2][1]},
		{m[0][1] - m[1][0], m[2][0] + m[0][2], m[1][2] + m[2][1], m[2][2] - m[0][0] - m[1][1]},
	})
	best := 0
	for i := range values {
		if values[i] > values[best] {
			best = i
		}
	}
	// Points on a line can be turned about it: the two largest are the same.
	for i := range values {
		if i != best && values[best]-values[i] <= 1e-9*math.Abs(values[best]) {
			return Similarity{}, ErrDegenerate
		}
	}
	s := Similarity{Scale: values[best] / squares}
	w, x, y, z := vectors[0][best], vectors[1][best], vectors[2][best], vectors[3][best]
	s.R = [9]float64{
		w*w + x*x - y*y - z*z, 2 * (x*y - w*z), 2 * (x*z + w*y),
		2 * (x*y + w*z), w*w - x*x + y*y - z*z, 2 * (y*z - w*x),
		2 * (x*z - w*y), 2 * (y*z + w*x), w*w - x*x - y*y + z*z,
	}
	t := s.Apply(ma)
	s.T = [3]float64{mb[0] - t[0], mb[1] - t[1], mb[2] - t[2]}
	if !(s.Scale > 0) || math.IsInf(s.Scale, 0) {
		return Similarity{}, ErrDegenerate
	}
	return s, nil
}

// jacobi returns the eigenvalues of a symmetric matrix, and its eigenvectors in
// columns, by rotations.
func jacobi(a [4][4]float64) (values [4]float64, v [4][4]float64) {
	for i := range v {
		v[i][i] = 1
	}
	for range 60 {
		off := 0.0
		for p := range 4 {
			for q := p + 1; q < 4; q++ {
				off += a[p][q] * a[p][q]
				rotate(&a, &v, p, q)
			}
		}
		if off == 0 {
			break
		}
	}
	for i := range values {
		values[i] = a[i][i]
	}
	return values, v
}

// rotate makes a[p][q] zero.
func rotate(a, v *[4][4]float64, p, q int) {
	if a[p][q] == 0 {
		return
	}
	theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
	t := 1 / (math.Abs(theta) + math.Sqrt(theta*theta+1))
	if theta < 0 {
		t = -t
	}
	c := 1 / math.Sqrt(t*t+1)
	s := t * c
	for k := range 4 {
		a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
	}
	for k := range 4 {
		a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
		v[k][p], v[k][q] = c*v[k][p]-s*v[k][q], s*v[k][p]+c*v[k][q]
	}
	a[p][q], a[q][p] = 0, 0
}
