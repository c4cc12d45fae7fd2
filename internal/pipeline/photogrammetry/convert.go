package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	xdraw "golang.org/x/image/draw"

	"slate360.ai/worker/codec/exif"
	"slate360.ai/worker/internal/engine"
)

// converter makes copies of photos that COLMAP, or we, cannot read as they are.
type converter struct {
	dir     string // where copies go
	scratch string
	log     *slog.Logger
}

// copyQuality is the JPEG quality of copies: losses are below the noise of cameras.
const copyQuality = 97

// mustConvert tells whether COLMAP cannot read a photo, or not in every version:
// CMYK, 16 bits, TIFF in its many kinds, WebP.
func mustConvert(m *exif.Metadata) bool {
	return m.Bits > 8 || m.Components == 4 || m.Format == exif.TIFF || m.Format == exif.WebP
}

// write writes a copy and returns its name.
func (c *converter) write(img image.Image, name string) (string, error) {
	name += ".jpg"
	err := writeFile(filepath.Join(c.dir, name), func(f *os.File) error {
		return jpeg.Encode(f, img, &jpeg.Options{Quality: copyQuality})
	})
	if err != nil {
		return "", fmt.Errorf("write copy of photo: %w", err)
	}
	return name, nil
}

func writeFile(path string, write func(f *os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	return errors.Join(err, f.Close())
}

// normalise returns the photo in 8 bits, grey or RGB, on white where it lets through.
// Numbers of 16 bits that use only a part of their range, as those of thermal
// cameras, are spread over all of it.
func normalise(img image.Image) (_ image.Image, note string) {
	b := img.Bounds()
	switch m := img.(type) {
	case *image.Gray16:
		low, high := range16(m)
		out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
		if high-low >= 1<<14 {
			low, high = 0, 1<<16-1
		} else {
			note = fmt.Sprintf("its 16-bit values from %d to %d are spread over all greys", low, high)
		}
		scale := 255 / float64(max(1, high-low))
		for y := range b.Dy() {
			for x := range b.Dx() {
				v := (float64(m.Gray16At(b.Min.X+x, b.Min.Y+y).Y) - float64(low)) * scale
				out.Pix[y*out.Stride+x] = uint8(max(0, min(255, v+0.5)))
			}
		}
		return out, note
	case *image.Gray, *image.YCbCr:
		return img, ""
	}
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	xdraw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, xdraw.Src)
	xdraw.Draw(out, out.Bounds(), img, b.Min, xdraw.Over)
	return out, ""
}

// range16 returns the values that all but a thousandth at both ends lie between.
func range16(m *image.Gray16) (low, high int) {
	var counts [1 << 16]int
	n := 0
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		for x := m.Rect.Min.X; x < m.Rect.Max.X; x++ {
			counts[m.Gray16At(x, y).Y]++
			n++
		}
	}
	cut := n / 1000
	for sum := 0; low < len(counts)-1; low++ {
		if sum += counts[low]; sum > cut {
			break
		}
	}
	high = len(counts) - 1
	for sum := 0; high > low; high-- {
		if sum += counts[high]; sum > cut {
			break
		}
	}
	return low, high
}

// foreign converts a HEIC or AVIF photo by a program that is installed; EXIF is kept
// by the programs.
func (c *converter) foreign(ctx context.Context, path, name string) (string, error) {
	out := strings.TrimSuffix(name, filepath.Ext(name)) + ".heic.jpg"
	to := filepath.Join(c.dir, out)
	attempts := [][]string{
		{"heif-convert", "-q", fmt.Sprint(copyQuality), path, to},
		{"heif-dec", "-q", fmt.Sprint(copyQuality), path, to},
		{"magick", path, "-quality", fmt.Sprint(copyQuality), to},
		{"ffmpeg", "-v", "error", "-nostdin", "-y", "-i", path, "-frames:v", "1", "-q:v", "2", to},
	}
	var failed []string
	for _, a := range attempts {
		_, err := engine.Command{Name: a[0], Args: a[1:], MemoryLimit: converterMemory}.Run(ctx)
		var missing *engine.NotInstalledError
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.As(err, &missing):
			continue
		case err == nil:
			if _, statErr := os.Stat(to); statErr == nil {
				return out, nil
			}
			err = errors.New("it wrote nothing")
		}
		failed = append(failed, fmt.Sprintf("%s: %v", a[0], err))
	}
	if len(failed) > 0 {
		return "", fmt.Errorf("it could not be converted to JPEG: %s", strings.Join(failed, "; "))
	}
	return "", errors.New("it is HEIC or AVIF, for which no converter is installed here: install libheif-examples (heif-convert), or export JPEG from the phone")
}

// converterMemory bounds programs that read what users upload, in bytes.
const converterMemory = 8 << 30

// writeMask writes the mask of a photo as COLMAP wants it: grey, of the size of the
// photo, black where features are not wanted.
func writeMask(ctx context.Context, path, dir string, p Photo, budget int64) (string, error) {
	it := item{path: path}
	if _, err := it.readHeader(); err != nil {
		return "", err
	}
	// Masks are even areas, of which a byte holds any number of pixels.
	pixels := int64(it.meta.Width) * int64(it.meta.Height)
	if err := checkSize(it.meta, pixels, budget); err != nil {
		return "", err
	}
	img, err := decode(ctx, path, it.meta)
	if err != nil {
		return "", err
	}
	out := image.NewGray(image.Rect(0, 0, p.Width, p.Height))
	xdraw.NearestNeighbor.Scale(out, out.Bounds(), img, img.Bounds(), xdraw.Src, nil)
	for i, v := range out.Pix {
		if v < 128 {
			out.Pix[i] = 0
		} else {
			out.Pix[i] = 255
		}
	}
	name := p.Name + ".png"
	return name, writeFile(filepath.Join(dir, name), func(f *os.File) error { return png.Encode(f, out) })
}
