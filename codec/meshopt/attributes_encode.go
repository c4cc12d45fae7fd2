package meshopt

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// sampledBlocks is how many blocks decide on the mode of a channel: more change little.
const sampledBlocks = 8

// turns is how many rotations are tried: others move whole bytes.
const turns = 8

// EncodeAttributes encodes elements of stride bytes, a multiple of 4 up to 256, in
// version 0, which all decoders know, or 1, which is smaller.
func EncodeAttributes(data []byte, stride, version int) ([]byte, error) {
	if err := checkStride(stride); err != nil {
		return nil, err
	}
	if len(data)%stride != 0 {
		return nil, fmt.Errorf("meshopt: %d bytes are not elements of %d", len(data), stride)
	}
	if version != 0 && version != 1 {
		return nil, fmt.Errorf("meshopt: version %d of attributes is not known; 0 and 1 are", version)
	}
	e := attributeEncoder{version: byte(version), stride: stride, data: data, channels: make([]byte, stride/4)}
	if version > 0 {
		for c := range e.channels {
			e.channels[c] = e.best(c)
		}
	}
	e.out = append(make([]byte, 0, len(data)/2+512), attributesMagic+e.version)
	count, step := len(data)/stride, blockElements(stride)
	for from := 0; from < count; from += step {
		e.block(from, min(step, count-from))
	}
	tail, used := tailSize(e.version, stride)
	e.out = append(e.out, make([]byte, tail-used)...)
	first := make([]byte, stride)
	copy(first, data)
	e.out = append(e.out, first...)
	if version > 0 {
		e.out = append(e.out, e.channels...)
	}
	return e.out, nil
}

type attributeEncoder struct {
	version  byte
	stride   int
	data     []byte
	channels []byte
	out      []byte
	deltas   [4][blockMost]byte
}

// best is the mode that makes a channel smallest.
func (e *attributeEncoder) best(c int) byte {
	count, step := len(e.data)/e.stride, blockElements(e.stride)
	blocks := (count + step - 1) / step
	stride := max(1, blocks/sampledBlocks)
	best, least := byte(byteDeltas), -1
	try := func(mode byte) {
		size := 0
		for b := 0; b < blocks; b += stride {
			n := min(step, count-b*step)
			e.difference(c, b*step, n, mode)
			for k := range 4 {
				_, s := e.control(e.deltas[k][:n])
				size += s
			}
		}
		if least < 0 || size < least {
			best, least = mode, size
		}
	}
	try(byteDeltas)
	try(shortDeltas)
	for turn := range byte(turns) {
		try(xorDeltas | turn<<4)
	}
	return best
}

// difference gives the deltas of a channel for n elements of a block, zeros up to a
// whole group.
func (e *attributeEncoder) difference(c, from, n int, channel byte) {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(e.data[i*e.stride+4*c:]) }
	last := at(max(from-1, 0))
	for i := range n {
		v := at(from + i)
		d := delta(last, v, channel&15, int(channel>>4))
		for k := range 4 {
			e.deltas[k][i] = byte(d >> (8 * k))
		}
		last = v
	}
	for k := range 4 {
		clear(e.deltas[k][n : (n+groupSize-1)/groupSize*groupSize])
	}
}

// delta is what undelta takes back.
func delta(last, v uint32, mode byte, turn int) uint32 {
	switch mode {
	case byteDeltas:
		d := subLanes(v, last, topBytes)
		return d&^topBytes<<1 ^ d>>7&lowBytes*0xff
	case shortDeltas:
		d := subLanes(v, last, topShorts)
		return d&^topShorts<<1 ^ d>>15&lowShorts*0xffff
	}
	return bits.RotateLeft32(v^last, turn)
}

// subLanes subtracts numbers of 8 or 16 bits without borrowing between them.
func subLanes(a, b, top uint32) uint32 { return (a | top - b&^top) ^ (a^^b)&top }

// impossible is larger than any size.
const impossible = 1 << 20

