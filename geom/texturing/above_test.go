package texturing

import (
	"context"
	"math"
	"testing"

	"slate360.ai/worker/geom/ortho"
)

// TestOrthophoto: from photos to a map, colours and heights are where they belong.
func TestOrthophoto(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	s := plainSite()
	r := parts(t, s)
	g := ortho.Grid{West: -18, North: 18, Cell: 0.12, Cols: 300, Rows: 300}
	var rgba []uint8
	var heights []float32
	err := ortho.Draw(context.Background(), r, g, ortho.Options{Workers: 2}, func(s ortho.Strip) error {
		rgba, heights = append(rgba, s.RGBA...), append(heights, s.Heights...)
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// How bright the site is, photos do not tell: one factor a channel is free.
	compare := func(dx, dy float64) (psnr float64) {
		var is, want [3]float64
		for pass := range 2 {
			sum, n := 0.0, 0
			for i := range heights {
				x, y := g.West+(float64(i%g.Cols)+.5)*g.Cell, g.North-(float64(i/g.Cols)+.5)*g.Cell
				c := truth(vec{x + dx*g.Cell, y + dy*g.Cell, s.top(x+dx*g.Cell, y+dy*g.Cell)})
				for k := range 3 {
					v := float64(rgba[4*i+k])
					if pass == 0 {
						is[k], want[k] = is[k]+v, want[k]+c[k]
						continue
					}
					e := v*want[k]/is[k] - c[k]
					sum, n = sum+e*e, n+1
				}
			}
			if pass == 1 {
				psnr = 10 * math.Log10(255*255/(sum/float64(n)))
			}
		}
		return psnr
	}
	right := compare(0, 0)
	t.Logf("%.1f dB", right)
	if right < 38 {
		t.Errorf("%.1f dB", right)
	}
	for _, d := range [][2]float64{{.5, 0}, {-.5, 0}, {0, .5}, {0, -.5}} {
		if moved := compare(d[0], d[1]); moved >= right {
			t.Errorf("better when moved by %v cells: %.2f dB against %.2f", d, moved, right)
		}
	}
	off := 0
	for i, h := range heights {
		x, y := g.West+(float64(i%g.Cols)+.5)*g.Cell, g.North-(float64(i/g.Cols)+.5)*g.Cell
		if math.Abs(float64(h)-s.top(x, y)) > 0.1 {
			off++
		}
		if rgba[4*i+3] != 255 {
			t.Fatalf("a hole at %.1f, %.1f", x, y)
		}
	}
	if off > len(heights)/100 { // cells at walls
		t.Errorf("%d of %d heights are off", off, len(heights))
	}
}

func parts(t *testing.T, s *site) (list []ortho.Part) {
	for _, p := range textured(t, s, Options{Workers: 2}).Pages {
		list = append(list, ortho.Part{Positions: p.Positions, UV: p.UV, Triangles: p.Triangles, Texture: p.Image()})
	}
	return list
}
