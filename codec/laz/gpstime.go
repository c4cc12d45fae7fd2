package laz

import "math"

// Multipliers of the last difference of GPS time that have a symbol of their own.
const (
	gpsMulti      = 500
	gpsMultiMinus = -10
	gpsCodes      = gpsMulti - gpsMultiMinus + 1 // first symbol that is not a multiplier
)

// gpsSequences is the number of sequences of GPS times that are followed at once.
const gpsSequences = 4

// A gpsModel codes GPS times as bit patterns: as multiple of the last difference
// within one of four sequences of times, which interleave where flight lines do.
type gpsModel struct {
	last, next int
	time       [gpsSequences]int64
	diff       [gpsSequences]int32
	extreme    [gpsSequences]int32 // multipliers out of range in a row

	// unchanged is 1 where "time has not changed" is a symbol (version 2), 0 where
	// that is known beforehand (versions 3 and 4).
	unchanged uint32
	zero      symbolModel // what follows where the last difference was 0
	multi     symbolModel // what follows where it was not
	value     *integerModel
}

func newGPSModel(s *models, unchanged uint32) *gpsModel {
	return &gpsModel{
		unchanged: unchanged,
		zero:      s.symbol(5 + int(unchanged)),
		multi:     s.symbol(gpsCodes + 4 + int(unchanged)),
		value:     newIntegerModel(s, 32, 9),
	}
}

func (m *gpsModel) reset(time int64) {
	m.last, m.next = 0, 0
	m.time = [gpsSequences]int64{time}
	m.diff = [gpsSequences]int32{}
	m.extreme = [gpsSequences]int32{}
	m.zero.reset()
	m.multi.reset()
	m.value.reset()
}

// decode gives the next time.
func (m *gpsModel) decode(d *rangeDecoder) int64 {
	// An encoder changes the sequence at most once a point.
	for range 2 {
		l := m.last
		diff := m.diff[l]
		if diff == 0 {
			code := d.symbol(&m.zero)
			if code < m.unchanged {
				return m.time[l]
			}
			code -= m.unchanged
			switch code {
			case 0:
				diff = m.value.decode(d, 0, 0)
				m.diff[l] = diff
				m.time[l] += int64(diff)
				m.extreme[l] = 0
				return m.time[l]
			case 1:
				return m.decodeFull(d)
			}
			m.last = (l + int(code) - 1) & (gpsSequences - 1)
			continue
		}
		code := d.symbol(&m.multi)
		if code < gpsCodes {
			return m.decodeMultiple(d, int32(code), diff)
		}
		code -= gpsCodes
		if code < m.unchanged {
			return m.time[l]
		}
		code -= m.unchanged
		if code == 0 {
			return m.decodeFull(d)
		}
		m.last = (l + int(code)) & (gpsSequences - 1)
	}
	d.bad = true
	return m.time[m.last]
}

// decodeFull starts a new sequence with a time of its own.
func (m *gpsModel) decodeFull(d *rangeDecoder) int64 {
	high := m.value.decode(d, int32(m.time[m.last]>>32), 8)
	m.next = (m.next + 1) & (gpsSequences - 1)
	m.last = m.next
	m.time[m.last] = int64(high)<<32 | int64(d.raw(32))
	m.diff[m.last] = 0
	m.extreme[m.last] = 0
	return m.time[m.last]
}

// decodeMultiple decodes a time that is about code times diff after the last.
func (m *gpsModel) decodeMultiple(d *rangeDecoder, code, diff int32) int64 {
	l := m.last
	var step int32
	switch {
	case code == 1:
		step = m.value.decode(d, diff, 1)
		m.extreme[l] = 0
	case code == 0:
		step = m.value.decode(d, 0, 7)
		m.countExtreme(step)
	case code < 10:
		step = m.value.decode(d, code*diff, 2)
	case code < gpsMulti:
		step = m.value.decode(d, code*diff, 3)
	case code == gpsMulti:
		step = m.value.decode(d, gpsMulti*diff, 4)
		m.countExtreme(step)
	case gpsMulti-code > gpsMultiMinus:
		step = m.value.decode(d, (gpsMulti-code)*diff, 5)
	default:
		step = m.value.decode(d, gpsMultiMinus*diff, 6)
		m.countExtreme(step)
	}
	m.time[l] += int64(step)
	return m.time[l]
}