// sizes of a group at 0, 1, 2, 4 and 8 bits.
type sizes [5]int

func sizesOf(group *[groupSize]byte) sizes {
	var one, two, four int // bytes that follow in full
	for _, v := range group {
		if v >= 1 {
			one++
		}
		if v >= 3 {
			two++
		}
		if v >= 15 {
			four++
		}
	}
	out := sizes{0, 2 + one, 4 + two, 8 + four, 16}
	if one > 0 {
		out[0] = impossible
	}
	return out
}

// of tells the size at a number of bits.
func (s *sizes) of(width uint8) int { return s[bits.Len8(width)] }

// smallest is the mode of a group that takes least.
func (s *sizes) smallest(modes widths) (mode, size int) {
	size = impossible
	for i, w := range modes {
		if n := s.of(w); n < size {
			mode, size = i, n
		}
	}
	return mode, size
}

// whole extends deltas to whole groups: what lies behind them is zero.
func whole(deltas []byte) []byte {
	return deltas[:(len(deltas)+groupSize-1)/groupSize*groupSize]
}

// control picks how bytes of version 1 are stored, and tells their size.
func (e *attributeEncoder) control(deltas []byte) (control byte, size int) {
	padded := whole(deltas)
	head := (len(padded)/groupSize + 3) / 4
	narrow, wide, zero := head, head, true
	for g := 0; g < len(padded); g += groupSize {
		s := sizesOf((*[groupSize]byte)(padded[g:]))
		zero = zero && s[0] == 0
		_, n := s.smallest(widthsOf(1, controlNarrow))
		narrow += n
		_, n = s.smallest(widthsOf(1, controlWide))
		wide += n
	}
	switch {
	case zero:
		return controlZero, 0
	case len(deltas) <= min(narrow, wide):
		return controlLiteral, len(deltas)
	case narrow <= wide:
		return controlNarrow, narrow
	}
	return controlWide, wide
}

// block appends n elements.
func (e *attributeEncoder) block(from, n int) {
	controls := len(e.out)
	if e.version > 0 {
		e.out = append(e.out, make([]byte, e.stride/4)...)
	}
	for c := range e.channels {
		e.difference(c, from, n, e.channels[c])
		for k := range 4 {
			deltas := e.deltas[k][:n]
			control := byte(controlNarrow)
			if e.version > 0 {
				control, _ = e.control(deltas)
				e.out[controls+c] |= control << (2 * k)
			}
			switch control {
			case controlZero:
			case controlLiteral:
				e.out = append(e.out, deltas...)
			default:
				e.out = appendByteStream(e.out, whole(deltas), widthsOf(e.version, control))
			}
		}
	}
}

// appendByteStream is what byteStream decodes.
func appendByteStream(out, deltas []byte, modes widths) []byte {
	head := len(out)
	groups := len(deltas) / groupSize
	out = append(out, make([]byte, (groups+3)/4)...)
	for g := range groups {
		group := (*[groupSize]byte)(deltas[g*groupSize:])
		s := sizesOf(group)
		mode, _ := s.smallest(modes)
		out[head+g/4] |= byte(mode << (g % 4 * 2))
		switch width := modes[mode]; width {
		case 0:
		case 8:
			out = append(out, group[:]...)
		default:
			out = appendPacked(out, group, int(width))
		}
	}
	return out
}

// appendPacked writes bytes of 1, 2 or 4 bits, and in full those that do not fit.
func appendPacked(out []byte, group *[groupSize]byte, width int) []byte {
	sentinel := byte(1<<width - 1)
	at := len(out)
	out = append(out, make([]byte, groupSize*width/8)...)
	for i, v := range group {
		shift := 8 - width - i*width%8
		if width == 1 {
			shift = i % 8
		}
		out[at+i*width/8] |= min(v, sentinel) << shift
	}
	for _, v := range group {
		if v >= sentinel {
			out = append(out, v)
		}
	}
	return out
}
