package octree

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"slate360.ai/worker/geom/morton"
)

// cloud makes n points in Morton order; shape gives the raw coordinates of one.
func cloud(t testing.TB, n int, shape func(i int) [3]int32) ([]int32, morton.Cube) {
	t.Helper()
	xyz := make([]int32, 0, 3*n)
	lo := [3]int32{math.MaxInt32, math.MaxInt32, math.MaxInt32}
	hi := [3]int32{math.MinInt32, math.MinInt32, math.MinInt32}
	for i := range n {
		p := shape(i)
		for a := range 3 {
			lo[a], hi[a] = min(lo[a], p[a]), max(hi[a], p[a])
		}
		xyz = append(xyz, p[:]...)
	}
	c := morton.NewCube(lo, hi, [3]float64{.01, .01, .01})
	if _, err := morton.Sort(context.Background(), xyz, c, 2); err != nil {
		t.Fatal(err)
	}
	return xyz, c
}

func terrain(r *rand.Rand) func(int) [3]int32 {
	return func(int) [3]int32 {
		x, y := r.Int32N(200000), r.Int32N(100000)
		return [3]int32{x, y, int32(5000*math.Sin(float64(x)/20000)) + r.Int32N(50)}
	}
}

func TestBuild(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	tests := map[string]struct {
		n     int
		shape func(int) [3]int32
	}{
		"terrain":    {400000, terrain(r)},
		"volume":     {300000, func(int) [3]int32 { return [3]int32{r.Int32N(9999), r.Int32N(9999), r.Int32N(9999)} }},
		"one":        {1, func(int) [3]int32 { return [3]int32{-5, 6, 7} }},
		"equal":      {200000, func(int) [3]int32 { return [3]int32{1, 2, 3} }},
		"two places": {200000, func(i int) [3]int32 { return [3]int32{int32(i%2) * 1000000, 0, 0} }},
		"far stray":  {200000, func(i int) [3]int32 { return [3]int32{int32(i) % 500, int32(i) / 500, int32(i/199999) * 2000000000} }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			xyz, c := cloud(t, test.n, test.shape)
			tree, err := Build(context.Background(), xyz, c, Params{Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			check(t, tree, xyz, c)
		})
	}
}

// check holds that every point is in one node, inside its cube; that keys and
// parents fit; and that interior nodes have one point a cell, but for the points
// of children too small to be nodes.
func check(t *testing.T, tree *Tree, xyz []int32, c morton.Cube) {
	t.Helper()
	seen := make([]bool, len(xyz)/3)
	keys := map[Key]int{}
	var points []uint32
	for i, n := range tree.Nodes {
		if _, twice := keys[n.Key]; twice {
			t.Fatalf("node %v twice", n.Key)
		}
		keys[n.Key] = i
		if n.Key.Level > 0 && (n.Parent < 0 || n.Parent >= i || tree.Nodes[n.Parent].Key != n.Key.Parent()) {
			t.Fatalf("node %v has parent %d", n.Key, n.Parent)
		}
		points = tree.Points(i, points[:0])
		if len(points) != n.Points || n.Points == 0 {
			t.Fatalf("node %v has %d points, says %d", n.Key, len(points), n.Points)
		}
		cells := map[uint64]bool{}
		repeated := 0
		for _, p := range points {
			if seen[p] {
				t.Fatalf("point %d twice", p)
			}
			seen[p] = true
			k := c.Key(xyz[3*p], xyz[3*p+1], xyz[3*p+2])
			x, y, z := morton.Decode(k >> (3 * (morton.Bits - n.Key.Level)))
			if (Key{n.Key.Level, x, y, z}) != n.Key {
				t.Fatalf("point %d lies outside node %v", p, n.Key)
			}
			cell := k >> (3 * (morton.Bits - n.Key.Level - spanBits))
			if cells[cell] {
				repeated++
			}
			cells[cell] = true
		}
		leaf := i+1 == len(tree.Nodes) || tree.Nodes[i+1].Parent != i
		if !leaf && repeated > 8*1024 {
			t.Errorf("interior node %v has %d points in cells that have one", n.Key, repeated)
		}
	}
	for p, ok := range seen {
		if !ok {
			t.Fatalf("point %d is in no node", p)
		}
	}
}

func TestWorkersMakeNoDifference(t *testing.T) {
	xyz, c := cloud(t, 600000, terrain(rand.New(rand.NewPCG(2, 2))))
	one, err := Build(context.Background(), xyz, c, Params{Workers: 1, LeafPoints: 20000})
	if err != nil {
		t.Fatal(err)
	}
	four, err := Build(context.Background(), xyz, c, Params{Workers: 4, LeafPoints: 20000})
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Nodes) != len(four.Nodes) || string(one.Level) != string(four.Level) {
		t.Errorf("%d nodes with one worker, %d with four, or other levels", len(one.Nodes), len(four.Nodes))
	}
	for i := range one.Nodes {
		if one.Nodes[i] != four.Nodes[i] {
			t.Fatalf("node %d: %+v and %+v", i, one.Nodes[i], four.Nodes[i])
		}
	}
}

func TestBuildErrors(t *testing.T) {
	c := morton.NewCube([3]int32{}, [3]int32{9, 9, 9}, [3]float64{1, 1, 1})
	if _, err := Build(context.Background(), nil, c, Params{}); err == nil {
		t.Error("an empty cloud has a tree")
	}
	if _, err := Build(context.Background(), []int32{9, 9, 9, 0, 0, 0}, c, Params{}); err == nil {
		t.Error("a cloud out of order has a tree")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, []int32{0, 0, 0}, c, Params{}); err == nil {
		t.Error("the end of the context has no effect")
	}
}

func BenchmarkBuild(b *testing.B) {
	const n = 2 << 20
	xyz, c := cloud(b, n, terrain(rand.New(rand.NewPCG(3, 3))))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(context.Background(), xyz, c, Params{Workers: 2}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
