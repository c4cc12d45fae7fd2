// Package morton orders points along the Z curve (G. M. Morton, "A computer
// oriented geodetic data base", IBM 1966): points of one cell of any level of an
// octree are then neighbours in memory.
//
// Coordinates are raw LAS integers. A Cube lays a grid of 2^21 cells a side over
// them; the key of a point interleaves the three 21-bit cell numbers, x lowest.
package morton

import "math"

// Bits is the number of levels of a key, 3 bits each.
const Bits = 21

// borderLevels is the most levels whose borders are made to lie on whole raw
// units, so that a reader which computes them in floating point finds every point
// on the same side as we do.
const borderLevels = 12

// Cube is the root cell in raw LAS integers. Size differs between axes where the
// scales do: the edges are equal in real units.
type Cube struct {
	Min, Size [3]int64
}

// NewCube gives a cube with its lower corner at lo that holds hi strictly inside;
// scale turns raw units into real ones. The edge is rounded up, by less than two
// hundredths, to put the borders of the upper levels on whole raw units; anchoring
// at the corner needs no half units. Where one scale is no multiple of the other,
// edges are equal to within a raw unit.
func NewCube(lo, hi [3]int32, scale [3]float64) Cube {
	unit, edge := 0.0, 0.0 // real; the coarsest raw unit and the edge
	for i, s := range scale {
		s = math.Abs(s)
		unit = max(unit, s)
		edge = max(edge, float64(int64(hi[i])-int64(lo[i])+1)*s)
	}
	units := 1.0 // the edge in the coarsest raw unit
	if n := math.Ceil(edge/unit - 1e-9); n > 1 && n <= 1<<33 {
		units = n
	}
	step := math.Exp2(float64(min(max(int(math.Log2(units))-6, 0), borderLevels)))
	units = math.Ceil(units/step) * step
	var c Cube
	for i, s := range scale {
		c.Min[i] = int64(lo[i])
		size := units
		if r := unit / math.Abs(s); r > 1 {
			// An axis so fine that it has more than 2^52 units in the cube has its
			// points in one cell anyway.
			size = min(math.Ceil(units*r-1e-6*r), 1<<52)
		}
		c.Size[i] = max(int64(size), int64(hi[i])-int64(lo[i])+1)
	}
	return c
}

// Edge gives the real length of the cube's edges.
func (c *Cube) Edge(scale [3]float64) float64 {
	edge := 0.0
	for i, s := range scale {
		edge = max(edge, float64(c.Size[i])*math.Abs(s))
	}
	return edge
}

// Cell gives the cell of a point, each number below 2^21. Points outside the cube
// get the nearest cell.
func (c *Cube) Cell(x, y, z int32) (cx, cy, cz uint32) {
	return c.axis(0, x), c.axis(1, y), c.axis(2, z)
}

func (c *Cube) axis(i int, v int32) uint32 {
	d := int64(v) - c.Min[i]
	if d <= 0 {
		return 0
	}
	if d >= c.Size[i] {
		return 1<<Bits - 1
	}
	if d < 1<<(63-Bits) {
		return uint32(uint64(d) << Bits / uint64(c.Size[i]))
	}
	return uint32(uint64(d) / (uint64(c.Size[i]) >> Bits))
}

// Key gives the interleaved cell of a point, 63 bits.
func (c *Cube) Key(x, y, z int32) uint64 {
	return Encode(c.Cell(x, y, z))
}

// Encode interleaves three numbers of up to 21 bits: bit 0 is x's, 1 y's, 2 z's.
func Encode(x, y, z uint32) uint64 {
	return spread(x) | spread(y)<<1 | spread(z)<<2
}

// Decode takes a key apart.
func Decode(key uint64) (x, y, z uint32) {
	return gather(key), gather(key >> 1), gather(key >> 2)
}

// spread puts two zero bits between the bits of v.
func spread(v uint32) uint64 {
	k := uint64(v) & 0x1FFFFF
	k = (k | k<<32) & 0x1F00000000FFFF
	k = (k | k<<16) & 0x1F0000FF0000FF
	k = (k | k<<8) & 0x100F00F00F00F00F
	k = (k | k<<4) & 0x10C30C30C30C30C3
	return (k | k<<2) & 0x1249249249249249
}

func gather(k uint64) uint32 {
	k &= 0x1249249249249249
	k = (k | k>>2) & 0x10C30C30C30C30C3
	k = (k | k>>4) & 0x100F00F00F00F00F
	k = (k | k>>8) & 0x1F0000FF0000FF
	k = (k | k>>16) & 0x1F00000000FFFF
	return uint32(k|k>>32) & 0x1FFFFF
}
