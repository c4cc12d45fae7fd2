package mvs

import "slate360.ai/worker/geom/camera"

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

	// The motion to the frame of the source, and back.
	r, back  [9]float32
	t, backT [3]float32
	// surface is the depth map of the source, of the lens known: where it is not nil,
	// planes are also measured by how well they agree with it.
	surface []plane
	known   lens
}

func relate(from, to View, level int, pic *picture) relation {
	var rel relation
	r, t := relativePose(from.Pose, to.Pose)
	fx, fy, cx, cy := to.Camera.Linear()
	s := 1 / float64(int(1)<<level)
	fx, fy, cx, cy = fx*s, fy*s, cx*s, cy*s
	k := [9]float64{fx, 0, cx, 0, fy, cy, 0, 0, 1}
	for i := range 3 {
		for j := range 3 {
			a := k[3*i]*r[j] + k[3*i+1]*r[3+j] + k[3*i+2]*r[6+j]
			rel.a[3*i+j], rel.r[3*i+j], rel.back[3*j+i] = float32(a), float32(r[3*i+j]), float32(r[3*i+j])
		}
		rel.b[i] = float32(k[3*i]*t[0] + k[3*i+1]*t[1] + k[3*i+2]*t[2])
		rel.t[i] = float32(t[i])
		rel.backT[i] = float32(-(r[i]*t[0] + r[3+i]*t[1] + r[6+i]*t[2]))
	}
	size := lensOf(to.Camera, level)
	rel.w, rel.h, rel.pic = float32(size.w), float32(size.h), pic
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

// project returns A·ray of the pixel, which measures of all planes at it share.
func (rel *relation) project(rx, ry float32) [3]float32 {
	a := &rel.a
	return [3]float32{a[0]*rx + a[1]*ry + a[2], a[3]*rx + a[4]*ry + a[5], a[6]*rx + a[7]*ry + a[8]}
}

// parallax is how many pixels the point moves in the source where its inverse depth
// changes by one. q is A·ray.
func (rel *relation) parallax(q *[3]float32, inv float32) float32 {
	z := q[2] + rel.b[2]*inv
	if z < 1e-6 {
		return 0
	}
	iz := 1 / z
	u, v := (q[0]+rel.b[0]*inv)*iz, (q[1]+rel.b[1]*inv)*iz
	du, dv := (rel.b[0]-u*rel.b[2])*iz, (rel.b[1]-v*rel.b[2])*iz
	return sqrt32(du*du + dv*dv)
}

// maxInconsistency is where distances on the photo stop to matter, in pixels.
const maxInconsistency = 3

// inconsistency is how far from its pixel a point comes back that goes by the depth
// map of the source, in pixels of the view.
func (rel *relation) inconsistency(l *lens, inv, rx, ry float32) float32 {
	r, t := &rel.r, &rel.t
	// The point times its inverse depth.
	sz := r[6]*rx + r[7]*ry + r[8] + t[2]*inv
	if sz <= 0 {
		return maxInconsistency
	}
	iz := 1 / sz
	sx := (r[0]*rx + r[1]*ry + r[2] + t[0]*inv) * iz
	sy := (r[3]*rx + r[4]*ry + r[5] + t[1]*inv) * iz
	k := &rel.known
	u, v := k.fx*sx+k.cx, k.fy*sy+k.cy
	if !(u >= 0 && v >= 0 && u < float32(k.w) && v < float32(k.h)) {
		return maxInconsistency
	}
	w := &rel.surface[int(v)*k.w+int(u)]
	known := w.inverse(sx, sy)
	if known <= 0 {
		return maxInconsistency
	}
	r, t = &rel.back, &rel.backT
	pz := r[6]*sx + r[7]*sy + r[8] + t[2]*known
	if pz <= 0 {
		return maxInconsistency
	}
	iz = 1 / pz
	dx := ((r[0]*sx+r[1]*sy+r[2]+t[0]*known)*iz - rx) * l.fx
	dy := ((r[3]*sx+r[4]*sy+r[5]+t[1]*known)*iz - ry) * l.fy
	d := dx*dx + dy*dy
	if !(d < maxInconsistency*maxInconsistency) {
		return maxInconsistency
	}
	return sqrt32(d)
}
