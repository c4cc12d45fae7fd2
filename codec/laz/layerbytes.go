package laz

import "encoding/binary"

// A byteSet is up to 64 models of up to 256 symbols, made and reset when first
// used.
type byteSet struct {
	ready uint64
	model [64]symbolModel
}

func (b *byteSet) get(s *models, i uint32, symbols int) *symbolModel {
	i &= 63
	m := &b.model[i]
	if b.ready>>i&1 == 0 {
		b.ready |= 1 << i
		if m.state == nil {
			*m = s.symbol(symbols)
		} else {
			m.reset()
		}
	}
	return m
}

// A fieldKind is one of the fields of a point that are coded as one symbol whose
// model follows from the last value.
type fieldKind int

const (
	fieldClass fieldKind = iota // byte 16
	fieldFlags                  // byte 15 without the scanner channel
	fieldUser                   // byte 17
)

// fieldLayer codes classification, flags, or user data.
type fieldLayer struct {
	layerCoder
	channelSet
	kind    fieldKind
	last    [4]byte
	context [4]*byteSet
}

// flagsOf packs what of byte 15 is not the scanner channel: classification flags,
// scan direction, edge of flight line.
func flagsOf(b byte) byte { return b&15 | b>>2&0x30 }

// flagsByte is byte 15 of a record.
func flagsByte(flags byte, channel uint32) byte {
	return flags&15 | byte(channel)<<4 | flags&0x30<<2
}

// value gives the symbol of a record.
func (l *fieldLayer) value(rec []byte) byte {
	switch l.kind {
	case fieldClass:
		return rec[16]
	case fieldFlags:
		return flagsOf(rec[15])
	default:
		return rec[17]
	}
}

func (l *fieldLayer) store(rec []byte, v byte, p pointInfo) {
	switch l.kind {
	case fieldClass:
		rec[16] = v
	case fieldFlags:
		rec[15] = flagsByte(v, p.channel())
	default:
		rec[17] = v
	}
}

func (l *fieldLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	l.last[channel] = l.value(first)
	l.fresh(channel)
}

func (l *fieldLayer) fresh(channel uint32) {
	if l.context[channel] == nil {
		l.context[channel] = new(byteSet)
	}
	l.context[channel].ready = 0
}

// at gives the channel and the model for a point.
func (l *fieldLayer) at(p pointInfo) (uint32, *symbolModel) {
	channel := p.channel()
	if before := l.current; channel != before && l.enter(channel) {
		l.last[channel] = l.last[before]
		l.fresh(channel)
	}
	last := uint32(l.last[channel])
	set := l.context[channel]
	switch l.kind {
	case fieldClass:
		index := last & 31 << 1
		if p.returns() == 3 {
			index++
		}
		return channel, set.get(l.set, index, 256)
	case fieldFlags:
		return channel, set.get(l.set, last, 64)
	default:
		return channel, set.get(l.set, last>>2, 256)
	}
}

func (l *fieldLayer) decode(info []pointInfo, dst []byte, stride int) {
	for i, p := range info {
		channel, m := l.at(p)
		v := byte(l.dec.symbol(m))
		l.last[channel] = v
		l.store(dst[i*stride:], v, p)
	}
}

func (l *fieldLayer) encode(info []pointInfo, src []byte, stride int) {
	for i, p := range info {
		l.encodeValue(p, l.value(src[i*stride:]))
	}
}

func (l *fieldLayer) encodeValue(p pointInfo, v byte) {
	channel, m := l.at(p)
	l.enc.symbol(m, uint32(v))
	l.last[channel] = v
}

func (l *fieldLayer) fill(info []pointInfo, dst []byte, stride int) {
	v := l.last[l.current]
	for i, p := range info {
		l.store(dst[i*stride:], v, p)
	}
}

// wordLayer codes scan angle (byte 18) or point source (byte 20), 2 bytes each,
// where the first layer says that they changed.
type wordLayer struct {
	layerCoder
	channelSet
	angle   bool // else point source
	last    [4]uint16
	context [4]*integerModel
}

func (l *wordLayer) offset() int {
	if l.angle {
		return 18
	}
	return 20
}

func (l *wordLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	l.last[channel] = binary.LittleEndian.Uint16(first[l.offset():])
	l.fresh(channel)
}

func (l *wordLayer) fresh(channel uint32) {
	if l.context[channel] == nil {
		contexts := 1
		if l.angle {
			contexts = 2
		}
		l.context[channel] = newIntegerModel(l.set, 16, contexts)
	}
	l.context[channel].reset()
}

// at gives the channel of a point, the context of its value, and whether it
// changed.
func (l *wordLayer) at(p pointInfo) (channel, context uint32, changed bool) {
	channel = p.channel()
	if before := l.current; channel != before && l.enter(channel) {
		l.last[channel] = l.last[before]
		l.fresh(channel)
	}
	if l.angle {
		return channel, p.time(), p&infoAngle != 0
	}
	return channel, 0, p&infoSource != 0
}

func (l *wordLayer) decode(info []pointInfo, dst []byte, stride int) {
	at := l.offset()
	for i, p := range info {
		channel, context, changed := l.at(p)
		if changed {
			// Correctors wrap at 16 bits, so that the sign does not matter.
			l.last[channel] = uint16(l.context[channel].decode(&l.dec, int32(l.last[channel]), context))
		}
		binary.LittleEndian.PutUint16(dst[i*stride+at:], l.last[channel])
	}
}

func (l *wordLayer) encode(info []pointInfo, src []byte, stride int) {
	at := l.offset()
	for i, p := range info {
		channel, context, changed := l.at(p)
		if changed {
			v := binary.LittleEndian.Uint16(src[i*stride+at:])
			l.context[channel].encode(&l.enc, int32(l.last[channel]), int32(v), context)
			l.last[channel] = v
		}
	}
}

func (l *wordLayer) fill(info []pointInfo, dst []byte, stride int) {
	at := l.offset()
	for i := range info {
		binary.LittleEndian.PutUint16(dst[i*stride+at:], l.last[l.current])
	}
}
