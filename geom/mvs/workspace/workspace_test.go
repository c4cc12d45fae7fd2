package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/mvs"
	"slate360.ai/worker/internal/testdata"
)

const width, height = 160, 120

// slope is the surface that all photos show: z = slope·x in a world where cameras
// look down.
const slope = 0.3

// writeWorkspace makes a workspace of photos of a slope from a row of places.
func writeWorkspace(t *testing.T, dir string, photos int) *colmap.Model {
	t.Helper()
	m := &colmap.Model{Cameras: []colmap.Camera{{ID: 1, Model: "PINHOLE", Width: width, Height: height, Params: []float64{150, 150, width / 2, height / 2}}}}
	for i := range photos {
		pose := camera.LookAt([3]float64{0.8 * float64(i), 0, 6}, [3]float64{0.8 * float64(i), 0.5, 0}, [3]float64{0, 1, 0})
		m.Images = append(m.Images, colmap.Image{ID: 10 + i, Rotation: pose.Quaternion(), Translation: pose.T, CameraID: 1, Name: fmt.Sprintf("flight/%d.jpg", i)})
	}
	for k := range 60 {
		x, y := -0.5+0.1*float64(k%10)*float64(photos), -1+0.4*float64(k/10)
		p := colmap.Point{ID: int64(k + 1), XYZ: [3]float64{x, y, slope * x}}
		for i := range m.Images {
			p.Track = append(p.Track, colmap.Observation{ImageID: 10 + i, Index: len(m.Images[i].Points)})
			m.Images[i].Points = append(m.Images[i].Points, colmap.ImagePoint{X: 1, Y: 1, Point: p.ID})
		}
		m.Points = append(m.Points, p)
	}
	for _, d := range []string{"sparse", "images/flight", "stereo/depth_maps/flight", "stereo/normal_maps/flight", "stereo/consistency_graphs/flight"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.WriteBinary(filepath.Join(dir, "sparse")); err != nil {
		t.Fatal(err)
	}
	var names strings.Builder
	for _, i := range m.Images {
		fmt.Fprintln(&names, i.Name)
		photo(t, filepath.Join(dir, "images", filepath.FromSlash(i.Name)), width, height)
	}
	if err := os.WriteFile(filepath.Join(dir, "stereo", "fusion.cfg"), []byte(names.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return m
}

func photo(t *testing.T, path string, w, h int) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{200, 100, 50, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// truth is the map of the slope.
func truth(v mvs.View) *mvs.Map {
	m := &mvs.Map{Width: width, Height: height, Depth: make([]float32, width*height), Normal: make([]float32, 3*width*height)}
	l := 1 / math.Sqrt(1+slope*slope)
	n := v.Pose.Rotate([3]float64{-slope * l, 0, l})
	c := v.Pose.Center()
	for at := range m.Depth {
		x, y := v.Camera.Direction(float64(at%width)+0.5, float64(at/width)+0.5)
		d := v.Pose.Unrotate([3]float64{x, y, 1})
		m.Depth[at] = float32((slope*c[0] - c[2]) / (d[2] - slope*d[0]))
		for k := range 3 {
			m.Normal[3*at+k] = float32(n[k])
		}
	}
	return m
}

func TestMapsAndPhotos(t *testing.T) {
	dir := t.TempDir()
	writeWorkspace(t, dir, 3)
	w, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if got := w.Views()[1].Neighbors; len(got) != 2 {
		t.Errorf("view 1 has neighbours %v", got)
	}
	if w.Has(0, true) {
		t.Error("there is a map before there is one")
	}
	want := truth(w.Views()[0])
	want.Cost = make([]float32, len(want.Depth))
	want.Cost[5] = 0.5
	if err := w.Store(ctx, 0, true, want); err != nil {
		t.Fatal(err)
	}
	got, err := w.Load(ctx, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Normal {
		if got.Normal[i] != want.Normal[i] || got.Depth[i/3] != want.Depth[i/3] || got.Cost[i/3] != want.Cost[i/3] {
			t.Fatalf("pixel %d differs", i/3)
		}
	}
	if !w.Has(0, true) || w.Has(0, false) || w.Has(1, true) {
		t.Error("which maps are there is wrong")
	}
	rgb, err := w.RGB(ctx, 0)
	if err != nil || len(rgb) != 3*width*height || math.Abs(float64(rgb[0])-200) > 4 || math.Abs(float64(rgb[2])-50) > 4 {
		t.Errorf("colours %v, %v", rgb[:min(3, len(rgb))], err)
	}
	gray, err := w.Gray(ctx, 0)
	if err != nil || len(gray) != width*height || math.Abs(float64(gray[0])-124) > 3 {
		t.Errorf("brightness %v, %v", gray[:min(1, len(gray))], err)
	}
	photo(t, filepath.Join(dir, "images", "flight", "1.jpg"), width+1, height)
	if _, err := w.Gray(ctx, 1); !errors.Is(err, ErrSize) {
		t.Errorf("a photo of another size: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "images", "flight", "2.jpg"), []byte("no photo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Gray(ctx, 2); err == nil || !strings.Contains(err.Error(), "flight/2.jpg") {
		t.Errorf("a broken photo: %v", err)
	}
}

func TestNamesStayInside(t *testing.T) {
	dir := t.TempDir()
	m := writeWorkspace(t, dir, 2)
	for _, name := range []string{"../a.jpg", "/etc/passwd", ""} {
		m.Images[1].Name = name
		if err := m.WriteBinary(filepath.Join(dir, "sparse")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCache(t *testing.T) {
	c := cache{limit: 10}
	for v := range 3 {
		c.put(v, make([]uint8, 4))
		c.get(0)
	}
	if c.get(0) == nil || c.get(1) != nil || c.get(2) == nil || c.used != 8 {
		t.Errorf("the cache keeps %v of %d bytes", c.order, c.used)
	}
	c.put(3, make([]uint8, 11))
	if c.get(3) != nil {
		t.Error("the cache keeps what is too large")
	}
}

// COLMAP fuses our maps to the same surface as we do, and we read its cloud.
func TestCOLMAPFusesOurMaps(t *testing.T) {
	program := testdata.Tool(t, "colmap")
	dir := t.TempDir()
	writeWorkspace(t, dir, 5)
	w, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i, v := range w.Views() {
		if err := w.Store(ctx, i, true, truth(v)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "fused.ply")
	c := exec.CommandContext(ctx, program, "stereo_fusion", "--workspace_path", dir, "--input_type", "geometric", "--output_path", path, "--StereoFusion.min_num_pixels", "3", "--StereoFusion.check_num_images", "5")
	c.Env = append(os.Environ(), "QT_QPA_PLATFORM=offscreen")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("colmap stereo_fusion: %v\n%s", err, out)
	}
	theirs := read(t, path)
	n, err := w.Fuse(ctx, filepath.Join(dir, "ours.ply"), mvs.FuseOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ours := read(t, filepath.Join(dir, "ours.ply"))
	if n != len(ours) {
		t.Errorf("%d points were said to be written, %d were", n, len(ours))
	}
	for name, list := range map[string][]colmap.FusedPoint{"COLMAP": theirs, "ours": ours} {
		t.Logf("%s: %d points", name, len(list))
		if len(list) < width*height/2 {
			t.Errorf("%s: only %d points", name, len(list))
		}
		for _, p := range list {
			if d := p.XYZ[2] - slope*p.XYZ[0]; math.Abs(float64(d)) > 0.01 || p.Normal[2] < 0.9 || p.Normal[0] > -0.2 {
				t.Fatalf("%s: point %v with normal %v is off the slope by %g", name, p.XYZ, p.Normal, d)
			}
			if len(p.Views) < 2 || p.Color[0] < 190 || p.Color[2] > 60 {
				t.Fatalf("%s: point %v is seen by %v, of colour %v", name, p.XYZ, p.Views, p.Color)
			}
		}
	}
}

func read(t *testing.T, path string) (list []colmap.FusedPoint) {
	t.Helper()
	r, err := colmap.OpenFused(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		var p colmap.FusedPoint
		if err := r.Read(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestFuseLeavesNothingAfterAnError(t *testing.T) {
	dir := t.TempDir()
	writeWorkspace(t, dir, 3)
	w, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "fused.ply")
	if _, err := w.Fuse(context.Background(), path, mvs.FuseOptions{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without maps: %v", err)
	}
	for _, p := range []string{path, path + colmap.VisibilitySuffix} {
		if _, err := os.Stat(p); err == nil {
			t.Errorf("%s is left", filepath.Base(p))
		}
	}
}
