package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/pipeline"
)

// Frames taken out of a video.
const (
	// mostFrames of one video, and how many a second where that is fewer.
	mostFrames      = 300
	framesPerSecond = 2.0
	// candidates are the frames looked at for each that is taken: the sharpest is.
	candidates = 3
)

var durationPattern = regexp.MustCompile(`Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)`)

// video takes frames out of a video by ffmpeg, evenly over its length, of each
// stretch the sharpest, and returns their names.
func (c *converter) video(ctx context.Context, path, file string) ([]string, error) {
	if _, err := engine.Find("ffmpeg"); err != nil {
		return nil, pipeline.BadInput(fmt.Errorf("%s is a video, and ffmpeg, which takes photos out of videos, is not installed here", file),
			"install ffmpeg, or upload photos")
	}
	seconds, err := duration(ctx, path)
	if err != nil {
		return nil, err
	}
	rate := min(framesPerSecond, mostFrames/max(seconds, 1)) * candidates
	dir := filepath.Join(c.scratch, safeName(file))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	_, err = engine.Command{
		Name: "ffmpeg", MemoryLimit: converterMemory,
		Args: []string{
			"-v", "error", "-nostdin", "-y", "-i", path, "-an", "-vf", "fps=" + strconv.FormatFloat(rate, 'f', 6, 64),
			"-frames:v", strconv.Itoa(mostFrames * candidates), "-q:v", "2", filepath.Join(dir, "%06d.jpg"),
		},
		OnLine: func(line string) { c.log.Debug(line, "engine", "ffmpeg") },
	}.Run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, pipeline.BadInput(fmt.Errorf("take frames out of %s: %w", file, err), "is it a whole video?")
	}
	return c.sharpest(ctx, dir, strings.TrimSuffix(safeName(file), filepath.Ext(file)))
}

// duration asks ffmpeg for the length of a video, in seconds. Without an output it
// fails after printing it.
func duration(ctx context.Context, path string) (float64, error) {
	seconds := math.NaN()
	_, err := engine.Command{Name: "ffmpeg", MemoryLimit: converterMemory, Args: []string{"-nostdin", "-hide_banner", "-i", path}, OnLine: func(line string) {
		if m := durationPattern.FindStringSubmatch(line); m != nil {
			h, _ := strconv.ParseFloat(m[1], 64)
			min, _ := strconv.ParseFloat(m[2], 64)
			s, _ := strconv.ParseFloat(m[3], 64)
			seconds = h*3600 + min*60 + s
		}
	}}.Run(ctx)
	var exit *engine.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if math.IsNaN(seconds) {
		return 0, pipeline.BadInput(errors.New("ffmpeg cannot tell how long the video is"), "is it a whole video?")
	}
	return seconds, nil
}

// sharpest moves the sharpest of each few frames in dir to the copies.
func (c *converter) sharpest(ctx context.Context, dir, stem string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var names []string
	for chunk := range slices.Chunk(files, candidates) {
		best, most := "", -1.0
		for _, f := range chunk {
			it := item{path: f}
			if _, err := it.readHeader(); err != nil {
				continue
			}
			img, err := decode(ctx, f, it.meta)
			if err != nil {
				if ctx.Err() != nil {
					return nil, err
				}
				continue
			}
			if s := sharpness(grey(img, lookSide)); s > most {
				best, most = f, s
			}
		}
		if best == "" {
			continue
		}
		name := fmt.Sprintf("%s_%05d.jpg", stem, len(names)+1)
		if err := os.Rename(best, filepath.Join(c.dir, name)); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
