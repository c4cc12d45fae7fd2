package draco

import (
	"hash/maphash"
	"math"
	"math/bits"
)

// identify gives points whose values of some attributes have equal bits one
// identity: the number, in order of first occurrence, that is kept in into.
// It returns how many there are.
func (e *Encoder) identify(into []uint32, attributes []*Attribute) int {
	size := 1 << bits.Len(uint(2*len(into)-1))
	e.scratch.hash = encResize(e.scratch.hash, size)
	table := e.scratch.hash
	clear(table)
	// The seed is drawn anew so that nobody can make points that collide; what
	// is given out does not depend on it.
	seed := maphash.Comparable(maphash.MakeSeed(), 0)
	shift := uint(64 - bits.Len(uint(size-1)))
	if size == 1 {
		shift = 63
	}
	count := 0
	for p := range into {
		h := seed
		for _, a := range attributes {
			h = a.hash(h, p)
		}
		slot := int(h>>shift) & (size - 1)
		for {
			first := table[slot]
			if first == 0 {
				table[slot] = uint32(p) + 1
				into[p] = uint32(count)
				count++
				break
			}
			if encSameValues(attributes, int(first-1), p) {
				into[p] = into[first-1]
				break
			}
			slot = (slot + 1) & (size - 1)
		}
	}
	return count
}

// hash mixes the value of a point into a hash.
func (a *Attribute) hash(h uint64, point int) uint64 {
	n := a.Components
	if a.DataType == Float32 {
		for _, v := range a.Floats[point*n : point*n+n] {
			h = encMix(h, uint64(math.Float32bits(v)))
		}
		return h
	}
	for _, v := range a.Ints[point*n : point*n+n] {
		h = encMix(h, uint64(uint32(v)))
	}
	return h
}

// encMix folds the product of two odd-looking numbers.
func encMix(h, v uint64) uint64 {
	high, low := bits.Mul64(h^v^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return high ^ low ^ h<<7
}

// encSameValues tells whether two points have values of equal bits.
func encSameValues(attributes []*Attribute, p, q int) bool {
	for _, a := range attributes {
		if !a.same(p, q) {
			return false
		}
	}
	return true
}

// same tells whether two points have a value of equal bits.
func (a *Attribute) same(p, q int) bool {
	n := a.Components
	if a.DataType == Float32 {
		for i := range n {
			if math.Float32bits(a.Floats[p*n+i]) != math.Float32bits(a.Floats[q*n+i]) {
				return false
			}
		}
		return true
	}
	for i := range n {
		if a.Ints[p*n+i] != a.Ints[q*n+i] {
			return false
		}
	}
	return true
}
