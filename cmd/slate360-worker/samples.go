package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"slate360.ai/worker/internal/cli"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/sample/survey"
)

// samples are the synthetic inputs that `sample` can write.
func samples() []cli.Sample {
	return []cli.Sample{
		{
			Kind:  "pointcloud",
			Short: "An airborne laser scan of terrain, buildings and trees, with the class of every point",
			Flags: pointcloudSample,
		},
		{
			Kind:  "photos",
			Short: "Drone photos of a site, with true poses, surface, orthophoto and control points",
			Flags: photosSample,
		},
	}
}

func pointcloudSample(flags *pflag.FlagSet) func(ctx context.Context, dir string, w io.Writer) error {
	p := sample.Params{Workers: runtime.GOMAXPROCS(0)}
	flags.IntVar(&p.Points, "points", sample.DefaultPoints, "about how many points to make")
	flags.Uint64Var(&p.Seed, "seed", 1, "which scene to make; the same seed gives the same file")
	return func(ctx context.Context, dir string, w io.Writer) error {
		truth, err := sample.Pointcloud(ctx, dir, p)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s: %s points in %d strips\n%s: the class of every kind, counted\n",
			filepath.Join(dir, "scan.laz"), format.Count(int64(truth.Points)), truth.Strips, filepath.Join(dir, "truth.json"))
		return err
	}
}

func photosSample(flags *pflag.FlagSet) func(ctx context.Context, dir string, w io.Writer) error {
	p := survey.DefaultParams()
	p.Workers = runtime.GOMAXPROCS(0)
	flags.IntVar(&p.Photos, "photos", p.Photos, "how many photos to take")
	flags.IntVar(&p.Oblique, "oblique", p.Oblique, "how many of them look aslant from around; -1 is a third")
	size := flags.String("size", fmt.Sprintf("%dx%d", p.Width, p.Rows), "width and height of a photo in pixels")
	flags.StringVar((*string)(&p.Model), "camera", string(p.Model), "lens: PINHOLE, SIMPLE_RADIAL, RADIAL or OPENCV")
	flags.Float64Var(&p.Height, "height", p.Height, "height of the flight in metres")
	flags.Float64Var(&p.Overlap, "overlap", p.Overlap, "share of a photo that the next one shows")
	flags.Float64Var(&p.Sidelap, "sidelap", p.Sidelap, "share of a strip that the next one shows")
	flags.Float64Var(&p.GPSNoise, "gps-noise", p.GPSNoise, "error of positions in EXIF in metres")
	flags.Float64Var(&p.Noise, "noise", p.Noise, "noise of the sensor in percent")
	flags.Float64Var(&p.Exposure, "exposure", p.Exposure, "how much the exposure changes, in stops")
	flags.Uint64Var(&p.Seed, "seed", p.Seed, "which site to make; the same seed gives the same files")
	return func(ctx context.Context, dir string, w io.Writer) error {
		width, height, ok := strings.Cut(*size, "x")
		var err error
		if p.Width, err = strconv.Atoi(width); err == nil && ok {
			p.Rows, err = strconv.Atoi(height)
		}
		if err != nil || !ok {
			return fmt.Errorf("%w with photos of size %q: give it as 1600x1200", survey.ErrParams, *size)
		}
		truth, err := survey.Photos(ctx, dir, p)
		if err != nil {
			return err
		}
		photos := filepath.Join(dir, "photos")
		_, err = fmt.Fprintf(w, "%s: %d photos of %d × %d pixels, %.1f cm a pixel on the ground\n%s: poses, surface, orthophoto, heights, control points\nto try: %s process %s\n",
			photos, len(truth.Photos), p.Width, p.Rows, 100*truth.GSD, filepath.Join(dir, "truth"), cli.Name, photos)
		return err
	}
}
