package workspace

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // photos
	_ "image/png"  // are one of these
	"io"
	"os"
	"path/filepath"

	"golang.org/x/image/draw"
)

// cache keeps the photos used last.
type cache struct {
	limit int
	used  int
	// order of use, the last at the end.
	order []int
	pix   map[int][]uint8
}

func (c *cache) get(view int) []uint8 {
	pix := c.pix[view]
	if pix != nil {
		for k, v := range c.order {
			if v == view {
				c.order = append(append(c.order[:k:k], c.order[k+1:]...), view)
			}
		}
	}
	return pix
}

func (c *cache) put(view int, pix []uint8) {
	if len(pix) > c.limit {
		return
	}
	for c.used+len(pix) > c.limit {
		old := c.order[0]
		c.order = c.order[1:]
		c.used -= len(c.pix[old])
		delete(c.pix, old)
	}
	if c.pix == nil {
		c.pix = map[int][]uint8{}
	}
	c.pix[view] = pix
	c.order = append(c.order, view)
	c.used += len(pix)
}

// Gray returns the brightness of a view's photo.
func (w *Workspace) Gray(ctx context.Context, view int) ([]uint8, error) {
	if pix := w.cache.get(view); pix != nil {
		return pix, nil
	}
	img, err := w.photo(ctx, view)
	if err != nil {
		return nil, err
	}
	pix := gray(img)
	w.cache.put(view, pix)
	return pix, nil
}

// RGB returns the colours of a view's photo.
func (w *Workspace) RGB(ctx context.Context, view int) ([]uint8, error) {
	img, err := w.photo(ctx, view)
	if err != nil {
		return nil, err
	}
	return rgb(img), nil
}

// ErrSize says that a photo is not of its camera's size.
var ErrSize = errors.New("workspace: a photo is not of its camera's size")

func (w *Workspace) photo(ctx context.Context, view int) (image.Image, error) {
	f, err := os.Open(filepath.Join(w.dir, "images", filepath.FromSlash(w.names[view])))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := w.sizes[view]
	head, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("photo %s: %w", w.names[view], err)
	}
	if head.Width != size.X || head.Height != size.Y {
		return nil, fmt.Errorf("%w: %s is %d × %d, its camera %d × %d", ErrSize, w.names[view], head.Width, head.Height, size.X, size.Y)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, _, err := image.Decode(reader{ctx, f})
	if err != nil {
		return nil, fmt.Errorf("photo %s: %w", w.names[view], err)
	}
	c := w.views[view].Camera
	if c.Width == size.X && c.Height == size.Y {
		return img, nil
	}
	return smaller(img, c.Width, c.Height), nil
}

// smaller averages what becomes one pixel.
func smaller(img image.Image, width, height int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.BiLinear.Scale(out, out.Rect, img, img.Bounds(), draw.Src, nil)
	return out
}

// reader ends when the context does, so that decoding does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

func gray(img image.Image) []uint8 {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	out := make([]uint8, w*h)
	for y := range h {
		row := out[y*w:][:w]
		switch p := img.(type) {
		case *image.YCbCr:
			copy(row, p.Y[p.YOffset(b.Min.X, b.Min.Y+y):])
		case *image.Gray:
			copy(row, p.Pix[p.PixOffset(b.Min.X, b.Min.Y+y):])
		default:
			for x := range row {
				row[x] = color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y
			}
		}
	}
	return out
}

func rgb(img image.Image) []uint8 {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	out := make([]uint8, 0, 3*w*h)
	for y := range h {
		for x := range w {
			if p, ok := img.(*image.YCbCr); ok {
				i, c := p.YOffset(b.Min.X+x, b.Min.Y+y), p.COffset(b.Min.X+x, b.Min.Y+y)
				r, g, bl := color.YCbCrToRGB(p.Y[i], p.Cb[c], p.Cr[c])
				out = append(out, r, g, bl)
				continue
			}
			r, g, bl, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
			out = append(out, uint8(r>>8), uint8(g>>8), uint8(bl>>8))
		}
	}
	return out
}
