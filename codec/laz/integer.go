package laz

import (
	"math"
	"math/bits"
)

// highBits of a correction are modelled, those below are stored as they are.
const highBits = 8

// An integerModel codes integers as correction of a prediction: first the number
// k of bits of the correction, in a context that the caller picks, then the
// correction within the interval [-(2^k-1) ... 2^k] that k stands for.
type integerModel struct {
	k     uint32 // bits of the last correction
	width uint32 // bits of the integers
	span  int32  // 2^width, or 0 for 32 bits
	low   int32  // smallest and largest correction
	high  int32
	ready uint64 // which of values are reset

	bitCounts []symbolModel // one a context
	zero      bitModel      // k = 0: 0 or 1
	values    []symbolModel // by k, from 1
}

func newIntegerModel(s *models, width, contexts int) *integerModel {
	m := &integerModel{width: uint32(width), low: math.MinInt32, high: math.MaxInt32}
	if width < 32 {
		m.span = 1 << width
		m.low, m.high = -m.span/2, m.span/2-1
	}
	m.bitCounts = s.symbols(contexts, width+1)
	m.values = make([]symbolModel, width+1)
	for k := 1; k <= width; k++ {
		m.values[k] = s.symbol(1 << min(k, highBits))
	}
	m.reset()
	return m
}

func (m *integerModel) reset() {
	m.k = 0
	m.ready = 0
	m.zero.reset()
	for i := range m.bitCounts {
		m.bitCounts[i].reset()
	}
}

// value gives the model of corrections of k bits, reset on first use: most are
// never used in a chunk.
func (m *integerModel) value(k uint32) *symbolModel {
	v := &m.values[k]
	if m.ready>>k&1 == 0 {
		m.ready |= 1 << k
		v.reset()
	}
	return v
}

// decode gives the integer that prediction was corrected to.
func (m *integerModel) decode(d *rangeDecoder, prediction int32, context uint32) int32 {
	v := prediction + m.correction(d, context)
	if v < 0 {
		return v + m.span
	}
	if m.span != 0 && v >= m.span {
		return v - m.span
	}
	return v
}

func (m *integerModel) correction(d *rangeDecoder, context uint32) int32 {
	k := d.symbol(&m.bitCounts[context])
	m.k = k
	if k == 0 {
		return int32(d.bit(&m.zero))
	}
	if k >= 32 {
		return m.low
	}
	c := d.symbol(m.value(k))
	if k > highBits {
		n := uint(k - highBits)
		c = c<<n | d.raw(n)
	}
	if c >= 1<<(k-1) {
		return int32(c) + 1
	}
	return int32(c) - (1<<k - 1)
}

// encode codes v as correction of prediction.
func (m *integerModel) encode(e *rangeEncoder, prediction, v int32, context uint32) {
	c := v - prediction
	if c < m.low {
		c += m.span
	} else if c > m.high {
		c -= m.span
	}
	magnitude := uint32(c) - 1
	if c <= 0 {
		magnitude = uint32(-c)
	}
	k := uint32(bits.Len32(magnitude))
	m.k = k
	e.symbol(&m.bitCounts[context], k)
	if k == 0 {
		e.bit(&m.zero, uint32(c))
		return
	}
	if k >= 32 {
		return
	}
	if c < 0 {
		c += 1<<k - 1
	} else {
		c--
	}
	if k <= highBits {
		e.symbol(m.value(k), uint32(c))
		return
	}
	n := uint(k - highBits)
	e.symbol(m.value(k), uint32(c)>>n)
	e.raw(n, uint32(c)&(1<<n-1))
}
