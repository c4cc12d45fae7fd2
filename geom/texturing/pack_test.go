package texturing

import (
	"context"
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSkyline: rectangles stay on the page and off each other, with little lost.
func TestSkyline(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, n := range []int{1, 10, 400} {
		p := &texturer{team: team{ctx: context.Background()}, o: Options{PageSize: 2048}.defaults()}
		for range n {
			p.patches = append(p.patches, patch{view: -1, w: 5 + r.IntN(160), h: 5 + r.IntN(160)})
		}
		if err := p.arrange(); err != nil {
			t.Fatal(err)
		}
		used, area := 0, 0
		for _, g := range p.pages {
			area += g.width * g.height
		}
		for i, a := range p.patches {
			g := p.pages[a.page]
			ra := image.Rect(a.x, a.y, a.x+a.w, a.y+a.h)
			if !ra.In(image.Rect(0, 0, g.width, g.height)) {
				t.Errorf("%v leaves its page of %d × %d", ra, g.width, g.height)
			}
			for _, b := range p.patches[:i] {
				if a.page == b.page && ra.Overlaps(image.Rect(b.x, b.y, b.x+b.w, b.y+b.h)) {
					t.Errorf("%v overlaps another", ra)
				}
			}
			used += a.w * a.h
		}
		if n == 400 && float64(used) < 0.85*float64(area) {
			t.Errorf("%d texels of %d are used", used, area)
		}
	}
}

// TestConjugate solves a small system that is known.
func TestConjugate(t *testing.T) {
	const n = 40
	r := rand.New(rand.NewPCG(5, 5))
	var a [n][n]float64
	want := make([]float32, 2*n)
	for i := range n {
		a[i][i] = 4.1
		for j := range i {
			if r.IntN(8) == 0 {
				a[i][j], a[j][i] = -0.4, -0.4
			}
		}
		want[2*i], want[2*i+1] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	times := func(out, x []float32) error {
		for i := range n {
			for k := range 2 {
				sum := 0.0
				for j := range n {
					sum += a[i][j] * float64(x[2*j+k])
				}
				out[2*i+k] = float32(sum)
			}
		}
		return nil
	}
	b, x, diagonal := make([]float32, 2*n), make([]float32, 2*n), make([]float32, n)
	for i := range n {
		diagonal[i] = float32(a[i][i])
	}
	_ = times(b, want)
	tm := &team{ctx: context.Background(), workers: 1}
	if err := tm.conjugate(2, times, diagonal, b, x, 1e-5, 100); err != nil {
		t.Fatal(err)
	}
	for i := range x {
		if math.Abs(float64(x[i]-want[i])) > 1e-3 {
			t.Fatalf("x[%d] = %g, want %g", i, x[i], want[i])
		}
	}
}
