// Package thumbnail puts a rendered model on a background and writes it as PNG and
// WebP, for lists and previews.
package thumbnail

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"

	"github.com/HugoSmits86/nativewebp"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Width and Height of thumbnails in pixels.
const (
	Width  = 1024
	Height = 768
)

// Publish writes thumbnail.png and thumbnail.webp and registers both. The picture
// may be transparent.
func Publish(s *pipeline.Context, picture *image.NRGBA) error {
	img := onBackground(picture)
	for _, f := range []struct {
		name   string
		encode func(w io.Writer) error
	}{
		{"thumbnail.png", func(w io.Writer) error { return png.Encode(w, img) }},
		{"thumbnail.webp", func(w io.Writer) error { return nativewebp.Encode(w, img, nil) }},
	} {
		if err := write(s.OutputPath(f.name), f.encode); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		b := img.Bounds()
		s.Publish(job.Output{Type: job.TypeThumbnail, Path: f.name, Width: int64(b.Dx()), Height: int64(b.Dy())})
	}
	return nil
}

func write(path string, encode func(w io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := encode(f); err != nil {
		return err
	}
	return f.Close()
}

// onBackground lays a picture over a soft gradient, light above, so that it looks
// the same on light and dark pages.
func onBackground(p *image.NRGBA) *image.NRGBA {
	b := p.Bounds()
	out := image.NewNRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		t := float64(y-b.Min.Y) / float64(max(1, b.Dy()-1))
		ground := [3]float64{246 - 34*t, 248 - 32*t, 250 - 28*t}
		for x := b.Min.X; x < b.Max.X; x++ {
			c := p.NRGBAAt(x, y)
			a := float64(c.A) / 255
			mix := func(v uint8, g float64) uint8 { return uint8(float64(v)*a + g*(1-a) + .5) }
			out.SetNRGBA(x, y, color.NRGBA{mix(c.R, ground[0]), mix(c.G, ground[1]), mix(c.B, ground[2]), 255})
		}
	}
	return out
}
