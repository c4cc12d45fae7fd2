package scanline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestEdges holds that triangles that tile a square give each pixel exactly once.
func TestEdges(t *testing.T) {
	const n, size = 9, 64
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		var xs, ys [n + 1][n + 1]float32
		for j := range n + 1 {
			for i := range n + 1 {
				xs[j][i], ys[j][i] = float32(i*size/n), float32(j*size/n)
				if i > 0 && j > 0 && i < n && j < n {
					xs[j][i] += float32(r.IntN(9)-4) / 2 // pixels' middles and corners, too
					ys[j][i] += float32(r.NormFloat64())
				}
				if i == n {
					xs[j][i] = size
				}
				if j == n {
					ys[j][i] = size
				}
			}
		}
		var count [size][size]int
		add := func(p ...[2]int) {
			var tri Triangle
			for k, at := range p {
				tri.X[k], tri.Y[k] = xs[at[1]][at[0]], ys[at[1]][at[0]]
			}
			y0, y1 := tri.Rows(0, size)
			for y := y0; y < y1; y++ {
				x0, x1 := tri.Row(y, size)
				for x := x0; x < x1; x++ {
					count[y][x]++
				}
			}
		}
		for j := range n {
			for i := range n {
				add([2]int{i, j}, [2]int{i + 1, j}, [2]int{i + 1, j + 1})
				add([2]int{i, j + 1}, [2]int{i, j}, [2]int{i + 1, j + 1})
			}
		}
		for y := range size {
			for x := range size {
				if count[y][x] != 1 {
					t.Fatalf("pixel %d, %d is in %d triangles", x, y, count[y][x])
				}
			}
		}
	}
}

func TestPlane(t *testing.T) {
	tri := Triangle{X: [3]float32{1, 9, 3}, Y: [3]float32{2, 4, 11}}
	f := func(x, y float32) float32 { return 5 + 2*x - 3*y }
	p, ok := tri.Plane([3]float32{f(1, 2), f(9, 4), f(3, 11)})
	if !ok || math.Abs(float64(p.At(4, 5)-f(4.5, 5.5))) > 1e-4 {
		t.Errorf("%+v gives %g, want %g", p, p.At(4, 5), f(4.5, 5.5))
	}
	flat := Triangle{X: [3]float32{1, 2, 3}, Y: [3]float32{1, 2, 3}}
	if _, ok := flat.Plane([3]float32{}); ok {
		t.Error("a line has a plane")
	}
	if y0, y1 := flat.Rows(0, 10); y1 > y0 {
		for y := y0; y < y1; y++ {
			if x0, x1 := flat.Row(y, 10); x1 > x0 {
				t.Error("a line has pixels")
			}
		}
	}
}
