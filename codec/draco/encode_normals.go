package draco

import (
	"encoding/binary"
	"math"
)

// predictNormals predicts normals from the triangles around them from level 7 on
// where positions allow, and otherwise by the one before, whichever is smaller.
func (e *Encoder) predictNormals(v *encValues, q *encSequence, position *encValues) encPrediction {
	span := position.span()
	if q == nil || e.options.Level < 7 || span == 0 || span > 20 {
		return e.predictLastNormal(v, 0)
	}
	return e.smaller(v, e.predictFacing(v, q, position, 0), e.predictLastNormal(v, 1))
}

// predictLastNormal predicts each normal by the one before.
func (e *Encoder) predictLastNormal(v *encValues, slot int) encPrediction {
	p := e.prediction(encPredictDifference, len(v.values), slot)
	o := newEncOctahedron(v.bits)
	s, t := int32(0), int32(0)
	for i := 0; i+1 < len(v.values); i += 2 {
		a, b := o.correction(v.values[i], v.values[i+1], s, t)
		p.symbols[i], p.symbols[i+1] = uint32(a), uint32(b)
		s, t = v.values[i], v.values[i+1]
	}
	return e.turned(p, o, nil, slot)
}

// predictFacing predicts each normal by the sum of those of the triangles around
// it, either that or its opposite (specification, "Normal Prediction Decoder").
func (e *Encoder) predictFacing(v *encValues, q *encSequence, position *encValues, slot int) encPrediction {
	p := e.prediction(encPredictNormals, len(v.values), slot)
	o := newEncOctahedron(v.bits)
	sums := e.facing(q, position)
	flips := e.scratch.flags[0][:0]
	for i := range q.corners {
		x, y, z := o.canonical(sums[i])
		s, t := o.fromIntegers(x, y, z)
		a, b := o.correction(v.values[2*i], v.values[2*i+1], s, t)
		s, t = o.fromIntegers(-x, -y, -z)
		c, d := o.correction(v.values[2*i], v.values[2*i+1], s, t)
		flip := byte(0)
		if o.size(a, b) >= o.size(c, d) {
			a, b, flip = c, d, 1
		}
		flips = append(flips, flip)
		p.symbols[2*i], p.symbols[2*i+1] = uint32(a), uint32(b)
	}
	e.scratch.flags[0] = flips
	return e.turned(p, o, flips, slot)
}

// facing sums the normals of triangles, which are as long as twice their area, at
// each value of a sequence.
func (e *Encoder) facing(q *encSequence, position *encValues) [][3]int64 {
	sums := make([][3]int64, len(q.corners))
	positions := e.surface.main.vertex
	for c := 0; c < len(positions); c += 3 {
		i, j, k := 3*positions[c], 3*positions[c+1], 3*positions[c+2]
		x, y, z := int64(position.values[i]), int64(position.values[i+1]), int64(position.values[i+2])
		ax, ay, az := int64(position.values[j])-x, int64(position.values[j+1])-y, int64(position.values[j+2])-z
		bx, by, bz := int64(position.values[k])-x, int64(position.values[k+1])-y, int64(position.values[k+2])-z
		nx, ny, nz := ay*bz-az*by, az*bx-ax*bz, ax*by-ay*bx
		for _, v := range q.vertex[c : c+3] {
			sums[v][0] += nx
			sums[v][1] += ny
			sums[v][2] += nz
		}
	}
	return sums
}

// turned ends a prediction of normals with their range, and with flips where
// there are any.
func (e *Encoder) turned(p encPrediction, o encOctahedron, flips []byte, slot int) encPrediction {
	p.transform = encTransformOctahedron
	p.side = binary.LittleEndian.AppendUint32(p.side, uint32(o.range_))
	p.side = binary.LittleEndian.AppendUint32(p.side, uint32(o.center))
	if flips != nil {
		p.side = e.appendBits(p.side, flips)
	}
	e.scratch.sides[slot] = p.side
	return p
}

// encOctahedron maps directions to a square: an octahedron, unfolded around the
// corner on the x axis. Coordinates are 0 to most, with center in the middle, and
// range_ is one more than most.
type encOctahedron struct {
	range_, most, center int32
}

func newEncOctahedron(bits int) encOctahedron {
	r := int32(uint32(1)<<bits - 1)
	return encOctahedron{range_: r, most: r - 1, center: (r - 1) / 2}
}

