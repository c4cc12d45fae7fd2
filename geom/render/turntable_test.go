package render

import (
	"bytes"
	"context"
	"errors"
	"image"
	"math"
	"testing"
)

// TestTurntable turns a bar about its middle: it is whole in all pictures, and its
// middle stays where it is; from opposite sides a bar looks the same.
func TestTurntable(t *testing.T) {
	bar := &Mesh{}
	for c := range 8 {
		bar.Positions = append(bar.Positions, 20+6*float32(c&1*2-1), 5+float32(c>>1&1), -3+float32(c>>2))
	}
	bar.Indices = []uint32{0, 2, 1, 1, 2, 3, 4, 5, 6, 5, 7, 6, 0, 1, 4, 1, 5, 4, 2, 6, 3, 3, 6, 7, 0, 4, 2, 2, 4, 6, 1, 3, 5, 3, 7, 5}
	s := &Scene{Meshes: []*Mesh{bar}, Materials: []Material{DefaultMaterial()}}
	var pictures []*image.NRGBA
	o := Options{Width: 160, Height: 120}
	err := Turntable(context.Background(), s, o, 8, func(img *image.NRGBA) error {
		pictures = append(pictures, img)
		return nil
	})
	if err != nil || len(pictures) != 8 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	widths := map[int]bool{}
	for i, img := range pictures {
		b := shown(img)
		if b.Empty() || b.Min.X < 2 || b.Min.Y < 2 || b.Max.X > 158 || b.Max.Y > 118 {
			t.Errorf("picture %d shows %v", i, b)
		}
		if opposite := pictures[(i+4)%8]; different(img, opposite) > 0.02 {
			t.Errorf("picture %d differs by %g from the opposite one", i, different(img, opposite))
		}
		widths[b.Dx()] = true
	}
	if len(widths) < 3 {
		t.Errorf("the bar is as wide in all pictures: %v", widths)
	}
	stop := errors.New("stop")
	if err := Turntable(context.Background(), s, o, 8, func(*image.NRGBA) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Turntable(ctx, s, o, 8, func(*image.NRGBA) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := Turntable(context.Background(), &Scene{}, o, 8, nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
}

// shown is the part of a picture with something on it.
func shown(img *image.NRGBA) (out image.Rectangle) {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if img.NRGBAAt(x, y).A > 0 {
				out = out.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return out
}

// different is the share of pixels that one picture covers and the other does not.
func different(a, b *image.NRGBA) float64 {
	if bytes.Equal(a.Pix, b.Pix) {
		return 0
	}
	sum := 0.0
	for i := 3; i < len(a.Pix); i += 4 {
		sum += math.Abs(float64(a.Pix[i])-float64(b.Pix[i])) / 255
	}
	return sum / float64(len(a.Pix)/4)
}
