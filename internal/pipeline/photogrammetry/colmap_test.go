package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/testdata"
)

// castle are some photos of the castle, small.
func castle(t *testing.T, n int) string {
	t.Helper()
	testdata.Tool(t, "colmap")
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("100_71%02d.JPG", i)
	}
	return shrunk(t, "photos/sceaux", 708, names...)
}

// front are the stages up to undistorted photos.
var front = []string{"inspect", "features", "matching", "mapping", "align", "undistort"}

// TestRealPhotos goes from photos to a dense workspace with the real COLMAP, and has
// COLMAP read what was made.
func TestRealPhotos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	dir := castle(t, 5)
	write(t, dir, "black.jpg", jpegOf(t, even(708, 532, 1), nil))
	write(t, dir, "stranger.jpg", jpegOf(t, noise(708, 532, 3), nil))
	result, products, err := trial{source: dir, stages: front, options: `{"quality":0.5}`}.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if !warned(result.Warnings, "black.jpg", "black") || !warned(result.Warnings, "1 of 6 photos are not in the model", "stranger.jpg", "more overlap") {
		t.Errorf("warnings: %q", result.Warnings)
	}
	m := &Mapping{}
	if err := readJSON(filepath.Join(products, productMapping), m); err != nil {
		t.Fatal(err)
	}
	if m.Registered != 5 || m.ReprojectionError > 1 || m.Points < 300 || len(m.Unregistered) != 1 {
		t.Errorf("%+v", m)
	}
	list := &Matches{}
	if err := readJSON(filepath.Join(products, productMatchList), list); err != nil {
		t.Fatal(err)
	}
	if list.Possible != 15 || list.Matched != 15 || list.Verified < 4 || len(list.Pairs) != list.Verified {
		t.Errorf("%+v", list)
	}
	checkWorkspace(t, filepath.Join(products, productUndistorted), 5)
}

// checkWorkspace reads a dense workspace: photos of the size of their cameras, and a
// model that COLMAP reads, whose points are where the features are.
func checkWorkspace(t *testing.T, dir string, photos int) {
	t.Helper()
	model, err := colmap.Read(filepath.Join(dir, denseSparse))
	if err != nil {
		t.Fatal(err)
	}
	if len(model.Images) != photos {
		t.Errorf("%d photos", len(model.Images))
	}
	sizes := map[int]colmap.Camera{}
	for _, c := range model.Cameras {
		sizes[c.ID] = c
		if c.Model != "PINHOLE" {
			t.Errorf("camera %d is %s", c.ID, c.Model)
		}
	}
	for _, i := range model.Images {
		f, err := os.Open(filepath.Join(dir, denseImages, i.Name))
		if err != nil {
			t.Fatal(err)
		}
		config, err := jpeg.DecodeConfig(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if c := sizes[i.CameraID]; config.Width != c.Width || config.Height != c.Height {
			t.Errorf("%s is %d × %d, its camera %d × %d", i.Name, config.Width, config.Height, c.Width, c.Height)
		}
	}
	// COLMAP counts errors of reprojection anew.
	program := testdata.Tool(t, "colmap")
	out := analyze(t, program, filepath.Join(dir, denseSparse))
	if !strings.Contains(out, fmt.Sprintf("Registered images: %d", photos)) {
		t.Errorf("COLMAP says:\n%s", out)
	}
	_, after, _ := strings.Cut(out, "Mean reprojection error: ")
	number, _, _ := strings.Cut(after, "px")
	if mean, err := strconv.ParseFloat(number, 64); err != nil || mean <= 0 || mean > 1 {
		t.Errorf("mean error %g: %v", mean, err)
	}
}

// TestFrontResumes stops a run in each stage; the next one goes on from it.
func TestFrontResumes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	dir := castle(t, 3)
	out := filepath.Join(t.TempDir(), "out")
	errStop := errors.New("stopped on purpose")
	var first []string
	for _, at := range []string{"matching", "align", "undistort"} {
		stop := func(context.Context, *pipeline.Context) error { return errStop }
		result, _, err := trial{
			source: dir, out: out, stages: front, options: `{"quality":0.4}`,
			replace: map[string]func(context.Context, *pipeline.Context) error{at: stop},
		}.run(t)
		if !errors.Is(err, errStop) {
			t.Fatalf("stopped at %s: %v", at, err)
		}
		for _, s := range result.Stages {
			if s.Resumed != slices.Contains(first, s.Name) {
				t.Errorf("stopped at %s: stage %s: resumed = %v", at, s.Name, s.Resumed)
			}
			first = append(first, s.Name)
		}
	}
	result, products, err := trial{source: dir, out: out, stages: front, options: `{"quality":0.4}`}.run(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range result.Stages {
		if s.Resumed != (s.Name != "undistort") {
			t.Errorf("stage %s: resumed = %v", s.Name, s.Resumed)
		}
	}
	if _, err := os.Stat(filepath.Join(products, productUndistorted, denseSparse, "images.bin")); err != nil {
		t.Error(err)
	}
	// Another quality is another model; the photos are what they were.
	result, _, err = trial{
		source: dir, out: out, stages: front[:2], options: `{"quality":0.3}`,
	}.run(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range result.Stages {
		if s.Resumed != (s.Name == "inspect") {
			t.Errorf("other quality: stage %s: resumed = %v", s.Name, s.Resumed)
		}
	}
}

// Photos that have nothing in common make no model; the user learns what to do.
func TestNothingInCommon(t *testing.T) {
	testdata.Tool(t, "colmap")
	dir := survey3(t)
	_, _, err := trial{source: dir, stages: front, options: `{"quality":0.3}`}.run(t)
	var bad *pipeline.BadInputError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "share two thirds") {
		t.Errorf("Run = %v", err)
	}
}

// A stage that is stopped ends at once, and leaves no process.
func TestStopAmidFeatures(t *testing.T) {
	dir := castle(t, 3)
	ctx, cancel := context.WithCancelCause(t.Context())
	errStop := errors.New("stopped on purpose")
	def := stages()
	def.Stages = def.Stages[:2]
	find := def.Stages[1].Engines[0].Run
	def.Stages[1].Engines[0].Run = func(stage context.Context, s *pipeline.Context) error {
		cancel(errStop)
		return find(stage, s)
	}
	_, err := pipeline.Run(ctx, def, pipeline.Request{Source: dir, OutDir: filepath.Join(t.TempDir(), "out"), Options: parse(t, "{}"), Workers: 2, MemoryBudget: 4 << 30})
	if !errors.Is(err, errStop) {
		t.Errorf("Run = %v", err)
	}
}
