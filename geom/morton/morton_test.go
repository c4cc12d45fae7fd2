package morton

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEncodeDecode(t *testing.T) {
	if k := Encode(1, 2, 4); k != 1|1<<4|1<<8 {
		t.Errorf("Encode(1,2,4) = %b", k)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		x, y, z := r.Uint32N(1<<Bits), r.Uint32N(1<<Bits), r.Uint32N(1<<Bits)
		if a, b, c := Decode(Encode(x, y, z)); a != x || b != y || c != z {
			t.Fatalf("Decode(Encode(%d,%d,%d)) = %d,%d,%d", x, y, z, a, b, c)
		}
	}
	if k := Encode(1<<Bits-1, 1<<Bits-1, 1<<Bits-1); k != 1<<63-1 {
		t.Errorf("highest key %x", k)
	}
}

func TestCube(t *testing.T) {
	const low, high = -1 << 31, 1<<31 - 1
	tests := []struct {
		name   string
		lo, hi [3]int32
		scale  [3]float64
		edge   float64 // at least
	}{
		{"survey", [3]int32{63557779, 84888215, 40614}, [3]int32{63900373, 85353766, 61526}, [3]float64{.01, .01, .01}, 4655.52},
		{"finer height", [3]int32{0, 0, 0}, [3]int32{99999, 9999, 999999}, [3]float64{.01, .01, .001}, 1000},
		{"one point", [3]int32{5, 5, 5}, [3]int32{5, 5, 5}, [3]float64{.01, .01, .01}, .01},
		{"whole range", [3]int32{low, low, low}, [3]int32{high, high, high}, [3]float64{1, 1, 1}, 1 << 32},
		{"scale 0", [3]int32{0, 0, 0}, [3]int32{100, 100, 100}, [3]float64{0, 0, 0}, 0},
		{"one axis extremely fine", [3]int32{0, 0, 0}, [3]int32{1000, 1000, high}, [3]float64{1, 1, 1e-12}, 1001},
		{"negative scale", [3]int32{0, 0, 0}, [3]int32{1000, 1000, 1000}, [3]float64{-1, 1, 1}, 1001},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := NewCube(test.lo, test.hi, test.scale)
			for i := range 3 {
				if c.Min[i] > int64(test.lo[i]) || c.Min[i]+c.Size[i] <= int64(test.hi[i]) {
					t.Errorf("axis %d: %d+%d does not hold %d to %d strictly", i, c.Min[i], c.Size[i], test.lo[i], test.hi[i])
				}
			}
			edge := c.Edge(test.scale)
			if edge < test.edge*(1-1e-9) || test.edge > .1 && edge > test.edge*1.02+1 {
				t.Errorf("edge %g, want at least %g and little more", edge, test.edge)
			}
			lo, hi := c.Key(test.lo[0], test.lo[1], test.lo[2]), c.Key(test.hi[0], test.hi[1], test.hi[2])
			if lo != 0 || hi > 1<<63-1 {
				t.Errorf("keys of the corners: %x, %x", lo, hi)
			}
		})
	}
}

// TestBorders holds that a point lies in the cell that a reader finds in floating
// point from the real bounds of the cube.
func TestBorders(t *testing.T) {
	lo, hi := [3]int32{100, -777, 3}, [3]int32{342594 + 100, 465551 - 777, 20912}
	c := NewCube(lo, hi, [3]float64{.01, .01, .01})
	edge := float64(c.Size[0]) * .01
	for level := range 10 {
		n := int64(1) << level
		for k := int64(1); k < n; k += 1 + n/37 {
			border := c.Min[0] + c.Size[0]*k/n // whole, by construction
			if c.Size[0]*k%n != 0 {
				t.Fatalf("border %d of %d at level %d is not a whole unit", k, n, level)
			}
			x, _, _ := c.Cell(int32(border), lo[1], lo[2])
			before, _, _ := c.Cell(int32(border-1), lo[1], lo[2])
			if int64(x>>(Bits-level)) != k || int64(before>>(Bits-level)) != k-1 {
				t.Fatalf("level %d border %d of %g: cells %d and %d", level, k, edge, before, x)
			}
		}
	}
}

func TestSort(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	clouds := map[string]func(i int) [3]int32{
		"random":    func(int) [3]int32 { return [3]int32{r.Int32(), -r.Int32(), r.Int32N(5)} },
		"duplicate": func(int) [3]int32 { return [3]int32{r.Int32N(3), r.Int32N(3), 0} },
		"equal":     func(int) [3]int32 { return [3]int32{7, 7, 7} },
		"line":      func(i int) [3]int32 { return [3]int32{int32(i), 0, 0} },
	}
	for name, point := range clouds {
		for _, n := range []int{0, 1, 2, 1000, 70000} {
			xyz := make([]int32, 0, 3*n)
			lo, hi := [3]int32{1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, [3]int32{-1 << 31, -1 << 31, -1 << 31}
			for i := range n {
				p := point(i)
				for a := range 3 {
					lo[a], hi[a] = min(lo[a], p[a]), max(hi[a], p[a])
				}
				xyz = append(xyz, p[:]...)
			}
			if n == 0 {
				lo, hi = [3]int32{}, [3]int32{}
			}
			c := NewCube(lo, hi, [3]float64{1, 1, 1})
			old := slices.Clone(xyz)
			order, err := Sort(context.Background(), xyz, c, 3)
			if err != nil || len(order) != n {
				t.Fatalf("%s %d: %d, %v", name, n, len(order), err)
			}
			seen := make([]bool, n)
			for i, o := range order {
				if seen[o] {
					t.Fatalf("%s %d: point %d twice", name, n, o)
				}
				seen[o] = true
				if !slices.Equal(xyz[3*i:3*i+3], old[3*o:3*o+3]) {
					t.Fatalf("%s %d: point %d moved without its order", name, n, i)
				}
				if i == 0 {
					continue
				}
				a := c.Key(xyz[3*i-3], xyz[3*i-2], xyz[3*i-1])
				b := c.Key(xyz[3*i], xyz[3*i+1], xyz[3*i+2])
				if a > b || a == b && order[i-1] > o {
					t.Fatalf("%s %d: points %d and %d are out of order", name, n, i-1, i)
				}
			}
		}
	}
}

func TestSortStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Sort(ctx, make([]int32, 3000), NewCube([3]int32{}, [3]int32{}, [3]float64{1, 1, 1}), 2); err == nil {
		t.Error("Sort went on after the end of its context")
	}
}

func BenchmarkSort(b *testing.B) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(5, 6))
	xyz := make([]int32, 3*n)
	for i := range xyz {
		xyz[i] = r.Int32N(1 << 19)
	}
	c := NewCube([3]int32{}, [3]int32{1 << 19, 1 << 19, 1 << 19}, [3]float64{1, 1, 1})
	work := make([]int32, len(xyz))
	for b.Loop() {
		copy(work, xyz)
		if _, err := Sort(context.Background(), work, c, 2); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
