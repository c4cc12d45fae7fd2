package surface

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"slate360.ai/worker/geom/delaunay"
	"slate360.ai/worker/geom/topology"
)

// cube is the surface of a unit cube, n squares a side.
func cube(n int) *mesh {
	m := &mesh{}
	id := map[vec]int32{}
	at := func(p vec) int32 {
		if _, ok := id[p]; !ok {
			id[p] = int32(len(m.scale))
			m.points = append(m.points, float32(p[0]), float32(p[1]), float32(p[2]))
			m.scale = append(m.scale, 1/float32(n))
		}
		return id[p]
	}
	for axis := range 3 {
		for side := range 2 {
			for i := range n {
				for j := range n {
					var q [4]int32
					for k, d := range [4][2]int{{0, 0}, {1, 0}, {1, 1}, {0, 1}} {
						var p vec
						p[axis] = float64(side)
						p[(axis+1)%3], p[(axis+2)%3] = float64(i+d[0])/float64(n), float64(j+d[1])/float64(n)
						q[k] = at(p)
					}
					if side == 0 {
						q[1], q[3] = q[3], q[1]
					}
					m.triangles = append(m.triangles, [3]int32{q[0], q[1], q[2]}, [3]int32{q[0], q[2], q[3]})
				}
			}
		}
	}
	return m
}

func report(m *mesh) topology.Report {
	out := m.mesh()
	return topology.Analyze(out.Positions, out.Triangles)
}

// must fails the test where something went wrong.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func manifold(t *testing.T, m *mesh) []int32 {
	t.Helper()
	mates, err := m.manifold(context.Background(), 2)
	must(t, err)
	return mates
}

func TestFillHoles(t *testing.T) {
	ctx := context.Background()
	m := cube(16)
	must(t, m.keep(ctx, func(i int, _ [3]int32) bool { return i%60 > 4 && i != 100 }))
	if r := report(m); r.Watertight || r.BorderEdges == 0 {
		t.Fatalf("%+v", r)
	}
	must(t, m.dropTeeth(ctx, 2, 2))
	before := len(m.triangles)
	must(t, m.fillHoles(ctx, manifold(t, m), 40))
	manifold(t, m)
	if r := report(m); !r.Watertight || !r.Manifold || len(m.triangles) <= before {
		t.Errorf("%+v", r)
	}
	sheet := cube(6)
	must(t, sheet.keep(ctx, func(i int, _ [3]int32) bool { return i < 72 }))
	must(t, sheet.fillHoles(ctx, manifold(t, sheet), 40))
	if r := report(sheet); r.BorderEdges != 24 {
		t.Errorf("the rim of a sheet was taken for a hole: %+v", r)
	}
	long := cube(12)
	must(t, long.keep(ctx, func(i int, _ [3]int32) bool { return i >= 288 }))
	must(t, long.fillHoles(ctx, manifold(t, long), 40))
	if r := report(long); r.BorderEdges != 48 {
		t.Errorf("a hole of 48 edges: %+v", r)
	}
}

// TestManifold takes the surfaces between random cells, which touch themselves wherever
// they can.
func TestManifold(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(4, 2))
	for range 20 {
		v := &vertices{}
		for range 200 {
			v.points = append(v.points, r.Float32(), r.Float32(), r.Float32())
			v.scale = append(v.scale, 0.1)
		}
		tr, err := delaunay.Build(context.Background(), v.points, nil)
		if err != nil {
			t.Fatal(err)
		}
		empty := make([]bool, len(tr.Cells))
		for c, cell := range tr.Cells {
			empty[c] = min(cell[0], cell[1], cell[2], cell[3]) == delaunay.Infinite || r.IntN(3) == 0
		}
		m, err := extract(context.Background(), tr, v, empty)
		if err != nil {
			t.Fatal(err)
		}
		mates, err := m.mates(ctx, 2)
		must(t, err)
		for h, g := range mates {
			if g == border {
				t.Fatalf("half-edge %d of a closed surface has no mate", h)
			}
		}
		full := len(m.triangles)
		for _, g := range manifold(t, m) {
			if g == tangle {
				t.Fatal("an edge of more than two triangles is left")
			}
		}
		if len(m.triangles) < full*8/10 {
			t.Errorf("%d of %d triangles are left", len(m.triangles), full)
		}
		m.separate()
		if r := report(m); !r.Manifold || r.Duplicate > 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestDropLong(t *testing.T) {
	ctx := context.Background()
	// A fine sheet with a wide gap in it, and a skirt of long triangles around it.
	m := cube(20)
	must(t, m.keep(ctx, func(i int, _ [3]int32) bool { return i < 800 }))
	at := map[[2]int]int32{}
	for v := range int32(len(m.scale)) {
		p := m.at(v)
		if p[0] == 0 {
			at[[2]int{int(math.Round(p[1] * 20)), int(math.Round(p[2] * 20))}] = v
		}
	}
	err := m.keep(ctx, func(_ int, t [3]int32) bool {
		inside := func(x float64) bool { return x > 0.24 && x < 0.76 }
		c := vec{}
		for _, v := range t {
			for k, x := range m.at(v) {
				c[k] += x / 3
			}
		}
		return !inside(c[1]) || !inside(c[2])
	})
	must(t, err)
	fine := len(m.triangles)
	var ring []int32
	for k := range 40 {
		side, along := k/10, k%10
		ring = append(ring, at[[4][2]int{{5 + along, 5}, {15, 5 + along}, {15 - along, 15}, {5, 15 - along}}[side]])
	}
	gap := make([][3]int32, 0, len(ring))
	for k := 1; k < len(ring)-1; k++ {
		gap = append(gap, [3]int32{ring[0], ring[k+1], ring[k]})
	}
	m.points = append(m.points, 0, 0.5, -1)
	m.scale = append(m.scale, m.scale[0])
	far := int32(len(m.scale) - 1)
	skirt := [][3]int32{{far, at[[2]int{0, 0}], at[[2]int{20, 0}]}}
	m.triangles = append(append(m.triangles, gap...), skirt...)
	must(t, m.dropLong(ctx, 50, 2))
	if len(m.triangles) != fine+len(gap) {
		t.Errorf("%d triangles of %d, %d and %d are left", len(m.triangles), fine, len(gap), len(skirt))
	}
	must(t, m.dropLong(ctx, 5, 2))
	if len(m.triangles) > fine+10 {
		t.Errorf("%d triangles, none longer than 5, of %d", len(m.triangles), fine)
	}
}

// TestSmooth holds a noisy cube that was smoothed against the cube.
func TestSmooth(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	m := cube(30)
	for i := range m.points {
		m.points[i] += 0.2 / 30 * float32(r.NormFloat64())
	}
	off := func() (rms, most float64) {
		for v := range int32(len(m.scale)) {
			d := math.Abs(box(m.at(v), vec{0.5, 0.5, 0.5}, vec{0.5, 0.5, 0.5}))
			rms += d * d / float64(len(m.scale))
			most = max(most, d)
		}
		return math.Sqrt(rms) * 30, most * 30
	}
	before, _ := off()
	if err := m.smooth(context.Background(), Options{}.defaults(), func(float64) {}); err != nil {
		t.Fatal(err)
	}
	after, most := off()
	t.Logf("off by %.3f spacings before, %.3f after, at most %.3f", before, after, most)
	if after > before/2.5 || most > 0.5 {
		t.Errorf("off by %.3f spacings before, %.3f after, at most %.3f", before, after, most)
	}
}
