package laz

import (
	"encoding/binary"
	"math/bits"
)

// A rangeEncoder is the arithmetic encoder of HPL-2004-76. It appends to out.
//
// The low end of the interval is kept with the bytes that left it last, so that
// bytes go out in groups and most carries end before they do.
type rangeEncoder struct {
	out     []byte
	start   int    // where this stream begins in out
	low     uint64 // 32 bits of the interval, pending bits above, and a carry
	pending uint   // 0, 8, 16 or 24
	length  uint32
}

// init starts a stream behind out.
func (e *rangeEncoder) init(out []byte) {
	*e = rangeEncoder{out: out, start: len(out), length: 0xFFFFFFFF}
}

// done ends the stream and gives out. Its last bytes are zeros, so that a decoder
// that reads ahead stays within the stream.
func (e *rangeEncoder) done() []byte {
	zeros := 2
	if e.length > 2*minLength {
		e.low += minLength
		e.length = minLength >> 1
		zeros = 3
	} else {
		e.low += minLength >> 1
		e.length = minLength >> 9
	}
	e.renorm()
	e.flush()
	for range zeros {
		e.out = append(e.out, 0)
	}
	return e.out
}

// flush writes what is pending.
func (e *rangeEncoder) flush() {
	if e.low>>(32+e.pending) != 0 {
		e.carry()
	}
	n := int(e.pending >> 3)
	// Four bytes are written, of which n stay.
	e.out = binary.BigEndian.AppendUint32(e.out, uint32(e.low>>32<<((32-e.pending)&31)))
	e.out = e.out[:len(e.out)-4+n]
	e.low &= 0xFFFFFFFF
	e.pending = 0
}

// carry adds one to what is already written.
func (e *rangeEncoder) carry() {
	i := len(e.out) - 1
	for ; i > e.start && e.out[i] == 0xFF; i-- {
		e.out[i] = 0
	}
	e.out[i]++
}

// renorm moves bytes out of the interval until it is wide again.
func (e *rangeEncoder) renorm() {
	n := uint(bits.LeadingZeros32(e.length)) &^ 7
	if e.pending+n > 24 {
		e.flush()
	}
	e.low <<= n & 31
	e.length <<= n & 31
	e.pending += n
}

func (e *rangeEncoder) bit(m *bitModel, sym uint32) {
	x := m.zeroProb * (e.length >> bitLengthShift)
	if sym == 0 {
		e.length = x
		m.zeros++
	} else {
		e.low += uint64(x)
		e.length -= x
	}
	if e.length < minLength {
		e.renorm()
	}
	if m.until--; m.until == 0 {
		m.update()
	}
}

func (e *rangeEncoder) symbol(m *symbolModel, sym uint32) {
	length := e.length
	unit := length >> lengthShift
	x := uint32(m.dist[sym]) * unit
	y := uint32(m.dist[sym+1]) * unit
	if int(sym) == len(m.count)-1 {
		y = length
	}
	e.low += uint64(x)
	length = y - x
	// Without a branch: whether bytes move is what cannot be predicted.
	n := uint(bits.LeadingZeros32(length)) &^ 7
	if e.pending+n > 24 {
		e.flush()
	}
	e.low <<= n & 31
	e.length = length << (n & 31)
	e.pending += n
	m.count[sym]++
	if m.until--; m.until == 0 {
		m.update()
	}
}

// raw encodes the n low bits, 1 to 32, of v.
func (e *rangeEncoder) raw(n uint, v uint32) {
	if n > 19 {
		e.raw(16, v&0xFFFF)
		v >>= 16
		n -= 16
	}
	e.length >>= n
	e.low += uint64(v * e.length)
	if e.length < minLength {
		e.renorm()
	}
}

func (e *rangeEncoder) raw64(v uint64) {
	e.raw(32, uint32(v))
	e.raw(32, uint32(v>>32))
}
