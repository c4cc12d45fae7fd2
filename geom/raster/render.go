// Package raster draws point clouds as pictures, without a graphics card.
//
// Points become squares in a depth buffer, small holes between them are closed,
// and edges are brought out by eye-dome lighting (C. Boucheny, "Interactive
// scientific visualization of large datasets", thesis, 2009, section 4.4), which
// needs no normals.
package raster

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"slices"
	"sync"
)

// Cloud is points x, y, z interleaved as raw integers, z up; Scale makes them real
// units, equal on all axes.
type Cloud struct {
	XYZ   []int32
	Scale [3]float64
	// Hidden tells which points are not drawn and do not count for the frame, such
	// as noise; nil draws all.
	Hidden func(i int) bool
	// Color gives the colour of a point, sRGB. It is called for those that are
	// seen, concurrently.
	Color func(i int) color.NRGBA
}

// View is how to look at a cloud. Zero fields mean the defaults.
type View struct {
	Width, Height int // default 1024 by 768
	// Azimuth is the direction of sight in degrees clockwise from north, default
	// 30 (from the south-west); Elevation the height of the eye above the horizon,
	// default 40.
	Azimuth, Elevation float64
	// Margin is the share of the picture left free on each side; default 0.04.
	Margin float64
	// Shading is the strength of eye-dome lighting; default 1.
	Shading float64
	Workers int
}

// supersampling is how many samples a side a pixel is made of.
const supersampling = 2

// ErrNoPoints is returned where nothing is to be drawn.
var ErrNoPoints = errors.New("raster: there is no point to draw")

func (v View) withDefaults() View {
	if v.Width <= 0 || v.Height <= 0 {
		v.Width, v.Height = 1024, 768
	}
	if v.Azimuth == 0 {
		v.Azimuth = 30
	}
	if v.Elevation == 0 {
		v.Elevation = 40
	}
	if v.Margin == 0 {
		v.Margin = 0.04
	}
	if v.Shading == 0 {
		v.Shading = 1
	}
	v.Workers = max(1, v.Workers)
	return v
}

// camera projects points: right, down and away from the eye, in real units, with
// perspective.
type camera struct {
	middle             [3]float64
	right, down, ahead [3]float64
	scale              [3]float64
	distance           float64 // of the eye from the middle
	zoom, left, top    float64 // samples = (projected - left) * zoom
}

// project gives the place in samples and the depth; depth 0 is at the eye.
func (c *camera) project(p []int32) (x, y, depth float64) {
	x, y, depth = c.plane(p)
	return (x - c.left) * c.zoom, (y - c.top) * c.zoom, depth
}

func (c *camera) plane(p []int32) (x, y, depth float64) {
	dx := float64(p[0])*c.scale[0] - c.middle[0]
	dy := float64(p[1])*c.scale[1] - c.middle[1]
	dz := float64(p[2])*c.scale[2] - c.middle[2]
	depth = c.distance + c.ahead[0]*dx + c.ahead[1]*dy + c.ahead[2]*dz
	f := c.distance / depth
	return f * (c.right[0]*dx + c.right[1]*dy), f * (c.down[0]*dx + c.down[1]*dy + c.down[2]*dz), depth
}

// sampleSize is how many points are looked at to frame a cloud.
const sampleSize = 200_000

// strays is the share of points on each side that need not be in the picture.
const strays = 0.0005

