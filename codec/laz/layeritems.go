package laz

import "encoding/binary"

// An itemSet tells which contexts of an item behind POINT14 have begun.
//
// Version 3 of the items has a quirk that files depend on: where the context
// changes to one that has begun before, the point is still predicted from the
// last point of the context that was left, and remembered there. Version 4
// (always) does what was meant.
type itemSet struct {
	channelSet
	always bool
}

// enter changes to a context. It gives the one whose last point predicts, and
// whether the context is new and begins with the last point of the one left.
func (s *itemSet) enter(context uint32) (from uint32, fresh bool) {
	from = s.current
	if fresh = s.channelSet.enter(context); fresh || s.always {
		from = context
	}
	return from, fresh
}

// rgbLayer codes red, green and blue, the first 6 bytes of its item.
type rgbLayer struct {
	layerCoder
	itemSet
	last    [4]color
	context [4]*rgbModel
}

func (l *rgbLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	l.last[channel] = loadColor(first)
	l.fresh(channel)
}

func (l *rgbLayer) fresh(channel uint32) {
	if l.context[channel] == nil {
		l.context[channel] = newRGBModel(l.set)
	}
	l.context[channel].reset()
}

// at gives the color that predicts and the model for a point.
func (l *rgbLayer) at(p pointInfo) (*color, *rgbModel) {
	context, from := p.itemContext(), l.current
	if before := from; context != before {
		var fresh bool
		if from, fresh = l.enter(context); fresh {
			l.last[context] = l.last[before]
			l.fresh(context)
		}
	}
	return &l.last[from], l.context[context]
}

func (l *rgbLayer) decode(info []pointInfo, dst []byte, stride int) {
	for i, p := range info {
		last, m := l.at(p)
		*last = m.decode(&l.dec, *last)
		last.store(dst[i*stride:])
	}
}

func (l *rgbLayer) encode(info []pointInfo, src []byte, stride int) {
	for i, p := range info {
		last, m := l.at(p)
		now := loadColor(src[i*stride:])
		m.encode(&l.enc, *last, now)
		*last = now
	}
}

func (l *rgbLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		l.last[l.current].store(dst[i*stride:])
	}
}

// nirLayer codes near infrared, bytes 6 and 7 of its item.
type nirLayer struct {
	layerCoder
	itemSet
	last    [4]uint16
	context [4]*nirModel
}

type nirModel struct {
	used symbolModel    // which of the two bytes differ
	diff [2]symbolModel // low, high
}

func (l *nirLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	l.last[channel] = binary.LittleEndian.Uint16(first[6:])
	l.fresh(channel)
}

func (l *nirLayer) fresh(channel uint32) {
	c := l.context[channel]
	if c == nil {
		c = &nirModel{used: l.set.symbol(4)}
		c.diff[0], c.diff[1] = l.set.symbol(256), l.set.symbol(256)
		l.context[channel] = c
	}
	c.used.reset()
	c.diff[0].reset()
	c.diff[1].reset()
}

func (l *nirLayer) at(p pointInfo) (*uint16, *nirModel) {
	context, from := p.itemContext(), l.current
	if before := from; context != before {
		var fresh bool
		if from, fresh = l.enter(context); fresh {
			l.last[context] = l.last[before]
			l.fresh(context)
		}
	}
	return &l.last[from], l.context[context]
}

func (l *nirLayer) decode(info []pointInfo, dst []byte, stride int) {
	d := &l.dec
	for i, p := range info {
		last, m := l.at(p)
		sym := d.symbol(&m.used)
		low, high := uint32(*last)&255, uint32(*last)>>8
		if sym&1 != 0 {
			low = (low + d.symbol(&m.diff[0])) & 255
		}
		if sym&2 != 0 {
			high = (high + d.symbol(&m.diff[1])) & 255
		}
		*last = uint16(high<<8 | low)
		binary.LittleEndian.PutUint16(dst[i*stride+6:], *last)
	}
}

func (l *nirLayer) encode(info []pointInfo, src []byte, stride int) {
	e := &l.enc
	for i, p := range info {
		last, m := l.at(p)
		now := binary.LittleEndian.Uint16(src[i*stride+6:])
		low := (uint32(now) - uint32(*last)) & 255
		high := (uint32(now>>8) - uint32(*last>>8)) & 255
		sym := uint32(0)
		if low != 0 {
			sym |= 1
		}
		if high != 0 {
			sym |= 2
		}
		e.symbol(&m.used, sym)
		if low != 0 {
			e.symbol(&m.diff[0], low)
		}
		if high != 0 {
			e.symbol(&m.diff[1], high)
		}
		*last = now
	}
}

func (l *nirLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		binary.LittleEndian.PutUint16(dst[i*stride+6:], l.last[l.current])
	}
}

// waveLayer codes wave packet descriptors.
type waveLayer struct {
	layerCoder
	itemSet
	last    [4][sizeWave]byte
	context [4]*waveModel
}

func (l *waveLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	copy(l.last[channel][:], first)
	l.fresh(channel)
}

func (l *waveLayer) fresh(channel uint32) {
	if l.context[channel] == nil {
		l.context[channel] = newWaveModel(l.set)
	}
	l.context[channel].reset()
}

func (l *waveLayer) at(p pointInfo) ([]byte, *waveModel) {
	context, from := p.itemContext(), l.current
	if before := from; context != before {
		var fresh bool
		if from, fresh = l.enter(context); fresh {
			l.last[context] = l.last[before]
			l.fresh(context)
		}
	}
	return l.last[from][:], l.context[context]
}

func (l *waveLayer) decode(info []pointInfo, dst []byte, stride int) {
	for i, p := range info {
		last, m := l.at(p)
		m.decode(&l.dec, last, last)
		copy(dst[i*stride:], last)
	}
}

func (l *waveLayer) encode(info []pointInfo, src []byte, stride int) {
	for i, p := range info {
		last, m := l.at(p)
		now := src[i*stride : i*stride+sizeWave]
		m.encode(&l.enc, now, last)
		copy(last, now)
	}
}

func (l *waveLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		copy(dst[i*stride:], l.last[l.current][:])
	}
}

// extraLayer codes one of the extra bytes.
type extraLayer struct {
	layerCoder
	itemSet
	at0     int // place of the byte in the item
	last    [4]byte
	context [4]*symbolModel
}

func (l *extraLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	l.last[channel] = first[l.at0]
	l.fresh(channel)
}

func (l *extraLayer) fresh(channel uint32) {
	if l.context[channel] == nil {
		m := l.set.symbol(256)
		l.context[channel] = &m
	}
	l.context[channel].reset()
}

func (l *extraLayer) at(p pointInfo) (*byte, *symbolModel) {
	context, from := p.itemContext(), l.current
	if before := from; context != before {
		var fresh bool
		if from, fresh = l.enter(context); fresh {
			l.last[context] = l.last[before]
			l.fresh(context)
		}
	}
	return &l.last[from], l.context[context]
}

func (l *extraLayer) decode(info []pointInfo, dst []byte, stride int) {
	for i, p := range info {
		last, m := l.at(p)
		*last += byte(l.dec.symbol(m))
		dst[i*stride+l.at0] = *last
	}
}

func (l *extraLayer) encode(info []pointInfo, src []byte, stride int) {
	for i, p := range info {
		last, m := l.at(p)
		now := src[i*stride+l.at0]
		l.enc.symbol(m, uint32(now-*last))
		*last = now
	}
}

func (l *extraLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		dst[i*stride+l.at0] = l.last[l.current]
	}
}
