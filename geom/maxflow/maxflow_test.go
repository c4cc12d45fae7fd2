package maxflow

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// random gives a graph of random arcs; terminals are as large as share says.
func random(r *rand.Rand, n int, capacity, share int32) *Graph {
	g := &Graph{Arcs: make([][4]int32, n), Capacity: make([][4]int32, n), Terminal: make([]int32, n)}
	ends := r.Perm(4 * n)
	for i := 0; i < len(ends); i += 2 {
		join(g, int32(ends[i]), int32(ends[i+1]))
	}
	for v := range n {
		for i := range 4 {
			g.Capacity[v][i] = r.Int32N(capacity + 1)
		}
		if r.IntN(3) == 0 {
			g.Terminal[v] = r.Int32N(2*share+1) - share
		}
	}
	return g
}

func join(g *Graph, a, b int32) {
	g.Arcs[a>>2][a&3], g.Arcs[b>>2][b&3] = b, a
}

// block is a lattice like that of cells: the source at one side, the sink at the other,
// smooth capacities with noise.
func block(side int) *Graph {
	r := rand.New(rand.NewPCG(9, 9))
	n := side * side * side
	g := &Graph{Arcs: make([][4]int32, n), Capacity: make([][4]int32, n), Terminal: make([]int32, n)}
	for v := range int32(n) {
		for i := range int32(4) {
			g.Arcs[v][i] = 4*v + i // a loop: no arc
		}
	}
	at := func(x, y, z int) int32 {
		return int32((x%side+side)%side + side*((y%side+side)%side+side*((z%side+side)%side)))
	}
	for z := range side {
		for y := range side {
			for x := range side {
				v, a, b := at(x, y, z), at(x+1, y, z), at(x, y+1, z)
				if (x+y+z)%2 == 0 {
					b = at(x, y, z+1)
				}
				for k, w := range []int32{a, b} {
					for j := range int32(4) {
						if g.Arcs[v][2*k] == 4*v+int32(2*k) && g.Arcs[w][j] == 4*w+j && w != v && j%2 == 1 {
							join(g, 4*v+int32(2*k), 4*w+j)
						}
					}
				}
				for i := range 4 {
					g.Capacity[v][i] = 1 + r.Int32N(200)
				}
				if r.IntN(4) == 0 {
					g.Terminal[v] = int32(x-side/2)*8 + r.Int32N(400) - 200
				}
			}
		}
	}
	return g
}

func clone(g *Graph) *Graph {
	return &Graph{slices.Clone(g.Arcs), slices.Clone(g.Capacity), slices.Clone(g.Terminal)}
}

// cutOf is the capacity of a cut.
func cutOf(g *Graph, source []bool) (sum int64) {
	for v, arcs := range g.Arcs {
		if source[v] {
			sum += int64(max(0, -g.Terminal[v]))
			for i, f := range arcs {
				if !source[f>>2] {
					sum += int64(g.Capacity[v][i])
				}
			}
		} else {
			sum += int64(max(0, g.Terminal[v]))
		}
	}
	return sum
}

// checkFlow holds what Cut left in the graph against what was there: no arc has more
// than both directions had, and what flows into a node flows out. A flow as large as a
// cut proves both.
func checkFlow(t *testing.T, before, after *Graph, source []bool, flow int64) {
	t.Helper()
	if cut := cutOf(before, source); cut != flow {
		t.Errorf("the flow is %d, the cut %d", flow, cut)
	}
	var total int64
	for v, arcs := range before.Arcs {
		net := int64(before.Terminal[v] - after.Terminal[v])
		if before.Terminal[v] > 0 {
			total += net
		}
		if net*int64(before.Terminal[v]) < 0 || after.Terminal[v] != 0 && (after.Terminal[v] > 0) != (before.Terminal[v] > 0) {
			t.Fatalf("node %d: terminal %d became %d", v, before.Terminal[v], after.Terminal[v])
		}
		for i, f := range arcs {
			if after.Capacity[v][i] < 0 || after.Capacity[v][i]+after.Capacity[f>>2][f&3] != before.Capacity[v][i]+before.Capacity[f>>2][f&3] {
				t.Fatalf("arc %d of node %d has %d left", i, v, after.Capacity[v][i])
			}
			net -= int64(before.Capacity[v][i] - after.Capacity[v][i])
		}
		if net != 0 {
			t.Fatalf("%d more flows into node %d than out", net, v)
		}
	}
	if total != flow {
		t.Errorf("%d leaves the source, not %d", total, flow)
	}
}

func TestCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		g := random(r, 2+r.IntN(60), 1+r.Int32N(30), 1+r.Int32N(60))
		before := clone(g)
		source, flow, err := Cut(context.Background(), g)
		if err != nil {
			t.Fatal(err)
		}
		checkFlow(t, before, g, source, flow)
		if t.Failed() {
			t.Fatalf("graph %d", i)
		}
	}
}

func TestCutLarge(t *testing.T) {
	for name, g := range map[string]*Graph{"random": random(rand.New(rand.NewPCG(3, 4)), 20000, 1000, 3000), "block": block(30)} {
		before := clone(g)
		source, flow, err := Cut(context.Background(), g)
		if err != nil {
			t.Fatal(err)
		}
		checkFlow(t, before, g, source, flow)
		n := 0
		for _, s := range source {
			if s {
				n++
			}
		}
		t.Logf("%s: flow %d, %d of %d nodes with the source", name, flow, n, len(source))
	}
}

func TestCutErrors(t *testing.T) {
	if _, _, err := Cut(context.Background(), &Graph{Arcs: make([][4]int32, 2)}); err == nil {
		t.Error("a graph without capacities was cut")
	}
	if source, flow, err := Cut(context.Background(), &Graph{}); len(source) != 0 || flow != 0 || err != nil {
		t.Error(source, flow, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Cut(ctx, block(40)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func BenchmarkCut(b *testing.B) {
	g := block(100)
	for b.Loop() {
		b.StopTimer()
		h := clone(g)
		b.StartTimer()
		if _, _, err := Cut(context.Background(), h); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(g.Arcs))*float64(b.N)/b.Elapsed().Seconds(), "nodes/s")
}
