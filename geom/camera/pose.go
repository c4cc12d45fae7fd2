package camera

import "math"

// Pose is where a camera stands: a point X of the world is R·X + T in its frame.
type Pose struct {
	R [9]float64 // rows
	T [3]float64
}

// Identity is the pose of a camera whose frame is the world's.
func Identity() Pose { return Pose{R: [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}} }

// FromQuaternion returns the pose of a Hamilton quaternion w, x, y, z, of any length
// but zero, and a translation: COLMAP's way.
func FromQuaternion(q [4]float64, t [3]float64) Pose {
	n := math.Sqrt(q[0]*q[0] + q[1]*q[1] + q[2]*q[2] + q[3]*q[3])
	w, x, y, z := q[0]/n, q[1]/n, q[2]/n, q[3]/n
	return Pose{
		R: [9]float64{
			1 - 2*(y*y+z*z), 2 * (x*y - w*z), 2 * (x*z + w*y),
			2 * (x*y + w*z), 1 - 2*(x*x+z*z), 2 * (y*z - w*x),
			2 * (x*z - w*y), 2 * (y*z + w*x), 1 - 2*(x*x+y*y),
		},
		T: t,
	}
}

// LookAt returns the pose of a camera at eye that looks at target, with up towards
// the upper edge of the photo.
func LookAt(eye, target, up [3]float64) Pose {
	z := unit(sub(target, eye))
	x := cross(z, up)
	if dot(x, x) < 1e-18*dot(up, up) { // straight along up
		x = cross(z, [3]float64{0, 1, 0})
		if dot(x, x) < 1e-18 {
			x = cross(z, [3]float64{1, 0, 0})
		}
	}
	x = unit(x)
	y := cross(z, x)
	p := Pose{R: [9]float64{x[0], x[1], x[2], y[0], y[1], y[2], z[0], z[1], z[2]}}
	c := p.Rotate(eye)
	p.T = [3]float64{-c[0], -c[1], -c[2]}
	return p
}

// Quaternion returns the rotation as a unit quaternion w, x, y, z with w ≥ 0.
func (p Pose) Quaternion() [4]float64 {
	r := p.R
	// Shepperd's method: from the largest of the four, for accuracy.
	t := [4]float64{r[0] + r[4] + r[8], r[0] - r[4] - r[8], r[4] - r[0] - r[8], r[8] - r[0] - r[4]}
	best := 0
	for i := range t {
		if t[i] > t[best] {
			best = i
		}
	}
	s := math.Sqrt(1+t[best]) / 2
	f := 1 / (4 * s)
	var q [4]float64
	switch best {
	case 0:
		q = [4]float64{s, (r[7] - r[5]) * f, (r[2] - r[6]) * f, (r[3] - r[1]) * f}
	case 1:
		q = [4]float64{(r[7] - r[5]) * f, s, (r[1] + r[3]) * f, (r[2] + r[6]) * f}
	case 2:
		q = [4]float64{(r[2] - r[6]) * f, (r[1] + r[3]) * f, s, (r[5] + r[7]) * f}
	default:
		q = [4]float64{(r[3] - r[1]) * f, (r[2] + r[6]) * f, (r[5] + r[7]) * f, s}
	}
	if q[0] < 0 {
		for i := range q {
			q[i] = -q[i]
		}
	}
	return q
}

// Apply returns a point of the world in the camera's frame.
func (p Pose) Apply(x [3]float64) [3]float64 {
	r := p.Rotate(x)
	return [3]float64{r[0] + p.T[0], r[1] + p.T[1], r[2] + p.T[2]}
}

// Rotate returns a direction of the world in the camera's frame.
func (p Pose) Rotate(x [3]float64) [3]float64 {
	r := &p.R
	return [3]float64{
		r[0]*x[0] + r[1]*x[1] + r[2]*x[2],
		r[3]*x[0] + r[4]*x[1] + r[5]*x[2],
		r[6]*x[0] + r[7]*x[1] + r[8]*x[2],
	}
}

// Unrotate returns a direction of the camera's frame in the world.
func (p Pose) Unrotate(x [3]float64) [3]float64 {
	r := &p.R
	return [3]float64{
		r[0]*x[0] + r[3]*x[1] + r[6]*x[2],
		r[1]*x[0] + r[4]*x[1] + r[7]*x[2],
		r[2]*x[0] + r[5]*x[1] + r[8]*x[2],
	}
}

// Center returns where in the world the camera stands.
func (p Pose) Center() [3]float64 {
	c := p.Unrotate(p.T)
	return [3]float64{-c[0], -c[1], -c[2]}
}

// Invert returns a point of the camera's frame in the world.
func (p Pose) Invert(x [3]float64) [3]float64 {
	return p.Unrotate([3]float64{x[0] - p.T[0], x[1] - p.T[1], x[2] - p.T[2]})
}

// Transformed returns the pose in a world that was changed by X ← scale·R·X + t,
// scaled so that distances in the camera's frame are those of the new world.
func (p Pose) Transformed(scale float64, r [9]float64, t [3]float64) Pose {
	var q Pose
	for i := range 3 {
		for j := range 3 { // R·rᵀ
			q.R[3*i+j] = p.R[3*i]*r[3*j] + p.R[3*i+1]*r[3*j+1] + p.R[3*i+2]*r[3*j+2]
		}
	}
	moved := q.Rotate(t)
	for i := range 3 {
		q.T[i] = scale*p.T[i] - moved[i]
	}
	return q
}

func sub(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func unit(a [3]float64) [3]float64 {
	n := math.Sqrt(dot(a, a))
	return [3]float64{a[0] / n, a[1] / n, a[2] / n}
}
