package geotiff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

// Scratch keeps compressed tiles until all are known: a file that is deleted after
// Close. It grows to about the size of the result.
type Scratch interface {
	io.ReaderAt
	io.WriterAt
}

// Writer writes a raster that comes row by row, with overviews, in the memory of a
// few rows of tiles.
type Writer struct {
	w       io.WriterAt
	scratch Scratch
	place   Place
	cells   cells
	workers int
	levels  []*band
	coders  []coder
	at      int64 // end of scratch
	big     bool  // BigTIFF in any case
}

// file is where directories and tiles go; big ones are BigTIFF.
type file struct {
	w   io.WriterAt
	big bool
	at  uint64
}

// cells is what a kind of raster does in its own way. A cell is 4 bytes.
type cells interface {
	// halve makes a row of half the cells from two rows.
	halve(out, a, b []byte)
	// empty is what fills tiles beyond the raster.
	empty() [4]byte
	// coder returns what encodes tiles; each is used by one goroutine at a time.
	coder() coder
	// fields are those of directories that say what cells are; masked tells of
	// directories of masks after each.
	fields() []field
	masked() bool
}

// coder encodes a tile of TileSize rows, and its mask where there is one.
type coder interface {
	encode(image, mask *bytes.Buffer, tile []byte) error
}

// span is bytes in the scratch.
type span struct {
	at   int64
	size int
}

// band is the rows of a level that wait for a full row of tiles.
type band struct {
	cols, rows     int
	across         int
	buf            []byte
	have, finished int // rows
	tiles, masks   []span
}

func newWriter(w io.WriterAt, scratch Scratch, cols, rows int, place Place, c cells, workers int) (*Writer, error) {
	if cols <= 0 || rows <= 0 || cols > math.MaxInt32 || rows > math.MaxInt32 {
		return nil, fmt.Errorf("geotiff: %d columns and %d rows", cols, rows)
	}
	if err := place.check(); err != nil {
		return nil, err
	}
	g := &Writer{w: w, scratch: scratch, place: place, cells: c, workers: max(1, workers)}
	for {
		across := (cols + TileSize - 1) / TileSize
		g.levels = append(g.levels, &band{cols: cols, rows: rows, across: across, buf: make([]byte, 4*cols*min(TileSize, rows))})
		if cols <= TileSize && rows <= TileSize {
			break
		}
		cols, rows = (cols+1)/2, (rows+1)/2
	}
	for range g.workers {
		g.coders = append(g.coders, c.coder())
	}
	return g, nil
}

