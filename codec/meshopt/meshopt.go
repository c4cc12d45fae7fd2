// Package meshopt decodes the bitstreams of meshoptimizer that glTF files hold.
//
// It follows the extension EXT_meshopt_compression of Khronos, "Appendix A:
// Bitstream" (modes ATTRIBUTES, TRIANGLES, INDICES) and "Appendix B: Filters";
// KHR_meshopt_compression has the same streams, and a second version of attributes
// that is refused here.
package meshopt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errShort = errors.New("meshopt: the stream ends too early: was the upload complete?")

const (
	attributesMagic = 0xa0
	trianglesMagic  = 0xe1
	indicesMagic    = 0xd1

	groupSize  = 16 // elements
	blockBytes = 8192
	blockMost  = 256 // elements
	tailLeast  = 32  // bytes
)

// Attributes decodes count elements of stride bytes, a multiple of 4 up to 256.
func Attributes(count, stride int, src []byte) ([]byte, error) {
	if stride < 4 || stride > 256 || stride%4 != 0 {
		return nil, fmt.Errorf("meshopt: elements of %d bytes; multiples of 4 up to 256 are", stride)
	}
	tail := max(stride, tailLeast)
	if len(src) < 1+tail {
		return nil, errShort
	}
	if src[0] != attributesMagic {
		return nil, fmt.Errorf("meshopt: an attribute stream that begins with %#x cannot be read; version 0 can: compress the model with EXT_meshopt_compression", src[0])
	}
	data := src[1 : len(src)-tail]
	last := append([]byte(nil), src[len(src)-stride:]...)
	out := make([]byte, count*stride)
	step := min(blockBytes/stride&^(groupSize-1), blockMost)
	var deltas [blockMost]byte
	for from := 0; from < count; from += step {
		n := min(step, count-from)
		for k := range stride {
			rest, err := byteStream(deltas[:(n+groupSize-1)/groupSize*groupSize], data)
			if err != nil {
				return nil, err
			}
			data = rest
			v := last[k]
			for i := range n {
				d := deltas[i]
				v += d>>1 ^ -(d & 1)
				out[(from+i)*stride+k] = v
			}
			last[k] = v
		}
	}
	return out, nil
}

// byteStream decodes groups of 16 bytes: two bits each tell how many bits a byte
// has; the greatest value of those says that the byte follows in full.
func byteStream(out, data []byte) ([]byte, error) {
	groups := len(out) / groupSize
	head := (groups + 3) / 4
	if len(data) < head {
		return nil, errShort
	}
	modes := data[:head]
	data = data[head:]
	for g := range groups {
		to := out[g*groupSize:][:groupSize]
		switch bits := modes[g/4] >> (g % 4 * 2) & 3; bits {
		case 0:
			clear(to)
		case 3:
			if len(data) < groupSize {
				return nil, errShort
			}
			copy(to, data)
			data = data[groupSize:]
		default:
			width := int(bits) * 2
			packed := groupSize * width / 8
			if len(data) < packed {
				return nil, errShort
			}
			bytes := data[:packed]
			data = data[packed:]
			sentinel := byte(1<<width - 1)
			for i := range to {
				v := bytes[i*width/8] >> (8 - width - i*width%8) & sentinel
				if v == sentinel {
					if len(data) == 0 {
						return nil, errShort
					}
					v, data = data[0], data[1:]
				}
				to[i] = v
			}
		}
	}
	return data, nil
}

// stream reads bytes; what is beyond the end is 0, and over is set.
type stream struct {
	data []byte
	over bool
}

