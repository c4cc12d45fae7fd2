package ortho

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"slate360.ai/worker/geom/texture"
)

// paint is the colour at a place, linear from 0 to 1, smooth over some cells.
func paint(x, y float64) [3]float64 {
	return [3]float64{
		0.4 + 0.25*math.Sin(1.9*x)*math.Cos(1.3*y),
		0.4 + 0.25*math.Sin(1.1*x+1.7*y),
		0.4 + 0.25*math.Cos(2.3*y-0.8*x),
	}
}

// meadow is a surface over a rectangle, with a texture of so many texels a unit.
func meadow(x0, y0, x1, y1 float64, n int, density float64, height func(x, y float64) float64) Part {
	var p Part
	for j := range n + 1 {
		for i := range n + 1 {
			u, v := float64(i)/float64(n), float64(j)/float64(n)
			x, y := x0+u*(x1-x0), y1-v*(y1-y0)
			p.Positions = append(p.Positions, float32(x), float32(y), float32(height(x, y)))
			p.UV = append(p.UV, float32(u), float32(v))
		}
	}
	w := uint32(n + 1)
	for j := range uint32(n) {
		for i := range uint32(n) {
			a := j*w + i
			p.Triangles = append(p.Triangles, a, a+w, a+1, a+1, a+w, a+w+1)
		}
	}
	t := &texture.Image{Width: int((x1 - x0) * density), Height: int((y1 - y0) * density)}
	t.Pix = make([]uint8, 4*t.Width*t.Height)
	for j := range t.Height {
		for i := range t.Width {
			c := paint(x0+(float64(i)+.5)/density, y1-(float64(j)+.5)/density)
			for k := range 3 {
				t.Pix[4*(j*t.Width+i)+k] = texture.Encode(float32(c[k]))
			}
			t.Pix[4*(j*t.Width+i)+3] = 255
		}
	}
	p.Texture = t
	return p
}

// whole is a raster in one piece.
type whole struct {
	Grid
	rgba    []uint8
	heights []float32
}

