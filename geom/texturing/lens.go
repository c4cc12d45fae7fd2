package texturing

import (
	"math"

	"slate360.ai/worker/geom/camera"
)

// lens projects into a photo, or one scaled down.
type lens struct {
	pose           camera.Pose
	fx, fy, cx, cy float64
	w, h           int
	center         vec
}

// lensOf returns the lens of a view whose photo is scaled down by a whole number; rows
// and columns that are left over are dropped.
func lensOf(v View, reduce int) lens {
	fx, fy, cx, cy := v.Camera.Linear()
	s := 1 / float64(reduce)
	return lens{
		pose: v.Pose, fx: fx * s, fy: fy * s, cx: cx * s, cy: cy * s,
		w: v.Camera.Width / reduce, h: v.Camera.Height / reduce, center: vec(v.Pose.Center()),
	}
}

// screen is a place on a photo, and 1/depth; 0 there is behind the camera or nowhere.
type screen struct{ x, y, w float32 }

func (l *lens) project(p vec) screen {
	q := l.pose.Apply([3]float64(p))
	if !(q[2] > 1e-9) || math.IsInf(q[2], 0) {
		return screen{}
	}
	w := 1 / q[2]
	x, y := l.fx*q[0]*w+l.cx, l.fy*q[1]*w+l.cy
	if !(math.Abs(x) < farOff) || !(math.Abs(y) < farOff) {
		return screen{}
	}
	return screen{float32(x), float32(y), float32(w)}
}

// farOff is beyond any photo, in pixels: what lies there is beside the camera.
const farOff = 1e7

// radius is the distance of a pixel from the principal point, in half diagonals.
func (l *lens) radius(x, y float64) float64 {
	return math.Hypot(x-l.cx, y-l.cy) / (math.Hypot(float64(l.w), float64(l.h)) / 2)
}

// footprint walks over the pixels whose middles lie in a triangle, row by row.
type footprint struct {
	p      [3]screen
	y0, y1 int // rows, the last one exclusive
}

// newFootprint bounds the triangle by rows from and to, exclusive.
func newFootprint(a, b, c screen, from, to int) footprint {
	f := footprint{p: [3]screen{a, b, c}}
	lo, hi := min(a.y, b.y, c.y), max(a.y, b.y, c.y)
	f.y0 = max(ceil(lo-0.5), from)
	f.y1 = min(ceil(hi-0.5), to)
	return f
}

// row returns the columns of a row, the last one exclusive, from 0 to width.
func (f *footprint) row(y, width int) (x0, x1 int) {
	lo, hi := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	at := float32(y) + 0.5
	for k := range 3 {
		a, b := &f.p[k], &f.p[(k+1)%3]
		if a.y > b.y { // the same numbers for both triangles at an edge
			a, b = b, a
		}
		if a.y <= at && at < b.y {
			x := a.x + (at-a.y)*(b.x-a.x)/(b.y-a.y)
			lo, hi = min(lo, x), max(hi, x)
		}
	}
	if lo > hi {
		return 0, 0
	}
	return max(ceil(lo-0.5), 0), min(ceil(hi-0.5), width)
}

// plane is a number that changes linearly over a photo.
type plane struct{ dx, dy, c float32 }

func (p *plane) at(x, y int) float32 {
	return p.c + p.dx*(float32(x)+0.5) + p.dy*(float32(y)+0.5)
}

// newPlane goes through values at the corners of a triangle; ok is false where it has
// no area.
func newPlane(a, b, c *screen, va, vb, vc float32) (p plane, ok bool) {
	ux, uy := float64(b.x)-float64(a.x), float64(b.y)-float64(a.y)
	vx, vy := float64(c.x)-float64(a.x), float64(c.y)-float64(a.y)
	area := ux*vy - uy*vx
	if area == 0 || area-area != 0 {
		return p, false
	}
	du, dv := float64(vb)-float64(va), float64(vc)-float64(va)
	dx, dy := (du*vy-dv*uy)/area, (dv*ux-du*vx)/area
	return plane{float32(dx), float32(dy), float32(float64(va) - dx*float64(a.x) - dy*float64(a.y))}, true
}

// area is twice the area on the photo, positive where the triangle runs against the
// clock in the world: y is down on photos.
func area(a, b, c *screen) float32 {
	return (b.y-a.y)*(c.x-a.x) - (b.x-a.x)*(c.y-a.y)
}

func ceil(x float32) int { return int(math.Ceil(float64(x))) }