// write takes any number of whole rows.
func (g *Writer) write(ctx context.Context, data []byte) error {
	b := g.levels[0]
	if len(data)%(4*b.cols) != 0 {
		return fmt.Errorf("geotiff: %d bytes are no whole rows of %d cells", len(data), b.cols)
	}
	for len(data) > 0 {
		if b.finished+b.have == b.rows {
			return fmt.Errorf("geotiff: more than %d rows", b.rows)
		}
		n := min(len(data), len(b.buf)-4*b.cols*b.have, 4*b.cols*(b.rows-b.finished-b.have))
		copy(b.buf[4*b.cols*b.have:], data[:n])
		b.have += n / (4 * b.cols)
		data = data[n:]
		if err := g.settle(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// settle writes a row of tiles of a level where it is complete, and hands its half to
// the next level.
func (g *Writer) settle(ctx context.Context, l int) error {
	b := g.levels[l]
	if b.have < TileSize && b.finished+b.have < b.rows {
		return nil
	}
	if err := g.tiles(ctx, b); err != nil {
		return err
	}
	rows := b.have
	b.finished += b.have
	b.have = 0
	if l+1 == len(g.levels) {
		return nil
	}
	next := g.levels[l+1]
	row := func(y int) []byte { return b.buf[4*b.cols*y:][:4*b.cols] }
	var wait sync.WaitGroup
	half := (rows + 1) / 2
	for w := range g.workers {
		wait.Go(func() {
			for y := half * w / g.workers; y < half*(w+1)/g.workers; y++ {
				lower := row(2 * y)
				if 2*y+1 < rows {
					lower = row(2*y + 1)
				}
				g.cells.halve(next.buf[4*next.cols*(next.have+y):][:4*next.cols], row(2*y), lower)
			}
		})
	}
	wait.Wait()
	next.have += half
	return g.settle(ctx, l+1)
}

// tiles encodes the rows that a level has, several tiles at a time.
func (g *Writer) tiles(ctx context.Context, b *band) error {
	type slot struct {
		tile        []byte
		image, mask bytes.Buffer
		err         error
	}
	slots := make([]slot, g.workers)
	for first := 0; first < b.across; first += len(slots) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(slots), b.across-first)
		var wait sync.WaitGroup
		for i := range n {
			wait.Go(func() {
				s := &slots[i]
				if s.tile == nil {
					s.tile = make([]byte, 4*TileSize*TileSize)
				}
				b.cut(s.tile, first+i, g.cells.empty())
				s.image.Reset()
				s.mask.Reset()
				s.err = g.coders[i].encode(&s.image, &s.mask, s.tile)
			})
		}
		wait.Wait()
		for i := range n {
			if slots[i].err != nil {
				return fmt.Errorf("geotiff: compressing a tile: %w", slots[i].err)
			}
			if err := g.keep(&b.tiles, slots[i].image.Bytes()); err != nil {
				return err
			}
			if g.cells.masked() {
				if err := g.keep(&b.masks, slots[i].mask.Bytes()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// cut copies a tile out of the rows.
func (b *band) cut(tile []byte, index int, empty [4]byte) {
	from := 4 * TileSize * index
	to := min(from+4*TileSize, 4*b.cols)
	for y := range TileSize {
		row := tile[4*TileSize*y:][:4*TileSize]
		n := 0
		if y < b.have {
			n = copy(row, b.buf[4*b.cols*y:][from:to])
		}
		for ; n < len(row); n += 4 {
			copy(row[n:], empty[:])
		}
	}
}

func (g *Writer) keep(list *[]span, data []byte) error {
	if _, err := g.scratch.WriteAt(data, g.at); err != nil {
		return fmt.Errorf("geotiff: keeping a tile: %w", err)
	}
	*list = append(*list, span{g.at, len(data)})
	g.at += int64(len(data))
	return nil
}

// Close writes the file, once all rows are there. It does not close what it writes to.
func (g *Writer) Close(ctx context.Context) error {
	if b := g.levels[0]; b.finished != b.rows {
		return fmt.Errorf("geotiff: %d rows of %d were written", b.finished+b.have, b.rows)
	}
	f := &file{w: g.w}
	front := g.directories(f)
	f.big = g.big || g.at+int64(len(front)) > math.MaxUint32
	f.at = uint64(len(g.directories(f)))
	offsets := map[*[]span][]uint64{}
	buf := make([]byte, 0, 1<<20)
	for l := len(g.levels) - 1; l >= 0; l-- {
		for _, list := range g.lists(g.levels[l]) {
			for _, s := range *list {
				if err := ctx.Err(); err != nil {
					return err
				}
				if cap(buf) < s.size {
					buf = make([]byte, 0, 2*s.size)
				}
				if n, err := g.scratch.ReadAt(buf[:s.size], s.at); n < s.size {
					return fmt.Errorf("geotiff: reading a tile back: %w", errors.Join(err, io.ErrUnexpectedEOF))
				}
				if _, err := f.w.WriteAt(buf[:s.size], int64(f.at)); err != nil {
					return fmt.Errorf("geotiff: writing a tile: %w", err)
				}
				offsets[list] = append(offsets[list], f.at)
				f.at += uint64(s.size)
			}
		}
	}
	for list, at := range offsets {
		for i := range *list {
			(*list)[i].at = int64(at[i])
		}
	}
	if _, err := g.w.WriteAt(g.directories(f), 0); err != nil {
		return fmt.Errorf("geotiff: writing header: %w", err)
	}
	return nil
}

func (g *Writer) lists(b *band) []*[]span {
	if g.cells.masked() {
		return []*[]span{&b.tiles, &b.masks}
	}
	return []*[]span{&b.tiles}
}

// directories gives the header and all directories with their values.
func (g *Writer) directories(f *file) []byte {
	out := f.header()
	for i, b := range g.levels {
		last := i+1 == len(g.levels)
		smaller := 0
		if i > 0 {
			smaller = 1
		}
		fields := b.fields(f, smaller, b.tiles, g.cells.fields())
		if i == 0 {
			fields = merge(fields, g.place.fields())
		}
		out = f.appendDirectory(out, fields, last && !g.cells.masked())
		if g.cells.masked() {
			mask := []field{shorts(tagBits, 1), shorts(tagCompression, 8), shorts(tagPhotometric, 4), shorts(tagSamples, 1)}
			out = f.appendDirectory(out, b.fields(f, smaller|4, b.masks, mask), last)
		}
	}
	return out
}

// fields are those of a directory, in order of tags.
func (b *band) fields(f *file, subfile int, tiles []span, cells []field) []field {
	offsets, sizes := make([]uint64, len(tiles)), make([]uint64, len(tiles))
	for i, s := range tiles {
		offsets[i], sizes[i] = uint64(s.at), uint64(s.size)
	}
	list := []field{
		long(tagWidth, b.cols), long(tagHeight, b.rows), shorts(tagPlanar, 1), shorts(tagTileWidth, TileSize), shorts(tagTileHeight, TileSize),
		f.places(tagTileOffsets, offsets), f.places(tagTileSizes, sizes),
	}
	if subfile != 0 {
		list = append(list, long(tagSubfile, subfile))
	}
	return merge(list, cells)
}