// newCamera frames the cloud.
func newCamera(c Cloud, v View, width, height int) (*camera, int, error) {
	n := len(c.XYZ) / 3
	step := max(1, n/sampleSize)
	var axes [3][]float64
	var picked []int
	for i := 0; i < n; i += step {
		if c.Hidden != nil && c.Hidden(i) {
			continue
		}
		picked = append(picked, i)
		for a := range 3 {
			axes[a] = append(axes[a], float64(c.XYZ[3*i+a])*c.Scale[a])
		}
	}
	if len(picked) == 0 {
		return nil, 0, ErrNoPoints
	}
	cam := &camera{scale: c.Scale}
	var size [3]float64
	for a := range 3 {
		lo, hi := spread(axes[a])
		cam.middle[a], size[a] = (lo+hi)/2, hi-lo
	}
	sa, ca := math.Sincos(v.Azimuth * math.Pi / 180)
	se, ce := math.Sincos(v.Elevation * math.Pi / 180)
	cam.ahead = [3]float64{sa * ce, ca * ce, -se}
	cam.right = [3]float64{ca, -sa, 0}
	cam.down = [3]float64{-sa * se, -ca * se, -ce}
	radius := math.Sqrt(size[0]*size[0]+size[1]*size[1]+size[2]*size[2]) / 2
	cam.distance = max(radius*3.2, 1e-6) // a mild telephoto lens
	var xs, ys []float64
	for _, i := range picked {
		x, y, depth := cam.plane(c.XYZ[3*i : 3*i+3])
		if depth > cam.distance*.1 && depth < cam.distance*3 {
			xs, ys = append(xs, x), append(ys, y)
		}
	}
	left, right := spread(xs)
	top, bottom := spread(ys)
	w, h := float64(width)*(1-2*v.Margin), float64(height)*(1-2*v.Margin)
	cam.zoom = min(w/max(right-left, 1e-9), h/max(bottom-top, 1e-9))
	if right-left < 1e-9 && bottom-top < 1e-9 {
		cam.zoom = 1
	}
	cam.left = (left+right)/2 - float64(width)/2/cam.zoom
	cam.top = (top+bottom)/2 - float64(height)/2/cam.zoom
	return cam, splat(cam, right-left, bottom-top, float64(len(picked)*step)), nil
}

// spread gives the range of all but stray values; it sorts v.
func spread(v []float64) (lo, hi float64) {
	if len(v) == 0 {
		return 0, 0
	}
	slices.Sort(v)
	cut := int(float64(len(v)) * strays)
	return v[cut], v[len(v)-1-cut]
}

// splat gives the edge of the square of a point in samples, so that squares of
// evenly spread points touch.
func splat(cam *camera, w, h, points float64) int {
	samples := w * h * cam.zoom * cam.zoom * .6 // the outline fills so much of its box
	return int(min(max(math.Ceil(1.5*math.Sqrt(samples/points)), 2), 24))
}

// buffer holds for each sample the nearest point.
type buffer struct {
	width, height int
	depth         []float32 // +Inf where nothing is
	point         []int32
}

// Render draws a cloud on a transparent ground.
func Render(ctx context.Context, c Cloud, v View) (*image.NRGBA, error) {
	v = v.withDefaults()
	b := &buffer{width: v.Width * supersampling, height: v.Height * supersampling}
	cam, size, err := newCamera(c, v, b.width, b.height)
	if err != nil {
		return nil, err
	}
	b.depth = make([]float32, b.width*b.height)
	b.point = make([]int32, b.width*b.height)
	inf := float32(math.Inf(1))
	for i := range b.depth {
		b.depth[i] = inf
	}
	b.draw(ctx, c, cam, size, v.Workers)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for range 3 + size {
		b.close(v.Workers)
	}
	shade := b.eyeDome(cam.distance, v.Shading, v.Workers)
	return b.resolve(c, shade, v), ctx.Err()
}

// draw puts points into the buffer. Each worker has some rows and looks at all
// points.
func (b *buffer) draw(ctx context.Context, c Cloud, cam *camera, size, workers int) {
	half := float64(size) / 2
	inParallel(workers, b.height, func(first, end int) {
		for i := range len(c.XYZ) / 3 {
			if i&0xFFFFF == 0 && ctx.Err() != nil {
				return
			}
			x, y, depth := cam.project(c.XYZ[3*i : 3*i+3])
			if !(y+half >= float64(first)) || !(y-half < float64(end)) || !(x+half >= 0) || !(x-half < float64(b.width)) || depth <= 0 {
				continue
			}
			if c.Hidden != nil && c.Hidden(i) {
				continue
			}
			x0, y0 := int(math.Floor(x-half+.5)), int(math.Floor(y-half+.5))
			d := float32(depth)
			for j := max(y0, first); j < min(y0+size, end); j++ {
				for k := max(x0, 0); k < min(x0+size, b.width); k++ {
					if at := j*b.width + k; d < b.depth[at] {
						b.depth[at], b.point[at] = d, int32(i)
					}
				}
			}
		}
	})
}

