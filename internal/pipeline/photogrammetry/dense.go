package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/mvs"
	"slate360.ai/worker/geom/mvs/workspace"
	"slate360.ai/worker/internal/pipeline"
)

// openDepth opens the undistorted photos at the size of depth maps.
func openDepth(s *pipeline.Context) (*workspace.Workspace, error) {
	return workspace.Open(s.Product(productUndistorted), workspace.Options{Side: denseSide(s.Options()), Maps: s.Product(productStereo)})
}

// viewPixels is how many pixels the largest view has at the size of depth maps.
func viewPixels(s *pipeline.Context) int64 {
	side := int64(denseSide(s.Options()))
	most := side * side * 3 / 4
	if w, err := openDepth(s); err == nil {
		most = 0
		for _, v := range w.Views() {
			most = max(most, int64(v.Camera.Width)*int64(v.Camera.Height))
		}
	}
	return most
}

// denseMemory is that of the larger half: maps, then the cloud.
func denseMemory(s *pipeline.Context) int64 { return max(depthMemory(s), fusionMemory(s)) }

func depthMemory(s *pipeline.Context) int64 {
	const sources = 6
	return 256<<20 + mvs.Bytes(viewPixels(s), sources)
}

// depthShare is the part of the time that depth maps take; fusion takes the rest.
const depthShare = 0.92

// runDense finds the depth map of each photo, and joins them to a cloud.
func runDense(ctx context.Context, s *pipeline.Context) error {
	if err := findDepth(ctx, s); err != nil {
		return err
	}
	return fuseDepth(ctx, s)
}

func findDepth(ctx context.Context, s *pipeline.Context) error {
	if err := os.MkdirAll(s.Product(productStereo), 0o777); err != nil {
		return err
	}
	w, err := openDepth(s)
	if err != nil {
		return err
	}
	err = mvs.Estimate(ctx, w.Views(), w, w, mvs.Options{Workers: s.Workers()}, func(done float64) { s.Progress(depthShare*done, 1) })
	if errors.Is(err, mvs.ErrNoViews) {
		return pipeline.BadInput(errors.New("no two photos show enough of the same from different places"),
			"photograph with more overlap (60 % and more), and move between photos instead of turning")
	}
	if err != nil {
		return err
	}
	return dropPhotometric(s.Product(productStereo))
}

// dropPhotometric removes the maps of the first pass: those of the second are made of
// them.
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

// fusedBytes is what a fused point takes, with the views that see it.
const fusedBytes = 3*4 + 3*4 + 3 + 4*(4+1)

// fusionMemory is that of the maps of a view and its neighbours, and of the cloud,
// which takes about every second pixel of a view.
func fusionMemory(s *pipeline.Context) int64 {
	const maps, mapBytes = 9, 5 * 4
	views := int64(8)
	if m, err := colmap.ReadBinary(filepath.Join(s.Product(productUndistorted), denseSparse)); err == nil {
		views = int64(len(m.Images))
	}
	return viewPixels(s) * (maps*mapBytes + views*fusedBytes/2)
}

func fuseDepth(ctx context.Context, s *pipeline.Context) error {
	w, err := openDepth(s)
	if err != nil {
		return err
	}
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
