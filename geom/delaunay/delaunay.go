// Package delaunay fills the space between points with tetrahedra whose
// circumscribed balls hold no other point.
//
// Points are added one by one (A. Bowyer, "Computing Dirichlet tessellations", 1981;
// D. F. Watson, "Computing the n-dimensional Delaunay tessellation with application
// to Voronoi polytopes", 1981) in a biased randomised order, sorted along a Hilbert
// curve in each round (N. Amenta, S. Choi, G. Rote, "Incremental constructions con
// BRIO", 2003), so that the walk to the next point is short. Coordinates are snapped
// to a grid of 2^26 steps on the longest side: all decisions are then exact in 192
// bits, and are mostly made in floating point, where that is certain (J. R. Shewchuk,
// "Adaptive precision floating-point arithmetic and fast robust geometric
// predicates", 1997, for the idea of a filter). Cells with the vertex Infinite lie
// outside the convex hull, one on each of its triangles.
package delaunay

import (
	"context"
	"errors"
	"fmt"
	"math"
)

const (
	// Infinite is the vertex of the cells outside the convex hull.
	Infinite = -1
	// Steps of the grid on the longest side. Differences of coordinates have 26 bits,
	// which the exact predicates and the bounds of the filters rely on.
	gridBits = 26
	// MaxPoints is the most points that one triangulation takes: the numbers of faces
	// have 31 bits, and a point makes some 6.8 cells of 4 faces, more while it is added.
	MaxPoints = 64 << 20
	// checkEvery is after how much quick work the context is looked at.
	checkEvery = 1 << 16
)

// ErrFlat says that all points lie in one plane, so that there is no tetrahedron.
var ErrFlat = errors.New("delaunay: all points lie in a plane")

// Triangulation is the tetrahedra of a set of points.
type Triangulation struct {
	// Grid are the points as they were snapped, Origin and Step what turns them back:
	// a coordinate is Origin + Step·Grid.
	Grid   [][3]int32
	Origin [3]float64
	Step   float64
	// Cells are four vertices each, indices of points or Infinite. Seen from the fourth
	// vertex the first three turn counter-clockwise in a right-handed frame.
	Cells [][4]int32
	// Faces are, for face i of cell c, opposite its vertex i, 4·d+j where that is face j
	// of cell d.
	Faces [][4]int32
}

// Build triangulates xyz triples. Points that fall on the same step of the grid are
// one: the others are in no cell. progress, which may be nil, is told the part that
// is done, 0 to 1. The result is the same each time. Errors: ErrFlat, also for fewer
// than four points, a coordinate that is not finite, more than MaxPoints, and that
// of ctx.
func Build(ctx context.Context, points []float32, progress func(done float64)) (*Triangulation, error) {
	n := len(points) / 3
	if n > MaxPoints {
		return nil, fmt.Errorf("delaunay: %d points; %d can be triangulated", n, MaxPoints)
	}
	t := &Triangulation{Grid: make([][3]int32, n)}
	if err := t.snap(points); err != nil {
		return nil, err
	}
	b := newBuilder(t)
	order, err := insertionOrder(ctx, t.Grid)
	if err != nil {
		return nil, err
	}
	if err := b.start(order); err != nil {
		return nil, err
	}
	for i, p := range order {
		if i%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if progress != nil {
				progress(float64(i) / float64(n))
			}
		}
		b.insert(p)
	}
	if err := b.compact(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Bytes is about the most memory that Build takes for so many points, with what it
// returns.
func Bytes(points int) int64 { return int64(points) * (12 + 20 + 7*34*5/4) }

// Point is a vertex as it was snapped.
func (t *Triangulation) Point(v int32) [3]float64 {
	g := &t.Grid[v]
	return [3]float64{
		t.Origin[0] + t.Step*float64(g[0]),
		t.Origin[1] + t.Step*float64(g[1]),
		t.Origin[2] + t.Step*float64(g[2]),
	}
}

// snap puts the points on the grid.
func (t *Triangulation) snap(points []float32) error {
	lo := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	hi := [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for i := range t.Grid {
		for a, v := range points[3*i : 3*i+3] {
			x := float64(v)
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("delaunay: point %d has a coordinate that is not finite", i)
			}
			lo[a], hi[a] = min(lo[a], x), max(hi[a], x)
		}
	}
	extent := max(hi[0]-lo[0], hi[1]-lo[1], hi[2]-lo[2])
	if len(t.Grid) < 4 || extent == 0 {
		return ErrFlat
	}
	t.Origin, t.Step = lo, extent/(1<<gridBits-1)
	for i := range t.Grid {
		for a, v := range points[3*i : 3*i+3] {
			t.Grid[i][a] = int32(math.Round((float64(v) - lo[a]) / t.Step))
		}
	}
	return nil
}
