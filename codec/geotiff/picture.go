package geotiff

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"

	"github.com/klauspost/compress/zlib"
)

// Picture is an 8-bit colour picture with transparency, north up.
type Picture struct {
	Cols, Rows int
	Place      Place
	// Lossless stores red, green, blue and alpha with DEFLATE. Else colours are JPEG
	// (TIFF Technical Note 2), several times smaller, with a mask of one bit a pixel:
	// alpha of 128 and more is there.
	Lossless bool
	// Quality of JPEG, 1 to 100; 0 is 85.
	Quality int
}

// NewPictureWriter starts to write a picture: WriteRGBA takes its rows from the
// north, Close finishes the file. Tiles are compressed on workers goroutines. Memory
// is about 4 KiB a column, for all levels together, and a few tiles.
func NewPictureWriter(w io.WriterAt, scratch Scratch, p Picture, workers int) (*Writer, error) {
	if p.Quality == 0 {
		p.Quality = 85
	}
	if p.Quality < 1 || p.Quality > 100 {
		return nil, fmt.Errorf("geotiff: JPEG quality %d; want 1 to 100", p.Quality)
	}
	if p.Lossless {
		return newWriter(w, scratch, p.Cols, p.Rows, p.Place, deflated{}, workers)
	}
	tables, err := jpegTables(p.Quality)
	if err != nil {
		return nil, err
	}
	return newWriter(w, scratch, p.Cols, p.Rows, p.Place, photographic{quality: p.Quality, tables: tables}, workers)
}

// WriteRGBA takes rows of red, green, blue and alpha, not premultiplied.
func (g *Writer) WriteRGBA(ctx context.Context, rows []uint8) error {
	if _, ok := g.cells.(heights); ok {
		return fmt.Errorf("geotiff: colours for a raster of numbers")
	}
	return g.write(ctx, rows)
}

// halveRGBA takes the mean of four pixels, colours weighted by alpha.
func halveRGBA(out, a, b []byte) {
	for x := 0; x < len(out); x += 4 {
		var sum [4]uint32
		n := uint32(0)
		for i := 2 * x; i < min(2*x+8, len(a)); i += 4 {
			for _, row := range [2][]byte{a, b} {
				alpha := uint32(row[i+3])
				sum[0] += uint32(row[i]) * alpha
				sum[1] += uint32(row[i+1]) * alpha
				sum[2] += uint32(row[i+2]) * alpha
				sum[3] += alpha
				n++
			}
		}
		if sum[3] == 0 {
			clear(out[x : x+4])
			continue
		}
		for k := range 3 {
			out[x+k] = uint8((sum[k] + sum[3]/2) / sum[3])
		}
		out[x+3] = uint8((sum[3] + n/2) / n)
	}
}

// deflated is the lossless kind.
type deflated struct{}

func (deflated) halve(out, a, b []byte) { halveRGBA(out, a, b) }
func (deflated) empty() [4]byte         { return [4]byte{} }
func (deflated) coder() coder           { return &deflateCoder{} }
func (deflated) masked() bool           { return false }

func (deflated) fields() []field {
	return []field{
		shorts(tagBits, 8, 8, 8, 8), shorts(tagCompression, 8), shorts(tagPhotometric, 2), shorts(tagSamples, 4),
		shorts(tagPredictor, 2), shorts(tagExtraSamples, 2), shorts(tagSampleFormat, 1, 1, 1, 1),
	}
}

type deflateCoder struct{ zlib *zlib.Writer }

// encode stores differences to the pixel on the left (TIFF 6.0, section 14).
func (c *deflateCoder) encode(out, _ *bytes.Buffer, tile []byte) error {
	for y := range TileSize {
		row := tile[4*TileSize*y:][:4*TileSize]
		for i := len(row) - 1; i >= 4; i-- {
			row[i] -= row[i-4]
		}
	}
	return deflate(&c.zlib, out, tile)
}

func deflate(z **zlib.Writer, out *bytes.Buffer, data []byte) error {
	if *z == nil {
		*z = zlib.NewWriter(out)
	} else {
		(*z).Reset(out)
	}
	if _, err := (*z).Write(data); err != nil {
		return err
	}
	return (*z).Close()
}

// photographic is the kind with JPEG and a mask.
type photographic struct {
	quality int
	tables  []byte
}

func (photographic) halve(out, a, b []byte) { halveRGBA(out, a, b) }
func (photographic) empty() [4]byte         { return [4]byte{} }
func (photographic) masked() bool           { return true }

func (p photographic) coder() coder {
	return &jpegCoder{quality: p.quality, bits: make([]byte, TileSize*TileSize/8)}
}

func (p photographic) fields() []field {
	return []field{
		shorts(tagBits, 8, 8, 8), shorts(tagCompression, 7), shorts(tagPhotometric, 6), shorts(tagSamples, 3), shorts(tagSampleFormat, 1, 1, 1),
		{tag: tagJPEGTables, kind: typeBytes, count: len(p.tables), data: p.tables},
		shorts(tagSubsampling, 2, 2), shorts(tagPositioning, 1),
	}
}

type jpegCoder struct {
	quality int
	whole   bytes.Buffer
	bits    []byte
	zlib    *zlib.Writer
}

func (c *jpegCoder) encode(out, mask *bytes.Buffer, tile []byte) error {
	clear(c.bits)
	for i := range TileSize * TileSize {
		if tile[4*i+3] >= 128 {
			c.bits[i/8] |= 0x80 >> (i % 8)
		}
	}
	if err := deflate(&c.zlib, mask, c.bits); err != nil {
		return err
	}
	for y := 0; y < TileSize; y += unitSize {
		for x := 0; x < TileSize; x += unitSize {
			calm(tile[4*(TileSize*y+x):])
		}
	}
	c.whole.Reset()
	img := &image.RGBA{Pix: tile, Stride: 4 * TileSize, Rect: image.Rect(0, 0, TileSize, TileSize)}
	if err := jpeg.Encode(&c.whole, img, &jpeg.Options{Quality: c.quality}); err != nil {
		return err
	}
	_, body, err := splitJPEG(c.whole.Bytes())
	if err != nil {
		return err
	}
	out.Write(body)
	return nil
}

// unitSize is the edge of what JPEG compresses on its own, with chroma at half size.
const unitSize = 16

// calm gives pixels that are not there the mean of those of the unit that are, so that
// no edge between them disturbs the latter.
func calm(unit []byte) {
	var sum [3]uint32
	n := uint32(0)
	for y := range unitSize {
		for x := range unitSize {
			if p := unit[4*(TileSize*y+x):][:4]; p[3] >= 128 {
				n++
				for k := range sum {
					sum[k] += uint32(p[k])
				}
			}
		}
	}
	for y := range unitSize {
		for x := range unitSize {
			p := unit[4*(TileSize*y+x):][:4]
			if p[3] < 128 {
				for k := range sum {
					p[k] = uint8((sum[k] + n/2) / max(n, 1))
				}
			}
			p[3] = 255
		}
	}
}
