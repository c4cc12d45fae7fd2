package laz

import "encoding/binary"

// A layered is the state of the layered scheme (formats 6 to 10).
type layered struct {
	length int
	xy     xyLayer
	layers []layer // behind xy, in the order of the chunk
	offset []int   // of the item of each in the record
	xor    []byte  // which bytes of the record change in a chunk; for encoding
	sizes  []int   // of xy and layers; for decoding
	info   [pointBlock]pointInfo
}

// newLayered builds the layers of items, whose versions are 3 or 4.
func newLayered(items []Item, decode bool) (*layered, error) {
	s := newModels(decode)
	l := &layered{length: itemsLength(items)}
	l.xy.set = s
	coder := layerCoder{set: s}
	for i, it := range items {
		always := it.Version == 4
		set := itemSet{always: always}
		at := l.length - itemsLength(items[i:])
		switch it.Type {
		case ItemPoint14:
			l.xy.always = always
			l.add(at,
				&zLayer{layerCoder: coder},
				&fieldLayer{layerCoder: coder, kind: fieldClass},
				&fieldLayer{layerCoder: coder, kind: fieldFlags},
				&intensityLayer{layerCoder: coder},
				&wordLayer{layerCoder: coder, angle: true},
				&fieldLayer{layerCoder: coder, kind: fieldUser},
				&wordLayer{layerCoder: coder},
				&timeLayer{layerCoder: coder})
		case ItemRGB14:
			l.add(at, &rgbLayer{layerCoder: coder, itemSet: set})
		case ItemRGBNIR14:
			l.add(at, &rgbLayer{layerCoder: coder, itemSet: set}, &nirLayer{layerCoder: coder, itemSet: set})
		case ItemWavePacket14:
			l.add(at, &waveLayer{layerCoder: coder, itemSet: set})
		case ItemByte14:
			for b := range int(it.Size) {
				l.add(at, &extraLayer{layerCoder: coder, itemSet: set, at0: b})
			}
		default:
			return nil, unsupportedf("item of type %d in layered chunks", it.Type)
		}
	}
	l.xor = make([]byte, l.length)
	l.sizes = make([]int, 1+len(l.layers))
	return l, nil
}

func (l *layered) add(at int, layers ...layer) {
	for _, y := range layers {
		l.layers = append(l.layers, y)
		l.offset = append(l.offset, at)
	}
}

// open reads what stands in front of the layers of a chunk and hands the layers
// their bytes.
func (l *layered) open(chunk []byte, points int) error {
	at, err := l.readSizes(chunk, points)
	if err != nil {
		return err
	}
	first := chunk[:l.length]
	if points > 1 && l.sizes[0] == 0 {
		return corruptf("layer of x and y is empty in a chunk of %d points", points)
	}
	channel := channelOf(first)
	l.xy.begin(first)
	l.xy.dec.init(chunk[at : at+l.sizes[0]])
	at += l.sizes[0]
	for i, y := range l.layers {
		size := l.sizes[i+1]
		c := y.source()
		c.present = size > 0
		if c.present {
			c.dec.init(chunk[at : at+size])
		}
		y.begin(first[l.offset[i]:], channel)
		at += size
	}
	return nil
}

// readSizes fills sizes and gives the offset of the first layer.
func (l *layered) readSizes(chunk []byte, points int) (int, error) {
	le := binary.LittleEndian
	at := l.length + 4 + 4*len(l.sizes)
	if len(chunk) < at {
		return 0, corruptf("chunk of %d bytes ends within the %d before its layers", len(chunk), at)
	}
	if n := le.Uint32(chunk[l.length:]); int64(n) < int64(points) {
		return 0, corruptf("chunk says that it has %d points, not %d", n, points)
	}
	left := int64(len(chunk) - at)
	for i := range l.sizes {
		n := int64(le.Uint32(chunk[l.length+4+4*i:]))
		if n > left {
			return 0, corruptf("layer %d claims %d bytes, %d are left", i, n, left)
		}
		left -= n
		l.sizes[i] = int(n)
	}
	return at, nil
}

