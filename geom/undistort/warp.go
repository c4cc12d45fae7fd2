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
	fx, fy, cx, cy := to.Linear()
	n := samplesFor(from, to, sx, sy)
	step := 1 / float64(n)
	for y := range dst.h {
		if y%16 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row := dst.pix[y*dst.stride : y*dst.stride+dst.w]
		for x := range row {
			if n == 1 {
				u, v := from.Pixel((float64(x)+0.5-cx)/fx, (float64(y)+0.5-cy)/fy)
				row[x] = src.cubic(u*sx-0.5, v*sy-0.5)
				continue
			}
			var sum float64
			for j := range n {
				dy := (float64(y) + (float64(j)+0.5)*step - cy) / fy
				for i := range n {
					u, v := from.Pixel((float64(x)+(float64(i)+0.5)*step-cx)/fx, dy)
					sum += src.linear(u*sx-0.5, v*sy-0.5)
				}
			}
			row[x] = uint8(sum*step*step + 0.5)
		}
	}
	return nil
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
	x0, y0 := math.Floor(x), math.Floor(y)
	if !(x0 >= 1 && y0 >= 1 && x0 < float64(l.w-2) && y0 < float64(l.h-2)) {
		return uint8(l.linear(x, y) + 0.5)
	}
	wx, wy := weights(x-x0), weights(y-y0)
	at := (int(y0)-1)*l.stride + int(x0) - 1
	var sum float64
	for j := range 4 {
		p := (*[4]uint8)(l.pix[at+j*l.stride:])
		sum += wy[j] * (wx[0]*float64(p[0]) + wx[1]*float64(p[1]) + wx[2]*float64(p[2]) + wx[3]*float64(p[3]))
	}
	return uint8(max(0, min(255, sum+0.5)))
}

func weights(t float64) [4]float64 {
	return [4]float64{
		t * (-0.5 + t*(1-0.5*t)),
		1 + t*t*(1.5*t-2.5),
		t * (0.5 + t*(2-1.5*t)),
		t * t * (0.5*t - 0.5),
	}
}
