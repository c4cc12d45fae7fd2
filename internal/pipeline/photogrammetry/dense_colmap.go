package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slate360.ai/worker/internal/pipeline"
)

// Products of the dense stage, whatever engine made them: COLMAP's fused cloud, which
// photos see each point, and depth and normal maps in its format.
const (
	productDense      = "dense.ply"
	productVisibility = "dense.ply.vis"
	productStereo     = "stereo"
)

// Names of a fused cloud in COLMAP's workspace, by which OpenMVS finds it too.
const (
	fusedName      = "fused.ply"
	visibilityName = "fused.ply.vis"
)

// linkWorkspace makes a dense workspace in the stage's scratch that programs may write
// to: photos and model are links, the folders of stereo its own.
func linkWorkspace(ctx context.Context, s *pipeline.Context) (string, error) {
	scratch, err := s.TempDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch, "workspace")
	for _, d := range []string{"depth_maps", "normal_maps", "consistency_graphs"} {
		if err := os.MkdirAll(filepath.Join(dir, denseStereo, d), 0o777); err != nil {
			return "", err
		}
	}
	from := s.Product(productUndistorted)
	for _, name := range []string{"patch-match.cfg", "fusion.cfg"} {
		if err := copyFile(ctx, filepath.Join(from, denseStereo, name), filepath.Join(dir, denseStereo, name)); err != nil {
			return "", err
		}
	}
	links := map[string]string{filepath.Join(from, denseImages): denseImages, filepath.Join(from, denseSparse): denseSparse}
	if s.Has(productDense) {
		links[s.Product(productDense)] = fusedName
		links[s.Product(productVisibility)] = visibilityName
	}
	for target, name := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("link %s: %w", name, err)
		}
	}
	return dir, nil
}

// denseCacheShare of the memory budget is COLMAP's cache of photos and depth maps.
const denseCacheShare = 0.5

// runDenseCOLMAP works out depth on the GPU, and fuses it.
func runDenseCOLMAP(ctx context.Context, s *pipeline.Context) error {
	c, err := openCOLMAP(ctx, s)
	if err != nil {
		return err
	}
	dir, err := linkWorkspace(ctx, s)
	if err != nil {
		return err
	}
	d, err := chooseDetail(s)
	if err != nil {
		return err
	}
	cache := max(1, float64(s.MemoryBudget())*denseCacheShare/(1<<30))
	progress := func(from, to float64) func(line string) {
		return func(line string) {
			if done, total, ok := countOf(line); ok {
				s.Progress(from+(to-from)*float64(done)/float64(total), 1)
			}
		}
	}
	err = c.run(ctx, "patch_match_stereo", []option{
		opt(dir, "workspace_path"), opt("COLMAP", "workspace_format"),
		opt(true, "PatchMatchStereo.geom_consistency"),
		opt(d.Side, "PatchMatchStereo.max_image_size"),
		opt(fmt.Sprintf("%.1f", cache), "PatchMatchStereo.cache_size"),
	}, progress(0, 0.9))
	if err != nil {
		return fmt.Errorf("work out depth: %w", explainMemory(err))
	}
	// Fusion reads depth maps as they are named in the workspace, and writes the
	// visibility beside the cloud.
	fused := filepath.Join(dir, fusedName)
	err = c.run(ctx, "stereo_fusion", []option{
		opt(dir, "workspace_path"), opt("COLMAP", "workspace_format"), opt("geometric", "input_type"), opt(fused, "output_path"),
		maybe(fmt.Sprintf("%.1f", cache), "StereoFusion.cache_size"),
	}, progress(0.9, 1))
	if err != nil {
		return fmt.Errorf("fuse depth: %w", explainMemory(err))
	}
	return errors.Join(
		os.Rename(fused, s.Product(productDense)),
		os.Rename(filepath.Join(dir, visibilityName), s.Product(productVisibility)),
		os.Rename(filepath.Join(dir, denseStereo), s.Product(productStereo)),
	)
}
