package laz

import "encoding/binary"

// A pointItem codes one item of the point-wise scheme. Records are handed over as
// slices that begin at the item.
type pointItem interface {
	// reset starts a chunk at its first record.
	reset(first []byte)
	decode(d *rangeDecoder, dst []byte)
	encode(e *rangeEncoder, src []byte)
}

// A pointwise is the state of the point-wise scheme (formats 0 to 5).
type pointwise struct {
	length int
	items  []pointItem
	offset []int
	dec    rangeDecoder
	enc    rangeEncoder
}

// newPointwise builds the coders of items. Version 1 is for decoding only.
func newPointwise(items []Item, decode bool) (*pointwise, error) {
	s := newModels(decode)
	p := &pointwise{length: itemsLength(items)}
	at := 0
	for _, it := range items {
		c, err := newPointItem(s, it)
		if err != nil {
			return nil, err
		}
		p.items = append(p.items, c)
		p.offset = append(p.offset, at)
		at += int(it.Size)
	}
	return p, nil
}

func newPointItem(s *models, it Item) (pointItem, error) {
	old := it.Version == 1
	switch {
	case it.Type == ItemPoint10 && old:
		return newPoint10v1(s), nil
	case it.Type == ItemPoint10:
		return newPoint10(s), nil
	case it.Type == ItemGPSTime11 && old:
		return newGPSTime11v1(s), nil
	case it.Type == ItemGPSTime11:
		return &gpsTime11{newGPSModel(s, 1)}, nil
	case it.Type == ItemRGB12 && old:
		return newRGB12v1(s), nil
	case it.Type == ItemRGB12:
		return &rgb12{model: newRGBModel(s)}, nil
	case it.Type == ItemWavePacket13:
		return &wavePacket13{model: newWaveModel(s)}, nil
	case it.Type == ItemByte && old:
		return newBytesV1(s, int(it.Size)), nil
	case it.Type == ItemByte:
		return &extraBytes{last: make([]byte, it.Size), model: s.symbols(int(it.Size), 256)}, nil
	}
	return nil, unsupportedf("item of type %d in point-wise chunks", it.Type)
}

// decode decodes records from a chunk until points are done or more than slack
// bytes beyond its end would be needed, and gives their number.
func (p *pointwise) decode(dst, chunk []byte, points, slack int) (int, error) {
	if len(chunk) < p.length {
		return 0, corruptf("chunk of %d bytes is shorter than its first record of %d", len(chunk), p.length)
	}
	copy(dst, chunk[:p.length])
	for i, it := range p.items {
		it.reset(chunk[p.offset[i]:p.length])
	}
	d := &p.dec
	d.init(chunk[p.length:])
	for n := 1; n < points; n++ {
		rec := dst[n*p.length : (n+1)*p.length]
		for i, it := range p.items {
			it.decode(d, rec[p.offset[i]:])
		}
		if d.bad || d.overrun() > slack {
			return n, corruptf("chunk of %d bytes ends or is invalid after %d of %d points", len(chunk), n, points)
		}
	}
	return points, nil
}

// encode appends the chunk of whole records to dst.
func (p *pointwise) encode(dst, records []byte) []byte {
	first := records[:p.length]
	for i, it := range p.items {
		it.reset(first[p.offset[i]:])
	}
	e := &p.enc
	e.init(append(dst, first...))
	for at := p.length; at < len(records); at += p.length {
		rec := records[at : at+p.length]
		for i, it := range p.items {
			it.encode(e, rec[p.offset[i]:])
		}
	}
	dst = e.done()
	e.out = nil
	return dst
}

// gpsTime11 is the item GPSTIME11, version 2.
type gpsTime11 struct{ model *gpsModel }

func (g *gpsTime11) reset(first []byte) { g.model.reset(int64(binary.LittleEndian.Uint64(first))) }

func (g *gpsTime11) decode(d *rangeDecoder, dst []byte) {
	binary.LittleEndian.PutUint64(dst, uint64(g.model.decode(d)))
}

func (g *gpsTime11) encode(e *rangeEncoder, src []byte) {
	g.model.encode(e, int64(binary.LittleEndian.Uint64(src)))
}

// rgb12 is the item RGB12, version 2.
type rgb12 struct {
	last  color
	model *rgbModel
}

func (r *rgb12) reset(first []byte) {
	r.last = loadColor(first)
	r.model.reset()
}

func (r *rgb12) decode(d *rangeDecoder, dst []byte) {
	r.last = r.model.decode(d, r.last)
	r.last.store(dst)
}

func (r *rgb12) encode(e *rangeEncoder, src []byte) {
	now := loadColor(src)
	r.model.encode(e, r.last, now)
	r.last = now
}

// wavePacket13 is the item WAVEPACKET13, version 1.
type wavePacket13 struct {
	last  [sizeWave]byte
	model *waveModel
}

func (w *wavePacket13) reset(first []byte) {
	copy(w.last[:], first)
	w.model.reset()
}

func (w *wavePacket13) decode(d *rangeDecoder, dst []byte) {
	w.model.decode(d, w.last[:], w.last[:])
	copy(dst, w.last[:])
}

func (w *wavePacket13) encode(e *rangeEncoder, src []byte) {
	w.model.encode(e, src, w.last[:])
	copy(w.last[:], src)
}

// extraBytes is the item BYTE, version 2.
type extraBytes struct {
	last  []byte
	model []symbolModel
}

func (b *extraBytes) reset(first []byte) {
	copy(b.last, first)
	for i := range b.model {
		b.model[i].reset()
	}
}

func (b *extraBytes) decode(d *rangeDecoder, dst []byte) {
	for i := range b.last {
		b.last[i] += byte(d.symbol(&b.model[i]))
	}
	copy(dst, b.last)
}

func (b *extraBytes) encode(e *rangeEncoder, src []byte) {
	for i, v := range b.last {
		e.symbol(&b.model[i], uint32(src[i]-v))
		b.last[i] = src[i]
	}
}
