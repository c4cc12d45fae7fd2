package simplify

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"slate360.ai/worker/geom/meshdistance"
)

// hills is a heightfield of n×n vertices with texture coordinates; halves have
// groups of their own, and meet with vertices of their own where seam is set.
func hills(n int, seam bool) *Mesh {
	m := &Mesh{Stride: 2}
	at := map[[3]int]uint32{}
	vertex := func(x, y, side int) uint32 {
		if !seam {
			side = 0
		}
		k := [3]int{x, y, side}
		if i, ok := at[k]; ok {
			return i
		}
		i := uint32(len(m.Positions) / 3)
		at[k] = i
		u, v := float64(x)/float64(n-1), float64(y)/float64(n-1)
		m.Positions = append(m.Positions, float32(u), float32(0.05*math.Sin(9*u)*math.Cos(7*v)), float32(v))
		m.Attributes = append(m.Attributes, float32(u)*0.1+float32(side), float32(v)*0.1)
		return i
	}
	for y := range n - 1 {
		for x := range n - 1 {
			side := 0
			if x >= n/2 {
				side = 1
			}
			a, b, c, d := vertex(x, y, side), vertex(x+1, y, side), vertex(x, y+1, side), vertex(x+1, y+1, side)
			m.Indices = append(m.Indices, a, c, b, b, c, d)
			m.Groups = append(m.Groups, uint32(side), uint32(side))
		}
	}
	return m
}

func shapeOf(m *Mesh, l *Level) meshdistance.Mesh {
	var out meshdistance.Mesh
	for _, v := range l.Vertices {
		out.Positions = append(out.Positions, m.Positions[3*v:3*v+3]...)
	}
	out.Indices = l.Indices
	return out
}

// TestTargets: every level has at most as many vertices as asked, and at most one
// in a hundred fewer; it stays near the surface, and its error tells how near.
func TestTargets(t *testing.T) {
	m := hills(150, true)
	var targets []Target
	for _, n := range []int{15000, 5000, 1000, 300} {
		targets = append(targets, Target{Vertices: n})
	}
	levels, err := Simplify(context.Background(), m, Options{Targets: targets, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range levels {
		n := targets[i].Vertices
		if len(l.Vertices) > n || len(l.Vertices) < n*99/100 || l.Sloppy {
			t.Errorf("%d vertices, asked for %d; sloppy %t", len(l.Vertices), n, l.Sloppy)
		}
		d, err := meshdistance.Symmetric(context.Background(), meshdistance.Mesh{Positions: m.Positions, Indices: m.Indices}, shapeOf(m, &l), 20000, 2)
		if err != nil {
			t.Fatal(err)
		}
		if d.Mean > 3*l.Error+1e-6 || d.Max > 12*l.Error+1e-5 {
			t.Errorf("%d vertices: mean %g, maximum %g, said %g", n, d.Mean, d.Max, l.Error)
		}
		check(t, m, &l)
	}
}

// check holds a level against what any must be.
func check(t *testing.T, m *Mesh, l *Level) {
	t.Helper()
	if len(l.Indices)%3 != 0 || (m.Groups != nil && len(l.Groups) != len(l.Indices)/3) {
		t.Fatalf("%d indices, %d groups", len(l.Indices), len(l.Groups))
	}
	for i, v := range l.Vertices {
		if int(v) >= len(m.Positions)/3 || (i > 0 && v <= l.Vertices[i-1]) {
			t.Fatalf("vertex %d is %d", i, v)
		}
	}
	at := func(i uint32) [3]float32 { return [3]float32(m.Positions[3*l.Vertices[i]:]) }
	for i := 0; i < len(l.Indices); i += 3 {
		for _, v := range l.Indices[i : i+3] {
			if int(v) >= len(l.Vertices) {
				t.Fatalf("index %d of %d", v, len(l.Vertices))
			}
		}
		if a, b, c := at(l.Indices[i]), at(l.Indices[i+1]), at(l.Indices[i+2]); a == b || b == c || c == a {
			t.Fatalf("triangle %d has two corners at one place", i/3)
		}
	}
}

// TestSeam: the line where groups meet stays straight, closed, and of both groups.
func TestSeam(t *testing.T) {
	m := hills(61, true)
	levels, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: 200}}})
	if err != nil {
		t.Fatal(err)
	}
	l := &levels[0]
	middle := float32(30) / 60
	sides := map[float32][2]int{}
	for i, v := range l.Indices {
		p := m.Positions[3*l.Vertices[v]:]
		g := l.Groups[i/3]
		if g == 0 && p[0] > middle || g == 1 && p[0] < middle {
			t.Fatalf("a triangle of group %d reaches to %g", g, p[0])
		}
		if p[0] == middle {
			s := sides[p[2]]
			s[g]++
			sides[p[2]] = s
		}
		if u := m.Attributes[2*l.Vertices[v]]; (u >= 1) != (g == 1) {
			t.Fatalf("a vertex of the other group in group %d", g)
		}
	}
	if len(sides) < 3 {
		t.Fatalf("%d places on the seam", len(sides))
	}
	for z, s := range sides {
		if s[0] == 0 || s[1] == 0 {
			t.Errorf("the seam is open at %g: %v", z, s)
		}
	}
}

