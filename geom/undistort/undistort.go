// Package undistort resamples photos as an ideal pinhole camera would have taken them.
//
// The size of the result follows COLMAP's image_undistorter without blank pixels: it
// is cropped to what the photo covers, each axis by itself, with focal length and
// principal point kept.
package undistort

import (
	"context"
	"fmt"
	"image"
	"math"

	"slate360.ai/worker/geom/camera"
)

// Bounds of how much an axis is cropped or grown, as COLMAP has them.
const leastScale, mostScale = 0.2, 2.0

// Camera returns the pinhole camera of the undistorted photo, whose long side is at
// most maxSide pixels; 0 is no bound.
func Camera(c camera.Camera, maxSide int) (camera.Camera, error) {
	if err := c.Check(); err != nil {
		return camera.Camera{}, err
	}
	out := c.Undistorted()
	if c.Distorted() {
		x, y := cropped(c, out)
		fx, fy, cx, cy := out.Linear()
		w, h := max(1, int(x*float64(c.Width))), max(1, int(y*float64(c.Height)))
		out = camera.NewPinhole(w, h, fx, fy, cx*float64(w)/float64(c.Width), cy*float64(h)/float64(c.Height))
	}
	if long := max(out.Width, out.Height); maxSide > 0 && long > maxSide {
		s := float64(maxSide) / float64(long)
		out = out.Scaled(max(1, int(math.Round(s*float64(out.Width)))), max(1, int(math.Round(s*float64(out.Height)))))
	}
	return out, out.Check()
}

// cropped returns by how much each axis is scaled so that the borders of the photo,
// freed of distortion, lie outside.
func cropped(c, ideal camera.Camera) (x, y float64) {
	_, _, cx, cy := ideal.Linear()
	w, h := float64(c.Width), float64(c.Height)
	left, right, top, bottom := math.Inf(-1), math.Inf(1), math.Inf(-1), math.Inf(1)
	at := func(u, v float64) (float64, float64) { return ideal.Pixel(c.Direction(u, v)) }
	for i := range c.Height {
		u, _ := at(0.5, float64(i)+0.5)
		left = max(left, u)
		u, _ = at(w-0.5, float64(i)+0.5)
		right = min(right, u)
	}
	for i := range c.Width {
		_, v := at(float64(i)+0.5, 0.5)
		top = max(top, v)
		_, v = at(float64(i)+0.5, h-0.5)
		bottom = min(bottom, v)
	}
	bounded := func(s float64) float64 {
		if !(s > 0) {
			return mostScale
		}
		return max(leastScale, min(mostScale, 1/s))
	}
	return bounded(max(cx/(cx-left), (w-0.5-cx)/(right-cx))), bounded(max(cy/(cy-top), (h-0.5-cy)/(bottom-cy)))
}

// maxSamples bounds the samples a pixel along each axis when photos become smaller.
const maxSamples = 8

// Image resamples a photo of the camera from as the camera to sees it: bicubic
// (Catmull-Rom), or the mean of bilinear samples where it becomes smaller. Brightness
// and colour are sampled as JPEG stores them. It ends soon after ctx is done.
func Image(ctx context.Context, photo image.Image, from, to camera.Camera) (*image.YCbCr, error) {
	b := photo.Bounds()
	if b.Dx() != from.Width || b.Dy() != from.Height {
		return nil, fmt.Errorf("undistort: a photo of %d × %d pixels for a camera of %d × %d", b.Dx(), b.Dy(), from.Width, from.Height)
	}
	src, err := planes(ctx, photo)
	if err != nil {
		return nil, err
	}
	out := image.NewYCbCr(image.Rect(0, 0, to.Width, to.Height), image.YCbCrSubsampleRatio420)
	y := layer{out.Y, out.YStride, to.Width, to.Height}
	if err := warp(ctx, src[0], y, from, to); err != nil {
		return nil, err
	}
	w, h := (to.Width+1)/2, (to.Height+1)/2
	if src[1].pix == nil { // grey
		fill(out.Cb, 128)
		fill(out.Cr, 128)
		return out, nil
	}
	// Colour has half the pixels: pixel i of it lies over 2i and 2i+1.
	half := to
	half.Params = append([]float64{}, to.Params...)
	for i := range half.Params {
		half.Params[i] /= 2
	}
	half.Width, half.Height = w, h
	if err := warp(ctx, src[1], layer{out.Cb, out.CStride, w, h}, from, half); err != nil {
		return nil, err
	}
	return out, warp(ctx, src[2], layer{out.Cr, out.CStride, w, h}, from, half)
}

func fill(p []uint8, v uint8) {
	for i := range p {
		p[i] = v
	}
}

// layer is one channel of a photo.
type layer struct {
	pix          []uint8
	stride, w, h int
}

// planes returns brightness and the two channels of colour; these are without pixels
// for grey photos.
func planes(ctx context.Context, photo image.Image) (l [3]layer, err error) {
	switch m := photo.(type) {
	case *image.YCbCr:
		if m.Rect.Min == (image.Point{}) {
			cw, ch := chroma(m.SubsampleRatio, m.Rect.Dx(), m.Rect.Dy())
			return [3]layer{
				{m.Y, m.YStride, m.Rect.Dx(), m.Rect.Dy()}, {m.Cb, m.CStride, cw, ch}, {m.Cr, m.CStride, cw, ch},
			}, nil
		}
	case *image.Gray:
		b := m.Rect
		l[0] = layer{m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], m.Stride, b.Dx(), b.Dy()}
		return l, nil
	}
	return convert(ctx, photo)
}

func chroma(r image.YCbCrSubsampleRatio, w, h int) (int, int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return (w + 1) / 2, h
	case image.YCbCrSubsampleRatio420:
		return (w + 1) / 2, (h + 1) / 2
	case image.YCbCrSubsampleRatio440:
		return w, (h + 1) / 2
	case image.YCbCrSubsampleRatio411:
		return (w + 3) / 4, h
	case image.YCbCrSubsampleRatio410:
		return (w + 3) / 4, (h + 1) / 2
	}
	return w, h
}
