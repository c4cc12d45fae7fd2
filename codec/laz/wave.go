package laz

import "encoding/binary"

// Ways in which the offset of a wave packet follows from the last one.
const (
	waveSame   = 0 // it is the same packet
	waveNext   = 1 // it lies right behind it
	waveNear   = 2 // it lies within 2^31 bytes
	waveAnyway = 3 // it is written in full
)

// A waveModel codes wave packet descriptors (LAS 1.4 R15, table 13): 1 byte of
// index, 8 of offset, 4 of size, and four 32-bit floats taken as integers.
type waveModel struct {
	diff  int32  // last difference of offsets that was coded as such
	way   uint32 // last of the ways above
	index symbolModel
	ways  []symbolModel // by last way
	off   *integerModel
	size  *integerModel
	point *integerModel // location of the return
	xyz   *integerModel
}

func newWaveModel(s *models) *waveModel {
	return &waveModel{
		index: s.symbol(256),
		ways:  s.symbols(4, 4),
		off:   newIntegerModel(s, 32, 1),
		size:  newIntegerModel(s, 32, 1),
		point: newIntegerModel(s, 32, 1),
		xyz:   newIntegerModel(s, 32, 3),
	}
}

func (m *waveModel) reset() {
	m.diff, m.way = 0, waveSame
	m.index.reset()
	for i := range m.ways {
		m.ways[i].reset()
	}
	m.off.reset()
	m.size.reset()
	m.point.reset()
	m.xyz.reset()
}

// decode decodes what follows last into dst, 29 bytes each; they may be the same.
func (m *waveModel) decode(d *rangeDecoder, dst, last []byte) {
	_, _ = dst[sizeWave-1], last[sizeWave-1]
	le := binary.LittleEndian
	offset := le.Uint64(last[1:])
	size := le.Uint32(last[9:])
	dst[0] = byte(d.symbol(&m.index))
	m.way = d.symbol(&m.ways[m.way&3])
	switch m.way {
	case waveSame:
	case waveNext:
		offset += uint64(size)
	case waveNear:
		m.diff = m.off.decode(d, m.diff, 0)
		offset += uint64(int64(m.diff))
	default:
		offset = d.raw64()
	}
	le.PutUint64(dst[1:], offset)
	le.PutUint32(dst[9:], uint32(m.size.decode(d, int32(size), 0)))
	le.PutUint32(dst[13:], uint32(m.point.decode(d, int32(le.Uint32(last[13:])), 0)))
	for i := range uint32(3) {
		at := 17 + 4*i
		le.PutUint32(dst[at:], uint32(m.xyz.decode(d, int32(le.Uint32(last[at:])), i)))
	}
}

func (m *waveModel) encode(e *rangeEncoder, now, last []byte) {
	_, _ = now[sizeWave-1], last[sizeWave-1]
	le := binary.LittleEndian
	size := le.Uint32(last[9:])
	diff := int64(le.Uint64(now[1:]) - le.Uint64(last[1:]))
	way := uint32(waveAnyway)
	switch {
	case diff == 0:
		way = waveSame
	case diff == int64(size):
		way = waveNext
	case diff == int64(int32(diff)):
		way = waveNear
	}
	e.symbol(&m.index, uint32(now[0]))
	e.symbol(&m.ways[m.way], way)
	m.way = way
	switch way {
	case waveNear:
		m.off.encode(e, m.diff, int32(diff), 0)
		m.diff = int32(diff)
	case waveAnyway:
		e.raw64(le.Uint64(now[1:]))
	}
	m.size.encode(e, int32(size), int32(le.Uint32(now[9:])), 0)
	m.point.encode(e, int32(le.Uint32(last[13:])), int32(le.Uint32(now[13:])), 0)
	for i := range uint32(3) {
		at := 17 + 4*i
		m.xyz.encode(e, int32(le.Uint32(last[at:])), int32(le.Uint32(now[at:])), i)
	}
}
