// Package geotiff writes rasters as Cloud-Optimized GeoTIFF: tiles, overviews, and
// all directories in front of the data, so that a viewer fetches what it shows
// with range requests.
//
// It follows "TIFF Revision 6.0", Adobe's "Photoshop TIFF Technical Note 3"
// (floating-point predictor), the BigTIFF design, OGC 19-008r4 "GeoTIFF", OGC
// 21-026 "Cloud Optimized GeoTIFF", and GDAL's tag for cells without data.
package geotiff

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
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

// maxClassic is the most bytes of cells that go into classic TIFF, whose offsets
// end at 4 GiB; compression could in theory make data larger.
const maxClassic = 3 << 30

// Types of fields and tags.
const (
	typeASCII  = 2
	typeShort  = 3
	typeLong   = 4
	typeDouble = 12
	typeLong8  = 16

	tagSubfile      = 254
	tagWidth        = 256
	tagHeight       = 257
	tagBits         = 258
	tagCompression  = 259
	tagPhotometric  = 262
	tagSamples      = 277
	tagPlanar       = 284
	tagPredictor    = 317
	tagTileWidth    = 322
	tagTileHeight   = 323
	tagTileOffsets  = 324
	tagTileSizes    = 325
	tagSampleFormat = 339
	tagPixelScale   = 33550
	tagTiepoint     = 33922
	tagGeoKeys      = 34735
	tagGeoDoubles   = 34736
	tagGeoASCII     = 34737
	tagNoData       = 42113
)

func (r *Raster) check() error {
	switch {
	case r.Cols <= 0 || r.Rows <= 0 || len(r.Data) != r.Cols*r.Rows:
		return fmt.Errorf("geotiff: %d cells for %d columns and %d rows", len(r.Data), r.Cols, r.Rows)
	case !(r.CellX > 0) || !(r.CellY > 0) || math.IsNaN(r.West+r.North) || math.IsInf(r.West+r.North, 0):
		return errors.New("geotiff: cells need a size above 0 and a finite corner")
	}
	return nil
}

func (r *Raster) empty(v float32) bool { return v == r.NoData || v != v }

// overview halves a raster: each cell is the mean of those of four that have a
// value.
func (r *Raster) overview() *Raster {
	o := &Raster{Cols: (r.Cols + 1) / 2, Rows: (r.Rows + 1) / 2, NoData: r.NoData}
	o.Data = make([]float32, o.Cols*o.Rows)
	for y := range o.Rows {
		for x := range o.Cols {
			sum, n := 0.0, 0
			for j := 2 * y; j < min(2*y+2, r.Rows); j++ {
				for i := 2 * x; i < min(2*x+2, r.Cols); i++ {
					if v := r.Data[j*r.Cols+i]; !r.empty(v) {
						sum += float64(v)
						n++
					}
				}
			}
			o.Data[y*o.Cols+x] = r.NoData
			if n > 0 {
				o.Data[y*o.Cols+x] = float32(sum / float64(n))
			}
		}
	}
	return o
}

// level is the raster or an overview with the places of its tiles.
type level struct {
	*Raster
	across, down   int
	offsets, sizes []uint64
}

// Write writes the raster, compressing tiles on workers goroutines. Beside the
// overviews, a third of the raster, it keeps a few tiles in memory.
func Write(ctx context.Context, w io.WriterAt, r *Raster, workers int) error {
	if err := r.check(); err != nil {
		return err
	}
	var levels []*level
	for l := r; ; l = l.overview() {
		across, down := (l.Cols+TileSize-1)/TileSize, (l.Rows+TileSize-1)/TileSize
		levels = append(levels, &level{Raster: l, across: across, down: down, offsets: make([]uint64, across*down), sizes: make([]uint64, across*down)})
		if l.Cols <= TileSize && l.Rows <= TileSize {
			break
		}
	}
	f := &file{w: w, big: int64(r.Cols)*int64(r.Rows)*4/3*4 > maxClassic}
	front := f.directories(r, levels)
	f.at = uint64(len(front))
	// Coarse levels come first: a viewer's first requests lie behind the header.
	for i := len(levels) - 1; i >= 0; i-- {
		if err := f.writeTiles(ctx, levels[i], max(1, workers)); err != nil {
			return err
		}
	}
	if !f.big && f.at > math.MaxUint32 {
		return errors.New("geotiff: the tiles do not fit into 4 GiB") // see maxClassic
	}
	if _, err := w.WriteAt(f.directories(r, levels), 0); err != nil {
		return fmt.Errorf("geotiff: writing header: %w", err)
	}
	return nil
}