func (s *stream) byte() byte {
	if len(s.data) == 0 {
		s.over = true
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

func (s *stream) varint() uint32 {
	v := uint32(0)
	for shift := 0; shift < 35; shift += 7 {
		b := s.byte()
		v |= uint32(b&127) << shift
		if b < 128 {
			break
		}
	}
	return v
}

func (s *stream) index(last uint32) uint32 {
	v := s.varint()
	return last + (v>>1 ^ -(v & 1))
}

// triangles is the state of the triangle codec.
type triangles struct {
	edges    [16][2]uint32
	vertices [16]uint32
	edge     uint32
	vertex   uint32
}

func (t *triangles) pushEdge(a, b uint32) {
	t.edges[t.edge&15] = [2]uint32{a, b}
	t.edge++
}

func (t *triangles) pushVertex(v uint32, push bool) {
	t.vertices[t.vertex&15] = v
	if push {
		t.vertex++
	}
}

// Triangles decodes count indices, three a triangle.
func Triangles(count int, src []byte) ([]uint32, error) {
	if count%3 != 0 {
		return nil, fmt.Errorf("meshopt: %d indices, want three a triangle", count)
	}
	n := count / 3
	const table = 16
	if len(src) < 1+n+table {
		return nil, errShort
	}
	if src[0] != trianglesMagic {
		return nil, fmt.Errorf("meshopt: a triangle stream that begins with %#x cannot be read", src[0])
	}
	codes, aux := src[1:1+n], src[len(src)-table:]
	s := stream{data: src[1+n : len(src)-table]}
	out := make([]uint32, 0, count)
	var t triangles
	var next, last uint32
	take := func() uint32 { next++; return next - 1 }
	for _, code := range codes {
		if code < 0xf0 {
			e := t.edges[(t.edge-1-uint32(code>>4))&15]
			a, b := e[0], e[1]
			var c uint32
			fec := uint32(code & 15)
			push := true
			switch {
			case fec == 0:
				c = take()
			case fec < 13:
				c, push = t.vertices[(t.vertex-1-fec)&15], false
			case fec == 15:
				c = s.index(last)
				last = c
			default:
				c = last + (fec - (fec ^ 3))
				last = c
			}
			out = append(out, a, b, c)
			t.pushVertex(c, push)
			t.pushEdge(c, b)
			t.pushEdge(a, c)
			continue
		}
		var a, b, c uint32
		var feb, fec uint32
		if code < 0xfe {
			x := uint32(aux[code&15])
			feb, fec = x>>4, x&15
			a = take()
			b = t.pick(feb, take)
			c = t.pick(fec, take)
			t.pushVertex(a, true)
			t.pushVertex(b, feb == 0)
			t.pushVertex(c, fec == 0)
		} else {
			x := uint32(s.byte())
			feb, fec = x>>4, x&15
			if x == 0 {
				next = 0
			}
			if code == 0xfe {
				a = take()
			}
			if feb != 15 {
				b = t.pick(feb, take)
			}
			if fec != 15 {
				c = t.pick(fec, take)
			}
			if code == 0xff {
				a = s.index(last)
				last = a
			}
			if feb == 15 {
				b = s.index(last)
				last = b
			}
			if fec == 15 {
				c = s.index(last)
				last = c
			}
			t.pushVertex(a, true)
			t.pushVertex(b, feb == 0 || feb == 15)
			t.pushVertex(c, fec == 0 || fec == 15)
		}
		out = append(out, a, b, c)
		t.pushEdge(b, a)
		t.pushEdge(c, b)
		t.pushEdge(a, c)
	}
	if s.over {
		return nil, errShort
	}
	return out, nil
}

// pick is the next vertex, or one of the last.
func (t *triangles) pick(f uint32, take func() uint32) uint32 {
	if f == 0 {
		return take()
	}
	return t.vertices[(t.vertex-f)&15]
}

// Indices decodes count indices of any order.
func Indices(count int, src []byte) ([]uint32, error) {
	const tail = 4
	if len(src) < 1+count+tail {
		return nil, errShort
	}
	if src[0] != indicesMagic {
		return nil, fmt.Errorf("meshopt: an index stream that begins with %#x cannot be read", src[0])
	}
	s := stream{data: src[1:]}
	out := make([]uint32, count)
	var last [2]uint32
	for i := range out {
		v := s.varint()
		k := v & 1
		v >>= 1
		last[k] += v>>1 ^ -(v & 1)
		out[i] = last[k]
	}
	if s.over {
		return nil, errShort
	}
	return out, nil
}

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
