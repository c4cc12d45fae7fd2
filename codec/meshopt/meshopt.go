// Package meshopt reads and writes the bitstreams of meshoptimizer that glTF files hold.
//
// It follows the extension KHR_meshopt_compression of Khronos, "Appendix A: Bitstream"
// (modes ATTRIBUTES in versions 0 and 1, TRIANGLES, INDICES) and "Appendix B: Filters".
// EXT_meshopt_compression has the same streams, but for version 1 of attributes and the
// filter of colours.
package meshopt

import "errors"

var (
	errShort = errors.New("meshopt: the stream ends too early: was the upload complete?")
	errLong  = errors.New("meshopt: the stream has bytes that mean nothing: does its count belong to it?")
)

const (
	attributesMagic = 0xa0 // and the version
	trianglesMagic  = 0xe1
	indicesMagic    = 0xd1

	groupSize  = 16 // elements
	blockBytes = 8192
	blockMost  = 256 // elements
)

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

// end tells whether all bytes were read, and no more.
func (s *stream) end() error {
	switch {
	case s.over:
		return errShort
	case len(s.data) > 0:
		return errLong
	}
	return nil
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

// appendVarint writes 7 bits a byte, least first.
func appendVarint(out []byte, v uint32) []byte {
	for v >= 128 {
		out = append(out, byte(v)|128)
		v >>= 7
	}
	return append(out, byte(v))
}

// zigzag puts the sign of a difference into its lowest bit.
func zigzag(d uint32) uint32 { return d<<1 ^ uint32(int32(d)>>31) }
