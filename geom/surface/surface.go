// Package surface makes a mesh of triangles of a dense cloud of points and the views
// that see them.
//
// Points nearer to each other than what the photos resolve are merged, and the space
// between them is filled with Delaunay tetrahedra. A smallest cut decides which of
// them are empty: the sight lines from points to the cameras say so, softly near the
// points, since these are noisy (P. Labatut, J.-P. Pons, R. Keriven, "Robust and
// efficient surface reconstruction from range data", 2009; H.-H. Vu et al., "High
// accuracy and visibility-consistent dense multiview stereo", 2012). The surface
// between empty and full then loses what only spans gaps, and is smoothed so that
// edges stay sharp (Y. Zheng et al., "Bilateral normal filtering for mesh denoising",
// 2011). Clouds without views and normals, or in a plane, become a height field.
package surface

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"slate360.ai/worker/geom/delaunay"
)

// ErrTooFew says that a cloud has too few points for a surface.
var ErrTooFew = errors.New("surface: too few points for a surface")

// Cloud is oriented points and what sees them.
type Cloud struct {
	// Points and Normals are three a point, in one right-handed frame of any unit;
	// Normals may be nil.
	Points, Normals []float32
	// Views that see point i are Views[Offsets[i]:Offsets[i+1]], indices into Centers.
	// Offsets has one more entry than there are points, or is nil where nothing is
	// known of views.
	Views, Offsets []uint32
	// Centers are where the cameras stand.
	Centers [][3]float32
}

// Mesh is a surface: xyz triples and three indices a triangle, counter-clockwise seen
// from outside.
type Mesh struct {
	Positions []float32
	Triangles []uint32
}

// Mode is how a surface is made.
type Mode int

// The modes.
const (
	// Volume cuts the space between the points, which makes any surface. It takes views
	// or at least normals: without, a height field is made.
	Volume Mode = iota
	// HeightField makes one height for each place in plan, z being up: for surveys
	// from straight above, whose walls are noise.
	HeightField
	// Auto makes a height field where nearly all sight lines are steep.
	Auto
)

// Options say how a surface is made. Zero fields mean the defaults.
type Options struct {
	Mode Mode
	// Merge is how near points are merged, in parts of the distance between points
	// that the photos resolve; default 2.5. More makes fewer triangles.
	Merge float64
	// Noise is how far points are expected off the surface, in the distance of merged
	// points; default 1.
	Noise float64
	// Smallness is what a triangle costs, beside the sight lines that a surface would
	// block; default 1. More makes smoother surfaces and loses thin parts.
	Smallness float64
	// MaxEdge is the longest edge of a triangle, in the distance of merged points;
	// default 50. More closes larger gaps.
	MaxEdge float64
	// MinPart is the fewest triangles of a part that is kept; default 200, or a
	// thousandth of the largest part, and never more than a tenth of it.
	MinPart int
	// MaxHole is the most edges of a hole that is filled; default 40.
	MaxHole int
	// Smooth is how many steps of smoothing are taken; default 5, none where it is
	// negative.
	Smooth int
	// Workers is how many goroutines help; 0 is one a processor. The result does not
	// depend on it.
	Workers int
}

