// Package scanline walks over the pixels of triangles, row by row. A pixel belongs to a
// triangle where its middle lies in it; of triangles that share an edge exactly one has
// a pixel on it (J. Pineda, "A parallel algorithm for polygon rasterization", 1988, has
// the rule; edges are cut by rows here, which long rows profit from).
package scanline

import "math"

// Triangle is a triangle in pixels: the first pixel has its corner at (0, 0), its middle
// at (0.5, 0.5). Coordinates must be below 1e9.
type Triangle struct{ X, Y [3]float32 }

// Rows returns the rows that may have pixels, between from and to; the last one is
// exclusive.
func (t *Triangle) Rows(from, to int) (y0, y1 int) {
	return max(ceil(min(t.Y[0], t.Y[1], t.Y[2])-0.5), from), min(ceil(max(t.Y[0], t.Y[1], t.Y[2])-0.5), to)
}

// Row returns the columns of the pixels of a row, from 0 to width; the last one is
// exclusive.
func (t *Triangle) Row(y, width int) (x0, x1 int) {
	lo, hi := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	at := float32(y) + 0.5
	for a := range 3 {
		b := (a + 1) % 3
		ax, ay, bx, by := t.X[a], t.Y[a], t.X[b], t.Y[b]
		if ay > by { // the same numbers for both triangles at an edge
			ax, ay, bx, by = bx, by, ax, ay
		}
		if ay <= at && at < by {
			x := ax + (at-ay)*(bx-ax)/(by-ay)
			lo, hi = min(lo, x), max(hi, x)
		}
	}
	if lo > hi {
		return 0, 0
	}
	return max(ceil(lo-0.5), 0), min(ceil(hi-0.5), width)
}

// Plane is a number that changes linearly over the picture.
type Plane struct{ DX, DY, C float32 }

// At returns the number at the middle of a pixel.
func (p *Plane) At(x, y int) float32 {
	return p.C + p.DX*(float32(x)+0.5) + p.DY*(float32(y)+0.5)
}

// Plane returns the one through values at the corners; ok is false where the triangle
// has no area.
func (t *Triangle) Plane(v [3]float32) (p Plane, ok bool) {
	ux, uy := float64(t.X[1])-float64(t.X[0]), float64(t.Y[1])-float64(t.Y[0])
	vx, vy := float64(t.X[2])-float64(t.X[0]), float64(t.Y[2])-float64(t.Y[0])
	area := ux*vy - uy*vx
	if area == 0 || area-area != 0 {
		return p, false
	}
	du, dv := float64(v[1])-float64(v[0]), float64(v[2])-float64(v[0])
	dx, dy := (du*vy-dv*uy)/area, (dv*ux-du*vx)/area
	return Plane{float32(dx), float32(dy), float32(float64(v[0]) - dx*float64(t.X[0]) - dy*float64(t.Y[0]))}, true
}

func ceil(x float32) int { return int(math.Ceil(float64(x))) }
