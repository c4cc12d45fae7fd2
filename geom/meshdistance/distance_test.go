package meshdistance

import (
	"context"
	"errors"
	"math"
	"testing"
)

// grid is a square of n×n cells at height z.
func grid(n int, z float32) Mesh {
	var m Mesh
	for y := range n + 1 {
		for x := range n + 1 {
			m.Positions = append(m.Positions, float32(x)/float32(n), float32(y)/float32(n), z)
		}
	}
	for y := range uint32(n) {
		for x := range uint32(n) {
			a := y*uint32(n+1) + x
			b := a + uint32(n) + 1
			m.Indices = append(m.Indices, a, a+1, b, b, a+1, b+1)
		}
	}
	return m
}

func TestParallelPlanes(t *testing.T) {
	d, err := Symmetric(context.Background(), grid(10, 0), grid(3, 0.25), 5000, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{d.Mean, d.RMS, d.Max} {
		if math.Abs(v-0.25) > 1e-6 {
			t.Errorf("%+v, want 0.25 throughout", d)
		}
	}
}

// TestSpike: a peak on one surface is far only from that side.
func TestSpike(t *testing.T) {
	flat, peak := grid(8, 0), grid(8, 0)
	peak.Positions[3*40+2] = 2
	there, err := OneSided(context.Background(), peak, flat, 20000, 2)
	if err != nil {
		t.Fatal(err)
	}
	if there.Max < 1.7 || there.Max > 2 || there.Mean > 0.4 {
		t.Errorf("%+v, want a maximum near 2", there)
	}
	same, err := Symmetric(context.Background(), flat, flat, 1000, 1)
	if err != nil || same.Max > 1e-9 {
		t.Errorf("%+v %v, want 0", same, err)
	}
}

func TestEmpty(t *testing.T) {
	if _, err := Symmetric(context.Background(), Mesh{}, grid(1, 0), 10, 1); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v", err)
	}
}

// TestNearest asks for points over the inside, an edge and a corner of a square.
func TestNearest(t *testing.T) {
	s, err := NewSurface(grid(6, 1))
	if err != nil {
		t.Fatal(err)
	}
	hint := int32(0)
	for p, want := range map[[3]float64][3]float64{
		{.3, .4, 3}:  {.3, .4, 1},
		{2, .5, 1}:   {1, .5, 1},
		{-3, -4, 1}:  {0, 0, 1},
		{.5, .5, -9}: {.5, .5, 1},
	} {
		var at [3]float64
		var d float64
		at, d, hint = s.Nearest(p, hint)
		off, far := sub(at, want), sub(p, want)
		if math.Sqrt(dot(off, off)) > 1e-7 || math.Abs(d-math.Sqrt(dot(far, far))) > 1e-7 {
			t.Errorf("nearest to %v is %v at %g, want %v", p, at, d, want)
		}
	}
	if _, err := NewSurface(Mesh{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v", err)
	}
}

// TestSample holds that a surface gets points by its area.
func TestSample(t *testing.T) {
	m := Mesh{Positions: []float32{0, 0, 0, 1, 0, 0, 0, 1, 0, 3, 0, 0, 0, 3, 0}, Indices: []uint32{0, 1, 2, 0, 3, 4}}
	points, triangles := Sample(m, 10000)
	n := [2]int{}
	for i, p := range points {
		n[triangles[i]]++
		if p[2] != 0 || p[0] < 0 || p[1] < 0 || p[0]+p[1] > 3 {
			t.Fatalf("sample at %v", p)
		}
	}
	if len(points) < 9999 || n[0] < 990 || n[0] > 1010 {
		t.Errorf("%d samples, %d on the small triangle, want a tenth", len(points), n[0])
	}
}
