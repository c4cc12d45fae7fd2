package laz

import "encoding/binary"

// Bits of the symbol that says what differs from the last point of the channel.
const (
	changedReturn  = 3 // 1: return number plus one, 2: minus one, 3: anything else
	changedNumber  = 1 << 2
	changedAngle   = 1 << 3
	changedTime    = 1 << 4
	changedSource  = 1 << 5
	changedChannel = 1 << 6
)

// An xyContext is the state of the first layer for one scanner channel.
type xyContext struct {
	x, y int32
	n, r uint32
	// Scan angle, point source and time of the last point; for encoding.
	angle, source uint16
	time          uint64

	xDiff [12]median5 // by return map and whether time changed
	yDiff [12]median5

	changed [8]symbolModel // by kind of the last return and whether its time changed
	channel symbolModel
	number  [16]symbolModel // by last number of returns
	returns [16]symbolModel // by last return number
	ready   uint32          // which of number (low half) and returns are reset
	same    symbolModel     // return number where the time is the same
	dx, dy  *integerModel
}

func newXYContext(s *models) *xyContext {
	c := &xyContext{
		channel: s.symbol(3),
		same:    s.symbol(13),
		dx:      newIntegerModel(s, 32, 2),
		dy:      newIntegerModel(s, 32, 22),
	}
	for i := range c.changed {
		c.changed[i] = s.symbol(128)
	}
	for i := range 16 {
		c.number[i] = s.symbol(16)
		c.returns[i] = s.symbol(16)
	}
	return c
}

// reset begins the context at a point.
func (c *xyContext) reset(x, y int32, n, r uint32) {
	c.x, c.y, c.n, c.r = x, y, n, r
	c.xDiff = [12]median5{}
	c.yDiff = [12]median5{}
	for i := range c.changed {
		c.changed[i].reset()
	}
	c.channel.reset()
	c.ready = 0
	c.same.reset()
	c.dx.reset()
	c.dy.reset()
}

func (c *xyContext) numberModel(n uint32) *symbolModel {
	if c.ready>>n&1 == 0 {
		c.ready |= 1 << n
		c.number[n].reset()
	}
	return &c.number[n]
}

func (c *xyContext) returnModel(r uint32) *symbolModel {
	if c.ready>>(16+r)&1 == 0 {
		c.ready |= 1 << (16 + r)
		c.returns[r].reset()
	}
	return &c.returns[r]
}

// xyLayer is the first layer of a chunk: scanner channel, returns, x and y, and
// what changes in other layers.
type xyLayer struct {
	set     *models
	dec     rangeDecoder
	enc     rangeEncoder
	context [4]*xyContext
	used    [4]bool
	current uint32
	kind    uint32 // index of xyContext.changed that the last point leads to
	// always says that the items behind follow the scanner channel (version 4),
	// not only when it changes (version 3).
	always bool
}

// begin starts a chunk at its first record.
func (l *xyLayer) begin(first []byte) {
	le := binary.LittleEndian
	l.used = [4]bool{}
	l.current = channelOf(first)
	r, n := uint32(first[14]&15), uint32(first[14]>>4)
	l.kind = lastKind(n, r, 0)
	c := l.use(l.current)
	c.reset(int32(le.Uint32(first)), int32(le.Uint32(first[4:])), n, r)
	c.angle, c.source, c.time = le.Uint16(first[18:]), le.Uint16(first[20:]), le.Uint64(first[22:])
}

// use marks a context as used.
func (l *xyLayer) use(channel uint32) *xyContext {
	if l.context[channel] == nil {
		l.context[channel] = newXYContext(l.set)
	}
	l.used[channel] = true
	return l.context[channel]
}

// enter changes to another channel, which begins where the last point was if it
// is new.
func (l *xyLayer) enter(channel uint32) *xyContext {
	last := l.context[l.current]
	l.current = channel
	if !l.used[channel] {
		c := l.use(channel)
		c.reset(last.x, last.y, last.n, last.r)
		c.angle, c.source, c.time = last.angle, last.source, last.time
	}
	return l.context[channel]
}

// lastKind is the index of xyContext.changed after a point.
func lastKind(n, r, time uint32) uint32 {
	kind := time << 2
	if r == 1 {
		kind++
	}
	if r >= n {
		kind += 2
	}
	return kind
}

// channelOf gives the scanner channel of a record of formats 6 to 10.
func channelOf(rec []byte) uint32 { return uint32(rec[15]>>4) & 3 }

// itemContext is the context that the items behind POINT14 use.
func (l *xyLayer) itemContext(switched uint32) uint32 {
	if l.always || switched != 0 {
		return l.current
	}
	// LASzip's version 3 forgets the channel from point to point.
	return 0
}

// infoOf packs what other layers need; z is their context of z.
func (l *xyLayer) infoOf(changed, n, r, z uint32) pointInfo {
	return pointInfo(l.current | l.itemContext(changed&changedChannel)<<infoItemShift |
		changed>>4&1<<4 | changed>>3&1<<5 | changed>>5&1<<6 |
		returnKind(n, r)<<infoReturnShift | returnLevel14(n, r)<<infoLevelShift | z<<infoZShift)
}

