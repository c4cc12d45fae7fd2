package delaunay

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// shapes are point sets that are hard in different ways.
func shapes() map[string][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	s := map[string][]float32{}
	for i := range 3000 {
		s["random"] = append(s["random"], r.Float32(), r.Float32(), r.Float32())
		u, v := r.Float64()*2*math.Pi, r.Float64()*2-1
		w := math.Sqrt(1 - v*v)
		s["sphere"] = append(s["sphere"], float32(w*math.Cos(u)), float32(w*math.Sin(u)), float32(v))
		s["plane and one"] = append(s["plane and one"], float32(i%60), float32(i/60), 0)
		s["line and triangle"] = append(s["line and triangle"], float32(i), 0, 0)
		s["duplicates"] = append(s["duplicates"], float32(r.IntN(8)), float32(r.IntN(8)), float32(r.IntN(8)))
		s["far apart"] = append(s["far apart"], float32(math.Exp(20*r.Float64())), float32(math.Exp(20*r.Float64())), float32(math.Exp(20*r.Float64())))
		s["slab"] = append(s["slab"], r.Float32(), r.Float32(), 1e-7*r.Float32())
	}
	for i := range 14 * 14 * 14 {
		s["grid"] = append(s["grid"], float32(i%14), float32(i/14%14), float32(i/14/14))
	}
	s["plane and one"] = append(s["plane and one"], 7, 9, 11)
	s["line and triangle"] = append(s["line and triangle"], 5, 5, 5, 10, -5, 5)
	return s
}

func TestBuild(t *testing.T) {
	for name, points := range shapes() {
		t.Run(name, func(t *testing.T) {
			tr, err := Build(context.Background(), points, nil)
			if err != nil {
				t.Fatal(err)
			}
			check(t, tr)
			again, err := Build(context.Background(), points, nil)
			if err != nil || !slices.Equal(tr.Cells, again.Cells) {
				t.Error("another result the second time")
			}
		})
	}
}

// check holds a triangulation against its definition: cells of positive volume that
// fit together, fill the hull, and whose balls are empty; every place is a vertex.
func check(t *testing.T, tr *Triangulation) {
	t.Helper()
	b := &builder{Triangulation: tr}
	used := map[[3]int32]bool{}
	var hull, inside float64
	for c, v := range tr.Cells {
		infinite := slices.Index(v[:], Infinite)
		if infinite < 0 && orient(&tr.Grid[v[0]], &tr.Grid[v[1]], &tr.Grid[v[2]], &tr.Grid[v[3]]) <= 0 {
			t.Fatalf("cell %d has no volume", c)
		}
		for i, f := range tr.Faces[c] {
			d, j := f>>2, f&3
			if tr.Faces[d][j] != int32(4*c+i) {
				t.Fatalf("face %d of cell %d is not mutual", i, c)
			}
			if !sameFace(v, i, tr.Cells[d], int(j)) {
				t.Fatalf("cells %d and %d do not share their face", c, d)
			}
			if apex := tr.Cells[d][j]; apex != Infinite && b.conflict(int32(c), &tr.Grid[apex]) {
				t.Fatalf("the ball of cell %d holds point %d", c, apex)
			}
			if v[i] != Infinite {
				used[tr.Grid[v[i]]] = true
			}
		}
		if infinite < 0 {
			inside += volume(tr, v)
		} else {
			v[infinite] = tr.Cells[0][0]
			if v[infinite] == Infinite {
				v[infinite] = tr.Cells[0][1]
			}
			hull -= volume(tr, v)
		}
	}
	if math.Abs(hull-inside) > 1e-6*inside {
		t.Errorf("cells hold %g, the hull %g", inside, hull)
	}
	for _, g := range tr.Grid {
		if !used[g] {
			t.Fatalf("%v is no vertex", g)
		}
	}
}

func sameFace(a [4]int32, i int, b [4]int32, j int) bool {
	a[i], b[j] = math.MaxInt32, math.MaxInt32
	slices.Sort(a[:])
	slices.Sort(b[:])
	return a == b
}

