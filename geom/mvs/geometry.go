package mvs

import (
	"math"

	"slate360.ai/worker/geom/camera"
)

// lens is a pinhole at one of the sizes. Halving drops an odd last row or column,
// so that it is exact.
type lens struct {
	w, h           int
	fx, fy, cx, cy float32
	invFx, invFy   float32
}

func lensOf(c camera.Camera, level int) lens {
	fx, fy, cx, cy := c.Linear()
	s := 1 / float64(int(1)<<level)
	return lens{
		w: c.Width >> level, h: c.Height >> level,
		fx: float32(fx * s), fy: float32(fy * s), cx: float32(cx * s), cy: float32(cy * s),
		invFx: float32(1 / (fx * s)), invFy: float32(1 / (fy * s)),
	}
}

// ray returns x and y of the direction (x, y, 1) of the middle of a pixel.
func (l *lens) ray(x, y int) (float32, float32) {
	return (float32(x) + 0.5 - l.cx) * l.invFx, (float32(y) + 0.5 - l.cy) * l.invFy
}

// relation leads from a view to a source: a point X in the frame of the view is
// seen at A·X + b in homogeneous pixels of the source.
type relation struct {
	a    [9]float32
	b    [3]float32
	w, h float32 // the source's size
	pic  *picture

	// For geometric consistency, at the full size.
	r, back   [9]float32
	t, backT  [3]float32
	to        lens
	depth     []float32
	direction [3]float32 // from the view to the source, unit, in the view's frame
}

func relate(from, to View, level int, pic *picture) relation {
	var rel relation
	r, t := relativePose(from.Pose, to.Pose)
	fx, fy, cx, cy := to.Camera.Linear()
	s := 1 / float64(int(1)<<level)
	fx, fy, cx, cy = fx*s, fy*s, cx*s, cy*s
	k := [9]float64{fx, 0, cx, 0, fy, cy, 0, 0, 1}
	a := product(k, r)
	for i := range a {
		rel.a[i], rel.r[i] = float32(a[i]), float32(r[i])
	}
	for i := range 3 {
		rel.b[i] = float32(k[3*i]*t[0] + k[3*i+1]*t[1] + k[3*i+2]*t[2])
		rel.t[i] = float32(t[i])
		for j := range 3 {
			rel.back[3*i+j] = rel.r[3*j+i]
		}
	}
	for i := range 3 {
		rel.backT[i] = -(rel.back[3*i]*rel.t[0] + rel.back[3*i+1]*rel.t[1] + rel.back[3*i+2]*rel.t[2])
	}
	n := float32(math.Sqrt(float64(dot3(rel.backT, rel.backT))))
	if n > 0 {
		rel.direction = [3]float32{rel.backT[0] / n, rel.backT[1] / n, rel.backT[2] / n}
	}
	rel.to = lensOf(to.Camera, level)
	rel.w, rel.h, rel.pic = float32(rel.to.w), float32(rel.to.h), pic
	return rel
}

// relativePose returns the motion from the frame of a to that of b.
func relativePose(a, b camera.Pose) (r [9]float64, t [3]float64) {
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				r[3*i+j] += b.R[3*i+k] * a.R[3*j+k]
			}
		}
	}
	for i := range 3 {
		t[i] = b.T[i] - (r[3*i]*a.T[0] + r[3*i+1]*a.T[1] + r[3*i+2]*a.T[2])
	}
	return r, t
}

func product(a, b [9]float64) (c [9]float64) {
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				c[3*i+j] += a[3*i+k] * b[3*k+j]
			}
		}
	}
	return c
}

func dot3(a, b [3]float32) float32 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// plane is a hypothesis: the depth at the pixel and the unit normal, towards the
// camera.
type plane struct {
	depth float32
	n     [3]float32
}

// at returns the depth of the plane of pixel ray (px, py) where ray (qx, qy) meets
// it, or 0 where it does not in front of the camera.
func (p *plane) at(px, py, qx, qy float32) float32 {
	d := (p.n[0]*px + p.n[1]*py + p.n[2]) * p.depth
	den := p.n[0]*qx + p.n[1]*qy + p.n[2]
	if den > -1e-4 { // parallel or from behind
		return 0
	}
	return d / den
}

// facing turns a normal towards the camera, and away from grazing: it returns
// false where it cannot.
func facing(n *[3]float32, rx, ry float32) bool {
	const grazing = 0.08 // cosine of 85 degrees
	l := float32(math.Sqrt(float64(n[0]*n[0] + n[1]*n[1] + n[2]*n[2])))
	if l < 1e-6 {
		return false
	}
	n[0], n[1], n[2] = n[0]/l, n[1]/l, n[2]/l
	c := (n[0]*rx + n[1]*ry + n[2]) / float32(math.Sqrt(float64(rx*rx+ry*ry+1)))
	return c < -grazing
}
