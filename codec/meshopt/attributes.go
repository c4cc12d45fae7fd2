package meshopt

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Modes of channels: how four bytes of an element come from those of the one before.
const (
	byteDeltas = iota
	shortDeltas
	xorDeltas // and in the upper four bits by how much they are rotated
)

// Controls of version 1: how the bytes of a block at one place are stored.
const (
	controlNarrow  = iota // groups of 0, 1, 2 or 4 bits
	controlWide           // groups of 1, 2, 4 or 8 bits
	controlZero           // nothing
	controlLiteral        // as they are
)

// widths are the bits a byte that the modes of a group stand for.
type widths [4]uint8

func widthsOf(version, control byte) widths {
	switch {
	case version == 0:
		return widths{0, 2, 4, 8}
	case control == controlNarrow:
		return widths{0, 1, 2, 4}
	}
	return widths{1, 2, 4, 8}
}

// tailSize is that of the last bytes of a stream, padding first: the element before
// the first, and in version 1 a mode for each channel.
func tailSize(version byte, stride int) (size, used int) {
	if version == 0 {
		return max(stride, 32), stride
	}
	used = stride + stride/4
	return max(used, 24), used
}

func checkStride(stride int) error {
	if stride < 4 || stride > 256 || stride%4 != 0 {
		return fmt.Errorf("meshopt: elements of %d bytes; multiples of 4 up to 256 are", stride)
	}
	return nil
}

// blockElements is how many elements a block has, but for the last.
func blockElements(stride int) int { return min(blockBytes/stride&^(groupSize-1), blockMost) }

// Attributes decodes count elements of stride bytes, a multiple of 4 up to 256, of
// version 0 or 1.
func Attributes(count, stride int, src []byte) ([]byte, error) {
	if err := checkStride(stride); err != nil {
		return nil, err
	}
	if len(src) == 0 {
		return nil, errShort
	}
	version := src[0] - attributesMagic
	if version > 1 {
		return nil, fmt.Errorf("meshopt: an attribute stream that begins with %#x cannot be read; versions 0 and 1 can: compress the model with one of those", src[0])
	}
	tail, used := tailSize(version, stride)
	if len(src) < 1+tail {
		return nil, errShort
	}
	d := attributeDecoder{version: version, stride: stride, data: src[1 : len(src)-tail]}
	d.last = append(d.last, src[len(src)-used:][:stride]...)
	d.channels = make([]byte, stride/4)
	copy(d.channels, src[len(src)-used+stride:])
	for _, c := range d.channels {
		if c&15 > xorDeltas || c&15 != xorDeltas && c > 15 {
			return nil, fmt.Errorf("meshopt: channel mode %#x is not known", c)
		}
	}
	out := make([]byte, count*stride)
	step := blockElements(stride) * stride
	for from := 0; from < len(out); from += step {
		if err := d.block(out[from:min(from+step, len(out))]); err != nil {
			return nil, err
		}
	}
	if len(d.data) > 0 {
		return nil, errLong
	}
	return out, nil
}

type attributeDecoder struct {
	version  byte
	stride   int
	data     []byte
	last     []byte // element
	channels []byte
	deltas   [4][blockMost]byte
}

// block decodes elements, a channel after the other.
func (d *attributeDecoder) block(out []byte) error {
	n := len(out) / d.stride
	var controls []byte
	if d.version > 0 {
		if len(d.data) < d.stride/4 {
			return errShort
		}
		controls, d.data = d.data[:d.stride/4], d.data[d.stride/4:]
	}
	for c := range d.stride / 4 {
		for k := range 4 {
			control := byte(controlNarrow)
			if controls != nil {
				control = controls[c] >> (2 * k) & 3
			}
			if err := d.bytes(d.deltas[k][:n], control); err != nil {
				return err
			}
		}
		d.channel(out[4*c:], c, n)
	}
	return nil
}

