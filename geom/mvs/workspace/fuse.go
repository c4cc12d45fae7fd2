package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/mvs"
)

// Fuse joins the depth maps to a cloud in a PLY file, with the views of each point in
// a file of that name and ".vis", as COLMAP's stereo_fusion does. It returns how many
// points there are, and leaves no files after an error.
func (w *Workspace) Fuse(ctx context.Context, path string, o mvs.FuseOptions, progress func(done float64)) (points int, err error) {
	out, err := colmap.CreateFused(path)
	if err != nil {
		return 0, fmt.Errorf("writing the fused cloud: %w", err)
	}
	err = mvs.FuseParts(ctx, w.views, w, w, o, func(part *mvs.Cloud) error {
		points += part.Len()
		return write(out, part)
	}, progress)
	if e := out.Close(); err == nil {
		err = e
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(path), os.Remove(path+colmap.VisibilitySuffix))
	}
	return points, nil
}

func write(out *colmap.FusedWriter, c *mvs.Cloud) error {
	var p colmap.FusedPoint
	for i := range c.Len() {
		for k := range 3 {
			p.XYZ[k] = float32(float64(c.Points[3*i+k]) + c.Origin[k])
			p.Normal[k] = c.Normals[3*i+k]
			p.Color[k] = c.Colors[3*i+k]
		}
		p.Views = c.Views[c.Offsets[i]:c.Offsets[i+1]]
		if err := out.Write(&p); err != nil {
			return fmt.Errorf("writing the fused cloud: %w", err)
		}
	}
	return nil
}
