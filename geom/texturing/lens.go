package texturing

import (
	"math"

	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/scanline"
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

// triangleOf returns a triangle on a photo or a page.
func triangleOf(a, b, c *screen) scanline.Triangle {
	return scanline.Triangle{X: [3]float32{a.x, b.x, c.x}, Y: [3]float32{a.y, b.y, c.y}}
}

// area is twice the area on the photo, positive where the triangle runs against the
// clock in the world: y is down on photos.
func area(a, b, c *screen) float32 {
	return (b.y-a.y)*(c.x-a.x) - (b.x-a.x)*(c.y-a.y)
}
