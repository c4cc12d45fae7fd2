package simplify

import "math"

// quadric is a sum of weighted squared distances to planes, as a symmetric matrix:
// xx, yy, zz, xy, xz, yz, then the linear part and the constant.
type quadric struct {
	xx, yy, zz, xy, xz, yz, x, y, z, c, w float64
	lines                                 float64 // weight of the planes that keep lines
}

func (q *quadric) add(o *quadric) {
	q.xx += o.xx
	q.yy += o.yy
	q.zz += o.zz
	q.xy += o.xy
	q.xz += o.xz
	q.yz += o.yz
	q.x += o.x
	q.y += o.y
	q.z += o.z
	q.c += o.c
	q.w += o.w
	q.lines += o.lines
}

// plane adds w·(n·p + d)², and the weight.
func (q *quadric) plane(n [3]float64, d, w float64) {
	x, y, z := n[0]*w, n[1]*w, n[2]*w
	q.xx += x * n[0]
	q.yy += y * n[1]
	q.zz += z * n[2]
	q.xy += x * n[1]
	q.xz += x * n[2]
	q.yz += y * n[2]
	q.x += x * d
	q.y += y * d
	q.z += z * d
	q.c += d * d * w
	q.w += w
}

// at returns the sum at a point.
func (q *quadric) at(p [3]float64) float64 {
	x, y, z := p[0], p[1], p[2]
	return x*(q.xx*x+2*(q.xy*y+q.xz*z+q.x)) + y*(q.yy*y+2*(q.yz*z+q.y)) + z*(q.zz*z+2*q.z) + q.c
}

func sub(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// triangle adds the plane of a triangle, weighted by its area.
func (q *quadric) triangle(a, b, c [3]float64) {
	n := cross(sub(b, a), sub(c, a))
	l := math.Sqrt(dot(n, n))
	if !(l > 0) {
		return
	}
	n = [3]float64{n[0] / l, n[1] / l, n[2] / l}
	q.plane(n, -dot(n, a), l/2)
}

// edge adds the plane through the edge a–b that stands upright on the triangle
// a b c, weighted by the square of the edge: it keeps lines where they are.
func (q *quadric) edge(a, b, c [3]float64, weight float64) {
	e := sub(b, a)
	l := dot(e, e)
	if !(l > 0) {
		return
	}
	h := sub(c, a)
	t := dot(h, e) / l
	n := [3]float64{h[0] - e[0]*t, h[1] - e[1]*t, h[2] - e[2]*t}
	d := math.Sqrt(dot(n, n))
	if !(d > 0) {
		return
	}
	n = [3]float64{n[0] / d, n[1] / d, n[2] / d}
	var p quadric
	p.plane(n, -dot(n, a), l*weight)
	p.lines, p.w = p.w, 0 // lines do not dilute the mean distance of planes
	q.add(&p)
}

// gradients gives the linear course of an attribute over a triangle: g·p + g[3] is
// its value at p. ok is false where the triangle has no area.
type gradients struct {
	a          [3]float64
	u, v       [3]float64
	uu, uv, vv float64
	inverse    float64
}

func newGradients(a, b, c [3]float64) (gradients, bool) {
	g := gradients{a: a, u: sub(b, a), v: sub(c, a)}
	g.uu, g.uv, g.vv = dot(g.u, g.u), dot(g.u, g.v), dot(g.v, g.v)
	det := g.uu*g.vv - g.uv*g.uv
	if !(det > 1e-12*g.uu*g.vv) {
		return g, false
	}
	g.inverse = 1 / det
	return g, true
}

func (g *gradients) of(s0, s1, s2 float64) (n [3]float64, d float64) {
	d1, d2 := s1-s0, s2-s0
	k1, k2 := (g.vv*d1-g.uv*d2)*g.inverse, (g.uu*d2-g.uv*d1)*g.inverse
	for i := range 3 {
		n[i] = g.u[i]*k1 + g.v[i]*k2
	}
	return n, s0 - dot(n, g.a)
}

// course is the part of the quadric of an attribute that depends on its value: the
// sum of w·(g, d).
type course struct{ x, y, z, c float32 }
