package undistort_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/undistort"
	"slate360.ai/worker/internal/testdata"
)

// lenses bend inwards and outwards, evenly and not.
func lenses() map[string]camera.Camera {
	return map[string]camera.Camera{
		"barrel":     {Model: camera.SimpleRadial, Width: 640, Height: 480, Params: []float64{520, 320, 240, -0.12}},
		"pincushion": {Model: camera.SimpleRadial, Width: 640, Height: 480, Params: []float64{520, 310, 250, 0.08}},
		"radial":     {Model: camera.Radial, Width: 641, Height: 427, Params: []float64{600, 315.5, 220, -0.15, 0.05}},
		"opencv":     {Model: camera.OpenCV, Width: 640, Height: 480, Params: []float64{530, 525, 322, 236, -0.1, 0.02, 0.002, -0.003}},
	}
}

// scenery is smooth enough for interpolations to agree, and has detail.
func scenery(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			u, v := float64(x), float64(y)
			img.SetRGBA(x, y, color.RGBA{
				uint8(128 + 60*math.Sin(u/9)*math.Cos(v/13) + 60*math.Sin((u+v)/40)),
				uint8(128 + 100*math.Sin(u/21+v/17)), uint8(128 + 100*math.Cos(v/11)), 255,
			})
		}
	}
	return img
}

// workspaceOf has COLMAP undistort one photo.
func workspaceOf(t *testing.T, c camera.Camera, img image.Image, maxSide string) string {
	t.Helper()
	program := testdata.Tool(t, "colmap")
	dir := t.TempDir()
	for _, d := range []string{"images", "model"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "images", "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
		t.Fatal(err)
	}
	m := colmap.Model{
		Cameras: []colmap.Camera{{ID: 1, Model: string(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}},
		Images:  []colmap.Image{{ID: 1, CameraID: 1, Name: "a.png", Rotation: [4]float64{1, 0, 0, 0}}},
	}
	if err := m.WriteBinary(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "image_undistorter", "--image_path", filepath.Join(dir, "images"), "--input_path", filepath.Join(dir, "model"),
		"--output_path", filepath.Join(dir, "dense"), "--max_image_size", maxSide)
	cmd.Env = append(os.Environ(), "QT_QPA_PLATFORM=offscreen")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "dense")
}

// Size and parameters are COLMAP's; pixels differ by how they are interpolated.
func TestAgainstCOLMAP(t *testing.T) {
	for name, c := range lenses() {
		for _, side := range []struct {
			text string
			most int
			psnr float64 // brightness, in dB
		}{{"-1", 0, 44}, {"300", 300, 38}} {
			t.Run(name+side.text, func(t *testing.T) {
				img := scenery(c.Width, c.Height)
				dense := workspaceOf(t, c, img, side.text)
				m, err := colmap.Read(filepath.Join(dense, "sparse"))
				if err != nil {
					t.Fatal(err)
				}
				want := m.Cameras[0]
				to, err := undistort.Camera(c, side.most)
				if err != nil {
					t.Fatal(err)
				}
				if to.Width != want.Width || to.Height != want.Height {
					t.Fatalf("%d × %d, COLMAP %d × %d", to.Width, to.Height, want.Width, want.Height)
				}
				for i, p := range to.Params {
					if math.Abs(p-want.Params[i]) > 1e-3 {
						t.Errorf("parameter %d: %g, COLMAP %g", i, p, want.Params[i])
					}
				}
				f, err := os.Open(filepath.Join(dense, "images", "a.png"))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				theirs, err := png.Decode(f)
				if err != nil {
					t.Fatal(err)
				}
				ours, err := undistort.Image(t.Context(), img, c, to)
				if err != nil {
					t.Fatal(err)
				}
				if got := psnr(ours, theirs); got < side.psnr {
					t.Errorf("brightness agrees to %.1f dB", got)
				} else {
					t.Logf("%.1f dB", got)
				}
			})
		}
	}
}

func psnr(a, b image.Image) float64 {
	var sum float64
	r := a.Bounds()
	for y := range r.Dy() {
		for x := range r.Dx() {
			p := color.GrayModel.Convert(a.At(x, y)).(color.Gray).Y
			q := color.GrayModel.Convert(b.At(x, y)).(color.Gray).Y
			sum += (float64(p) - float64(q)) * (float64(p) - float64(q))
		}
	}
	return 10 * math.Log10(255*255*float64(r.Dx()*r.Dy())/sum)
}

// Without distortion and at its own size a photo stays what it is.
func TestIdentity(t *testing.T) {
	c := camera.NewPinhole(64, 48, 60, 60, 32, 24)
	src := image.NewYCbCr(image.Rect(0, 0, 64, 48), image.YCbCrSubsampleRatio420)
	for i := range src.Y {
		src.Y[i] = uint8(i * 7)
	}
	for i := range src.Cb {
		src.Cb[i], src.Cr[i] = uint8(i*3), uint8(i*5)
	}
	to, err := undistort.Camera(c, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, err := undistort.Image(t.Context(), src, c, to)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src.Y {
		if out.Y[i] != src.Y[i] {
			t.Fatalf("brightness %d: %d, want %d", i, out.Y[i], src.Y[i])
		}
	}
	for i := range src.Cb {
		if out.Cb[i] != src.Cb[i] || out.Cr[i] != src.Cr[i] {
			t.Fatalf("colour %d differs", i)
		}
	}
}

// Grey, and kinds that need converting, come out alike.
func TestKindsOfPhotos(t *testing.T) {
	c := lenses()["barrel"]
	rgba := scenery(c.Width, c.Height)
	nrgba, gray := image.NewNRGBA(rgba.Rect), image.NewGray(rgba.Rect)
	copy(nrgba.Pix, rgba.Pix)
	for y := range c.Height {
		for x := range c.Width {
			gray.Set(x, y, rgba.At(x, y))
		}
	}
	to, err := undistort.Camera(c, 320)
	if err != nil {
		t.Fatal(err)
	}
	want, err := undistort.Image(t.Context(), rgba, c, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range []image.Image{nrgba, gray} {
		got, err := undistort.Image(t.Context(), img, c, to)
		if err != nil {
			t.Fatal(err)
		}
		if p := psnr(got, want); p < 50 && !math.IsInf(p, 1) {
			t.Errorf("%T: %.1f dB", img, p)
		}
	}
}

func TestErrors(t *testing.T) {
	c := lenses()["barrel"]
	to, err := undistort.Camera(c, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := undistort.Image(t.Context(), scenery(10, 10), c, to); err == nil || !strings.Contains(err.Error(), "10 × 10") {
		t.Errorf("wrong size: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := undistort.Image(ctx, scenery(c.Width, c.Height), c, to); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := undistort.Camera(camera.Camera{Model: "FOV", Width: 3, Height: 3}, 0); !errors.Is(err, camera.ErrModel) {
		t.Errorf("unknown model: %v", err)
	}
}

func BenchmarkImage(b *testing.B) {
	c := camera.Camera{Model: camera.SimpleRadial, Width: 4000, Height: 3000, Params: []float64{3000, 2000, 1500, -0.05}}
	src := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	to, err := undistort.Camera(c, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(to.Width * to.Height))
	for b.Loop() {
		if _, err := undistort.Image(b.Context(), src, c, to); err != nil {
			b.Fatal(err)
		}
	}
}
