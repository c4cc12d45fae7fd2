package simplify

import (
	"context"
	"math"
	"reflect"
	"testing"

	"slate360.ai/worker/geom/meshdistance"
	"slate360.ai/worker/geom/topology"
)

// torus is a closed surface with waves of n×n places, and texture coordinates with a
// seam around each way.
func torus(n int) *Mesh {
	m := &Mesh{Stride: 2}
	for y := range n + 1 {
		for x := range n + 1 {
			u, v := 2*math.Pi*float64(x%n)/float64(n), 2*math.Pi*float64(y%n)/float64(n)
			r := 1 + 0.02*math.Sin(9*u)*math.Cos(12*v)
			m.Positions = append(m.Positions, float32((3+r*math.Cos(v))*math.Cos(u)), float32((3+r*math.Cos(v))*math.Sin(u)), float32(r*math.Sin(v)))
			m.Attributes = append(m.Attributes, 0.1*float32(x)/float32(n), 0.1*float32(y)/float32(n))
		}
	}
	for y := range n {
		for x := range n {
			a := uint32(y*(n+1) + x)
			b, c := a+1, a+uint32(n)+1
			m.Indices = append(m.Indices, a, b, c, b, c+1, c)
		}
	}
	return m
}

// TestCells: a mesh that is simplified in many cells stays closed, is as near to the
// source as one that is done at once, and does not depend on who does it.
func TestCells(t *testing.T) {
	m := torus(120)
	source := meshdistance.Mesh{Positions: m.Positions, Indices: m.Indices}
	targets := []Target{{Vertices: 11000}, {Vertices: 2500}, {Triangles: 1000}}
	whole, err := Simplify(context.Background(), m, Options{Targets: targets})
	if err != nil {
		t.Fatal(err)
	}
	cells, err := Simplify(context.Background(), m, Options{Targets: targets, Cell: 1000})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Simplify(context.Background(), m, Options{Targets: targets, Cell: 1000, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cells, again) {
		t.Error("three workers make another mesh than one")
	}
	for i, l := range cells {
		check(t, m, &l)
		got, want := len(l.Vertices), targets[i].Vertices
		if want == 0 {
			got, want = len(l.Indices)/3, targets[i].Triangles
		}
		if got > want || got < want*99/100 {
			t.Errorf("level %d has %d, asked for %d", i, got, want)
		}
		shape := shapeOf(m, &l)
		if r := topology.Analyze(shape.Positions, shape.Indices); !r.Watertight {
			t.Errorf("level %d is not closed: %+v", i, r)
		}
		a, err := meshdistance.Symmetric(context.Background(), source, shape, 20000, 2)
		if err != nil {
			t.Fatal(err)
		}
		b, err := meshdistance.Symmetric(context.Background(), source, shapeOf(m, &whole[i]), 20000, 2)
		if err != nil {
			t.Fatal(err)
		}
		if a.Mean > 1.3*b.Mean || a.Max > 2*b.Max {
			t.Errorf("level %d: mean %g and maximum %g in cells, %g and %g at once", i, a.Mean, a.Max, b.Mean, b.Max)
		}
	}
}
