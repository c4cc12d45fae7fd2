// Package ortho draws surfaces straight from above: orthophotos with transparency, and
// digital surface models.
//
// What is seen is the highest surface at each place, found by a depth buffer, so that
// walls hide nothing and lean nowhere: a true orthophoto (F. Amhar et al., "The
// generation of true orthophotos", 1998). Cells are drawn with several samples each
// from textures scaled to their size. Large rasters are drawn in strips of bounded
// memory. Results do not depend on the number of workers.
package ortho

import (
	"context"
	"errors"
	"fmt"
	"math"

	"slate360.ai/worker/geom/texture"
)

// Part is triangles with one texture, z up.
type Part struct {
	// Positions are xyz triples.
	Positions []float32
	// UV are pairs from 0 to 1, v downwards; nil without a texture.
	UV []float32
	// Triangles are three indices each.
	Triangles []uint32
	// Texture may be nil: then colours are grey.
	Texture *texture.Image
}

// Grid is where cells lie, in the frame of positions.
type Grid struct {
	// West and North are the outer corner of the first cell.
	West, North float64
	// Cell is the edge of a cell.
	Cell       float64
	Cols, Rows int
}

// Options say how. Zero fields mean the defaults.
type Options struct {
	// Samples of a cell along each side; default 2.
	Samples int
	// Hole is how many cells wide gaps in the surface are that are closed; default 3,
	// and none where it is negative.
	Hole int
	// Workers is how many goroutines share the work; default 1.
	Workers int
}

// Strip is rows of the raster.
type Strip struct {
	Row, Rows int
	// RGBA is red, green, blue and alpha, not premultiplied, sRGB. Alpha tells how
	// much of a cell there is surface in.
	RGBA []uint8
	// Heights are z of the surface; NaN where there is none.
	Heights []float32
}

// StripRows is how many rows a strip has, but the last one.
const StripRows = 512

// ErrEmpty says that there is nothing to draw.
var ErrEmpty = errors.New("ortho: there are no triangles")

// Bytes is about the most memory that Draw uses beyond the parts.
func Bytes(triangles int64, cols int, o Options) int64 {
	o = o.defaults()
	edge := int64((StripRows + 2*o.Hole) * o.Samples)
	cells := int64(StripRows+2*o.Hole) * int64(StripRows+2*o.Hole)
	return triangles*6 + int64(cols)*StripRows*8 + int64(o.Workers)*(edge*edge*8+cells*20)
}

func (o Options) defaults() Options {
	if o.Samples == 0 {
		o.Samples = 2
	}
	switch {
	case o.Hole == 0:
		o.Hole = 3
	case o.Hole < 0:
		o.Hole = 0
	}
	o.Workers = max(1, o.Workers)
	return o
}

// Cover returns the grid of cells of a size that covers all parts, with corners at
// multiples of the size.
func Cover(parts []Part, cell float64) (Grid, error) {
	if !(cell > 0) || math.IsInf(cell, 0) {
		return Grid{}, fmt.Errorf("ortho: a cell of %g", cell)
	}
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for i := range parts {
		for _, v := range parts[i].Triangles {
			p := parts[i].Positions[3*v:][:3]
			if p[0]-p[0] != 0 || p[1]-p[1] != 0 || p[2]-p[2] != 0 {
				continue
			}
			for k := range 2 {
				lo[k], hi[k] = min(lo[k], float64(p[k])), max(hi[k], float64(p[k]))
			}
		}
	}
	if lo[0] > hi[0] {
		return Grid{}, ErrEmpty
	}
	west, north := math.Floor(lo[0]/cell), math.Ceil(hi[1]/cell)
	cols, rows := max(math.Ceil(hi[0]/cell)-west, 1), max(north-math.Floor(lo[1]/cell), 1)
	if cols > math.MaxInt32 || rows > math.MaxInt32 {
		return Grid{}, fmt.Errorf("ortho: %.0f × %.0f cells of %g are too many", cols, rows, cell)
	}
	return Grid{West: west * cell, North: north * cell, Cell: cell, Cols: int(cols), Rows: int(rows)}, nil
}

func check(parts []Part, g Grid, o Options) error {
	switch {
	case g.Cols <= 0 || g.Rows <= 0 || !(g.Cell > 0) || math.IsInf(g.Cell+g.West+g.North, 0) || math.IsNaN(g.West+g.North):
		return fmt.Errorf("ortho: a grid of %d × %d cells of %g at %g, %g", g.Cols, g.Rows, g.Cell, g.West, g.North)
	case o.Samples < 1 || o.Samples > 8:
		return fmt.Errorf("ortho: %d samples a side; want 1 to 8", o.Samples)
	case o.Hole > 64:
		return fmt.Errorf("ortho: holes of %d cells; at most 64", o.Hole)
	}
	n := 0
	for i := range parts {
		p := &parts[i]
		vertices := uint32(len(p.Positions) / 3)
		if len(p.Positions)%3 != 0 || len(p.Triangles)%3 != 0 {
			return fmt.Errorf("ortho: part %d has %d coordinates and %d indices; want multiples of 3", i, len(p.Positions), len(p.Triangles))
		}
		if p.Texture != nil && len(p.UV) != 2*int(vertices) {
			return fmt.Errorf("ortho: part %d has %d texture coordinates for %d vertices", i, len(p.UV), vertices)
		}
		for _, v := range p.Triangles {
			if v >= vertices {
				return fmt.Errorf("ortho: part %d has vertex %d of %d", i, v, vertices)
			}
		}
		n += len(p.Triangles) / 3
	}
	switch {
	case n == 0:
		return ErrEmpty
	case n > math.MaxInt32:
		return fmt.Errorf("ortho: %d triangles are too many", n)
	}
	return nil
}

// Draw draws strip after strip, from the north, and hands each to emit, which may keep
// nothing of it. progress, which may be nil, is told the share that is done.
func Draw(ctx context.Context, parts []Part, g Grid, o Options, emit func(Strip) error, progress func(done float64)) error {
	o = o.defaults()
	if err := check(parts, g, o); err != nil {
		return err
	}
	d := newDrawing(parts, g, o)
	strip := Strip{RGBA: make([]uint8, 4*g.Cols*min(g.Rows, StripRows)), Heights: make([]float32, g.Cols*min(g.Rows, StripRows))}
	for row := 0; row < g.Rows; row += StripRows {
		strip.Row, strip.Rows = row, min(StripRows, g.Rows-row)
		strip.RGBA, strip.Heights = strip.RGBA[:4*g.Cols*strip.Rows], strip.Heights[:g.Cols*strip.Rows]
		if err := d.strip(ctx, &strip); err != nil {
			return err
		}
		if err := emit(strip); err != nil {
			return err
		}
		if progress != nil {
			progress(float64(row+strip.Rows) / float64(g.Rows))
		}
	}
	return nil
}
