package render

import (
	"math"
)

type vec [3]float64

func sub(a, b vec) vec         { return vec{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }
func add(a, b vec) vec         { return vec{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }
func mul(a vec, s float64) vec { return vec{a[0] * s, a[1] * s, a[2] * s} }
func dot(a, b vec) float64     { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
func cross(a, b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func unit(a vec) vec {
	if l := math.Sqrt(dot(a, a)); l > 0 {
		return mul(a, 1/l)
	}
	return vec{0, 0, 1}
}

// eye looks from a place along -back.
type eye struct {
	eye, right, up, back vec
	focal                float64 // in pixels
	aspect               float64 // of the focal length upwards to it
	cx, cy               float64
	near                 float64
}

// camera returns the eye of a view on a picture of a size.
func (v *View) camera(lo, hi vec, width, height int) eye {
	fx, fy, cx, cy := v.Camera.Scaled(width, height).Linear()
	size := math.Sqrt(dot(sub(hi, lo), sub(hi, lo)))
	return eye{
		eye: v.Pose.Center(), right: v.Pose.Unrotate([3]float64{1, 0, 0}), up: v.Pose.Unrotate([3]float64{0, -1, 0}),
		back: v.Pose.Unrotate([3]float64{0, 0, -1}), focal: fx, aspect: fy / fx, cx: cx, cy: cy, near: max(1e-6*size, 1e-12),
	}
}

const (
	fieldOfView = 35 * math.Pi / 180
	margin      = 1.06
)

// bounds of all vertices; ok is false where there are none.
func (s *Scene) bounds() (lo, hi vec, ok bool) {
	lo, hi = vec{math.Inf(1), math.Inf(1), math.Inf(1)}, vec{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for _, m := range s.Meshes {
		for i := 0; i+2 < len(m.Positions); i += 3 {
			p := m.Positions[i : i+3]
			if p[0]-p[0] != 0 || p[1]-p[1] != 0 || p[2]-p[2] != 0 {
				continue
			}
			ok = true
			for k := range 3 {
				lo[k], hi[k] = min(lo[k], float64(p[k])), max(hi[k], float64(p[k]))
			}
		}
	}
	return lo, hi, ok
}

// open is how much of the surface must be missing on one side, as a share of its area,
// for it to be looked at from another.
const open = 0.01

// facing returns the sum of the areas of all triangles, and of their normals as long as
// these. The latter is nothing for what is closed, and points away from the side that is
// missing of what is not: a house whose back nobody photographed.
func (s *Scene) facing() (area float64, sum vec) {
	for _, m := range s.Meshes {
		at := func(i uint32) vec {
			p := m.Positions[3*i : 3*i+3]
			return vec{float64(p[0]), float64(p[1]), float64(p[2])}
		}
		if m.Points {
			continue
		}
		for i := 0; i+2 < len(m.Indices); i += 3 {
			a := at(m.Indices[i])
			n := cross(sub(at(m.Indices[i+1]), a), sub(at(m.Indices[i+2]), a))
			if l := math.Sqrt(dot(n, n)); l-l == 0 {
				area, sum = area+l/2, add(sum, mul(n, 0.5))
			}
		}
	}
	return area, sum
}

// choose picks a three-quarter view by the shape: flat things from high above, tall
// ones from a little above, the longer side across, and from the front unless another
// side shows more of a surface that is open.
func (s *Scene) choose(lo, hi vec) vec {
	x, y, z := hi[0]-lo[0], hi[1]-lo[1], hi[2]-lo[2]
	flatness := y / max(x, z, 1e-12)
	elevation := 42 - 26*min(1, flatness/0.7)
	azimuth := 32.0 // from the front (+z) towards the right
	if z > 1.4*x {
		azimuth = 58
	}
	se, ce := math.Sincos(elevation * math.Pi / 180)
	area, sum := s.facing()
	var best vec
	most := math.Inf(-1)
	for turn := range 4 {
		sa, ca := math.Sincos((azimuth + 90*float64(turn)) * math.Pi / 180)
		v := vec{ce * sa, se, ce * ca}
		if shown := dot(sum, v); turn == 0 || shown > most+open*area {
			best, most = v, shown
		}
	}
	return best
}

// fit places the eye in a direction so that all vertices are in the picture.
func (s *Scene) fit(direction, lo, hi vec, width, height int) eye {
	c := look(direction, width, height)
	center := mul(add(lo, hi), 0.5)
	c.stand(s.extremes(&c, center), center, lo, hi)
	return c
}

// look is an eye that looks against a direction, from nowhere yet.
func look(direction vec, width, height int) eye {
	back := unit(direction)
	right := unit(cross(vec{0, 1, 0}, back))
	c := eye{aspect: 1, right: right, back: back, up: cross(back, right), cx: float64(width) / 2, cy: float64(height) / 2}
	c.focal = float64(min(width, height)) / 2 / math.Tan(fieldOfView/2)
	return c
}

// slopes are those of the sides of the picture, a margin taken off.
func (c *eye) slopes() (x, y float64) { return c.cx / c.focal / margin, c.cy / c.focal / margin }

// extremes are how far vertices lie out of the planes through a centre along the
// right, left, upper and lower sides of a picture, and in front of the centre.
type extremes struct {
	side  [4]float64
	front float64
}

// extremes looks at all vertices.
func (s *Scene) extremes(c *eye, center vec) extremes {
	tx, ty := c.slopes()
	out := extremes{front: math.Inf(-1)}
	for k := range out.side {
		out.side[k] = math.Inf(-1)
	}
	most := &out.side
	for _, m := range s.Meshes {
		for i := 0; i+2 < len(m.Positions); i += 3 {
			p := sub(vec{float64(m.Positions[i]), float64(m.Positions[i+1]), float64(m.Positions[i+2])}, center)
			x, y, z := dot(p, c.right), dot(p, c.up), dot(p, c.back)
			if x-x != 0 || y-y != 0 || z-z != 0 {
				continue
			}
			most[0], most[1] = max(most[0], x+tx*z), max(most[1], -x+tx*z)
			most[2], most[3] = max(most[2], y+ty*z), max(most[3], -y+ty*z)
			out.front = max(out.front, z)
		}
	}
	return out
}

// stand puts the eye as near as it may be: for each side of the picture, the plane
// through the eye along it must have all points inside, so that it follows from the
// extreme points of each pair.
func (c *eye) stand(e extremes, center, lo, hi vec) {
	tx, ty := c.slopes()
	dx, dy := (e.side[0]+e.side[1])/2/tx, (e.side[2]+e.side[3])/2/ty
	ox, oy := (e.side[0]-e.side[1])/2, (e.side[2]-e.side[3])/2
	size := math.Sqrt(dot(sub(hi, lo), sub(hi, lo)))
	distance := max(dx, dy, e.front+1e-3*size, 1e-9)
	c.eye = add(add(center, mul(c.back, distance)), add(mul(c.right, ox), mul(c.up, oy)))
	c.near = max((distance-e.front)/2, 1e-6*size, 1e-12)
}