// decode decodes a chunk into points records.
func (l *layered) decode(dst, chunk []byte, points int) error {
	if err := l.open(chunk, points); err != nil {
		return err
	}
	copy(dst, chunk[:l.length])
	for done := 1; done < points; {
		n := min(pointBlock, points-done)
		info := l.info[:n]
		block := dst[done*l.length : (done+n)*l.length]
		if !l.xy.decode(info, block, l.length) {
			return corruptf("layer of x and y ends or is invalid between points %d and %d of %d", done, done+n, points)
		}
		for i, y := range l.layers {
			c := y.source()
			if !c.present {
				y.fill(info, block[l.offset[i]:], l.length)
				continue
			}
			y.decode(info, block[l.offset[i]:], l.length)
			if c.dec.bad || c.dec.overrun() > overrunSlack {
				return corruptf("layer %d ends or is invalid between points %d and %d of %d", i+1, done, done+n, points)
			}
		}
		done += n
	}
	return nil
}

// encode appends the chunk of whole records to dst.
func (l *layered) encode(dst, records []byte) []byte {
	points := len(records) / l.length
	first := records[:l.length]
	channel := channelOf(first)
	l.findChanges(records)
	l.xy.begin(first)
	l.xy.enc.init(l.xy.enc.out[:0])
	for i, y := range l.layers {
		c := y.source()
		c.present = l.changes(y, l.offset[i])
		if c.present {
			c.enc.init(c.enc.out[:0])
			y.begin(first[l.offset[i]:], channel)
		}
	}
	for done := 1; done < points; {
		n := min(pointBlock, points-done)
		info := l.info[:n]
		block := records[done*l.length : (done+n)*l.length]
		l.xy.encode(info, block, l.length)
		for i, y := range l.layers {
			if y.source().present {
				y.encode(info, block[l.offset[i]:], l.length)
			}
		}
		done += n
	}
	return l.appendChunk(dst, first, points)
}

// appendChunk appends what is in front of the layers, and the layers.
func (l *layered) appendChunk(dst, first []byte, points int) []byte {
	le := binary.LittleEndian
	dst = append(dst, first...)
	dst = le.AppendUint32(dst, uint32(points))
	dst = le.AppendUint32(dst, uint32(len(l.xy.enc.done())))
	for _, y := range l.layers {
		size := 0
		if c := y.source(); c.present {
			size = len(c.enc.done())
		}
		dst = le.AppendUint32(dst, uint32(size))
	}
	dst = append(dst, l.xy.enc.out...)
	for _, y := range l.layers {
		if c := y.source(); c.present {
			dst = append(dst, c.enc.out...)
		}
	}
	return dst
}

// findChanges sets the bits of xor that are not the same in all records.
func (l *layered) findChanges(records []byte) {
	n := l.length
	xor := l.xor
	clear(xor)
	first := records[:n]
	whole := n &^ 7
	le := binary.LittleEndian
	for at := 0; at < whole; at += 8 {
		want, diff := le.Uint64(first[at:]), uint64(0)
		for p := at; p+8 <= len(records); p += n {
			diff |= le.Uint64(records[p:]) ^ want
		}
		le.PutUint64(xor[at:], diff)
	}
	for at := whole; at < n; at++ {
		want, diff := first[at], byte(0)
		for p := at; p < len(records); p += n {
			diff |= records[p] ^ want
		}
		xor[at] = diff
	}
}

// changes tells whether the field of a layer changes within the chunk.
func (l *layered) changes(y layer, at int) bool {
	xor := l.xor[at:]
	differs := func(from, to int) bool {
		for _, b := range xor[from:to] {
			if b != 0 {
				return true
			}
		}
		return false
	}
	switch y := y.(type) {
	case *zLayer:
		return true // LASzip always writes it
	case *intensityLayer:
		return differs(12, 14)
	case *fieldLayer:
		return y.value(xor) != 0
	case *wordLayer:
		return differs(y.offset(), y.offset()+2)
	case *timeLayer:
		return differs(22, 30)
	case *rgbLayer:
		return differs(0, 6)
	case *nirLayer:
		return differs(6, 8)
	case *waveLayer:
		return differs(0, sizeWave)
	case *extraLayer:
		return xor[y.at0] != 0
	}
	return true
}
