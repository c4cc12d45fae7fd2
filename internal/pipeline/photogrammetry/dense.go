package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slate360.ai/worker/geom/mvs"
	"slate360.ai/worker/geom/mvs/workspace"
	"slate360.ai/worker/internal/pipeline"
)

// denseMemory is that of depth maps and their fusion.
func denseMemory(s *pipeline.Context) int64 {
	d, err := detailOf(s)
	if err != nil {
		const usual = 2 << 20 // pixels, before the photos are there
		return depthMemory(usual)
	}
	return d.Memory
}

// depthShare is the part of the time that depth maps take; fusion takes the rest.
const depthShare = 0.92

// runDense finds the depth map of each photo, and joins them to a cloud. After a stop it
// goes on with the maps that are there.
func runDense(ctx context.Context, s *pipeline.Context) error {
	if err := os.MkdirAll(s.Product(productStereo), 0o777); err != nil {
		return err
	}
	d, err := keptDetail(s)
	if err != nil {
		return err
	}
	w, err := workspace.Open(s.Product(productUndistorted), workspace.Options{Side: d.Side, Maps: s.Product(productStereo)})
	if err != nil {
		return err
	}
	if err := findDepth(ctx, s, w); err != nil {
		return err
	}
	if err := fuseDepth(ctx, s, w); err != nil {
		return err
	}
	return dropPhotometric(s.Product(productStereo))
}

func findDepth(ctx context.Context, s *pipeline.Context, w *workspace.Workspace) error {
	err := mvs.Estimate(ctx, w.Views(), w, w, mvs.Options{Workers: s.Workers()}, func(done float64) { s.Progress(depthShare*done, 1) })
	if errors.Is(err, mvs.ErrNoViews) {
		return pipeline.BadInput(errors.New("no two photos show enough of the same from different places"),
			"photograph with more overlap (60 % and more), and move between photos instead of turning")
	}
	return err
}

// dropPhotometric removes the maps of the first pass, of which those of the second are
// made.
func dropPhotometric(dir string) error {
	kinds, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		files, err := filepath.Glob(filepath.Join(dir, k.Name(), "*.photometric.bin"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func fuseDepth(ctx context.Context, s *pipeline.Context, w *workspace.Workspace) error {
	n, err := w.Fuse(ctx, s.Product(productDense), mvs.FuseOptions{Workers: s.Workers()}, func(done float64) { s.Progress(depthShare+(1-depthShare)*done, 1) })
	if err != nil {
		return err
	}
	if n < fewestPoints {
		return pipeline.BadInput(fmt.Errorf("only %d points are the same in several photos", n),
			"photograph with more overlap, in focus, and surfaces with some texture: walls of one colour, glass and water give none")
	}
	s.SetAnalysis("densePoints", n)
	return nil
}

// fewestPoints is how many points a cloud must have for a surface.
const fewestPoints = 100
