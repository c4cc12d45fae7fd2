package laz

import "encoding/binary"

// overrunSlack is how many bytes beyond its end a decoder may look at. Encoders
// end their streams with zeros that make up for it, but not all have always.
const overrunSlack = 4

// A channelSet tells which scanner channels of a layer have begun, and which was
// last.
type channelSet struct {
	current uint32
	used    [4]bool
}

func (s *channelSet) begin(channel uint32) {
	*s = channelSet{current: channel}
	s.used[channel] = true
}

// enter changes to a channel and tells whether it is new.
func (s *channelSet) enter(channel uint32) bool {
	s.current = channel
	fresh := !s.used[channel]
	s.used[channel] = true
	return fresh
}

// A layer is one stream of a layered chunk behind the first one. Its records are
// handed over as slices that begin at the item of the layer.
type layer interface {
	// begin starts a chunk at its first record.
	begin(first []byte, channel uint32)
	// source gives the coders of the layer.
	source() *layerCoder
	// decode decodes the field of a point for each of info.
	decode(info []pointInfo, dst []byte, stride int)
	// encode encodes the field of a point for each of info.
	encode(info []pointInfo, src []byte, stride int)
	// fill repeats the field of the first record, which no point changes.
	fill(info []pointInfo, dst []byte, stride int)
}

// A layerCoder is what all layers have.
type layerCoder struct {
	set     *models
	dec     rangeDecoder
	enc     rangeEncoder
	present bool // the layer has bytes: its field changes in this chunk
}

func (c *layerCoder) source() *layerCoder { return c }

// zLayer codes the item's bytes 8 to 11.
type zLayer struct {
	layerCoder
	channelSet
	last    int32
	context [4]*zState
}

type zState struct {
	last [8]int32 // by return level
	z    *integerModel
}

func (l *zLayer) begin(first []byte, channel uint32) {
	l.last = int32(binary.LittleEndian.Uint32(first[8:]))
	l.channelSet.begin(channel)
	l.fresh(channel)
}

func (l *zLayer) fresh(channel uint32) {
	c := l.context[channel]
	if c == nil {
		c = &zState{z: newIntegerModel(l.set, 32, 20)}
		l.context[channel] = c
	}
	for i := range c.last {
		c.last[i] = l.last
	}
	c.z.reset()
}

func (l *zLayer) at(p pointInfo) *zState {
	channel := p.channel()
	if channel != l.current && l.enter(channel) {
		l.fresh(channel)
	}
	return l.context[channel]
}

func (l *zLayer) decode(info []pointInfo, dst []byte, stride int) {
	d := &l.dec
	for i, p := range info {
		c := l.at(p)
		v := c.z.decode(d, c.last[p.level()], p.zContext())
		c.last[p.level()] = v
		l.last = v
		binary.LittleEndian.PutUint32(dst[i*stride+8:], uint32(v))
	}
}

func (l *zLayer) encode(info []pointInfo, src []byte, stride int) {
	e := &l.enc
	for i, p := range info {
		c := l.at(p)
		v := int32(binary.LittleEndian.Uint32(src[i*stride+8:]))
		c.z.encode(e, c.last[p.level()], v, p.zContext())
		c.last[p.level()] = v
		l.last = v
	}
}

func (l *zLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		binary.LittleEndian.PutUint32(dst[i*stride+8:], uint32(l.last))
	}
}

// intensityLayer codes the item's bytes 12 and 13.
type intensityLayer struct {
	layerCoder
	channelSet
	last    uint16
	context [4]*intensityState
}

type intensityState struct {
	last  [8]uint16 // by kind of return and whether time changed
	value *integerModel
}

func (l *intensityLayer) begin(first []byte, channel uint32) {
	l.last = binary.LittleEndian.Uint16(first[12:])
	l.channelSet.begin(channel)
	l.fresh(channel)
}

func (l *intensityLayer) fresh(channel uint32) {
	c := l.context[channel]
	if c == nil {
		c = &intensityState{value: newIntegerModel(l.set, 16, 4)}
		l.context[channel] = c
	}
	for i := range c.last {
		c.last[i] = l.last
	}
	c.value.reset()
}

func (l *intensityLayer) at(p pointInfo) *intensityState {
	channel := p.channel()
	if channel != l.current && l.enter(channel) {
		l.fresh(channel)
	}
	return l.context[channel]
}

func (l *intensityLayer) decode(info []pointInfo, dst []byte, stride int) {
	d := &l.dec
	for i, p := range info {
		c := l.at(p)
		kind := p.returns()
		last := &c.last[kind<<1|p.time()]
		v := uint16(c.value.decode(d, int32(*last), kind))
		*last, l.last = v, v
		binary.LittleEndian.PutUint16(dst[i*stride+12:], v)
	}
}

func (l *intensityLayer) encode(info []pointInfo, src []byte, stride int) {
	e := &l.enc
	for i, p := range info {
		c := l.at(p)
		kind := p.returns()
		last := &c.last[kind<<1|p.time()]
		v := binary.LittleEndian.Uint16(src[i*stride+12:])
		c.value.encode(e, int32(*last), int32(v), kind)
		*last, l.last = v, v
	}
}

func (l *intensityLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		binary.LittleEndian.PutUint16(dst[i*stride+12:], l.last)
	}
}

// timeLayer codes the item's bytes 22 to 29.
type timeLayer struct {
	layerCoder
	channelSet
	last    [4]int64
	context [4]*gpsModel
}

func (l *timeLayer) begin(first []byte, channel uint32) {
	l.channelSet.begin(channel)
	l.last[channel] = int64(binary.LittleEndian.Uint64(first[22:]))
	l.fresh(channel)
}

func (l *timeLayer) fresh(channel uint32) {
	if l.context[channel] == nil {
		l.context[channel] = newGPSModel(l.set, 0)
	}
	l.context[channel].reset(l.last[channel])
}

func (l *timeLayer) at(p pointInfo) uint32 {
	channel := p.channel()
	if before := l.current; channel != before && l.enter(channel) {
		l.last[channel] = l.last[before]
		l.fresh(channel)
	}
	return channel
}

func (l *timeLayer) decode(info []pointInfo, dst []byte, stride int) {
	d := &l.dec
	for i, p := range info {
		channel := l.at(p)
		if p&infoTime != 0 {
			l.last[channel] = l.context[channel].decode(d)
		}
		binary.LittleEndian.PutUint64(dst[i*stride+22:], uint64(l.last[channel]))
	}
}

func (l *timeLayer) encode(info []pointInfo, src []byte, stride int) {
	e := &l.enc
	for i, p := range info {
		channel := l.at(p)
		if p&infoTime != 0 {
			l.last[channel] = int64(binary.LittleEndian.Uint64(src[i*stride+22:]))
			l.context[channel].encode(e, l.last[channel])
		}
	}
}

func (l *timeLayer) fill(info []pointInfo, dst []byte, stride int) {
	for i := range info {
		binary.LittleEndian.PutUint64(dst[i*stride+22:], uint64(l.last[l.current]))
	}
}
