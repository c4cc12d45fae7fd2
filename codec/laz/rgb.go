package laz

import "encoding/binary"

// A color is red, green and blue of a point.
type color [3]uint16

func loadColor(b []byte) color {
	_ = b[5]
	le := binary.LittleEndian
	return color{le.Uint16(b), le.Uint16(b[2:]), le.Uint16(b[4:])}
}

func (c color) store(b []byte) {
	_ = b[5]
	le := binary.LittleEndian
	le.PutUint16(b, c[0])
	le.PutUint16(b[2:], c[1])
	le.PutUint16(b[4:], c[2])
}

// Bits of the symbol that says which bytes of a color differ from the last one.
const (
	redLow = 1 << iota
	redHigh
	greenLow
	greenHigh
	blueLow
	blueHigh
	notGrey // green or blue differ from red
)

// An rgbModel codes colors (item versions 2 to 4): bytes that changed, green and
// blue as correction of the change of red.
type rgbModel struct {
	used symbolModel
	diff [6]symbolModel // red low, red high, green low, and so on
}

func newRGBModel(s *models) *rgbModel {
	m := &rgbModel{used: s.symbol(128)}
	for i := range m.diff {
		m.diff[i] = s.symbol(256)
	}
	return m
}

func (m *rgbModel) reset() {
	m.used.reset()
	for i := range m.diff {
		m.diff[i].reset()
	}
}

// clampByte brings v into 0 to 255.
func clampByte(v int32) int32 { return min(max(v, 0), 255) }

func (m *rgbModel) decode(d *rangeDecoder, last color) color {
	sym := d.symbol(&m.used)
	rl, rh := int32(last[0]&255), int32(last[0]>>8)
	if sym&redLow != 0 {
		rl = (rl + int32(d.symbol(&m.diff[0]))) & 255
	}
	if sym&redHigh != 0 {
		rh = (rh + int32(d.symbol(&m.diff[1]))) & 255
	}
	red := uint16(rh<<8 | rl)
	if sym&notGrey == 0 {
		return color{red, red, red}
	}
	gl, gh := int32(last[1]&255), int32(last[1]>>8)
	bl, bh := int32(last[2]&255), int32(last[2]>>8)
	lowDiff := rl - int32(last[0]&255)
	highDiff := rh - int32(last[0]>>8)
	if sym&greenLow != 0 {
		gl = (clampByte(lowDiff+gl) + int32(d.symbol(&m.diff[2]))) & 255
	}
	if sym&blueLow != 0 {
		half := (lowDiff + gl - int32(last[1]&255)) / 2
		bl = (clampByte(half+bl) + int32(d.symbol(&m.diff[4]))) & 255
	}
	if sym&greenHigh != 0 {
		gh = (clampByte(highDiff+gh) + int32(d.symbol(&m.diff[3]))) & 255
	}
	if sym&blueHigh != 0 {
		half := (highDiff + gh - int32(last[1]>>8)) / 2
		bh = (clampByte(half+bh) + int32(d.symbol(&m.diff[5]))) & 255
	}
	return color{red, uint16(gh<<8 | gl), uint16(bh<<8 | bl)}
}

// changed gives the bits of the bytes in which now differs from last.
func (m *rgbModel) changed(last, now color) uint32 {
	var sym uint32
	for i := range now {
		x := last[i] ^ now[i]
		if x&0xFF != 0 {
			sym |= redLow << (2 * i)
		}
		if x&0xFF00 != 0 {
			sym |= redHigh << (2 * i)
		}
	}
	if now[1] != now[0] || now[2] != now[0] {
		sym |= notGrey
	}
	return sym
}

func (m *rgbModel) encode(e *rangeEncoder, last, now color) {
	sym := m.changed(last, now)
	e.symbol(&m.used, sym)
	lowDiff := int32(now[0]&255) - int32(last[0]&255)
	highDiff := int32(now[0]>>8) - int32(last[0]>>8)
	if sym&redLow != 0 {
		e.symbol(&m.diff[0], uint32(lowDiff)&255)
	}
	if sym&redHigh != 0 {
		e.symbol(&m.diff[1], uint32(highDiff)&255)
	}
	if sym&notGrey == 0 {
		return
	}
	if sym&greenLow != 0 {
		e.symbol(&m.diff[2], uint32(int32(now[1]&255)-clampByte(lowDiff+int32(last[1]&255)))&255)
	}
	if sym&blueLow != 0 {
		half := (lowDiff + int32(now[1]&255) - int32(last[1]&255)) / 2
		e.symbol(&m.diff[4], uint32(int32(now[2]&255)-clampByte(half+int32(last[2]&255)))&255)
	}
	if sym&greenHigh != 0 {
		e.symbol(&m.diff[3], uint32(int32(now[1]>>8)-clampByte(highDiff+int32(last[1]>>8)))&255)
	}
	if sym&blueHigh != 0 {
		half := (highDiff + int32(now[1]>>8) - int32(last[1]>>8)) / 2
		e.symbol(&m.diff[5], uint32(int32(now[2]>>8)-clampByte(half+int32(last[2]>>8)))&255)
	}
}
