package meshopt

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Octahedral turns octahedral coordinates into unit vectors of the same type, in
// place: 4 bytes or four 16-bit numbers an element, the fourth as it is.
func Octahedral(data []byte, stride int) error {
	switch stride {
	case 4:
		for i := 0; i+4 <= len(data); i += 4 {
			x, y, z := unfold(float32(int8(data[i])), float32(int8(data[i+1])), float32(int8(data[i+2])), 127)
			data[i], data[i+1], data[i+2] = byte(int8(x)), byte(int8(y)), byte(int8(z))
		}
	case 8:
		for i := 0; i+8 <= len(data); i += 8 {
			at := func(k int) float32 { return float32(int16(binary.LittleEndian.Uint16(data[i+2*k:]))) }
			x, y, z := unfold(at(0), at(1), at(2), 32767)
			for k, v := range [3]int32{x, y, z} {
				binary.LittleEndian.PutUint16(data[i+2*k:], uint16(int16(v)))
			}
		}
	default:
		return fmt.Errorf("meshopt: octahedral elements of %d bytes; 4 and 8 are", stride)
	}
	return nil
}

func unfold(x, y, one, most float32) (int32, int32, int32) {
	z := one - abs(x) - abs(y)
	t := min(z, 0)
	if x >= 0 {
		x += t
	} else {
		x -= t
	}
	if y >= 0 {
		y += t
	} else {
		y -= t
	}
	l := float32(math.Sqrt(float64(x*x + y*y + z*z)))
	s := float32(0)
	if l > 0 {
		s = most / l
	}
	return round(x * s), round(y * s), round(z * s)
}

func abs(v float32) float32 { return max(v, -v) }

func round(v float32) int32 {
	if v >= 0 {
		return int32(v + 0.5)
	}
	return int32(v - 0.5)
}

// Quaternion turns the three smallest components into quaternions of 16 bits, in
// place.
func Quaternion(data []byte, stride int) error {
	if stride != 8 {
		return fmt.Errorf("meshopt: quaternions of %d bytes; 8 are", stride)
	}
	for i := 0; i+8 <= len(data); i += 8 {
		at := func(k int) int16 { return int16(binary.LittleEndian.Uint16(data[i+2*k:])) }
		scale := float32(1/math.Sqrt2) / float32(at(3)|3)
		x, y, z := float32(at(0))*scale, float32(at(1))*scale, float32(at(2))*scale
		w := float32(math.Sqrt(float64(max(1-x*x-y*y-z*z, 0))))
		largest := int(at(3) & 3)
		for k, v := range [4]float32{w, x, y, z} {
			binary.LittleEndian.PutUint16(data[i+2*((largest+k)&3):], uint16(int16(round(v*32767))))
		}
	}
	return nil
}

// Exponential turns 24 bits of mantissa and 8 of exponent into floats, in place.
func Exponential(data []byte, stride int) error {
	if stride%4 != 0 {
		return fmt.Errorf("meshopt: exponential elements of %d bytes; multiples of 4 are", stride)
	}
	for i := 0; i+4 <= len(data); i += 4 {
		v := int32(binary.LittleEndian.Uint32(data[i:]))
		f := math.Ldexp(float64(v<<8>>8), int(v>>24))
		binary.LittleEndian.PutUint32(data[i:], math.Float32bits(float32(f)))
	}
	return nil
}

// Color turns luma and chroma into red, green, blue and alpha, in place: 4 bytes or
// four 16-bit numbers an element.
func Color(data []byte, stride int) error {
	switch stride {
	case 4:
		for i := 0; i+4 <= len(data); i += 4 {
			v := rgba(int32(data[i]), int32(int8(data[i+1])), int32(int8(data[i+2])), uint32(data[i+3]), math.MaxUint8)
			for k, c := range v {
				data[i+k] = byte(c)
			}
		}
	case 8:
		for i := 0; i+8 <= len(data); i += 8 {
			at := func(k int) uint16 { return binary.LittleEndian.Uint16(data[i+2*k:]) }
			v := rgba(int32(at(0)), int32(int16(at(1))), int32(int16(at(2))), uint32(at(3)), math.MaxUint16)
			for k, c := range v {
				binary.LittleEndian.PutUint16(data[i+2*k:], uint16(c))
			}
		}
	default:
		return fmt.Errorf("meshopt: colours of %d bytes; 4 and 8 are", stride)
	}
	return nil
}

// rgba scales colours by the highest bit of alpha, which tells how many bits they
// have.
func rgba(y, co, cg int32, a uint32, most float32) [4]int32 {
	one := uint32(1)<<bits.Len32(a) - 1
	if one == 0 {
		return [4]int32{}
	}
	a &= one >> 1
	a = a<<1 | a&1
	scale := most / float32(one)
	out := [4]int32{y + co - cg, y + cg, y - co - cg, int32(a)}
	for k, v := range out {
		out[k] = round(float32(v) * scale)
	}
	return out
}
