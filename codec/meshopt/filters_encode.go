package meshopt

import (
	"encoding/binary"
	"fmt"
	"math"
)

// EncodeOctahedral turns unit vectors, and a fourth number from -1 to 1 each, into
// elements of 4 or 8 bytes that Octahedral takes back. Directions have so many bits:
// 2 to 8 or 16.
func EncodeOctahedral(values []float32, stride, bits int) ([]byte, error) {
	if err := checkFilter("octahedral", values, stride, bits, 2); err != nil {
		return nil, err
	}
	one := float32(int(1)<<(bits-1) - 1)
	full := float32(int(1)<<(stride*2-1) - 1)
	out := make([]byte, 0, len(values)/4*stride)
	for i := 0; i+4 <= len(values); i += 4 {
		x, y := fold(values[i], values[i+1], values[i+2])
		out = appendNumbers(out, stride, snorm(x, one), snorm(y, one), int32(one), snorm(values[i+3], full))
	}
	return out, nil
}

// fold gives octahedral coordinates of a direction; that of no length is up.
func fold(x, y, z float32) (float32, float32) {
	l := abs(x) + abs(y) + abs(z)
	if l == 0 {
		return 0, 0
	}
	x, y = x/l, y/l
	if z >= 0 {
		return x, y
	}
	return (1 - abs(y)) * sign(x), (1 - abs(x)) * sign(y)
}

func sign(v float32) float32 {
	if v < 0 {
		return -1
	}
	return 1
}

func snorm(v, one float32) int32 { return round(min(max(v, -1), 1) * one) }

// EncodeQuaternion turns unit quaternions into elements of 8 bytes that Quaternion
// takes back, of 4 to 16 bits a component: the three smaller ones.
func EncodeQuaternion(values []float32, bits int) ([]byte, error) {
	const stride = 8
	if err := checkFilter("quaternion", values, stride, bits, 4); err != nil {
		return nil, err
	}
	one := float32(int(1)<<(bits-1) - 1)
	out := make([]byte, 0, len(values)*2)
	for i := 0; i+4 <= len(values); i += 4 {
		q := (*[4]float32)(values[i:])
		largest := 0
		for k, v := range q {
			if abs(v) > abs(q[largest]) {
				largest = k
			}
		}
		scale := math.Sqrt2 * sign(q[largest]) // q and -q turn alike
		var v [3]int32
		for k := range v {
			v[k] = snorm(q[(largest+1+k)&3]*scale, one)
		}
		out = appendNumbers(out, stride, v[0], v[1], v[2], int32(one)&^3|int32(largest))
	}
	return out, nil
}

// EncodeColor turns colours, red, green, blue and alpha from 0 to 1, into elements of
// 4 or 8 bytes that Color takes back, of 2 to 8 or 16 bits.
func EncodeColor(values []float32, stride, bits int) ([]byte, error) {
	if err := checkFilter("colour", values, stride, bits, 2); err != nil {
		return nil, err
	}
	unorm := func(v float32, bits int) int32 {
		return round(min(max(v, 0), 1) * float32(int(1)<<bits-1))
	}
	out := make([]byte, 0, len(values)/4*stride)
	for i := 0; i+4 <= len(values); i += 4 {
		r, g, b := unorm(values[i], bits), unorm(values[i+1], bits), unorm(values[i+2], bits)
		// Halves are cut off towards zero, so that what is taken back lies between
		// the colours that there are.
		co := (r - b) / 2
		middle := b + co
		cg := (g - middle) / 2
		out = appendNumbers(out, stride, middle+cg, co, cg, 1<<(bits-1)|unorm(values[i+3], bits-1))
	}
	return out, nil
}

func checkFilter(name string, values []float32, stride, bits, least int) error {
	if stride != 4 && stride != 8 {
		return fmt.Errorf("meshopt: %s elements of %d bytes; 4 and 8 are", name, stride)
	}
	if most := 2 * stride; bits < least || bits > most {
		return fmt.Errorf("meshopt: %s elements of %d bits; %d to %d are", name, bits, least, most)
	}
	if len(values)%4 != 0 {
		return fmt.Errorf("meshopt: %d numbers, want four an element", len(values))
	}
	return checkFinite(values)
}

func checkFinite(values []float32) error {
	for i, v := range values {
		if v-v != 0 {
			return fmt.Errorf("meshopt: number %d is %g, which a filter cannot hold", i, v)
		}
	}
	return nil
}

// appendNumbers writes four numbers of 8 or 16 bits.
func appendNumbers(out []byte, stride int, values ...int32) []byte {
	for _, v := range values {
		if stride == 4 {
			out = append(out, byte(v))
		} else {
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		}
	}
	return out
}

// Sharing says which numbers have the same exponent: the more, the smaller the
// stream, and the less exact those that are smaller than others.
type Sharing int

// Ways to share exponents.
const (
	Separate        Sharing = iota // each number has its own
	SharedVector                   // those of an element have one
	SharedComponent                // all that stand at the same place of an element
)

// EncodeExponential turns numbers, n an element, into elements that Exponential takes
// back: bits, 1 to 24, are those of the mantissa with its sign.
func EncodeExponential(values []float32, n, bits int, share Sharing) ([]byte, error) {
	switch {
	case n < 1 || len(values)%n != 0:
		return nil, fmt.Errorf("meshopt: %d numbers are not elements of %d", len(values), n)
	case bits < 1 || bits > 24:
		return nil, fmt.Errorf("meshopt: a mantissa of %d bits; 1 to 24 are", bits)
	}
	if err := checkFinite(values); err != nil {
		return nil, err
	}
	exponents := make([]int, len(values))
	for i, v := range values {
		exponents[i] = exponent(v, bits)
	}
	switch share {
	case SharedVector:
		for i := 0; i < len(values); i += n {
			level(exponents[i:i+n], 1)
		}
	case SharedComponent:
		for k := range min(n, len(values)) {
			level(exponents[k:], n)
		}
	}
	out := make([]byte, 0, 4*len(values))
	for i, v := range values {
		m := math.Round(math.Ldexp(float64(v), -exponents[i]))
		m = min(max(m, -maxMantissa), maxMantissa)
		out = binary.LittleEndian.AppendUint32(out, uint32(exponents[i])<<24|uint32(int32(m))&0xffffff)
	}
	return out, nil
}

const (
	maxMantissa = 1<<23 - 1
	maxExponent = 100 // either way
)

// exponent is the least at which a number has no more than so many bits.
func exponent(v float32, bits int) int {
	if v == 0 {
		return -maxExponent
	}
	_, e := math.Frexp(float64(v))
	e -= bits - 1
	if math.Abs(math.Round(math.Ldexp(float64(v), -e))) > maxMantissa {
		e++
	}
	return min(max(e, -maxExponent), maxExponent)
}

// level gives every step-th exponent the greatest of them.
func level(exponents []int, step int) {
	top := exponents[0]
	for i := 0; i < len(exponents); i += step {
		top = max(top, exponents[i])
	}
	for i := 0; i < len(exponents); i += step {
		exponents[i] = top
	}
}
