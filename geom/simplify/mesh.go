// Package simplify reduces the triangles of a mesh while it keeps its shape, its
// seams and its look.
//
// Vertices are taken away one edge at a time, the one first whose loss changes the
// surface least, measured by quadrics: the squared distance to the planes of the
// triangles that a vertex stands for (M. Garland, P. Heckbert, "Surface
// simplification using quadric error metrics", 1997), and the squared difference to
// the linear course of attributes over them (H. Hoppe, "New quadric metric for
// simplifying meshes with appearance attributes", 1999). A vertex always goes to the
// place of a neighbour: those that are left are vertices of the source, with all
// that belongs to them.
//
// Large meshes are cut into cells that are simplified side by side, with the vertices
// that they share locked, and put together again; the next round cuts at other
// places. What was done is written down, step by step: a level is the source after so
// many steps of each cell, up to the same cost.
package simplify

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Mesh is what is simplified. It is not changed.
type Mesh struct {
	// Positions are xyz triples.
	Positions []float32
	// Attributes are Stride numbers a vertex, each multiplied by its weight: 1 is
	// as bad as a displacement by the extent of the mesh.
	Attributes []float32
	Stride     int
	// Indices of vertices, three a triangle. Triangles meet where positions are
	// equal; where they are, but vertices differ, is a seam, which is kept.
	Indices []uint32
	// Groups are a number for each triangle, or nil. Borders between groups are
	// kept.
	Groups []uint32
	// Locked vertices stay where they are; nil for none. All vertices at the
	// place of a locked one are.
	Locked []bool
}

// Target is how small a level has to be: as many vertices and triangles at most.
// 0 is no bound.
type Target struct {
	Vertices, Triangles int
}

// Options say how.
type Options struct {
	// Targets in decreasing order: each level goes on from the one before.
	Targets []Target
	// Workers is how many goroutines help; 0 is 1. The result does not depend on
	// it.
	Workers int
	// LockBorder keeps all vertices on open borders.
	LockBorder bool
	// KeepTopology stops above the target rather than opening seams, merging
	// borders, or dropping parts.
	KeepTopology bool
	// Cell is how many triangles are simplified at a time, at most: larger meshes
	// are cut into cells. 0 is what suits the caches of a core.
	Cell int
	// MaxError ends simplification where the next step would be farther from the
	// source than this, in units of the mesh; 0 is any distance.
	MaxError float64
}

// Level is a simplified mesh.
type Level struct {
	// Vertices are indices of vertices of the source, in increasing order.
	Vertices []uint32
	// Indices into Vertices, three a triangle, and the group of each.
	Indices []uint32
	Groups  []uint32
	// Error is the distance to the source, in units of the mesh: the root of the
	// largest mean squared distance to the planes that a vertex stands for.
	Error float64
	// Relative is Error in parts of the longest side of the bounds.
	Relative float64
	// Sloppy tells that seams, borders or parts had to go to reach the target.
	Sloppy bool
}

// check tells what is wrong with a mesh.
func (m *Mesh) check() error {
	n := len(m.Positions) / 3
	switch {
	case len(m.Positions)%3 != 0:
		return fmt.Errorf("simplify: %d coordinates, want three a vertex", len(m.Positions))
	case len(m.Indices)%3 != 0:
		return fmt.Errorf("simplify: %d indices, want three a triangle", len(m.Indices))
	case n > math.MaxInt32 || len(m.Indices) > math.MaxInt32:
		return errors.New("simplify: more than 2^31 vertices or corners: split the mesh")
	case m.Stride < 0 || len(m.Attributes) != m.Stride*n:
		return fmt.Errorf("simplify: %d attributes of %d vertices, want %d each", len(m.Attributes), n, m.Stride)
	case m.Groups != nil && len(m.Groups) != len(m.Indices)/3:
		return fmt.Errorf("simplify: %d groups of %d triangles", len(m.Groups), len(m.Indices)/3)
	case m.Locked != nil && len(m.Locked) != n:
		return fmt.Errorf("simplify: %d locks of %d vertices", len(m.Locked), n)
	}
	for i, v := range m.Indices {
		if int(v) >= n {
			return fmt.Errorf("simplify: triangle %d has vertex %d, there are %d", i/3, v, n)
		}
	}
	for i, v := range m.Positions {
		if v-v != 0 {
			return fmt.Errorf("simplify: vertex %d has the coordinate %g", i/3, v)
		}
	}
	for i, v := range m.Attributes {
		if v-v != 0 {
			return fmt.Errorf("simplify: attribute %d of vertex %d is %g", i%m.Stride, i/m.Stride, v)
		}
	}
	return nil
}

// Simplify makes a level for each target. A level that cannot be reached, since the
// options forbid what it takes, is as small as it can be. The error is that of the
// context, or says what is wrong with the mesh.
func Simplify(ctx context.Context, m *Mesh, o Options) ([]Level, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	o.Workers = max(1, o.Workers)
	d := &descent{ctx: ctx, o: &o, s: newSurface(m)}
	for !d.finished() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := d.round(); err != nil {
			return nil, err
		}
	}
	return d.levels, nil
}