type file struct {
	w   io.WriterAt
	big bool
	at  uint64
}

// writeTiles compresses the tiles of a level, several at a time, and writes them
// in order.
func (f *file) writeTiles(ctx context.Context, l *level, workers int) error {
	type slot struct {
		out bytes.Buffer
		err error
	}
	slots := make([]slot, 2*workers)
	encoders := make([]tileEncoder, len(slots))
	for first := 0; first < len(l.offsets); first += len(slots) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(slots), len(l.offsets)-first)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				slots[i].out.Reset()
				slots[i].err = encoders[i].encode(&slots[i].out, l, first+i)
			})
		}
		wg.Wait()
		for i := range n {
			if slots[i].err != nil {
				return slots[i].err
			}
			b := slots[i].out.Bytes()
			if _, err := f.w.WriteAt(b, int64(f.at)); err != nil {
				return fmt.Errorf("geotiff: writing a tile: %w", err)
			}
			l.offsets[first+i], l.sizes[first+i] = f.at, uint64(len(b))
			f.at += uint64(len(b))
		}
	}
	return nil
}

// tileEncoder keeps the memory of compressing tiles.
type tileEncoder struct {
	raw  []byte
	zlib *zlib.Writer
}

// encode compresses a tile with DEFLATE, its rows turned into byte planes of which
// each holds differences (Technical Note 3, "floating point predictor").
func (t *tileEncoder) encode(w *bytes.Buffer, l *level, index int) error {
	const rowBytes = 4 * TileSize
	if t.raw == nil {
		t.raw = make([]byte, TileSize*rowBytes)
	}
	x0, y0 := index%l.across*TileSize, index/l.across*TileSize
	for y := range TileSize {
		row := t.raw[y*rowBytes : (y+1)*rowBytes]
		for x := range TileSize {
			v := l.NoData
			if x0+x < l.Cols && y0+y < l.Rows {
				v = l.Data[(y0+y)*l.Cols+x0+x]
			}
			bits := math.Float32bits(v)
			row[x], row[TileSize+x] = byte(bits>>24), byte(bits>>16)
			row[2*TileSize+x], row[3*TileSize+x] = byte(bits>>8), byte(bits)
		}
		for i := rowBytes - 1; i > 0; i-- {
			row[i] -= row[i-1]
		}
	}
	if t.zlib == nil {
		t.zlib = zlib.NewWriter(w)
	} else {
		t.zlib.Reset(w)
	}
	if _, err := t.zlib.Write(t.raw); err != nil {
		return fmt.Errorf("geotiff: compressing a tile: %w", err)
	}
	if err := t.zlib.Close(); err != nil {
		return fmt.Errorf("geotiff: compressing a tile: %w", err)
	}
	return nil
}

// field is an entry of a directory.
type field struct {
	tag, kind uint16
	count     int
	data      []byte
}

func shorts(tag uint16, v ...uint16) field {
	f := field{tag: tag, kind: typeShort, count: len(v)}
	for _, n := range v {
		f.data = binary.LittleEndian.AppendUint16(f.data, n)
	}
	return f
}

func long(tag uint16, v int) field {
	return field{tag, typeLong, 1, binary.LittleEndian.AppendUint32(nil, uint32(v))}
}

func doubles(tag uint16, v ...float64) field {
	f := field{tag: tag, kind: typeDouble, count: len(v)}
	for _, n := range v {
		f.data = binary.LittleEndian.AppendUint64(f.data, math.Float64bits(n))
	}
	return f
}

