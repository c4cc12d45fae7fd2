package raster

import (
	"context"
	"errors"
	"image/color"
	"math/rand/v2"
	"testing"
)

// scene is a green plane with a red box of 20 m in its middle, and a stray.
func scene() (Cloud, []bool) {
	r := rand.New(rand.NewPCG(1, 1))
	var xyz []int32
	var red []bool
	for range 150000 {
		x, y := r.Int32N(10000), r.Int32N(10000)
		box := x > 4000 && x < 6000 && y > 4000 && y < 6000
		z := int32(0)
		if box {
			z = 2000
			if r.IntN(3) == 0 { // walls
				z = r.Int32N(2000)
				if r.IntN(2) == 0 {
					x = 4001
				} else {
					y = 4001
				}
			}
		}
		xyz = append(xyz, x, y, z)
		red = append(red, box)
	}
	xyz = append(xyz, 5000000, 0, 900000)
	red = append(red, false)
	return Cloud{XYZ: xyz, Scale: [3]float64{.01, .01, .01}}, red
}

func TestRender(t *testing.T) {
	c, red := scene()
	c.Color = func(i int) color.NRGBA {
		if red[i] {
			return color.NRGBA{220, 30, 30, 255}
		}
		return color.NRGBA{40, 160, 50, 255}
	}
	img, err := Render(context.Background(), c, View{Width: 320, Height: 240, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	covered, reds, top := 0, 0, 0
	for y := range 240 {
		for x := range 320 {
			p := img.NRGBAAt(x, y)
			if p.A > 0 {
				covered++
			}
			if p.A > 0 && p.R > p.G {
				reds++
				if y < 120 {
					top++
				}
				if x < 80 || x > 240 || y < 30 || y > 200 {
					t.Fatalf("red at %d, %d, far from the box", x, y)
				}
			}
		}
	}
	// The outline of the plane is a rhombus; the stray does not shrink it.
	if covered < 320*240*30/100 || reds < covered/50 || reds > covered/4 || top < reds/2 {
		t.Errorf("%d samples covered, %d red, %d of them in the upper half", covered, reds, top)
	}
	// In front of the box next to nothing shows through the plane.
	holes := 0
	for y := 165; y < 190; y++ {
		for x := 120; x < 180; x++ {
			if img.NRGBAAt(x, y).A != 255 {
				holes++
			}
		}
	}
	if holes > 5 {
		t.Errorf("%d holes", holes)
	}
}

func TestRenderOdd(t *testing.T) {
	white := func(int) color.NRGBA { return color.NRGBA{255, 255, 255, 255} }
	if _, err := Render(context.Background(), Cloud{Color: white}, View{}); !errors.Is(err, ErrNoPoints) {
		t.Errorf("no points: %v", err)
	}
	c := Cloud{XYZ: []int32{1, 2, 3}, Scale: [3]float64{1, 1, 1}, Color: white}
	img, err := Render(context.Background(), c, View{Width: 64, Height: 64})
	if err != nil || img.NRGBAAt(32, 32).A == 0 {
		t.Errorf("one point is not in the middle: %v", err)
	}
	c.Hidden = func(int) bool { return true }
	if _, err := Render(context.Background(), c, View{}); !errors.Is(err, ErrNoPoints) {
		t.Errorf("all hidden: %v", err)
	}
	c, _ = scene()
	c.Color = white
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Render(ctx, c, View{}); err == nil {
		t.Error("the end of the context is no error")
	}
}

func TestRamp(t *testing.T) {
	low, middle, high := Ramp(.1), Ramp(.5), Ramp(1)
	if low.B < low.R || middle.G < 200 || high.R < high.B || high.R < 90 {
		t.Errorf("ramp %v %v %v", low, middle, high)
	}
	if ClassColor(200) != ClassColor(1) || ClassColor(2) == ClassColor(6) {
		t.Error("colours of classes")
	}
}

func BenchmarkRender(b *testing.B) {
	c, _ := scene()
	c.Color = func(int) color.NRGBA { return color.NRGBA{200, 200, 200, 255} }
	for b.Loop() {
		if _, err := Render(context.Background(), c, View{Workers: 2}); err != nil {
			b.Fatal(err)
		}
	}
}
