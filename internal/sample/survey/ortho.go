package survey

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/geotiff"
	"slate360.ai/worker/geom/raycast"
)

// orthoCells is the most pixels of the orthophoto; it is coarser than the photos where
// they would be more.
const orthoCells = 40e6

// writeOrtho draws the site straight from above: orthophoto.png with a world file, and
// dsm.tif.
func (s *scene) writeOrtho(ctx context.Context, dir string, t *Truth, f *flight, workers int) error {
	cell := max(t.GSD, math.Sqrt(4*f.halfX*f.halfY/orthoCells))
	o := &t.Ortho
	*o = TruthRaster{West: offset[0] - f.halfX, North: offset[1] + f.halfY, Cell: cell, Cols: int(2 * f.halfX / cell), Rows: int(2 * f.halfY / cell)}
	picture := image.NewRGBA(image.Rect(0, 0, o.Cols, o.Rows))
	heights := make([]float32, o.Cols*o.Rows)
	table := gamma()
	err := bands(ctx, workers, o.Rows, func(row int) {
		hint := int32(-1)
		look := func(col, right, down float64) (light rgb, z float32) {
			x, y := -f.halfX+(col+right)*cell, f.halfY-(float64(row)+down)*cell
			r := raycast.Ray{Origin: [3]float32{float32(x), float32(y), 400}, Direction: [3]float32{0, 0, -1}}
			h, ok := s.rays.Nearest(&r, 0, 1000, hint)
			if !ok {
				return skyColor, 0
			}
			hint = h.Triangle
			return s.shade(&r, &h, float32(cell)/h.T), 400 - h.T
		}
		for col := range o.Cols {
			var sum rgb
			for _, at := range [2][2]float64{{.25, .25}, {.75, .75}} {
				light, _ := look(float64(col), at[0], at[1])
				for k := range sum {
					sum[k] += light[k] / 2
				}
			}
			i := row*o.Cols + col
			_, heights[i] = look(float64(col), .5, .5)
			heights[i] += float32(offset[2])
			for k := range 3 {
				picture.Pix[4*i+k] = table[int(clamp(middle*sum[k]/1.15)*(gammaSteps-1))]
			}
			picture.Pix[4*i+3] = 255
		}
	})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "orthophoto.png"), func(w io.Writer) error {
		return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, picture)
	}); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "orthophoto.pgw"), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%.12g\n0\n0\n%.12g\n%.6f\n%.6f\n", cell, -cell, o.West+cell/2, o.North-cell/2)
		return err
	}); err != nil {
		return err
	}
	return writeHeights(ctx, filepath.Join(dir, "dsm.tif"), o, heights, workers)
}

func writeHeights(ctx context.Context, path string, o *TruthRaster, heights []float32, workers int) error {
	utm, err := crs.FromEPSG(epsg)
	if err != nil {
		return err
	}
	r := geotiff.Raster{Cols: o.Cols, Rows: o.Rows, Data: heights, NoData: -9999, West: o.West, North: o.North, CellX: o.Cell, CellY: o.Cell}
	r.KeyDirectory, r.KeyDoubles, r.KeyASCII, _ = utm.GeoTIFFKeys()
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	err = geotiff.Write(ctx, file, &r, workers)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write truth: dsm.tif: %w", err)
	}
	return nil
}
