package laz

import (
	"encoding/binary"
	"math/bits"
)

// minLength is the length of the interval below which bytes are moved.
const minLength = 1 << 24

// A rangeDecoder is the arithmetic decoder of HPL-2004-76. Past the end of its
// bytes it reads zeros; pos tells how far it went.
type rangeDecoder struct {
	buf    []byte
	pos    int // bytes taken, those beyond the end included
	value  uint32
	length uint32
	bad    bool // a value came up that no encoder writes
}

// init starts decoding buf, which it keeps.
func (d *rangeDecoder) init(buf []byte) {
	*d = rangeDecoder{buf: buf, length: 0xFFFFFFFF}
	d.value = d.next()
	d.pos = 4
	// The interval is half-open, so that its end itself is never coded.
	if d.value == d.length {
		d.value, d.bad = 0, true
	}
}

// overrun is the number of bytes taken beyond the end.
func (d *rangeDecoder) overrun() int { return d.pos - len(d.buf) }

// next gives the four bytes at pos, zeros beyond the end.
func (d *rangeDecoder) next() uint32 {
	if d.pos+4 <= len(d.buf) {
		return binary.BigEndian.Uint32(d.buf[d.pos:])
	}
	return d.tail()
}

//go:noinline
func (d *rangeDecoder) tail() uint32 {
	var w uint32
	for i := range 4 {
		w <<= 8
		if d.pos+i < len(d.buf) {
			w |= uint32(d.buf[d.pos+i])
		}
	}
	return w
}

// renorm takes bytes until the interval is wide again.
func (d *rangeDecoder) renorm() {
	n := uint(bits.LeadingZeros32(d.length)) &^ 7
	w := d.next()
	d.value = d.value<<(n&31) | w>>((32-n)&31)
	d.length <<= n & 31
	d.pos += int(n >> 3)
}

// bit decodes a modelled bit.
func (d *rangeDecoder) bit(m *bitModel) uint32 {
	x := m.zeroProb * (d.length >> bitLengthShift)
	sym := uint32(0)
	if d.value < x {
		d.length = x
		m.zeros++
	} else {
		d.value -= x
		d.length -= x
		sym = 1
	}
	if d.length < minLength {
		d.renorm()
	}
	if m.until--; m.until == 0 {
		m.update()
	}
	return sym
}

// symbol decodes a modelled symbol.
func (d *rangeDecoder) symbol(m *symbolModel) uint32 {
	length := d.length
	unit := length >> lengthShift
	v := d.value / unit
	dist := m.dist
	sym := int(m.table[v>>(m.shift&31)])
	// The first two steps are taken without branches: whether they are needed is
	// what cannot be predicted.
	next := sym + 1
	if uint32(dist[next]) > v {
		next = sym
	}
	sym = next
	next = sym + 1
	if uint32(dist[next]) > v {
		next = sym
	}
	sym = next
	for uint32(dist[sym+1]) <= v {
		sym++
	}
	x := uint32(dist[sym]) * unit
	y := uint32(dist[sym+1]) * unit
	if sym == len(m.count)-1 {
		y = length
	}
	value := d.value - x
	length = y - x
	if length < minLength {
		n := uint(bits.LeadingZeros32(length)) &^ 7
		value = value<<(n&31) | d.next()>>((32-n)&31)
		length <<= n & 31
		d.pos += int(n >> 3)
	}
	d.value, d.length = value, length
	m.count[sym]++
	if m.until--; m.until == 0 {
		m.update()
	}
	return uint32(sym)
}

// raw decodes n bits, 1 to 32, that no model predicts.
func (d *rangeDecoder) raw(n uint) uint32 {
	if n > 19 {
		low := d.raw(16)
		return d.raw(n-16)<<16 | low
	}
	d.length >>= n
	sym := d.value / d.length
	d.value -= sym * d.length
	if sym >= 1<<n {
		d.bad = true
		sym = 1<<n - 1
		d.value = 0
	}
	if d.length < minLength {
		d.renorm()
	}
	return sym
}

func (d *rangeDecoder) raw64() uint64 {
	low := d.raw(32)
	return uint64(d.raw(32))<<32 | uint64(low)
}
