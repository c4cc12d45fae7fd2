package photogrammetry

import (
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"

	"slate360.ai/worker/geom/mvs/workspace"
	"slate360.ai/worker/internal/pipeline/photogrammetry/report"
)

// Photos for the viewer: their folder, their longest side in pixels, and the quality
// of JPEG. One is about 150 kB.
const (
	viewFolder  = "photos"
	viewSide    = 1280
	viewQuality = 78
)

// views writes the photos without distortion, made smaller, and returns what they are,
// by the names of the model.
func (r *reporter) views(ctx context.Context) (map[string]report.View, error) {
	w, err := workspace.Open(r.s.Product(productUndistorted), workspace.Options{Side: viewSide})
	if err != nil {
		return nil, err
	}
	list := make(map[string]report.View, len(w.Views()))
	for i := range w.Views() {
		c := &w.Views()[i].Camera
		pixels, err := w.RGB(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("photo %s: %w", w.Name(i), err)
		}
		// Names of photos may be anything.
		path := fmt.Sprintf("%s/%05d.jpg", viewFolder, i)
		if err := writeFile(r.s.OutputPath(path), func(f *os.File) error {
			return jpeg.Encode(f, opaque(pixels, c.Width, c.Height), &jpeg.Options{Quality: viewQuality})
		}); err != nil {
			return nil, err
		}
		v := report.View{Path: path, Width: c.Width, Height: c.Height}
		v.Focal[0], v.Focal[1], v.Center[0], v.Center[1] = c.Linear()
		list[w.Name(i)] = v
		r.s.Progress(float64(i+1), float64(len(w.Views())))
	}
	return list, nil
}

// opaque is a picture of red, green, blue.
func opaque(rgb []byte, width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = rgb[3*i], rgb[3*i+1], rgb[3*i+2], 255
	}
	return img
}