func draw(t testing.TB, parts []Part, cell float64, o Options) *whole {
	t.Helper()
	g, err := Cover(parts, cell)
	if err != nil {
		t.Fatal(err)
	}
	w := &whole{Grid: g}
	err = Draw(context.Background(), parts, g, o, func(s Strip) error {
		w.rgba, w.heights = append(w.rgba, s.RGBA...), append(w.heights, s.Heights...)
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// place is the middle of a cell.
func (w *whole) place(i int) (x, y float64) {
	return w.West + (float64(i%w.Cols)+.5)*w.Cell, w.North - (float64(i/w.Cols)+.5)*w.Cell
}

// psnr compares colours with the truth, moved by some cells.
func (w *whole) psnr(dx, dy float64) float64 {
	sum, n := 0.0, 0
	for i := 0; i < len(w.heights); i += 5 {
		if w.rgba[4*i+3] < 255 {
			continue
		}
		x, y := w.place(i)
		c := paint(x+dx*w.Cell, y+dy*w.Cell)
		for k := range 3 {
			d := float64(w.rgba[4*i+k]) - float64(texture.Encode(float32(c[k])))
			sum += d * d
			n++
		}
	}
	return 10 * math.Log10(255*255/(sum/float64(n)))
}

// TestPlace holds that colours and heights are where they belong, to a small share of
// a cell, from textures finer and coarser than cells, over borders of strips.
func TestPlace(t *testing.T) {
	hills := func(x, y float64) float64 { return 2*math.Sin(x/3) + 1.5*math.Cos(y/4) }
	for _, density := range []float64{6, 14, 40} {
		parts := []Part{meadow(-13.3, 2.2, 20.7, 57.7, 60, density, hills)}
		w := draw(t, parts, 0.1, Options{Workers: 3})
		right := w.psnr(0, 0)
		if right < 38 {
			t.Errorf("%g texels a unit: %.1f dB", density, right)
		}
		for _, d := range [][2]float64{{.25, 0}, {-.25, 0}, {0, .25}, {0, -.25}} {
			if moved := w.psnr(d[0], d[1]); moved >= right {
				t.Errorf("%g texels a unit: better when moved by %v cells: %.2f dB against %.2f", density, d, moved, right)
			}
		}
		missing, worst := 0, 0.0
		for i, h := range w.heights {
			x, y := w.place(i)
			if h != h && x > -13.3 && x < 20.7 && y > 2.2 && y < 57.7 {
				missing++
			}
			if w.rgba[4*i+3] == 255 {
				worst = max(worst, math.Abs(float64(h)-hills(x, y)))
			}
		}
		if missing > 0 || worst > 0.06 { // triangles are flat, hills are not
			t.Errorf("%g texels a unit: %d cells without height, %.3f off", density, missing, worst)
		}
	}
}

// TestRoof: what is higher hides what is below, with walls straight.
func TestRoof(t *testing.T) {
	flat := func(h float64) func(x, y float64) float64 { return func(_, _ float64) float64 { return h } }
	low, roof := meadow(0, 0, 10, 10, 7, 10, flat(1)), meadow(3, 4, 6, 9, 5, 10, flat(8.5))
	for i := range roof.Texture.Pix {
		roof.Texture.Pix[i] |= 0xc0
	}
	for i := range low.Texture.Pix {
		low.Texture.Pix[i] &= 0x9f
		low.Texture.Pix[i] |= uint8(i%4) / 3 * 255
	}
	for _, parts := range [][]Part{{low, roof}, {roof, low}} {
		w := draw(t, parts, 0.1, Options{})
		for i, h := range w.heights {
			x, y := w.place(i)
			want, bright := float32(1), false
			if x > 3 && x < 6 && y > 4 && y < 9 {
				want, bright = 8.5, true
			}
			if h != want || (w.rgba[4*i] >= 0xc0) != bright {
				t.Fatalf("at %.2f, %.2f: height %g, want %g; colour %v", x, y, h, want, w.rgba[4*i:4*i+4])
			}
		}
	}
}

// TestGaps: narrow ones are closed, wide ones and the outside are transparent.
func TestGaps(t *testing.T) {
	flat := func(_, _ float64) float64 { return 3 }
	parts := []Part{meadow(0, 0, 4, 10, 3, 20, flat), meadow(4.3, 0, 7, 10, 3, 20, flat), meadow(8, 0, 10, 10, 3, 20, flat)}
	for i := range parts { // one colour, so that one in between is right
		for j := range parts[i].Texture.Pix {
			parts[i].Texture.Pix[j] = []uint8{200, 150, 100, 255}[j%4]
		}
	}
	parts = append(parts, Part{Positions: []float32{12, 12, 0, 13, 12, 0, 12, 13, 0}, Triangles: []uint32{0, 1, 2}})
	w := draw(t, parts, 0.1, Options{})
	for i, h := range w.heights {
		x, y := w.place(i)
		if x > 11 || y > 10 {
			continue
		}
		inside := (x < 7 || x > 8 && x < 10)
		if inside != (h == 3) || inside != (w.rgba[4*i+3] == 255) {
			t.Fatalf("at %.2f, %.2f: height %g, colour %v", x, y, h, w.rgba[4*i:4*i+4])
		}
		if inside && !slices.Equal(w.rgba[4*i:4*i+4], []uint8{200, 150, 100, 255}) {
			t.Fatalf("at %.2f, %.2f: colour %v", x, y, w.rgba[4*i:4*i+4])
		}
	}
}

// TestDetail: a texture much finer than cells becomes its mean, not noise.
func TestDetail(t *testing.T) {
	p := meadow(0, 0, 8, 8, 4, 128, func(x, _ float64) float64 { return x / 2 })
	for i := range p.Texture.Width * p.Texture.Height {
		v := uint8(255 * ((i + i/p.Texture.Width) % 2))
		copy(p.Texture.Pix[4*i:], []uint8{v, v, v, 255})
	}
	w := draw(t, []Part{p}, 0.25, Options{})
	for i := range w.heights {
		if v := w.rgba[4*i]; v < 184 || v > 192 { // half the light
			t.Fatalf("cell %d has %d", i, v)
		}
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	parts := []Part{meadow(0, 0, 30, 30, 50, 9, func(x, y float64) float64 { return math.Sin(x) * math.Cos(y) })}
	a, b := draw(t, parts, 0.05, Options{Workers: 1}), draw(t, parts, 0.05, Options{Workers: 5})
	if !slices.Equal(a.rgba, b.rgba) || !slices.Equal(a.heights, b.heights) {
		t.Error("another picture")
	}
}

func TestRefused(t *testing.T) {
	ctx := context.Background()
	nan := float32(math.NaN())
	g := Grid{Cell: 1, Cols: 2, Rows: 2}
	emit := func(Strip) error { return nil }
	triangle := Part{Positions: []float32{0, 0, 0, 1, 0, 0, 0, 1, 0}, Triangles: []uint32{0, 1, 2}}
	for name, err := range map[string]error{
		"no parts":   Draw(ctx, nil, g, Options{}, emit, nil),
		"no grid":    Draw(ctx, []Part{triangle}, Grid{}, Options{}, emit, nil),
		"samples":    Draw(ctx, []Part{triangle}, g, Options{Samples: 99}, emit, nil),
		"index":      Draw(ctx, []Part{{Positions: triangle.Positions, Triangles: []uint32{0, 1, 3}}}, g, Options{}, emit, nil),
		"no UV":      Draw(ctx, []Part{{Positions: triangle.Positions, Triangles: triangle.Triangles, Texture: &texture.Image{}}}, g, Options{}, emit, nil),
		"emit fails": Draw(ctx, []Part{triangle}, g, Options{}, func(Strip) error { return errors.New("full") }, nil),
	} {
		if err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if _, err := Cover([]Part{{Positions: []float32{nan, 0, 0}, Triangles: []uint32{0, 0, 0}}}, 1); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing to cover: %v", err)
	}
	if _, err := Cover([]Part{triangle}, 1e-12); err == nil {
		t.Error("a raster of 10^24 cells is no error")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := Draw(cancelled, []Part{triangle}, g, Options{}, emit, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	// What is not finite is left out, the rest drawn.
	bad := Part{Positions: append([]float32{nan, 0, 0, 0, nan, 1, 5, 5, nan}, triangle.Positions...), Triangles: []uint32{0, 1, 2, 3, 4, 5, 3, 3, 4}}
	if w := draw(t, []Part{bad}, 0.1, Options{}); w.rgba[4*(w.Cols*(w.Rows-1))+3] != 255 {
		t.Error("a triangle beside bad ones was not drawn")
	}
}

func BenchmarkDraw(b *testing.B) {
	parts := []Part{meadow(0, 0, 100, 100, 300, 20, func(x, y float64) float64 { return math.Sin(x) * math.Cos(y) })}
	g, err := Cover(parts, 0.05)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(g.Cols) * int64(g.Rows) * 4)
	for b.Loop() {
		if err := Draw(context.Background(), parts, g, Options{Workers: 2}, func(Strip) error { return nil }, nil); err != nil {
			b.Fatal(err)
		}
	}
}
