package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Sizes that features are found at.
const (
	// leastSide and mostSide bound the long side of photos for features, in pixels;
	// the most is COLMAP's own default.
	leastSide, mostSide = 640, 3200
	// mostFeatures of a photo at mostSide.
	mostFeatures = 8192
	leastFeature = 2048
)

// featureSide is the long side that photos are scaled down to for features: it
// doubles with each third of quality.
func featureSide(o job.Options) int {
	return int(max(leastSide, min(mostSide, 400*math.Pow(8, o.Quality))))
}

// featureCount is how many features are kept of a photo: matching takes time with
// the square of it.
func featureCount(o job.Options) int {
	return max(leastFeature, mostFeatures*featureSide(o)/mostSide)
}

// siftBytes is what SIFT on a processor takes, in bytes a pixel of the scaled photo:
// it doubles the photo and keeps the levels of the largest octave, in 32 bits.
// Measured with COLMAP 3.8, rounded up.
const siftBytes = 330

// extraction is how features are found within the memory there is.
type extraction struct {
	side, count, threads int
	warning              string
}

// planExtraction lowers first the threads, then the size.
func planExtraction(photos []Photo, o job.Options, workers int, budget int64, gpu bool) extraction {
	e := extraction{side: featureSide(o), count: featureCount(o), threads: workers}
	if gpu {
		return e
	}
	budget = budget * 9 / 10
	for e.threads > 1 && siftMemory(photos, e.side)*int64(e.threads) > budget {
		e.threads--
	}
	full := e.side
	for e.side > leastSide && siftMemory(photos, e.side) > budget {
		e.side = e.side * 9 / 10
	}
	if e.side < full {
		e.warning = fmt.Sprintf("features are found at %d instead of %d pixels, to fit the memory budget of %s", e.side, full, format.Bytes(budget*10/9))
	}
	return e
}

// siftMemory is that of the largest photo: what decoding takes, and what SIFT does.
func siftMemory(photos []Photo, side int) int64 {
	var most int64
	for _, p := range photos {
		full := int64(p.Width) * int64(p.Height)
		scale := min(1, float64(side)/float64(max(p.Width, p.Height)))
		most = max(most, int64(float64(full)*scale*scale*siftBytes)+full*6)
	}
	return most
}

// featureMemory estimates the peak of the stage.
func featureMemory(s *pipeline.Context) int64 {
	p, err := readPhotos(s)
	if err != nil {
		return 1 << 30 // a guess for plans: the photos were not looked at yet
	}
	e := planExtraction(p.used(), s.Options(), s.Workers(), s.MemoryBudget(), false)
	return siftMemory(p.used(), e.side) * int64(e.threads)
}

// databaseBytes is what a feature takes in the database.
const databaseBytes = 128 + 6*4

// runFeatures finds features with COLMAP. It runs once for each camera, so that each
// gets its own prior, and one camera for all its photos.
func runFeatures(ctx context.Context, s *pipeline.Context) error {
	photos, err := readPhotos(s)
	if err != nil {
		return err
	}
	used := photos.used()
	c, err := openCOLMAP(ctx, s)
	if err != nil {
		return err
	}
	e := planExtraction(used, s.Options(), s.Workers(), s.MemoryBudget(), c.cuda)
	if e.warning != "" {
		s.Warn("%s", e.warning)
	}
	// Without a bound on levels SIFT on a processor keeps up to twice as many.
	need := int64(len(used)) * int64(2*e.count) * databaseBytes * 2
	if free := host.FreeDisk(filepath.Dir(s.Product(productFeatures))); free >= 0 && free < need {
		return &pipeline.ConfigError{
			Err:  fmt.Errorf("features and matches of %d photos need about %s of disk, %s are free", len(used), format.Bytes(need), format.Bytes(free)),
			Hint: "make room, or choose another result folder with --out",
		}
	}
	dir, err := linkPhotos(s, used)
	if err != nil {
		return err
	}
	done := 0
	for g := range photos.Cameras {
		var group []Photo
		for _, p := range used {
			if p.Camera == g {
				group = append(group, p)
			}
		}
		if len(group) == 0 {
			continue
		}
		if err := c.extract(ctx, s, photos.Cameras[g], group, dir, e, func(n int) { s.Progress(float64(done+n), float64(len(used))) }); err != nil {
			return fmt.Errorf("find features: %w", err)
		}
		done += len(group)
	}
	return finishFeatures(ctx, s.Product(productFeatures), e.count)
}

// finishFeatures keeps the largest features, and makes the database one file.
func finishFeatures(ctx context.Context, path string, most int) error {
	d, err := openDatabase(path)
	if err != nil {
		return err
	}
	err = errors.Join(d.trim(ctx, most), d.Close())
	if err != nil {
		return err
	}
	return checkpointDatabase(ctx, path)
}

// extract finds the features of the photos of one camera.
func (c *colmapProgram) extract(ctx context.Context, s *pipeline.Context, g CameraGroup, group []Photo, dir string, e extraction, progress func(n int)) error {
	list, err := nameList(s, group)
	if err != nil {
		return err
	}
	options := []option{
		opt(s.Product(productFeatures), "database_path"),
		opt(dir, "image_path"),
		opt(list, "image_list_path"),
		opt("SIMPLE_RADIAL", "ImageReader.camera_model"),
		opt(1, "ImageReader.single_camera"),
		opt(c.gpu(), "FeatureExtraction.use_gpu", "SiftExtraction.use_gpu"),
		opt(e.threads, "FeatureExtraction.num_threads", "SiftExtraction.num_threads"),
		opt(e.side, "FeatureExtraction.max_image_size", "SiftExtraction.max_image_size"),
		opt(e.count, "SiftExtraction.max_num_features"),
	}
	if g.FocalPixels > 0 {
		params := fmt.Sprintf("%.3f,%g,%g,0", g.FocalPixels, float64(g.Width)/2, float64(g.Height)/2)
		options = append(options, opt(params, "ImageReader.camera_params"))
	}
	for _, p := range group {
		if p.Mask != "" {
			options = append(options, opt(s.Product(productMasks), "ImageReader.mask_path"))
			break
		}
	}
	return explainMemory(c.run(ctx, "feature_extractor", options, func(line string) {
		if done, _, ok := countOf(line); ok && strings.Contains(line, "Processed file") {
			progress(done)
		}
	}))
}

// explainMemory says what to do where the system has killed COLMAP.
func explainMemory(err error) error {
	var exit *engine.ExitError
	if errors.As(err, &exit) && (exit.State == "signal: killed" || strings.Contains(strings.Join(exit.Tail, " "), "bad_alloc")) {
		return &pipeline.ConfigError{Err: err, Hint: "it ran out of memory: set a smaller --memory, so that fewer photos are worked on at once, or a lower quality"}
	}
	return err
}

// nameList writes the names of photos into a file, one a line.
func nameList(s *pipeline.Context, photos []Photo) (string, error) {
	scratch, err := s.TempDir()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range photos {
		b.WriteString(p.Name + "\n")
	}
	path := filepath.Join(scratch, "names.txt")
	return path, os.WriteFile(path, []byte(b.String()), 0o666)
}
