package pointcloud

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"slate360.ai/worker/codec/geotiff"
	"slate360.ai/worker/geom/dem"
	"slate360.ai/worker/geom/raster"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/thumbnail"
)

// runThumbnail draws the cloud by its colours, else by its height.
func runThumbnail(ctx context.Context, s *pipeline.Context) error {
	c, class, err := openClassified(s)
	if err != nil {
		return err
	}
	all := !slices.ContainsFunc(class, func(k uint8) bool { return !noise(k) })
	view := raster.Cloud{XYZ: c.xyz, Scale: c.Header.Scale, Color: c.coloring(class)}
	if h, v := c.units(); h != v {
		view.Scale[2] *= v / h
	}
	if !all {
		view.Hidden = func(i int) bool { return noise(class[i]) }
	}
	img, err := raster.Render(ctx, view, raster.View{Width: thumbnail.Width, Height: thumbnail.Height, Workers: s.Workers()})
	if err != nil {
		return err
	}
	return thumbnail.Publish(s, img)
}

// coloring gives the colours of points: those of the camera, else a ramp over the
// heights.
func (c *cloud) coloring(class []uint8) func(i int) color.NRGBA {
	if c.HasColor {
		shift := 8
		if c.ColorScale != 1 {
			shift = 0
		}
		return func(i int) color.NRGBA {
			r, g, b := c.layout.RGBOf(c.record(c.order[i]))
			return color.NRGBA{uint8(r >> shift), uint8(g >> shift), uint8(b >> shift), 255}
		}
	}
	low, high := c.heights(class)
	return func(i int) color.NRGBA {
		return raster.Ramp(float64(int64(c.xyz[3*i+2])-int64(low)) / max(1, float64(int64(high)-int64(low))))
	}
}

// heights gives the range of raw heights of all but noise and the outermost
// hundredths.
func (c *cloud) heights(class []uint8) (low, high int32) {
	step := max(1, len(class)/100_000)
	var z []int32
	for i := 0; i < len(class); i += step {
		if !noise(class[i]) {
			z = append(z, c.xyz[3*i+2])
		}
	}
	if len(z) == 0 {
		return c.Min[2], c.Max[2]
	}
	slices.Sort(z)
	return z[len(z)/100], z[len(z)-1-len(z)/100]
}

// demSpacings is how many mean distances of points make a cell of height models:
// most cells then have a point.
const demSpacings = 1.5

// runDEM writes the models of surface and terrain.
func runDEM(ctx context.Context, s *pipeline.Context) error {
	c, class, err := openClassified(s)
	if err != nil {
		return err
	}
	p := dem.Params{Workers: s.Workers(), MaxCells: int(min(max(s.MemoryBudget()/2/demCellBytes, 1<<16), 1<<28))}
	if area := c.area(); area > 0 {
		p.Spacing = demSpacings * math.Sqrt(area/float64(c.Points))
	}
	dsm, dtm, err := dem.Surfaces(ctx, dem.Cloud{XYZ: c.xyz, Scale: c.Header.Scale, Offset: c.Header.Offset, Class: class}, p)
	if errors.Is(err, dem.ErrNoPoints) {
		s.Warn("all points are noise: there are no height models")
		return nil
	}
	if err != nil {
		return err
	}
	if s.Options().Wants(job.TypeDSM) {
		if err := writeDEM(ctx, s, c.meta, job.TypeDSM, dsm); err != nil {
			return err
		}
	}
	if dtm == nil {
		s.Warn("no point is ground: there is no terrain model")
		return nil
	}
	if s.Options().Wants(job.TypeDTM) {
		return writeDEM(ctx, s, c.meta, job.TypeDTM, dtm)
	}
	return nil
}

// demCellBytes is what height models take a cell at their peak.
const demCellBytes = 24

func writeDEM(ctx context.Context, s *pipeline.Context, m *meta, kind string, r *dem.Raster) error {
	out := &geotiff.Raster{
		Cols: r.Cols, Rows: r.Rows, Data: r.Data, NoData: dem.NoData, West: r.West, North: r.North, CellX: r.Cell, CellY: r.Cell,
	}
	if c, err := m.CRS.crs(); err == nil && c != nil {
		var ok bool
		if out.KeyDirectory, out.KeyDoubles, out.KeyASCII, ok = c.GeoTIFFKeys(); !ok {
			s.Warn("GeoTIFF has no keys for the projection of %s: %s has no coordinate system", c.Name(), kind+".tif")
		}
	}
	name := kind + ".tif"
	f, err := os.Create(s.OutputPath(name))
	if err != nil {
		return fmt.Errorf("create output: %w", err)
	}
	defer f.Close()
	if err := geotiff.Write(ctx, f, out, s.Workers()); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	s.Publish(job.Output{Type: kind, Path: name, Width: int64(r.Cols), Height: int64(r.Rows)})
	return nil
}
