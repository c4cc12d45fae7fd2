package photogrammetry

import (
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/photogrammetry/report"
)

// Photos come smaller, and their cameras with them.
func TestViews(t *testing.T) {
	w := newWorld(nadir(1, 2))
	i, err := idealModel(w.model, 2*viewSide)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]report.View
	def := pipeline.Definition{Name: "test", Stages: []pipeline.Stage{
		{Name: "undistort", Outputs: []string{productUndistorted}, Engines: native(func(_ context.Context, s *pipeline.Context) error {
			dir := s.Product(productUndistorted)
			if err := writeWorkspace(dir, i.model); err != nil {
				return err
			}
			for _, img := range i.model.Images {
				c := i.to[img.CameraID]
				photo := image.NewGray(image.Rect(0, 0, c.Width, c.Height))
				for k := range photo.Pix {
					photo.Pix[k] = 90
				}
				if err := writeFile(filepath.Join(dir, denseImages, img.Name), func(f *os.File) error { return jpeg.Encode(f, photo, nil) }); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "report", Inputs: []string{productUndistorted}, Engines: native(func(ctx context.Context, s *pipeline.Context) (err error) {
			s.Publish(job.Output{Type: job.TypeCameras, Path: camerasName})
			if got, err = (&reporter{s: s}).views(ctx); err != nil {
				return err
			}
			return os.WriteFile(s.OutputPath(camerasName), []byte("{}"), 0o600)
		})},
	}}
	out := filepath.Join(t.TempDir(), "out")
	source := write(t, t.TempDir(), "a.jpg", []byte("x"))
	if _, err := pipeline.Run(t.Context(), def, pipeline.Request{Source: source, OutDir: out, Workers: 2, MemoryBudget: 8 << 30, Options: parse(t, "{}")}); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(i.model.Images) {
		t.Fatalf("%d views of %d photos", len(got), len(i.model.Images))
	}
	for _, img := range i.model.Images {
		v, c := got[img.Name], i.to[img.CameraID]
		f, err := os.Open(filepath.Join(out, filepath.FromSlash(v.Path)))
		if err != nil {
			t.Fatal(err)
		}
		photo, err := jpeg.Decode(f)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if photo.Bounds().Dx() != v.Width || photo.Bounds().Dy() != v.Height || max(v.Width, v.Height) != viewSide {
			t.Errorf("%s: %v, and %d × %d", img.Name, photo.Bounds(), v.Width, v.Height)
		}
		if g := color.GrayModel.Convert(photo.At(v.Width/2, v.Height/2)).(color.Gray); g.Y < 88 || g.Y > 92 {
			t.Errorf("%s: grey %d of 90", img.Name, g.Y)
		}
		fx, fy, _, _ := c.Linear()
		if math.Abs(v.Focal[0]/float64(v.Width)-fx/float64(c.Width)) > 1e-9 || math.Abs(v.Focal[1]/float64(v.Height)-fy/float64(c.Height)) > 1e-9 {
			t.Errorf("%s: the angle of view is another: %+v of %+v", img.Name, v, c)
		}
	}
}