func text(tag uint16, s string) field {
	return field{tag, typeASCII, len(s) + 1, append([]byte(s), 0)}
}

// places are offsets or sizes of tiles.
func (f *file) places(tag uint16, v []uint64) field {
	out := field{tag: tag, kind: typeLong, count: len(v)}
	if f.big {
		out.kind = typeLong8
	}
	for _, n := range v {
		if f.big {
			out.data = binary.LittleEndian.AppendUint64(out.data, n)
		} else {
			out.data = binary.LittleEndian.AppendUint32(out.data, uint32(n))
		}
	}
	return out
}

// directories gives the header and all directories with their values.
func (f *file) directories(r *Raster, levels []*level) []byte {
	var b []byte
	if f.big {
		b = append(b, 'I', 'I', 43, 0, 8, 0, 0, 0)
		b = binary.LittleEndian.AppendUint64(b, 16)
	} else {
		b = append(b, 'I', 'I', 42, 0)
		b = binary.LittleEndian.AppendUint32(b, 8)
	}
	for i, l := range levels {
		var fields []field
		if i > 0 {
			fields = append(fields, long(tagSubfile, 1)) // a smaller version
		}
		fields = append(fields,
			long(tagWidth, l.Cols), long(tagHeight, l.Rows), shorts(tagBits, 32), shorts(tagCompression, 8), shorts(tagPhotometric, 1),
			shorts(tagSamples, 1), shorts(tagPlanar, 1), shorts(tagPredictor, 3), shorts(tagTileWidth, TileSize), shorts(tagTileHeight, TileSize),
			f.places(tagTileOffsets, l.offsets), f.places(tagTileSizes, l.sizes), shorts(tagSampleFormat, 3),
		)
		if i == 0 {
			fields = append(fields, doubles(tagPixelScale, r.CellX, r.CellY, 0), doubles(tagTiepoint, 0, 0, 0, r.West, r.North, 0))
			if len(r.KeyDirectory) > 0 {
				fields = append(fields, shorts(tagGeoKeys, r.KeyDirectory...))
				if len(r.KeyDoubles) > 0 {
					fields = append(fields, doubles(tagGeoDoubles, r.KeyDoubles...))
				}
				if r.KeyASCII != "" {
					fields = append(fields, text(tagGeoASCII, r.KeyASCII))
				}
			}
		}
		fields = append(fields, text(tagNoData, strconv.FormatFloat(float64(r.NoData), 'g', -1, 32)))
		b = f.appendDirectory(b, fields, i+1 == len(levels))
	}
	return b
}

// appendDirectory appends a directory, then the values that do not fit into its
// entries.
func (f *file) appendDirectory(b []byte, fields []field, last bool) []byte {
	entry, inline := 12, 4
	head, tail := 2, 4
	if f.big {
		entry, inline, head, tail = 20, 8, 8, 8
	}
	values := len(b) + head + entry*len(fields) + tail
	values += values & 1
	if f.big {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(fields)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(fields)))
	}
	var extra []byte
	for _, v := range fields {
		b = binary.LittleEndian.AppendUint16(b, v.tag)
		b = binary.LittleEndian.AppendUint16(b, v.kind)
		b = f.word(b, uint64(v.count))
		if len(v.data) <= inline {
			b = append(b, v.data...)
			b = append(b, make([]byte, inline-len(v.data))...)
			continue
		}
		b = f.word(b, uint64(values+len(extra)))
		extra = append(extra, v.data...)
		if len(extra)&1 == 1 {
			extra = append(extra, 0)
		}
	}
	next := uint64(values + len(extra))
	if last {
		next = 0
	}
	b = f.word(b, next)
	for len(b) < values {
		b = append(b, 0)
	}
	return append(b, extra...)
}

// word appends a number of the size of offsets.
func (f *file) word(b []byte, v uint64) []byte {
	if f.big {
		return binary.LittleEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(v))
}