func volume(tr *Triangulation, v [4]int32) float64 {
	a, b, c, d := tr.Point(v[0]), tr.Point(v[1]), tr.Point(v[2]), tr.Point(v[3])
	for i := range 3 {
		a[i], b[i], c[i] = a[i]-d[i], b[i]-d[i], c[i]-d[i]
	}
	return -(a[2]*(b[0]*c[1]-b[1]*c[0]) + b[2]*(c[0]*a[1]-c[1]*a[0]) + c[2]*(a[0]*b[1]-a[1]*b[0])) / 6
}

func TestFlat(t *testing.T) {
	nan := float32(math.NaN())
	for name, points := range map[string][]float32{
		"none": nil, "one": {1, 2, 3}, "three": {0, 0, 0, 1, 0, 0, 0, 1, 0},
		"same":  slices.Repeat([]float32{1, 2, 3}, 10),
		"line":  {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4},
		"plane": {0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 2, 5, 0},
	} {
		if _, err := Build(context.Background(), points, nil); !errors.Is(err, ErrFlat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Build(context.Background(), []float32{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, nan}, nil); err == nil || errors.Is(err, ErrFlat) {
		t.Errorf("not a number: %v", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	points := shapes()["random"]
	_, err := Build(ctx, points, func(done float64) {
		if done > 0.3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPredicates holds the exact predicates and the filters against math/big, on
// coordinates of all 26 bits, many of them nearly or exactly degenerate.
func TestPredicates(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const top = 1<<gridBits - 1
	for i := range 20000 {
		var p [5][3]int32
		for j := range p {
			for a := range 3 {
				switch i % 4 {
				case 0:
					p[j][a] = int32(r.IntN(top + 1))
				case 1:
					p[j][a] = int32(r.IntN(2)) * top
				case 2:
					p[j][a] = top/2 + int32(r.IntN(5))
				case 3:
					p[j][a] = int32(r.IntN(3)-1)*(top/4) + top/2 + int32(r.IntN(2))
				}
			}
		}
		if got, want := orient(&p[0], &p[1], &p[2], &p[3]), -bigSign(p[:4], false); got != want {
			t.Fatalf("orient of %v is %d, not %d", p[:4], got, want)
		}
		if got, want := inBall(&p[0], &p[1], &p[2], &p[3], &p[4]), -bigSign(p[:], true); got != want {
			t.Fatalf("inBall of %v is %d, not %d", p, got, want)
		}
	}
}

// bigSign is the sign of the determinant of the differences to the last point, with
// their squares as a fourth column.
func bigSign(p [][3]int32, lift bool) int {
	last := p[len(p)-1]
	m := make([][]*big.Int, len(p)-1)
	for i := range m {
		sum := new(big.Int)
		for a := range 3 {
			d := big.NewInt(int64(p[i][a]) - int64(last[a]))
			m[i] = append(m[i], d)
			sum.Add(sum, new(big.Int).Mul(d, d))
		}
		if lift {
			m[i] = append(m[i], sum)
		}
	}
	return bigDeterminant(m).Sign()
}

func bigDeterminant(m [][]*big.Int) *big.Int {
	if len(m) == 1 {
		return m[0][0]
	}
	sum := new(big.Int)
	for i := range m {
		var minor [][]*big.Int
		for j := range m {
			if j != i {
				minor = append(minor, m[j][1:])
			}
		}
		term := new(big.Int).Mul(m[i][0], bigDeterminant(minor))
		if i%2 == 1 {
			term.Neg(term)
		}
		sum.Add(sum, term)
	}
	return sum
}

func BenchmarkBuild(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	const n = 300_000
	for name, z := range map[string]float32{"volume": 1, "surface": 0.003} {
		points := make([]float32, 0, 3*n)
		for range n {
			points = append(points, r.Float32(), r.Float32(), z*r.Float32())
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Build(context.Background(), points, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
