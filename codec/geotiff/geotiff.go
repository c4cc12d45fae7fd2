// Package geotiff writes rasters as Cloud-Optimized GeoTIFF: tiles, overviews, and
// all directories in front of the data, so that a viewer fetches what it shows
// with range requests. Rasters are 32-bit numbers or pictures with transparency.
//
// It follows "TIFF Revision 6.0", Adobe's "Photoshop TIFF Technical Note 3"
// (floating-point predictor), "TIFF Technical Note 2" (JPEG), the BigTIFF design, OGC
// 19-008r4 "GeoTIFF", OGC 21-026 "Cloud Optimized GeoTIFF", and GDAL's tag for cells
// without data.
package geotiff

import (
	"context"
	"fmt"
	"io"
)

// Raster is a grid of 32-bit numbers, north up.
type Raster struct {
	Cols, Rows int
	// Data is in rows from the north; NoData marks cells without a value and may
	// be NaN.
	Data   []float32
	NoData float32
	// West and North are the outer corner of the first cell, CellX and CellY the
	// size of a cell, all in the unit of the CRS and positive.
	West, North, CellX, CellY float64
	// Keys of the CRS: directory, doubles and text of the tags 34735 to 34737; nil
	// where it is not known.
	KeyDirectory []uint16
	KeyDoubles   []float64
	KeyASCII     string
}

// TileSize is the edge of tiles in cells.
const TileSize = 512

func (r *Raster) place() Place {
	return Place{r.West, r.North, r.CellX, r.CellY, r.KeyDirectory, r.KeyDoubles, r.KeyASCII}
}

// Write writes the raster, compressing tiles on workers goroutines. Compressed tiles
// are kept in memory until all are known.
func Write(ctx context.Context, w io.WriterAt, r *Raster, workers int) error {
	if r.Cols <= 0 || r.Rows <= 0 || len(r.Data) != r.Cols*r.Rows {
		return fmt.Errorf("geotiff: %d cells for %d columns and %d rows", len(r.Data), r.Cols, r.Rows)
	}
	g, err := NewRasterWriter(w, &memory{}, r, workers)
	if err != nil {
		return err
	}
	if err := g.WriteNumbers(ctx, r.Data); err != nil {
		return err
	}
	return g.Close(ctx)
}

// memory is a Scratch for what is small.
type memory struct{ data []byte }

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	if end := int(at) + len(b); end > len(m.data) {
		m.data = append(m.data, make([]byte, end-len(m.data))...)
	}
	return copy(m.data[at:], b), nil
}

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, m.data[min(at, int64(len(m.data))):])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
