package texture

import (
	"image"
	"image/color"
	"math"
	"testing"
)

func filled(w, h int, f func(x, y int) color.NRGBA) *Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, f(x, y))
		}
	}
	return New(img)
}

// TestHalf: black and white in turn are half the light, not half the number; what
// is transparent has no colour to add; normals stay of length 1.
func TestHalf(t *testing.T) {
	board := filled(8, 8, func(x, y int) color.NRGBA {
		v := uint8(255 * ((x + y) % 2))
		return color.NRGBA{v, v, v, 255}
	})
	if p := board.Half(true, false); p.Width != 4 || p.Height != 4 || p.Pix[0] < 186 || p.Pix[0] > 190 {
		t.Errorf("light: %v", p.Pix[:4])
	}
	if p := board.Half(false, false); p.Pix[0] < 127 || p.Pix[0] > 128 {
		t.Errorf("numbers: %v", p.Pix[:4])
	}
	edge := filled(2, 2, func(x, _ int) color.NRGBA { return color.NRGBA{200, 100, 50, uint8(255 * x)} })
	edge.Pix[0], edge.Pix[1] = 0, 255 // the colour of a transparent pixel
	if p := edge.Half(true, false); p.Pix[0] < 199 || p.Pix[0] > 201 || p.Pix[3] != 128 {
		t.Errorf("alpha: %v", p.Pix)
	}
	tilted := filled(2, 2, func(x, _ int) color.NRGBA {
		return color.NRGBA{uint8(37 + 181*x), 128, 218, 255}
	})
	if p := tilted.Half(false, true); p.Pix[2] != 255 || p.Pix[0] < 126 || p.Pix[0] > 129 {
		t.Errorf("normals: %v", p.Pix)
	}
	odd := filled(5, 1, func(x, _ int) color.NRGBA { return color.NRGBA{uint8(x), 0, 0, 255} }).Half(true, false).Half(true, false).Half(true, false)
	if odd.Width != 1 || odd.Height != 1 {
		t.Errorf("%d × %d", odd.Width, odd.Height)
	}
}

// TestEncode holds that the tables give what the formula does.
func TestEncode(t *testing.T) {
	for i := range 100_001 {
		v := float32(i) / 100_000
		if got, want := Encode(v), encode(float64(v)); got != want {
			t.Fatalf("Encode(%g) = %d, want %d", v, got, want)
		}
	}
	for i := range 256 {
		if got := Encode(Linear(uint8(i))); got != uint8(i) {
			t.Errorf("%d comes back as %d", i, got)
		}
	}
	if Encode(-1) != 0 || Encode(2) != 255 || Encode(float32(math.NaN())) != 0 {
		t.Error("values out of range")
	}
}
