package simplify

import "math"

// quadric is a sum of weighted squared distances to planes, as a symmetric matrix:
// xx, yy, zz, xy, xz, yz, then the linear part and the constant. Its origin is the
// vertex that has it: numbers stay as small as the neighbourhood is, and single
// precision is enough, however large the model.
type quadric struct {
	xx, yy, zz, xy, xz, yz, x, y, z, c float32
	w                                  float32 // weight of the planes
	lines                              float32 // weight of the planes that keep lines
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

// plane adds w·(n·p)², the squared distance to a plane through the origin.
func (q *quadric) plane(n vector, w float32) {
	x, y, z := n[0]*w, n[1]*w, n[2]*w
	q.xx += x * n[0]
	q.yy += y * n[1]
	q.zz += z * n[2]
	q.xy += x * n[1]
	q.xz += x * n[2]
	q.yz += y * n[2]
}

// at returns the sum at a point.
func (q *quadric) at(p vector) float32 {
	x, y, z := p[0], p[1], p[2]
	return x*(q.xx*x+2*(q.xy*y+q.xz*z+q.x)) + y*(q.yy*y+2*(q.yz*z+q.y)) + z*(q.zz*z+2*q.z) + q.c
}

// shift makes a point the origin.
func (q *quadric) shift(p vector) {
	c := max(q.at(p), 0)
	x, y, z := p[0], p[1], p[2]
	q.x += q.xx*x + q.xy*y + q.xz*z
	q.y += q.xy*x + q.yy*y + q.yz*z
	q.z += q.xz*x + q.yz*y + q.zz*z
	q.c = c
}

// vector is a place, or a way between two.
type vector [3]float32

func (a vector) sub(b vector) vector { return vector{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func (a vector) scale(f float32) vector { return vector{a[0] * f, a[1] * f, a[2] * f} }

func (a vector) dot(b vector) float32 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (a vector) cross(b vector) vector {
	return vector{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// edge adds the plane through the edge a–b that stands upright on the triangle
// a b c, weighted by the square of the edge: it keeps lines where they are.
func (q *quadric) edge(a, b, c vector, weight float32) {
	e := b.sub(a)
	l := e.dot(e)
	if !(l > 0) {
		return
	}
	h := c.sub(a)
	n := h.sub(e.scale(h.dot(e) / l))
	d := sqrt(n.dot(n))
	if !(d > 0) {
		return
	}
	w := q.w
	l = sqrt(l)
	q.plane(n.scale(1/d), l*weight)
	q.w = w // lines do not dilute the mean distance of planes
	q.lines += l * weight
}

// gradients gives the linear course of an attribute over a triangle. ok is false
// where the triangle has no area.
type gradients struct {
	u, v       vector
	uu, uv, vv float32
	inverse    float32
}

func newGradients(u, v vector) (g gradients, ok bool) {
	g = gradients{u: u, v: v, uu: u.dot(u), uv: u.dot(v), vv: v.dot(v)}
	det := g.uu*g.vv - g.uv*g.uv
	if !(det > 1e-6*g.uu*g.vv) {
		return g, false
	}
	g.inverse = 1 / det
	return g, true
}

// of is the gradient of an attribute that rises by d1 along u and d2 along v.
func (g *gradients) of(d1, d2 float32) vector {
	k1, k2 := (g.vv*d1-g.uv*d2)*g.inverse, (g.uu*d2-g.uv*d1)*g.inverse
	return vector{g.u[0]*k1 + g.v[0]*k2, g.u[1]*k1 + g.v[1]*k2, g.u[2]*k1 + g.v[2]*k2}
}

// course is the part of the quadric of an attribute that depends on its value, which
// counts from that of the vertex: the sums of the weighted gradients and offsets.
type course struct{ x, y, z, c float32 }

func (t *course) at(p vector) float32 { return t.x*p[0] + t.y*p[1] + t.z*p[2] + t.c }

func (t *course) add(o *course) {
	t.x += o.x
	t.y += o.y
	t.z += o.z
	t.c += o.c
}