// TestLocked: vertices that are locked are all left.
func TestLocked(t *testing.T) {
	m := hills(40, false)
	m.Locked = make([]bool, len(m.Positions)/3)
	locked := 0
	for i := range m.Locked {
		if x, z := m.Positions[3*i], m.Positions[3*i+2]; x == 0 || z == 0 || x == 1 || z == 1 {
			m.Locked[i] = true
			locked++
		}
	}
	levels, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	have := 0
	for _, v := range levels[0].Vertices {
		if m.Locked[v] {
			have++
		}
	}
	if have != locked {
		t.Errorf("%d of %d locked vertices are left", have, locked)
	}
}

// TestSmallParts: a thousand cubes cannot become fewer vertices but by dropping some.
func TestSmallParts(t *testing.T) {
	m := &Mesh{}
	for i := range 1000 {
		base := uint32(len(m.Positions) / 3)
		for c := range 8 {
			m.Positions = append(m.Positions, float32(i%10)*3+float32(c&1), float32(i/10%10)*3+float32(c>>1&1), float32(i/100)*3+float32(c>>2))
		}
		for _, v := range []uint32{0, 2, 1, 1, 2, 3, 4, 5, 6, 5, 7, 6, 0, 1, 4, 1, 5, 4, 2, 6, 3, 3, 6, 7, 0, 4, 2, 2, 4, 6, 1, 3, 5, 3, 7, 5} {
			m.Indices = append(m.Indices, base+v)
		}
	}
	for _, keep := range []bool{false, true} {
		levels, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: 500}}, KeepTopology: keep})
		if err != nil {
			t.Fatal(err)
		}
		l := levels[0]
		if keep != (len(l.Vertices) > 500) || keep == l.Sloppy {
			t.Errorf("keeping topology %t: %d vertices, sloppy %t", keep, len(l.Vertices), l.Sloppy)
		}
		check(t, m, &l)
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	m := hills(120, true)
	var first []Level
	for _, w := range []int{1, 2, 5} {
		levels, err := Simplify(context.Background(), m, Options{Targets: []Target{{Triangles: 9000}, {Triangles: 500}}, Workers: w})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = levels
		} else if !reflect.DeepEqual(first, levels) {
			t.Errorf("%d workers make another mesh", w)
		}
	}
}

func TestMaxError(t *testing.T) {
	m := hills(60, false)
	levels, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: 4}}, MaxError: 0.002})
	if err != nil {
		t.Fatal(err)
	}
	if l := levels[0]; l.Error > 0.002 || len(l.Vertices) < 20 || len(l.Vertices) > 2000 {
		t.Errorf("error %g, %d vertices", l.Error, len(l.Vertices))
	}
}

func TestRefused(t *testing.T) {
	for name, m := range map[string]*Mesh{
		"NaN":        {Positions: []float32{0, 0, float32(math.NaN())}},
		"index":      {Positions: make([]float32, 9), Indices: []uint32{0, 1, 3}},
		"half":       {Positions: make([]float32, 9), Indices: []uint32{0, 1}},
		"attributes": {Positions: make([]float32, 9), Stride: 2, Attributes: make([]float32, 5)},
		"groups":     {Positions: make([]float32, 9), Indices: []uint32{0, 1, 2}, Groups: []uint32{}},
	} {
		if _, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: 1}}}); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if levels, err := Simplify(context.Background(), &Mesh{}, Options{Targets: []Target{{Vertices: 1}}}); err != nil || len(levels[0].Indices) != 0 {
		t.Errorf("nothing: %v %v", levels, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Simplify(ctx, hills(50, false), Options{Targets: []Target{{Vertices: 1}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
}

// FuzzSoup: whatever the triangles are, the result is a mesh, no larger than asked.
func FuzzSoup(f *testing.F) {
	f.Add(uint64(1), 20, 40, 5, true)
	f.Add(uint64(2), 200, 900, 30, false)
	f.Fuzz(func(t *testing.T, seed uint64, points, triangles, target int, grouped bool) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := 1 + int(uint(points)%500)
		m := &Mesh{}
		for range n {
			m.Positions = append(m.Positions, float32(r.IntN(7)), float32(r.IntN(7)), float32(r.IntN(4)))
		}
		for range uint(triangles) % 2000 {
			m.Indices = append(m.Indices, r.Uint32N(uint32(n)), r.Uint32N(uint32(n)), r.Uint32N(uint32(n)))
			if grouped {
				m.Groups = append(m.Groups, r.Uint32N(3))
			}
		}
		k := int(uint(target) % 100)
		levels, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: k + 1}}, Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		if len(levels[0].Vertices) > k+1 {
			t.Fatalf("%d vertices, asked for %d", len(levels[0].Vertices), k+1)
		}
		check(t, m, &levels[0])
	})
}

func BenchmarkSimplify(b *testing.B) {
	m := hills(500, false)
	b.SetBytes(int64(len(m.Indices) / 3))
	for b.Loop() {
		if _, err := Simplify(context.Background(), m, Options{Targets: []Target{{Vertices: 2500}}, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
