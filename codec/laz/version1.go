package laz

import "encoding/binary"

// Item versions 1 of LASzip 1.x. They are read, not written.

// decodeOnly is embedded in items that are not written; newPointwise never gives
// them to an encoder.
type decodeOnly struct{}

func (decodeOnly) encode(*rangeEncoder, []byte) {}

// point10v1 is the item POINT10, version 1.
type point10v1 struct {
	decodeOnly
	last  [sizePoint10]byte
	xDiff [3]int32
	yDiff [3]int32
	next  int // place of the next difference

	changed symbolModel
	flags   lazyModels
	class   lazyModels
	user    lazyModels
	inten   *integerModel
	angle   *integerModel
	source  *integerModel
	dx      *integerModel
	dy      *integerModel
	z       *integerModel
}

func newPoint10v1(s *models) *point10v1 {
	return &point10v1{
		changed: s.symbol(64),
		flags:   lazyModels{set: s},
		class:   lazyModels{set: s},
		user:    lazyModels{set: s},
		inten:   newIntegerModel(s, 16, 1),
		angle:   newIntegerModel(s, 8, 2),
		source:  newIntegerModel(s, 16, 1),
		dx:      newIntegerModel(s, 32, 1),
		dy:      newIntegerModel(s, 32, 20),
		z:       newIntegerModel(s, 32, 20),
	}
}

func (p *point10v1) reset(first []byte) {
	copy(p.last[:], first)
	p.xDiff, p.yDiff, p.next = [3]int32{}, [3]int32{}, 0
	p.changed.reset()
	p.flags.reset()
	p.class.reset()
	p.user.reset()
	for _, m := range []*integerModel{p.inten, p.angle, p.source, p.dx, p.dy, p.z} {
		m.reset()
	}
}

func median3(v *[3]int32) int32 {
	return max(min(v[0], v[1]), min(max(v[0], v[1]), v[2]))
}

func (p *point10v1) decode(d *rangeDecoder, dst []byte) {
	le := binary.LittleEndian
	last := &p.last
	dx := p.dx.decode(d, median3(&p.xDiff), 0)
	le.PutUint32(last[0:], le.Uint32(last[0:])+uint32(dx))
	dy := p.dy.decode(d, median3(&p.yDiff), min(p.dx.k, 19))
	le.PutUint32(last[4:], le.Uint32(last[4:])+uint32(dy))
	k := (p.dx.k + p.dy.k) / 2
	z := p.z.decode(d, int32(le.Uint32(last[8:])), min(k, 19))
	le.PutUint32(last[8:], uint32(z))

	changed := d.symbol(&p.changed)
	if changed&32 != 0 {
		le.PutUint16(last[12:], uint16(p.inten.decode(d, int32(le.Uint16(last[12:])), 0)))
	}
	if changed&16 != 0 {
		last[14] = byte(d.symbol(p.flags.get(last[14])))
	}
	if changed&8 != 0 {
		last[15] = byte(d.symbol(p.class.get(last[15])))
	}
	if changed&4 != 0 {
		context := uint32(0)
		if k < 3 {
			context = 1
		}
		last[16] = byte(p.angle.decode(d, int32(last[16]), context))
	}
	if changed&2 != 0 {
		last[17] = byte(d.symbol(p.user.get(last[17])))
	}
	if changed&1 != 0 {
		le.PutUint16(last[18:], uint16(p.source.decode(d, int32(le.Uint16(last[18:])), 0)))
	}
	p.xDiff[p.next], p.yDiff[p.next] = dx, dy
	if p.next++; p.next > 2 {
		p.next = 0
	}
	copy(dst, last[:])
}

// gpsMultiMax is the number of symbols of multipliers in version 1; the last two
// stand for a time in full and for no change.
const gpsMultiMax = 512

// gpsTime11v1 is the item GPSTIME11, version 1.
type gpsTime11v1 struct {
	decodeOnly
	time    int64
	diff    int32
	extreme int32
	zero    symbolModel
	multi   symbolModel
	value   *integerModel
}

func newGPSTime11v1(s *models) *gpsTime11v1 {
	return &gpsTime11v1{zero: s.symbol(3), multi: s.symbol(gpsMultiMax), value: newIntegerModel(s, 32, 6)}
}

func (g *gpsTime11v1) reset(first []byte) {
	g.time = int64(binary.LittleEndian.Uint64(first))
	g.diff, g.extreme = 0, 0
	g.zero.reset()
	g.multi.reset()
	g.value.reset()
}

func (g *gpsTime11v1) decode(d *rangeDecoder, dst []byte) {
	if g.diff == 0 {
		switch d.symbol(&g.zero) {
		case 1:
			g.diff = g.value.decode(d, 0, 0)
			g.time += int64(g.diff)
		case 2:
			g.time = int64(d.raw64())
		}
	} else {
		switch code := int32(d.symbol(&g.multi)); {
		case code < gpsMultiMax-2:
			g.time += int64(g.multiple(d, code))
		case code == gpsMultiMax-2:
			g.time = int64(d.raw64())
		}
	}
	binary.LittleEndian.PutUint64(dst, uint64(g.time))
}

// multiple decodes a step that is about code times the last one.
func (g *gpsTime11v1) multiple(d *rangeDecoder, code int32) int32 {
	switch {
	case code == 1:
		g.diff = g.value.decode(d, g.diff, 1)
		g.extreme = 0
		return g.diff
	case code == 0:
		return g.countExtreme(g.value.decode(d, g.diff/4, 2))
	case code < 10:
		return g.value.decode(d, code*g.diff, 3)
	case code < 50:
		return g.value.decode(d, code*g.diff, 4)
	}
	step := g.value.decode(d, code*g.diff, 5)
	if code == gpsMultiMax-3 {
		g.countExtreme(step)
	}
	return step
}

// countExtreme takes a new difference after four that fitted the old one badly.
func (g *gpsTime11v1) countExtreme(step int32) int32 {
	if g.extreme++; g.extreme > 3 {
		g.diff = step
		g.extreme = 0
	}
	return step
}

// rgb12v1 is the item RGB12, version 1.
type rgb12v1 struct {
	decodeOnly
	last  [sizeRGB]byte
	used  symbolModel
	value *integerModel
}

func newRGB12v1(s *models) *rgb12v1 {
	return &rgb12v1{used: s.symbol(64), value: newIntegerModel(s, 8, 6)}
}

func (r *rgb12v1) reset(first []byte) {
	copy(r.last[:], first)
	r.used.reset()
	r.value.reset()
}

func (r *rgb12v1) decode(d *rangeDecoder, dst []byte) {
	used := d.symbol(&r.used)
	for i := range uint32(sizeRGB) {
		if used>>i&1 != 0 {
			r.last[i] = byte(r.value.decode(d, int32(r.last[i]), i))
		}
	}
	copy(dst, r.last[:])
}

// bytesV1 is the item BYTE, version 1.
type bytesV1 struct {
	decodeOnly
	last  []byte
	value *integerModel
}

func newBytesV1(s *models, n int) *bytesV1 {
	return &bytesV1{last: make([]byte, n), value: newIntegerModel(s, 8, n)}
}

func (b *bytesV1) reset(first []byte) {
	copy(b.last, first)
	b.value.reset()
}

func (b *bytesV1) decode(d *rangeDecoder, dst []byte) {
	for i, v := range b.last {
		b.last[i] = byte(b.value.decode(d, int32(v), uint32(i)))
	}
	copy(dst, b.last)
}
