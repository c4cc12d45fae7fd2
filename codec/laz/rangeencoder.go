package laz

// A rangeEncoder is the arithmetic encoder of HPL-2004-76. It appends to out.
type rangeEncoder struct {
	out    []byte
	start  int // where this stream begins in out
	base   uint32
	length uint32
}

// init starts a stream behind out.
func (e *rangeEncoder) init(out []byte) {
	*e = rangeEncoder{out: out, start: len(out), length: 0xFFFFFFFF}
}

// done ends the stream and gives out. Its last bytes are zeros, so that a decoder
// that reads ahead stays within the stream.
func (e *rangeEncoder) done() []byte {
	zeros := 2
	base := e.base
	if e.length > 2*minLength {
		e.base += minLength
		e.length = minLength >> 1
		zeros = 3
	} else {
		e.base += minLength >> 1
		e.length = minLength >> 9
	}
	if base > e.base {
		e.carry()
	}
	e.renorm()
	for range zeros {
		e.out = append(e.out, 0)
	}
	return e.out
}

// carry adds one to what is already written.
func (e *rangeEncoder) carry() {
	i := len(e.out) - 1
	for ; i > e.start && e.out[i] == 0xFF; i-- {
		e.out[i] = 0
	}
	e.out[i]++
}

func (e *rangeEncoder) renorm() {
	for {
		e.out = append(e.out, byte(e.base>>24))
		e.base <<= 8
		if e.length <<= 8; e.length >= minLength {
			return
		}
	}
}

func (e *rangeEncoder) bit(m *bitModel, sym uint32) {
	x := m.zeroProb * (e.length >> bitLengthShift)
	if sym == 0 {
		e.length = x
		m.zeros++
	} else {
		base := e.base
		e.base += x
		e.length -= x
		if base > e.base {
			e.carry()
		}
	}
	if e.length < minLength {
		e.renorm()
	}
	if m.until--; m.until == 0 {
		m.update()
	}
}

func (e *rangeEncoder) symbol(m *symbolModel, sym uint32) {
	unit := e.length >> lengthShift
	x := uint32(m.dist[sym]) * unit
	y := uint32(m.dist[sym+1]) * unit
	if int(sym) == len(m.count)-1 {
		y = e.length
	}
	base := e.base
	e.base += x
	e.length = y - x
	if base > e.base {
		e.carry()
	}
	if e.length < minLength {
		e.renorm()
	}
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
	base := e.base
	e.length >>= n
	e.base += v * e.length
	if base > e.base {
		e.carry()
	}
	if e.length < minLength {
		e.renorm()
	}
}

func (e *rangeEncoder) raw64(v uint64) {
	e.raw(32, uint32(v))
	e.raw(32, uint32(v>>32))
}
