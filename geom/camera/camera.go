// Package camera projects points into photos: camera models with lens distortion,
// and poses.
//
// Models, their names and the order of their parameters are COLMAP's
// (J. L. Schönberger, J.-M. Frahm, "Structure-from-motion revisited", 2016; COLMAP
// documentation, "Camera Models"). Pixel coordinates run right and down, with the
// outer corner of the first pixel at (0, 0) and its middle at (0.5, 0.5). A camera
// looks along +z of its own frame, with x to the right and y down.
package camera

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Model is how a camera maps directions to pixels.
type Model string

// The models that are known, with their parameters.
const (
	SimplePinhole Model = "SIMPLE_PINHOLE" // f, cx, cy
	Pinhole       Model = "PINHOLE"        // fx, fy, cx, cy
	SimpleRadial  Model = "SIMPLE_RADIAL"  // f, cx, cy, k
	Radial        Model = "RADIAL"         // f, cx, cy, k1, k2
	OpenCV        Model = "OPENCV"         // fx, fy, cx, cy, k1, k2, p1, p2
	FullOpenCV    Model = "FULL_OPENCV"    // fx, fy, cx, cy, k1, k2, p1, p2, k3, k4, k5, k6
)

// models in the order of COLMAP's numbers for them: see ID.
var models = []struct {
	model  Model
	id     int
	params int
	focals int
}{
	{SimplePinhole, 0, 3, 1},
	{Pinhole, 1, 4, 2},
	{SimpleRadial, 2, 4, 1},
	{Radial, 3, 5, 1},
	{OpenCV, 4, 8, 2},
	{FullOpenCV, 6, 12, 2},
}

// ErrModel says that a camera model is not known.
var ErrModel = errors.New("camera: unknown model")

// ModelOf returns the model that COLMAP's binary files number id.
func ModelOf(id int) (Model, error) {
	for _, m := range models {
		if m.id == id {
			return m.model, nil
		}
	}
	return "", fmt.Errorf("%w: number %d; want SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV or FULL_OPENCV", ErrModel, id)
}

// ID returns COLMAP's number of the model, or -1.
func (m Model) ID() int {
	for _, k := range models {
		if k.model == m {
			return k.id
		}
	}
	return -1
}

// Params returns how many parameters the model has, or 0 where it is not known.
func (m Model) Params() int {
	for _, k := range models {
		if k.model == m {
			return k.params
		}
	}
	return 0
}

// Camera is the inner geometry of a camera.
type Camera struct {
	Model         Model
	Width, Height int // pixels
	// Params in the order of the model: focal lengths and principal point in pixels,
	// then coefficients of distortion.
	Params []float64
}

// NewPinhole returns a camera without distortion.
func NewPinhole(width, height int, fx, fy, cx, cy float64) Camera {
	return Camera{Model: Pinhole, Width: width, Height: height, Params: []float64{fx, fy, cx, cy}}
}

// Check tells what is wrong with a camera: an unknown model, parameters that are
// missing or not finite, a size or focal length that is not positive.
func (c Camera) Check() error {
	n := c.Model.Params()
	if n == 0 {
		return fmt.Errorf("%w %q", ErrModel, c.Model)
	}
	if len(c.Params) != n {
		return fmt.Errorf("camera: model %s has %d parameters, want %d", c.Model, len(c.Params), n)
	}
	for i, p := range c.Params {
		if math.IsNaN(p) || math.IsInf(p, 0) {
			return fmt.Errorf("camera: parameter %d of model %s is not finite", i, c.Model)
		}
	}
	if c.Width <= 0 || c.Height <= 0 {
		return fmt.Errorf("camera: a size of %d × %d pixels", c.Width, c.Height)
	}
	if fx, fy, _, _ := c.Linear(); fx <= 0 || fy <= 0 {
		return fmt.Errorf("camera: focal lengths of %g and %g pixels", fx, fy)
	}
	return nil
}

// Linear returns the focal lengths and the principal point, in pixels.
func (c Camera) Linear() (fx, fy, cx, cy float64) {
	p := c.Params
	switch c.Model {
	case Pinhole, OpenCV, FullOpenCV:
		return p[0], p[1], p[2], p[3]
	default:
		return p[0], p[0], p[1], p[2]
	}
}