// close fills samples without a point that have points on most sides with the
// farthest of these, so that holes in a surface close and outlines stay.
func (b *buffer) close(workers int) {
	depth, point := slices.Clone(b.depth), slices.Clone(b.point)
	inf := float32(math.Inf(1))
	inParallel(workers, b.height, func(first, end int) {
		for y := max(first, 1); y < min(end, b.height-1); y++ {
			for x := 1; x < b.width-1; x++ {
				at := y*b.width + x
				if b.depth[at] != inf {
					continue
				}
				n, best := 0, -1
				for _, o := range [8]int{-b.width - 1, -b.width, -b.width + 1, -1, 1, b.width - 1, b.width, b.width + 1} {
					if d := b.depth[at+o]; d != inf {
						n++
						if best < 0 || d > b.depth[best] {
							best = at + o
						}
					}
				}
				if n >= 5 {
					depth[at], point[at] = b.depth[best], b.point[best]
				}
			}
		}
	})
	b.depth, b.point = depth, point
}

// eyeDome gives the light of each sample: less where neighbours are nearer to the
// eye, at two distances, for fine edges and for whole objects.
func (b *buffer) eyeDome(distance, strength float64, workers int) []float32 {
	light := make([]float32, len(b.depth))
	inf := float32(math.Inf(1))
	rings := []struct {
		radius int
		weight float64
	}{{2, 1}, {6, .6}}
	inParallel(workers, b.height, func(first, end int) {
		for y := first; y < end; y++ {
			for x := range b.width {
				d := b.depth[y*b.width+x]
				if d == inf {
					continue
				}
				sum := 0.0
				for _, ring := range rings {
					r := ring.radius
					near := 0.0
					for _, o := range [8][2]int{{r, 0}, {-r, 0}, {0, r}, {0, -r}, {r, r}, {r, -r}, {-r, r}, {-r, -r}} {
						i, j := x+o[0], y+o[1]
						if i < 0 || j < 0 || i >= b.width || j >= b.height {
							continue
						}
						if e := b.depth[j*b.width+i]; e < d {
							// Differences count up to a hundredth of the distance of the
							// eye: a tower does not blacken all behind it.
							near += min(float64(d-e)/distance, .01)
						}
					}
					sum += ring.weight * near / float64(r)
				}
				light[y*b.width+x] = float32(math.Exp(-strength * 45 * sum))
			}
		}
	})
	return light
}

// resolve makes pixels of samples, in linear light.
func (b *buffer) resolve(c Cloud, light []float32, v View) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, v.Width, v.Height))
	inf := float32(math.Inf(1))
	toLinear := linearTable()
	inParallel(v.Workers, v.Height, func(first, end int) {
		for y := first; y < end; y++ {
			for x := range v.Width {
				var r, g, bl, n float64
				for j := range supersampling {
					for i := range supersampling {
						at := (y*supersampling+j)*b.width + x*supersampling + i
						if b.depth[at] == inf {
							continue
						}
						col := c.Color(int(b.point[at]))
						l := float64(light[at])
						r += toLinear[col.R] * l
						g += toLinear[col.G] * l
						bl += toLinear[col.B] * l
						n++
					}
				}
				if n == 0 {
					continue
				}
				img.SetNRGBA(x, y, color.NRGBA{
					R: toSRGB(r / n), G: toSRGB(g / n), B: toSRGB(bl / n), A: uint8(255*n/(supersampling*supersampling) + .5),
				})
			}
		}
	})
	return img
}

// linearTable maps sRGB to linear light (IEC 61966-2-1).
func linearTable() (t [256]float64) {
	for i := range t {
		v := float64(i) / 255
		if v <= 0.04045 {
			t[i] = v / 12.92
		} else {
			t[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return t
}

func toSRGB(v float64) uint8 {
	if v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return uint8(min(max(v, 0), 1)*255 + .5)
}

func inParallel(workers, n int, fn func(first, end int)) {
	workers = max(1, min(workers, n))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { fn(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
}