// bytes decodes the bytes at one place of an element.
func (d *attributeDecoder) bytes(out []byte, control byte) error {
	switch control {
	case controlZero:
		clear(out)
		return nil
	case controlLiteral:
		if len(d.data) < len(out) {
			return errShort
		}
		d.data = d.data[copy(out, d.data):]
		return nil
	}
	rest, err := byteStream(out[:(len(out)+groupSize-1)/groupSize*groupSize], d.data, widthsOf(d.version, control))
	d.data = rest
	return err
}

// channel adds up the deltas of four bytes; out begins with those of the first of n
// elements.
func (d *attributeDecoder) channel(out []byte, c, n int) {
	last := d.last[4*c:][:4]
	mode, turn := d.channels[c]&15, int(d.channels[c]>>4)
	for i := range n {
		delta := uint32(d.deltas[0][i]) | uint32(d.deltas[1][i])<<8 | uint32(d.deltas[2][i])<<16 | uint32(d.deltas[3][i])<<24
		v := undelta(binary.LittleEndian.Uint32(last), delta, mode, turn)
		binary.LittleEndian.PutUint32(last, v)
		copy(out[i*d.stride:][:4], last)
	}
}

// Lanes of a 32-bit number that are added to on their own.
const (
	lowBytes, lowShorts = 0x01010101, 0x00010001
	topBytes, topShorts = 0x80808080, 0x80008000
)

// undelta gives the four bytes that follow others.
func undelta(last, delta uint32, mode byte, turn int) uint32 {
	switch mode {
	case byteDeltas:
		return addLanes(last, delta>>1&^topBytes^(delta&lowBytes)*0xff, topBytes)
	case shortDeltas:
		return addLanes(last, delta>>1&^topShorts^(delta&lowShorts)*0xffff, topShorts)
	}
	return last ^ bits.RotateLeft32(delta, -turn)
}

// addLanes adds numbers of 8 or 16 bits without carries between them; top are their
// highest bits.
func addLanes(a, b, top uint32) uint32 { return (a&^top + b&^top) ^ (a^b)&top }

// byteStream decodes groups of 16 bytes: two bits each tell how many bits a byte has;
// the greatest value of those says that the byte follows in full.
func byteStream(out, data []byte, modes widths) ([]byte, error) {
	groups := len(out) / groupSize
	head := (groups + 3) / 4
	if len(data) < head {
		return nil, errShort
	}
	header := data[:head]
	data = data[head:]
	for g := range groups {
		to := (*[groupSize]byte)(out[g*groupSize:])
		width := modes[header[g/4]>>(g%4*2)&3]
		size := groupSize * int(width) / 8
		if len(data) < size {
			return nil, errShort
		}
		packed := data[:size]
		data = data[size:]
		var full int // bytes that follow
		switch width {
		case 0:
			clear(to[:])
		case 1:
			full = unpack1(to, packed, data)
		case 8:
			copy(to[:], packed)
		default:
			full = unpack(to, packed, data, int(width))
		}
		if full > len(data) {
			return nil, errShort
		}
		data = data[full:]
	}
	return data, nil
}

// unpack reads bytes of 2 or 4 bits, highest first, and returns how many followed in
// full.
func unpack(to *[groupSize]byte, packed, data []byte, width int) (full int) {
	sentinel := byte(1<<width - 1)
	for i := range to {
		v := packed[i*width/8] >> (8 - width - i*width%8) & sentinel
		if v == sentinel {
			if full < len(data) {
				v = data[full]
			}
			full++
		}
		to[i] = v
	}
	return full
}

// unpack1 reads bytes of one bit, lowest first.
func unpack1(to *[groupSize]byte, packed, data []byte) (full int) {
	mask := binary.LittleEndian.Uint16(packed)
	clear(to[:])
	for ; mask != 0; mask &= mask - 1 {
		v := byte(0)
		if full < len(data) {
			v = data[full]
		}
		full++
		to[bits.TrailingZeros16(mask)] = v
	}
	return full
}