// Distorted tells whether the camera bends straight lines.
func (c Camera) Distorted() bool {
	k := c.distortion()
	return k != coefficients{}
}

// Undistorted returns the camera without its distortion, as a pinhole.
func (c Camera) Undistorted() Camera {
	fx, fy, cx, cy := c.Linear()
	return NewPinhole(c.Width, c.Height, fx, fy, cx, cy)
}

// Scaled returns the camera of the photo resized to width × height.
func (c Camera) Scaled(width, height int) Camera {
	sx, sy := float64(width)/float64(c.Width), float64(height)/float64(c.Height)
	p := slices.Clone(c.Params)
	if c.Model == Pinhole || c.Model == OpenCV || c.Model == FullOpenCV {
		p[0], p[1], p[2], p[3] = p[0]*sx, p[1]*sy, p[2]*sx, p[3]*sy
	} else {
		p[0], p[1], p[2] = p[0]*math.Sqrt(sx*sy), p[1]*sx, p[2]*sy
	}
	return Camera{Model: c.Model, Width: width, Height: height, Params: p}
}

// coefficients of the rational radial and the tangential distortion.
type coefficients struct{ k1, k2, p1, p2, k3, k4, k5, k6 float64 }

func (c Camera) distortion() coefficients {
	p := c.Params
	switch c.Model {
	case SimpleRadial:
		return coefficients{k1: p[3]}
	case Radial:
		return coefficients{k1: p[3], k2: p[4]}
	case OpenCV:
		return coefficients{k1: p[4], k2: p[5], p1: p[6], p2: p[7]}
	case FullOpenCV:
		return coefficients{k1: p[4], k2: p[5], p1: p[6], p2: p[7], k3: p[8], k4: p[9], k5: p[10], k6: p[11]}
	}
	return coefficients{}
}

// apply distorts a direction (x/z, y/z).
func (k coefficients) apply(x, y float64) (float64, float64) {
	x2, y2, xy := x*x, y*y, x*y
	r2 := x2 + y2
	radial := (1 + r2*(k.k1+r2*(k.k2+r2*k.k3))) / (1 + r2*(k.k4+r2*(k.k5+r2*k.k6)))
	return x*radial + 2*k.p1*xy + k.p2*(r2+2*x2), y*radial + 2*k.p2*xy + k.p1*(r2+2*y2)
}

// Project returns the pixel of a point in the camera's frame; ok is false behind it.
func (c Camera) Project(p [3]float64) (u, v float64, ok bool) {
	if p[2] <= 0 {
		return 0, 0, false
	}
	u, v = c.Pixel(p[0]/p[2], p[1]/p[2])
	return u, v, true
}

// Pixel returns the pixel of the direction (x, y, 1).
func (c Camera) Pixel(x, y float64) (u, v float64) {
	x, y = c.distortion().apply(x, y)
	fx, fy, cx, cy := c.Linear()
	return fx*x + cx, fy*y + cy
}

// Direction returns the direction (x, y, 1) that a pixel sees: the distortion is
// undone by Newton's method, to some 1e-10. Where a lens model folds over, far
// outside the photo, it is the last step that was taken.
func (c Camera) Direction(u, v float64) (x, y float64) {
	fx, fy, cx, cy := c.Linear()
	xd, yd := (u-cx)/fx, (v-cy)/fy
	k := c.distortion()
	if k == (coefficients{}) {
		return xd, yd
	}
	x, y = xd, yd
	for range 50 {
		px, py := k.apply(x, y)
		ex, ey := px-xd, py-yd
		if ex*ex+ey*ey < 1e-24 {
			break
		}
		const h = 1e-6
		ax, ay := k.apply(x+h, y)
		bx, by := k.apply(x, y+h)
		a, b, cc, d := (ax-px)/h, (bx-px)/h, (ay-py)/h, (by-py)/h
		det := a*d - b*cc
		if math.Abs(det) < 1e-12 {
			break
		}
		x -= (d*ex - b*ey) / det
		y -= (a*ey - cc*ex) / det
	}
	return x, y
}