func (o Options) defaults() Options {
	set := func(v *float64, d float64) {
		if !(*v > 0) {
			*v = d
		}
	}
	set(&o.Merge, 2.5)
	set(&o.Noise, 1)
	set(&o.Smallness, 1)
	set(&o.MaxEdge, 50)
	if o.MaxHole == 0 {
		o.MaxHole = 40
	}
	if o.Smooth == 0 {
		o.Smooth = 5
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o
}

// Reconstruct makes the surface of a cloud. progress, which may be nil, is told the
// part that is done, 0 to 1, by one goroutine at a time. Points that are not finite,
// or farther than 1e15 from the origin, are left out, and so are those without views in
// a cloud that has some. Errors: ErrTooFew, a cloud whose slices do not fit together or
// that has too many points for delaunay.Build, and that of ctx.
func Reconstruct(ctx context.Context, c Cloud, o Options, progress func(done float64)) (*Mesh, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(float64) {}
	}
	o = o.defaults()
	v, err := merge(ctx, c, o)
	if err != nil {
		return nil, err
	}
	progress(0.1)
	mode := o.Mode
	if len(v.views) == 0 && v.normals == nil || mode == Auto && v.fromAbove(c.Centers) {
		mode = HeightField
	}
	m, err := v.surface(ctx, mode, c.Centers, o, part(progress, 0.1, 0.8))
	if err != nil {
		return nil, err
	}
	if err := m.finish(ctx, o, part(progress, 0.8, 1)); err != nil {
		return nil, err
	}
	if len(m.triangles) == 0 {
		return nil, ErrTooFew
	}
	progress(1)
	return m.mesh(), nil
}

// surface makes the triangles by the mode, or in their plane where all points lie in
// one.
func (v *vertices) surface(ctx context.Context, mode Mode, centers [][3]float32, o Options, progress func(float64)) (*mesh, error) {
	if mode == HeightField {
		return heightField(ctx, v, level(), o)
	}
	m, err := volume(ctx, v, centers, o, progress)
	if !errors.Is(err, delaunay.ErrFlat) {
		return m, err
	}
	plane, ok := planeOf(v)
	if !ok {
		return nil, ErrTooFew
	}
	return heightField(ctx, v, plane, o)
}

// part maps progress onto a part of the whole.
func part(progress func(float64), from, to float64) func(float64) {
	return func(done float64) { progress(from + (to-from)*done) }
}

// Bytes is about the most memory that Reconstruct takes for a cloud of so many points,
// the cloud not counted, where merging leaves three in ten, as it does by default. It
// was measured, with what the garbage collector leaves.
func Bytes(points int) int64 {
	merged := int64(points) * 3 / 10
	// Of a point: order, keys and vertex. Of a merged one: 6.8 cells of 65 bytes with
	// capacities and the state of the cut, or two triangles while they are smoothed.
	return int64(points)*60 + merged*1200
}

// check tells what is wrong with the shape of a cloud.
func (c *Cloud) check() error {
	n := len(c.Points) / 3
	switch {
	case len(c.Points)%3 != 0:
		return fmt.Errorf("surface: %d coordinates are no whole number of points", len(c.Points))
	case n > math.MaxInt32:
		return fmt.Errorf("surface: %d points; %d are the most", n, math.MaxInt32)
	case c.Normals != nil && len(c.Normals) != len(c.Points):
		return fmt.Errorf("surface: %d points with %d numbers of normals", n, len(c.Normals))
	case len(c.Offsets) == 0 && len(c.Views) > 0:
		return errors.New("surface: views without offsets")
	case len(c.Offsets) == 0:
		return nil
	case len(c.Offsets) != n+1 || int(c.Offsets[n]) != len(c.Views) || c.Offsets[0] != 0:
		return fmt.Errorf("surface: %d points with %d offsets into %d views", n, len(c.Offsets), len(c.Views))
	}
	for i := range n {
		if c.Offsets[i] > c.Offsets[i+1] {
			return fmt.Errorf("surface: the views of point %d end before they begin", i)
		}
	}
	for _, v := range c.Views {
		if int(v) >= len(c.Centers) {
			return fmt.Errorf("surface: view %d of %d", v, len(c.Centers))
		}
	}
	for i, p := range c.Centers {
		if !placed(p[:]) {
			return fmt.Errorf("surface: the camera of view %d has no place", i)
		}
	}
	return nil
}

func finite(v float32) bool { return v-v == 0 }

// placed tells whether a point is somewhere. Those out of all bounds would overflow
// squares.
func placed(p []float32) bool {
	const farthest = 1e15
	return max(p[0], p[1], p[2]) <= farthest && min(p[0], p[1], p[2]) >= -farthest
}
