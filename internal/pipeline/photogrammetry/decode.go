package photogrammetry

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"slate360.ai/worker/codec/exif"
)

// Bounds of photos that are decoded.
const (
	// maxPixels is that of the largest photo: medium format cameras have 150 million.
	maxPixels = 400 << 20
	// pixelBytes is what a pixel may take while a photo is decoded: 16 bits in four
	// channels, and buffers.
	pixelBytes = 10
	// emptiest is how many pixels a byte of a file may hold: all codecs need more for
	// anything but an even area, and a header that lies must not claim the memory.
	emptiest = 1500
	// smallest is the least long side of a photo that features are found in.
	smallest = 320
)

// decode decodes a photo whose header was read. It ends within some 100 ms of ctx.
func decode(ctx context.Context, path string, m *exif.Metadata) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(&contextReader{ctx, f}, 64<<10)
	var img image.Image
	switch m.Format {
	case exif.JPEG:
		img, err = jpeg.Decode(r)
	case exif.PNG:
		img, err = png.Decode(r)
	case exif.TIFF:
		img, err = tiff.Decode(r)
	case exif.WebP:
		img, err = webp.Decode(r)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), err != nil && m.Format == exif.JPEG && isCut(path):
		return nil, errors.New("the file is truncated: was the upload or copy complete?")
	case err != nil:
		return nil, fmt.Errorf("it cannot be decoded: %w", err)
	case img.Bounds().Dx() != m.Width || img.Bounds().Dy() != m.Height:
		return nil, fmt.Errorf("it is %d × %d pixels and says %d × %d", img.Bounds().Dx(), img.Bounds().Dy(), m.Width, m.Height)
	}
	return img, nil
}

// endOfImage ends a whole JPEG; some cameras write more after it.
const endOfImage = "\xff\xd9"

// isCut tells whether a JPEG lacks its end.
func isCut(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	tail := make([]byte, min(64<<10, info.Size()))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return false
	}
	return !bytes.Contains(tail, []byte(endOfImage))
}

// checkSize refuses photos that would take too much memory.
func checkSize(m *exif.Metadata, bytes, budget int64) error {
	pixels := int64(m.Width) * int64(m.Height)
	switch {
	case pixels > maxPixels:
		return fmt.Errorf("it has %d megapixels, more than %d", pixels/1e6, maxPixels/1_000_000)
	case pixels*pixelBytes > budget:
		return fmt.Errorf("its %d megapixels do not fit the memory budget", pixels/1e6)
	case bytes < pixels/emptiest:
		return fmt.Errorf("its %d bytes are too few for %d × %d pixels", bytes, m.Width, m.Height)
	}
	return nil
}

// contextReader ends a read when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// plane is a picture of brightness, 0 to 255.
type plane struct {
	w, h int
	pix  []uint8
}

// grey returns the brightness of a photo whose long side is divided by a whole
// number until it has at most side pixels: each is the mean of a square.
func grey(img image.Image, side int) plane {
	b := img.Bounds()
	step := max(1, (max(b.Dx(), b.Dy())+side-1)/side)
	p := plane{w: max(1, b.Dx()/step), h: max(1, b.Dy()/step)}
	p.pix = make([]uint8, p.w*p.h)
	at := brightness(img)
	for y := range p.h {
		for x := range p.w {
			var sum, n uint32
			for v := b.Min.Y + y*step; v < min(b.Min.Y+(y+1)*step, b.Max.Y); v++ {
				for u := b.Min.X + x*step; u < min(b.Min.X+(x+1)*step, b.Max.X); u++ {
					sum += uint32(at(u, v))
					n++
				}
			}
			p.pix[y*p.w+x] = uint8((sum + n/2) / n)
		}
	}
	return p
}

// brightness returns how to read the brightness of a pixel: that of JPEG without a
// detour over colours.
func brightness(img image.Image) func(x, y int) uint8 {
	switch m := img.(type) {
	case *image.YCbCr:
		return func(x, y int) uint8 { return m.Y[m.YOffset(x, y)] }
	case *image.Gray:
		return func(x, y int) uint8 { return m.Pix[m.PixOffset(x, y)] }
	}
	return func(x, y int) uint8 { return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y }
}
