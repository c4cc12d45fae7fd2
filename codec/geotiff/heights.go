package geotiff

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/klauspost/compress/zlib"
)

// NewRasterWriter starts to write a raster of 32-bit numbers whose rows come one after
// the other: its Data is not used. WriteNumbers takes rows from the north, Close
// finishes the file.
func NewRasterWriter(w io.WriterAt, scratch Scratch, r *Raster, workers int) (*Writer, error) {
	return newWriter(w, scratch, r.Cols, r.Rows, r.place(), heights{r.NoData}, workers)
}

// WriteNumbers takes whole rows.
func (g *Writer) WriteNumbers(ctx context.Context, rows []float32) error {
	if _, ok := g.cells.(heights); !ok {
		return fmt.Errorf("geotiff: numbers for a picture")
	}
	const some = 1 << 16
	buf := make([]byte, 0, 4*max(some, g.levels[0].cols))
	for cols := g.levels[0].cols; len(rows) > 0; {
		n := min(len(rows), max(some/cols, 1)*cols)
		buf = buf[:0]
		for _, v := range rows[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if err := g.write(ctx, buf); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// heights is the kind of 32-bit numbers.
type heights struct{ noData float32 }

func (h heights) masked() bool { return false }

func (h heights) empty() (b [4]byte) {
	binary.LittleEndian.PutUint32(b[:], math.Float32bits(h.noData))
	return b
}

func (h heights) fields() []field {
	return []field{
		shorts(tagBits, 32), shorts(tagCompression, 8), shorts(tagPhotometric, 1), shorts(tagSamples, 1), shorts(tagPredictor, 3),
		shorts(tagSampleFormat, 3), text(tagNoData, strconv.FormatFloat(float64(h.noData), 'g', -1, 32)),
	}
}

// halve takes the mean of those of four that have a value.
func (h heights) halve(out, a, b []byte) {
	for x := 0; x < len(out); x += 4 {
		sum, n := 0.0, 0
		for i := 2 * x; i < min(2*x+8, len(a)); i += 4 {
			for _, row := range [2][]byte{a, b} {
				if v := math.Float32frombits(binary.LittleEndian.Uint32(row[i:])); v == v && v != h.noData {
					sum += float64(v)
					n++
				}
			}
		}
		v := h.noData
		if n > 0 {
			v = float32(sum / float64(n))
		}
		binary.LittleEndian.PutUint32(out[x:], math.Float32bits(v))
	}
}

func (h heights) coder() coder { return &heightsCoder{planes: make([]byte, 4*TileSize)} }

type heightsCoder struct {
	planes []byte
	zlib   *zlib.Writer
}

// encode turns rows into byte planes of which each holds differences (Technical Note
// 3, "floating point predictor").
func (c *heightsCoder) encode(out, _ *bytes.Buffer, tile []byte) error {
	for y := range TileSize {
		row := tile[4*TileSize*y:][:4*TileSize]
		for x := range TileSize {
			for k := range 4 {
				c.planes[k*TileSize+x] = row[4*x+3-k]
			}
		}
		for i := len(row) - 1; i > 0; i-- {
			row[i] = c.planes[i] - c.planes[i-1]
		}
		row[0] = c.planes[0]
	}
	return deflate(&c.zlib, out, tile)
}