// decode decodes a point for each of info. Where dst is not nil, x, y and the
// returns go into its records of stride bytes. False is returned where the
// compressed bytes are used up.
func (l *xyLayer) decode(info []pointInfo, dst []byte, stride int) bool {
	d := &l.dec
	c := l.context[l.current]
	for i := range info {
		changed := d.symbol(&c.changed[l.kind&7])
		if changed&changedChannel != 0 {
			c = l.enter((l.current + d.symbol(&c.channel) + 1) & 3)
		}
		if changed&changedNumber != 0 {
			c.n = d.symbol(c.numberModel(c.n & 15))
		}
		time := changed >> 4 & 1
		switch changed & changedReturn {
		case 1:
			c.r = (c.r + 1) & 15
		case 2:
			c.r = (c.r + 15) & 15
		case 3:
			if time != 0 {
				c.r = d.symbol(c.returnModel(c.r & 15))
			} else {
				c.r = (c.r + d.symbol(&c.same) + 2) & 15
			}
		}
		n, r := c.n, c.r
		l.kind = lastKind(n, r, time)
		m := uint32(returnMap14[(n<<4|r)&255])<<1 | time
		single := singleReturn(n)
		dx := c.dx.decode(d, c.xDiff[m].get(), single)
		c.xDiff[m].add(dx)
		c.x += dx
		dy := c.dy.decode(d, c.yDiff[m].get(), yContext(c.dx.k, single))
		c.yDiff[m].add(dy)
		c.y += dy
		info[i] = l.infoOf(changed, n, r, zContext(c.dx.k, c.dy.k, single))
		if dst != nil {
			rec := dst[i*stride : i*stride+15]
			binary.LittleEndian.PutUint32(rec, uint32(c.x))
			binary.LittleEndian.PutUint32(rec[4:], uint32(c.y))
			rec[14] = byte(n<<4 | r)
		}
	}
	return d.overrun() <= overrunSlack && !d.bad
}

// changes gives the bits of what differs between a record and the last point.
func (c *xyContext) changes(rec []byte) uint32 {
	le := binary.LittleEndian
	var changed uint32
	if le.Uint16(rec[18:]) != c.angle {
		changed |= changedAngle
	}
	if le.Uint16(rec[20:]) != c.source {
		changed |= changedSource
	}
	// Bits are compared, not numbers: 0 and -0 must both come back.
	if le.Uint64(rec[22:]) != c.time {
		changed |= changedTime
	}
	if uint32(rec[14]>>4) != c.n {
		changed |= changedNumber
	}
	switch (uint32(rec[14]&15) - c.r) & 15 {
	case 0:
	case 1:
		changed |= 1
	case 15:
		changed |= 2
	default:
		changed |= 3
	}
	return changed
}

// encode encodes a point for each of info from src, and fills info.
func (l *xyLayer) encode(info []pointInfo, src []byte, stride int) {
	e := &l.enc
	le := binary.LittleEndian
	for i := range info {
		rec := src[i*stride:]
		rec = rec[:sizePoint14]
		from := l.context[l.current]
		channel := channelOf(rec)
		kind, before := l.kind&7, l.current
		last := from // last point of the channel, or of all if the channel is new
		if channel != before && l.used[channel] {
			last = l.context[channel]
		}
		r, n := uint32(rec[14]&15), uint32(rec[14]>>4)
		changed := last.changes(rec)
		if channel != before {
			changed |= changedChannel
		}
		e.symbol(&from.changed[kind], changed)
		c := from
		if channel != before {
			e.symbol(&from.channel, (channel-before-1)&3)
			c = l.enter(channel)
		}
		if changed&changedNumber != 0 {
			e.symbol(c.numberModel(c.n&15), n)
		}
		time := changed >> 4 & 1
		if changed&changedReturn == 3 {
			if time != 0 {
				e.symbol(c.returnModel(c.r&15), r)
			} else {
				e.symbol(&c.same, (r-c.r-2)&15)
			}
		}
		c.n, c.r = n, r
		l.kind = lastKind(n, r, time)
		m := uint32(returnMap14[n<<4|r])<<1 | time
		single := singleReturn(n)
		x, y := int32(le.Uint32(rec)), int32(le.Uint32(rec[4:]))
		dx := x - c.x
		c.dx.encode(e, c.xDiff[m].get(), dx, single)
		c.xDiff[m].add(dx)
		dy := y - c.y
		c.dy.encode(e, c.yDiff[m].get(), dy, yContext(c.dx.k, single))
		c.yDiff[m].add(dy)
		c.x, c.y = x, y
		c.angle, c.source, c.time = le.Uint16(rec[18:]), le.Uint16(rec[20:]), le.Uint64(rec[22:])
		info[i] = l.infoOf(changed, n, r, zContext(c.dx.k, c.dy.k, single))
	}
}