// countExtreme takes a new difference after four that fitted the old one badly.
func (m *gpsModel) countExtreme(step int32) {
	if m.extreme[m.last]++; m.extreme[m.last] > 3 {
		m.diff[m.last] = step
		m.extreme[m.last] = 0
	}
}

// encode codes the next time. With unchanged 0 it must differ from the last one
// of its context.
func (m *gpsModel) encode(e *rangeEncoder, time int64) {
	l := m.last
	if m.unchanged == 1 && time == m.time[l] {
		if m.diff[l] == 0 {
			e.symbol(&m.zero, 0)
		} else {
			e.symbol(&m.multi, gpsCodes)
		}
		return
	}
	if step := time - m.time[l]; step != int64(int32(step)) {
		m.encodeJump(e, time)
		return
	}
	step := int32(time - m.time[l])
	if m.diff[l] == 0 {
		e.symbol(&m.zero, m.unchanged)
		m.value.encode(e, 0, step, 0)
		m.diff[l] = step
		m.extreme[l] = 0
	} else {
		m.encodeMultiple(e, step)
	}
	m.time[l] = time
}

// encodeJump codes a time too far from the last one: it goes on another sequence
// or begins a new one.
func (m *gpsModel) encodeJump(e *rangeEncoder, time int64) {
	l := m.last
	for i := 1; i < gpsSequences; i++ {
		s := (l + i) & (gpsSequences - 1)
		if step := time - m.time[s]; step != int64(int32(step)) {
			continue
		}
		if m.diff[l] == 0 {
			e.symbol(&m.zero, uint32(i)+1+m.unchanged)
		} else {
			e.symbol(&m.multi, gpsCodes+m.unchanged+uint32(i))
		}
		m.last = s
		m.encode(e, time)
		return
	}
	if m.diff[l] == 0 {
		e.symbol(&m.zero, 1+m.unchanged)
	} else {
		e.symbol(&m.multi, gpsCodes+m.unchanged)
	}
	m.value.encode(e, int32(m.time[l]>>32), int32(time>>32), 8)
	e.raw(32, uint32(time))
	m.next = (m.next + 1) & (gpsSequences - 1)
	m.last = m.next
	m.diff[m.last] = 0
	m.extreme[m.last] = 0
	m.time[m.last] = time
}

// encodeMultiple codes a step as multiple of the last difference, which is not 0.
func (m *gpsModel) encodeMultiple(e *rangeEncoder, step int32) {
	l := m.last
	diff := m.diff[l]
	ratio := float64(float32(step) / float32(diff))
	multi := int64(math.Trunc(ratio + math.Copysign(0.5, ratio)))
	switch {
	case multi == 1:
		e.symbol(&m.multi, 1)
		m.value.encode(e, diff, step, 1)
		m.extreme[l] = 0
	case multi == 0:
		e.symbol(&m.multi, 0)
		m.value.encode(e, 0, step, 7)
		m.countExtreme(step)
	case multi >= gpsMulti:
		e.symbol(&m.multi, gpsMulti)
		m.value.encode(e, gpsMulti*diff, step, 4)
		m.countExtreme(step)
	case multi > 0:
		context := uint32(2)
		if multi >= 10 {
			context = 3
		}
		e.symbol(&m.multi, uint32(multi))
		m.value.encode(e, int32(multi)*diff, step, context)
	case multi > gpsMultiMinus:
		e.symbol(&m.multi, uint32(gpsMulti-multi))
		m.value.encode(e, int32(multi)*diff, step, 5)
	default:
		e.symbol(&m.multi, gpsMulti-gpsMultiMinus)
		m.value.encode(e, gpsMultiMinus*diff, step, 6)
		m.countExtreme(step)
	}
}
