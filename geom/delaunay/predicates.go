package delaunay

import "math/bits"

// The filters below take differences of grid coordinates: integers of at most 26
// bits. Their 2×2 minors are below 2^53, so exact in floating point; what is bounded
// is the rounding of what follows, with u = 2^-53. Let m be the largest absolute
// difference; its square is at most the largest squared distance, which takes less to
// find.
const (
	// orient: three products of at most 2m³ each and two sums: less than 16·u·m³.
	orientBound = 2e-15
	// inBall: 4 terms of at most 6m³·3m², each wrong by less than 102·u·m⁵, and their
	// sum: less than 624·u·m⁵.
	ballBound = 1e-13
)

// orient is the sign of the volume of a tetrahedron: positive where a, b, c turn
// counter-clockwise seen from d.
func orient(a, b, c, d *[3]int32) int {
	ax, ay, az := float64(a[0]-d[0]), float64(a[1]-d[1]), float64(a[2]-d[2])
	bx, by, bz := float64(b[0]-d[0]), float64(b[1]-d[1]), float64(b[2]-d[2])
	cx, cy, cz := float64(c[0]-d[0]), float64(c[1]-d[1]), float64(c[2]-d[2])
	det := az*(bx*cy-by*cx) + bz*(cx*ay-cy*ax) + cz*(ax*by-ay*bx)
	far := largest(ax*ax+ay*ay+az*az, bx*bx+by*by+bz*bz, cx*cx+cy*cy+cz*cz)
	if det*det > orientBound*orientBound*far*far*far {
		if det > 0 {
			return -1
		}
		return 1
	}
	return -orientExact(difference(a, d), difference(b, d), difference(c, d)).sign()
}

// inBall is positive where e is inside the ball through the corners of a tetrahedron
// of positive volume, zero on it.
func inBall(a, b, c, d, e *[3]int32) int {
	ax, ay, az := float64(a[0]-e[0]), float64(a[1]-e[1]), float64(a[2]-e[2])
	bx, by, bz := float64(b[0]-e[0]), float64(b[1]-e[1]), float64(b[2]-e[2])
	cx, cy, cz := float64(c[0]-e[0]), float64(c[1]-e[1]), float64(c[2]-e[2])
	dx, dy, dz := float64(d[0]-e[0]), float64(d[1]-e[1]), float64(d[2]-e[2])
	ab, bc := ax*by-bx*ay, bx*cy-cx*by
	cd, da := cx*dy-dx*cy, dx*ay-ax*dy
	ac, bd := ax*cy-cx*ay, bx*dy-dx*by
	abc := az*bc - bz*ac + cz*ab
	bcd := bz*cd - cz*bd + dz*bc
	cda := cz*da + dz*ac + az*cd
	dab := dz*ab + az*bd + bz*da
	la, lb := ax*ax+ay*ay+az*az, bx*bx+by*by+bz*bz
	lc, ld := cx*cx+cy*cy+cz*cz, dx*dx+dy*dy+dz*dz
	det := (ld*abc - lc*dab) + (lb*cda - la*bcd)
	far := largest(la, lb, largest(lc, ld, 0))
	if det*det > ballBound*ballBound*far*far*far*far*far {
		if det > 0 {
			return -1
		}
		return 1
	}
	return -inBallExact(difference(a, e), difference(b, e), difference(c, e), difference(d, e))
}

// largest of three numbers, none of which is NaN: max would look.
func largest(a, b, c float64) float64 {
	if b > a {
		a = b
	}
	if c > a {
		a = c
	}
	return a
}

func difference(a, b *[3]int32) [3]int64 {
	return [3]int64{int64(a[0]) - int64(b[0]), int64(a[1]) - int64(b[1]), int64(a[2]) - int64(b[2])}
}

// wide is a signed number of 192 bits in two's complement, the lowest word first.
type wide [3]uint64

func (a wide) sign() int {
	switch {
	case int64(a[2]) < 0:
		return -1
	case a[0]|a[1]|a[2] == 0:
		return 0
	}
	return 1
}

func (a wide) add(b wide) wide {
	var c wide
	var carry uint64
	c[0], carry = bits.Add64(a[0], b[0], 0)
	c[1], carry = bits.Add64(a[1], b[1], carry)
	c[2], _ = bits.Add64(a[2], b[2], carry)
	return c
}

func (a wide) negative() wide {
	return wide{^a[0], ^a[1], ^a[2]}.add(wide{1})
}

// times multiplies by a number that is not negative.
func (a wide) times(b uint64) wide {
	if int64(a[2]) < 0 {
		return a.negative().times(b).negative()
	}
	var c wide
	h0, l0 := bits.Mul64(a[0], b)
	h1, l1 := bits.Mul64(a[1], b)
	c[0] = l0
	var carry uint64
	c[1], carry = bits.Add64(l1, h0, 0)
	c[2] = a[2]*b + h1 + carry
	return c
}

// product is that of two numbers.
func product(a, b int64) wide {
	w := wide{uint64(max(a, -a))}.times(uint64(max(b, -b)))
	if (a < 0) != (b < 0) {
		return w.negative()
	}
	return w
}

// orientExact is the determinant of three rows.
func orientExact(a, b, c [3]int64) wide {
	return product(a[2], b[0]*c[1]-b[1]*c[0]).
		add(product(b[2], c[0]*a[1]-c[1]*a[0])).
		add(product(c[2], a[0]*b[1]-a[1]*b[0]))
}

// inBallExact is the sign of the determinant that inBall estimates.
func inBallExact(a, b, c, d [3]int64) int {
	lift := func(v [3]int64) uint64 { return uint64(v[0]*v[0] + v[1]*v[1] + v[2]*v[2]) }
	return orientExact(a, b, c).times(lift(d)).
		add(orientExact(a, b, d).times(lift(c)).negative()).
		add(orientExact(a, c, d).times(lift(b))).
		add(orientExact(b, c, d).times(lift(a)).negative()).sign()
}