// fromVector maps a direction of any length; that of none is the x axis.
func (o *encOctahedron) fromVector(x, y, z float32) (s, t int32) {
	fx, fy, fz := float64(x), float64(y), float64(z)
	sum := math.Abs(fx) + math.Abs(fy) + math.Abs(fz)
	if sum <= 1e-6 {
		fx, fy, fz, sum = 1, 0, 0, 1
	}
	scale := float64(o.center) / sum
	a := int32(math.Floor(fx*scale + 0.5))
	b := int32(math.Floor(fy*scale + 0.5))
	c := o.center - encAbs(a) - encAbs(b)
	if c < 0 {
		// Rounding made the first two too long together.
		if b > 0 {
			b += c
		} else {
			b -= c
		}
		c = 0
	}
	if fz < 0 {
		c = -c
	}
	return o.fromIntegers(a, b, c)
}

// fromIntegers maps a vector whose components add up to center without their
// signs.
func (o *encOctahedron) fromIntegers(x, y, z int32) (s, t int32) {
	if x >= 0 {
		return o.unify(y+o.center, z+o.center)
	}
	s, t = encAbs(z), encAbs(y)
	if y >= 0 {
		s = o.most - s
	}
	if z >= 0 {
		t = o.most - t
	}
	return o.unify(s, t)
}

// unify gives points on the border, which are two or four for one direction, one
// place (specification, "CanonicalizeOctahedralCoords").
func (o *encOctahedron) unify(s, t int32) (int32, int32) {
	m, c := o.most, o.center
	switch {
	case s == 0 && t == 0, s == 0 && t == m, s == m && t == 0:
		return m, m
	case s == 0 && t > c, s == m && t < c:
		return s, 2*c - t
	case t == m && s < c, t == 0 && s > c:
		return 2*c - s, t
	}
	return s, t
}

// canonical scales a vector so that its components add up to center.
func (o *encOctahedron) canonical(n [3]int64) (x, y, z int32) {
	const bound = 1 << 29
	sum := encAbs(n[0]) + encAbs(n[1]) + encAbs(n[2])
	if sum > bound {
		k := sum / bound
		n = [3]int64{n[0] / k, n[1] / k, n[2] / k}
		sum = encAbs(n[0]) + encAbs(n[1]) + encAbs(n[2])
	}
	if sum == 0 {
		return o.center, 0, 0
	}
	x = int32(n[0] * int64(o.center) / sum)
	y = int32(n[1] * int64(o.center) / sum)
	z = o.center - encAbs(x) - encAbs(y)
	if n[2] < 0 {
		z = -z
	}
	return x, y, z
}

// correction is how to get from a prediction to a point, modulo range_, after the
// square is turned so that the prediction lies in the lower left of the inner
// diamond (specification, "Prediction Normal Transform").
func (o *encOctahedron) correction(s, t, ps, pt int32) (int32, int32) {
	s, t, ps, pt = s-o.center, t-o.center, ps-o.center, pt-o.center
	if encAbs(ps)+encAbs(pt) > o.center {
		s, t = o.invert(s, t)
		ps, pt = o.invert(ps, pt)
	}
	for range encTurns(ps, pt) {
		s, t = t, -s
		ps, pt = pt, -ps
	}
	return o.modulo(s - ps), o.modulo(t - pt)
}

// modulo makes a correction positive.
func (o *encOctahedron) modulo(x int32) int32 {
	if x < 0 {
		return x + o.range_
	}
	return x
}

// size of a correction, the short way round.
func (o *encOctahedron) size(a, b int32) int32 {
	return min(a, o.range_-a) + min(b, o.range_-b)
}

// invert swaps the inside and the outside of the diamond, each quarter by itself.
func (o *encOctahedron) invert(s, t int32) (int32, int32) {
	signS, signT := int32(-1), int32(-1)
	switch {
	case s >= 0 && t >= 0:
		signS, signT = 1, 1
	case s <= 0 && t <= 0:
	default:
		if s > 0 {
			signS = 1
		}
		if t > 0 {
			signT = 1
		}
	}
	cs, ct := signS*o.center, signT*o.center
	s, t = 2*s-cs, 2*t-ct
	if signS == signT {
		s, t = -t, -s
	} else {
		s, t = t, s
	}
	return (s + cs) / 2, (t + ct) / 2
}

// encTurns is how many quarters to turn a point by so that it lies lower left.
func encTurns(s, t int32) int {
	switch {
	case s == 0 && t == 0, s < 0 && t <= 0:
		return 0
	case s >= 0 && t < 0:
		return 1
	case s > 0:
		return 2
	}
	return 3
}

// encAbs is a number without its sign.
func encAbs[T int32 | int64](x T) T {
	if x < 0 {
		return -x
	}
	return x
}
