package laz

import "encoding/binary"

// Bits of the symbol that says what of a POINT10 differs from the last one.
const (
	changedSource10 = 1 << iota
	changedUser10
	changedAngle10
	changedClass10
	changedIntensity10
	changedFlags10
)

// A lazyModels is a set of models of 256 symbols by the value of a byte. They are
// made and reset when they are first used.
type lazyModels struct {
	set   *models
	ready [4]uint64
	model [256]symbolModel
}

func (l *lazyModels) reset() { l.ready = [4]uint64{} }

func (l *lazyModels) get(b byte) *symbolModel {
	m := &l.model[b]
	if l.ready[b>>6]>>(b&63)&1 == 0 {
		l.ready[b>>6] |= 1 << (b & 63)
		if m.state == nil {
			*m = l.set.symbol(256)
		} else {
			m.reset()
		}
	}
	return m
}

// A point10 codes the item POINT10, version 2: x, y, z (4 bytes each), intensity
// (2), returns and flags (1), classification, scan angle, user data (1 each),
// point source (2).
type point10 struct {
	last      [sizePoint10]byte
	intensity [16]uint16 // last ones by return map
	height    [8]int32   // last ones by return level
	xDiff     [16]median5
	yDiff     [16]median5

	changed symbolModel
	angle   []symbolModel // by scan direction
	flags   lazyModels
	class   lazyModels
	user    lazyModels
	inten   *integerModel
	source  *integerModel
	dx      *integerModel
	dy      *integerModel
	z       *integerModel
}

func newPoint10(s *models) *point10 {
	return &point10{
		changed: s.symbol(64),
		angle:   s.symbols(2, 256),
		flags:   lazyModels{set: s},
		class:   lazyModels{set: s},
		user:    lazyModels{set: s},
		inten:   newIntegerModel(s, 16, 4),
		source:  newIntegerModel(s, 16, 1),
		dx:      newIntegerModel(s, 32, 2),
		dy:      newIntegerModel(s, 32, 22),
		z:       newIntegerModel(s, 32, 20),
	}
}

func (p *point10) reset(first []byte) {
	copy(p.last[:], first)
	p.last[12], p.last[13] = 0, 0
	p.intensity = [16]uint16{}
	p.height = [8]int32{}
	p.xDiff = [16]median5{}
	p.yDiff = [16]median5{}
	p.changed.reset()
	p.angle[0].reset()
	p.angle[1].reset()
	p.flags.reset()
	p.class.reset()
	p.user.reset()
	p.inten.reset()
	p.source.reset()
	p.dx.reset()
	p.dy.reset()
	p.z.reset()
}

// yContext is the context of dy after dx took k bits.
func yContext(k, single uint32) uint32 {
	if k < 20 {
		return single + k&^1
	}
	return single + 20
}

// zContext is the context of z after dx and dy took kx and ky bits.
func zContext(kx, ky, single uint32) uint32 {
	if k := (kx + ky) / 2; k < 18 {
		return single + k&^1
	}
	return single + 18
}

// singleReturn is 1 where a pulse has n = 1 returns, else 0.
func singleReturn(n uint32) uint32 {
	if n == 1 {
		return 1
	}
	return 0
}

func (p *point10) decode(d *rangeDecoder, dst []byte) {
	le := binary.LittleEndian
	last := &p.last
	changed := d.symbol(&p.changed)
	if changed&changedFlags10 != 0 {
		last[14] = byte(d.symbol(p.flags.get(last[14])))
	}
	r, n := uint32(last[14])&7, uint32(last[14])>>3&7
	m, l := returnMap10[n][r], returnLevel10[n][r]
	if changed != 0 {
		if changed&changedIntensity10 != 0 {
			v := uint16(p.inten.decode(d, int32(p.intensity[m]), uint32(min(m, 3))))
			p.intensity[m] = v
		}
		le.PutUint16(last[12:], p.intensity[m])
		if changed&changedClass10 != 0 {
			last[15] = byte(d.symbol(p.class.get(last[15])))
		}
		if changed&changedAngle10 != 0 {
			last[16] += byte(d.symbol(&p.angle[last[14]>>6&1]))
		}
		if changed&changedUser10 != 0 {
			last[17] = byte(d.symbol(p.user.get(last[17])))
		}
		if changed&changedSource10 != 0 {
			le.PutUint16(last[18:], uint16(p.source.decode(d, int32(le.Uint16(last[18:])), 0)))
		}
	}
	single := singleReturn(n)
	dx := p.dx.decode(d, p.xDiff[m].get(), single)
	p.xDiff[m].add(dx)
	le.PutUint32(last[0:], le.Uint32(last[0:])+uint32(dx))
	dy := p.dy.decode(d, p.yDiff[m].get(), yContext(p.dx.k, single))
	p.yDiff[m].add(dy)
	le.PutUint32(last[4:], le.Uint32(last[4:])+uint32(dy))
	z := p.z.decode(d, p.height[l], zContext(p.dx.k, p.dy.k, single))
	p.height[l] = z
	le.PutUint32(last[8:], uint32(z))
	copy(dst, last[:])
}

func (p *point10) encode(e *rangeEncoder, src []byte) {
	le := binary.LittleEndian
	now := (*[sizePoint10]byte)(src)
	last := &p.last
	r, n := uint32(now[14])&7, uint32(now[14])>>3&7
	m, l := returnMap10[n][r], returnLevel10[n][r]
	intensity := le.Uint16(now[12:])
	source, lastSource := le.Uint16(now[18:]), le.Uint16(last[18:])
	var changed uint32
	if now[14] != last[14] {
		changed |= changedFlags10
	}
	if intensity != p.intensity[m] {
		changed |= changedIntensity10
	}
	if now[15] != last[15] {
		changed |= changedClass10
	}
	if now[16] != last[16] {
		changed |= changedAngle10
	}
	if now[17] != last[17] {
		changed |= changedUser10
	}
	if source != lastSource {
		changed |= changedSource10
	}
	e.symbol(&p.changed, changed)
	if changed&changedFlags10 != 0 {
		e.symbol(p.flags.get(last[14]), uint32(now[14]))
	}
	if changed&changedIntensity10 != 0 {
		p.inten.encode(e, int32(p.intensity[m]), int32(intensity), uint32(min(m, 3)))
		p.intensity[m] = intensity
	}
	if changed&changedClass10 != 0 {
		e.symbol(p.class.get(last[15]), uint32(now[15]))
	}
	if changed&changedAngle10 != 0 {
		e.symbol(&p.angle[now[14]>>6&1], uint32(now[16]-last[16]))
	}
	if changed&changedUser10 != 0 {
		e.symbol(p.user.get(last[17]), uint32(now[17]))
	}
	if changed&changedSource10 != 0 {
		p.source.encode(e, int32(lastSource), int32(source), 0)
	}
	single := singleReturn(n)
	dx := int32(le.Uint32(now[0:]) - le.Uint32(last[0:]))
	p.dx.encode(e, p.xDiff[m].get(), dx, single)
	p.xDiff[m].add(dx)
	dy := int32(le.Uint32(now[4:]) - le.Uint32(last[4:]))
	p.dy.encode(e, p.yDiff[m].get(), dy, yContext(p.dx.k, single))
	p.yDiff[m].add(dy)
	z := int32(le.Uint32(now[8:]))
	p.z.encode(e, p.height[l], z, zContext(p.dx.k, p.dy.k, single))
	p.height[l] = z
	*last = *now
}
