package undistort

import (
	"context"
	"image"
	"image/color"
	"math"

	"slate360.ai/worker/geom/camera"
)

// convert turns a photo of any kind into channels of full size.
func convert(ctx context.Context, photo image.Image) (l [3]layer, err error) {
	b := photo.Bounds()
	w, h := b.Dx(), b.Dy()
	for i := range l {
		l[i] = layer{make([]uint8, w*h), w, w, h}
	}
	rgba, _ := photo.(*image.RGBA)
	for y := range h {
		if y%64 == 0 && ctx.Err() != nil {
			return l, context.Cause(ctx)
		}
		for x := range w {
			var r, g, bl uint8
			if rgba != nil {
				p := rgba.Pix[rgba.PixOffset(b.Min.X+x, b.Min.Y+y):]
				r, g, bl = p[0], p[1], p[2]
			} else {
				c := color.RGBAModel.Convert(photo.At(b.Min.X+x, b.Min.Y+y)).(color.RGBA)
				r, g, bl = c.R, c.G, c.B
			}
			i := y*w + x
			l[0].pix[i], l[1].pix[i], l[2].pix[i] = color.RGBToYCbCr(r, g, bl)
		}
	}
	return l, nil
}

// warp samples src, a channel of a photo of the camera from in any size, for each pixel
// of dst, which the camera to sees.
func warp(ctx context.Context, src, dst layer, from, to camera.Camera) error {
	sx, sy := float64(src.w)/float64(from.Width), float64(src.h)/float64(from.Height)
	n := samplesFor(from, to, sx, sy)
	r := newRow(from, to, dst.w*n, n)
	sums := make([]float64, dst.w)
	for y := range dst.h {
		if y%16 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row := dst.pix[y*dst.stride : y*dst.stride+dst.w]
		if n == 1 {
			r.trace(float64(y)+0.5, sx, sy)
			for x := range row {
				row[x] = src.cubic(r.u[x], r.v[x])
			}
			continue
		}
		clear(sums)
		for j := range n {
			r.trace(float64(y)+(float64(j)+0.5)/float64(n), sx, sy)
			for x := range sums {
				for i := x * n; i < (x+1)*n; i++ {
					sums[x] += src.linear(r.u[i], r.v[i])
				}
			}
		}
		for x, sum := range sums {
			row[x] = uint8(sum/float64(n*n) + 0.5)
		}
	}
	return nil
}

// row holds where the samples of a row lie in a channel of the photo.
type row struct {
	from           camera.Camera
	fx, fy, cx, cy float64 // of the ideal camera
	step           float64 // pixels between samples
	u, v           []float64
}

// traced is the distance of samples whose place is worked out; those between lie on
// straight lines, which is good to a hundredth of a pixel for the worst of lenses.
const traced = 8

func newRow(from, to camera.Camera, samples, n int) *row {
	r := &row{from: from, step: 1 / float64(n), u: make([]float64, samples), v: make([]float64, samples)}
	r.fx, r.fy, r.cx, r.cy = to.Linear()
	return r
}

// trace fills in u and v, in pixels of the channel from the middle of its first.
func (r *row) trace(y, sx, sy float64) {
	dy := (y - r.cy) / r.fy
	at := func(i int) (float64, float64) {
		u, v := r.from.Pixel(((float64(i)+0.5)*r.step-r.cx)/r.fx, dy)
		return u*sx - 0.5, v*sy - 0.5
	}
	u0, v0 := at(0)
	for i := 0; i < len(r.u); i += traced {
		u1, v1 := at(i + traced)
		du, dv := (u1-u0)/traced, (v1-v0)/traced
		end := min(i+traced, len(r.u))
		us, vs := r.u[i:end], r.v[i:end]
		for k := range us {
			us[k], vs[k] = u0+du*float64(k), v0+dv*float64(k)
		}
		u0, v0 = u1, v1
	}
}

// samplesFor is how many samples along an axis a pixel of the result needs: as many
// pixels of the source as it covers.
func samplesFor(from, to camera.Camera, sx, sy float64) int {
	ffx, ffy, _, _ := from.Linear()
	tfx, tfy, _, _ := to.Linear()
	const slack = 1.2 // up to which a single sample does
	covers := max(ffx*sx/tfx, ffy*sy/tfy)
	if covers <= slack {
		return 1
	}
	return min(maxSamples, int(math.Ceil(covers)))
}

// linear is bilinear, in pixels counted from the middle of the first. Beyond the edge
// the outermost pixels go on.
func (l *layer) linear(x, y float64) float64 {
	x, y = max(0, min(float64(l.w-1), x)), max(0, min(float64(l.h-1), y))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, l.w-1), min(y0+1, l.h-1)
	a, b := x-float64(x0), y-float64(y0)
	p, q := l.pix[y0*l.stride:], l.pix[y1*l.stride:]
	top := float64(p[x0]) + a*(float64(p[x1])-float64(p[x0]))
	bottom := float64(q[x0]) + a*(float64(q[x1])-float64(q[x0]))
	return top + b*(bottom-top)
}

// cubic is Catmull-Rom's bicubic interpolation.
func (l *layer) cubic(x, y float64) uint8 {
	if !(x >= 1 && y >= 1 && x < float64(l.w-2) && y < float64(l.h-2)) {
		return uint8(l.linear(x, y) + 0.5)
	}
	x0, y0 := int(x), int(y)
	wx, wy := weights(float32(x-float64(x0))), weights(float32(y-float64(y0)))
	at := (y0-1)*l.stride + x0 - 1
	p0 := (*[4]uint8)(l.pix[at:])
	p1 := (*[4]uint8)(l.pix[at+l.stride:])
	p2 := (*[4]uint8)(l.pix[at+2*l.stride:])
	p3 := (*[4]uint8)(l.pix[at+3*l.stride:])
	sum := wy[0]*along(p0, &wx) + wy[1]*along(p1, &wx) + wy[2]*along(p2, &wx) + wy[3]*along(p3, &wx)
	return uint8(max(0, min(255, sum+0.5)))
}

func along(p *[4]uint8, w *[4]float32) float32 {
	return w[0]*float32(p[0]) + w[1]*float32(p[1]) + w[2]*float32(p[2]) + w[3]*float32(p[3])
}

func weights(t float32) [4]float32 {
	return [4]float32{
		t * (-0.5 + t*(1-0.5*t)),
		1 + t*t*(1.5*t-2.5),
		t * (0.5 + t*(2-1.5*t)),
		t * t * (0.5*t - 0.5),
	}
}
