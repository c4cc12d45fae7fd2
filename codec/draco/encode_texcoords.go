package draco

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// encFitsTexCoords tells whether texture coordinates can be predicted from
// positions without products of more than 63 bits.
func encFitsTexCoords(v, position *encValues) bool {
	if v.store != encStoreQuantized {
		return false
	}
	p := position.span()
	return p > 0 && p <= 20 && 2*p+v.bits <= 60
}

// span is the bits that values and their differences need, without the sign; 0
// where there are none.
func (v *encValues) span() int {
	if v.store == encStoreQuantized {
		return v.bits
	}
	least, most := int64(0), int64(0)
	for _, x := range v.values {
		least, most = min(least, int64(x)), max(most, int64(x))
	}
	return bits.Len64(uint64(most - least))
}

// predictTexCoords predicts a texture coordinate by the triangle of its corner:
// the two other coordinates there and the shape that positions have say where it
// is, on one of two sides (specification, "TexCoords Prediction Decoder").
func (e *Encoder) predictTexCoords(v *encValues, w encWrap, q *encSequence, position *encValues, slot int) encPrediction {
	p := e.prediction(encPredictTexCoords, len(v.values), slot)
	sides := e.scratch.flags[0][:0]
	positions := e.surface.main.vertex
	at := func(corner int32) (x, y, z int64) {
		i := 3 * int(positions[corner])
		return int64(position.values[i]), int64(position.values[i+1]), int64(position.values[i+2])
	}
	for i := range q.corners {
		c := q.corners[i]
		next, previous := encNext(c), encPrevious(c)
		n, m := q.vertex[next], q.vertex[previous]
		var s, t int32
		known := int(n) < i && int(m) < i
		switch {
		case known && v.values[2*n] == v.values[2*m] && v.values[2*n+1] == v.values[2*m+1]:
			s, t = v.values[2*m], v.values[2*m+1]
		case known && position.distinct(positions[next], positions[previous]):
			var f encFlattened
			f.set(at, c, next, previous)
			var side byte
			s, t, side = f.nearer(v.values[2*n:2*n+2], v.values[2*m:2*m+2], v.values[2*i:2*i+2])
			sides = append(sides, side)
		case int(n) < i:
			s, t = v.values[2*n], v.values[2*n+1]
		case i > 0:
			s, t = v.values[2*i-2], v.values[2*i-1]
		}
		p.symbols[2*i] = w.symbol(v.values[2*i], s)
		p.symbols[2*i+1] = w.symbol(v.values[2*i+1], t)
	}
	e.scratch.flags[0] = sides
	p.side = binary.LittleEndian.AppendUint32(p.side, uint32(len(sides)))
	p.side = e.appendBits(p.side, encSameAsBefore(sides))
	return e.wrapped(p, w, slot)
}

// encSameAsBefore turns sides into whether each is as that before, from the last
// one on: a decoder takes them from the end.
func encSameAsBefore(sides []byte) []byte {
	slices.Reverse(sides)
	last := byte(1)
	for i, side := range sides {
		sides[i] = 1 ^ side ^ last
		last = side
	}
	return sides
}

// distinct tells whether two positions differ.
func (v *encValues) distinct(a, b int32) bool {
	return v.values[3*a] != v.values[3*b] || v.values[3*a+1] != v.values[3*b+1] || v.values[3*a+2] != v.values[3*b+2]
}

// encFlattened is where the tip of a triangle is along its base, and how far from
// it.
type encFlattened struct {
	base  int64 // square of the length of the base
	along int64 // product of the base and the side from its start
	away  int64 // root of the product of base and square of the distance
}

// set measures the triangle of a corner.
func (f *encFlattened) set(at func(int32) (x, y, z int64), tip, next, previous int32) {
	tx, ty, tz := at(tip)
	nx, ny, nz := at(next)
	px, py, pz := at(previous)
	px, py, pz = px-nx, py-ny, pz-nz
	f.base = px*px + py*py + pz*pz
	f.along = px*(tx-nx) + py*(ty-ny) + pz*(tz-nz)
	dx := tx - (nx + f.along*px/f.base)
	dy := ty - (ny + f.along*py/f.base)
	dz := tz - (nz + f.along*pz/f.base)
	f.away = int64(encRoot(uint64(dx*dx+dy*dy+dz*dz) * uint64(f.base)))
}

// nearer gives the one of two predictions that is nearer to a value, and 1 for
// the first.
func (f *encFlattened) nearer(n, m, value []int32) (s, t int32, side byte) {
	du, dv := int64(m[0])-int64(n[0]), int64(m[1])-int64(n[1])
	u, v := int64(n[0])*f.base+f.along*du, int64(n[1])*f.base+f.along*dv
	au, av := dv*f.away, -du*f.away
	s0, t0 := (u+au)/f.base, (v+av)/f.base
	s1, t1 := (u-au)/f.base, (v-av)/f.base
	cu, cv := int64(value[0]), int64(value[1])
	if (cu-s0)*(cu-s0)+(cv-t0)*(cv-t0) < (cu-s1)*(cu-s1)+(cv-t1)*(cv-t1) {
		return int32(s0), int32(t0), 1
	}
	return int32(s1), int32(t1), 0
}

// encRoot is the square root, rounded down.
func encRoot(n uint64) uint64 {
	r := uint64(math.Sqrt(float64(n)))
	for r > math.MaxUint32 || r*r > n {
		r--
	}
	for r < math.MaxUint32 && (r+1)*(r+1) <= n {
		r++
	}
	return r
}
