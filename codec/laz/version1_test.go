package laz

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// The encoders of item versions 1 exist for this test alone. That the decoders
// agree with LASzip 1.2 was checked with files of that time, which are not ours to
// ship; what is held here is that the two directions mirror each other.

// encodeV1 codes a chunk of formats 0 to 3 with extra bytes.
func encodeV1(format uint8, records []byte, length int) []byte {
	s := newModels(false)
	point := newPoint10v1(s)
	point.reset(records)
	gps, rgb := newGPSTime11v1(s), newRGB12v1(s)
	extra := newBytesV1(s, length-baseLength[format])
	first := split(format, records[:length])
	extra.reset(first.extra)
	if first.gps != nil {
		gps.reset(first.gps)
	}
	if first.rgb != nil {
		rgb.reset(first.rgb)
	}
	var e rangeEncoder
	e.init(bytes.Clone(records[:length]))
	for at := length; at < len(records); at += length {
		f := split(format, records[at:at+length])
		encodePoint10v1(point, &e, f.rec)
		if f.gps != nil {
			encodeGPSTime11v1(gps, &e, int64(binary.LittleEndian.Uint64(f.gps)))
		}
		if f.rgb != nil {
			encodeRGB12v1(rgb, &e, f.rgb)
		}
		for i, v := range f.extra {
			extra.value.encode(&e, int32(extra.last[i]), int32(v), uint32(i))
			extra.last[i] = v
		}
	}
	return e.done()
}

func encodePoint10v1(p *point10v1, e *rangeEncoder, now []byte) {
	le := binary.LittleEndian
	last := p.last[:]
	diff := func(at int) int32 { return int32(le.Uint32(now[at:]) - le.Uint32(last[at:])) }
	p.dx.encode(e, median3(&p.xDiff), diff(0), 0)
	p.dy.encode(e, median3(&p.yDiff), diff(4), min(p.dx.k, 19))
	k := (p.dx.k + p.dy.k) / 2
	p.z.encode(e, int32(le.Uint32(last[8:])), int32(le.Uint32(now[8:])), min(k, 19))
	p.xDiff[p.next], p.yDiff[p.next] = diff(0), diff(4)
	p.next = (p.next + 1) % 3

	intensity, source := le.Uint16(now[12:]), le.Uint16(now[18:])
	changed := uint32(0)
	for bit, differs := range []bool{
		source != le.Uint16(last[18:]), now[17] != last[17], now[16] != last[16],
		now[15] != last[15], now[14] != last[14], intensity != le.Uint16(last[12:]),
	} {
		if differs {
			changed |= 1 << bit
		}
	}
	e.symbol(&p.changed, changed)
	if changed&32 != 0 {
		p.inten.encode(e, int32(le.Uint16(last[12:])), int32(intensity), 0)
	}
	if changed&16 != 0 {
		e.symbol(p.flags.get(last[14]), uint32(now[14]))
	}
	if changed&8 != 0 {
		e.symbol(p.class.get(last[15]), uint32(now[15]))
	}
	if changed&4 != 0 {
		context := uint32(0)
		if k < 3 {
			context = 1
		}
		p.angle.encode(e, int32(last[16]), int32(now[16]), context)
	}
	if changed&2 != 0 {
		e.symbol(p.user.get(last[17]), uint32(now[17]))
	}
	if changed&1 != 0 {
		p.source.encode(e, int32(le.Uint16(last[18:])), int32(source), 0)
	}
	copy(last, now)
}

func encodeGPSTime11v1(g *gpsTime11v1, e *rangeEncoder, time int64) {
	step := time - g.time
	small := step == int64(int32(step))
	switch {
	case g.diff == 0 && step == 0:
		e.symbol(&g.zero, 0)
	case g.diff == 0 && small:
		e.symbol(&g.zero, 1)
		g.value.encode(e, 0, int32(step), 0)
		g.diff = int32(step)
	case g.diff == 0:
		e.symbol(&g.zero, 2)
		e.raw64(uint64(time))
	case step == 0:
		e.symbol(&g.multi, gpsMultiMax-1)
	case !small:
		e.symbol(&g.multi, gpsMultiMax-2)
		e.raw64(uint64(time))
	default:
		encodeMultipleV1(g, e, int32(step))
	}
	g.time = time
}

func encodeMultipleV1(g *gpsTime11v1, e *rangeEncoder, step int32) {
	code := int32(max(0, min(int64(step)/int64(g.diff), gpsMultiMax-3)))
	e.symbol(&g.multi, uint32(code))
	switch {
	case code == 1:
		g.value.encode(e, g.diff, step, 1)
		g.diff, g.extreme = step, 0
	case code == 0:
		g.value.encode(e, g.diff/4, step, 2)
		g.countExtreme(step)
	case code < 10:
		g.value.encode(e, code*g.diff, step, 3)
	case code < 50:
		g.value.encode(e, code*g.diff, step, 4)
	default:
		g.value.encode(e, code*g.diff, step, 5)
		if code == gpsMultiMax-3 {
			g.countExtreme(step)
		}
	}
}

func encodeRGB12v1(r *rgb12v1, e *rangeEncoder, now []byte) {
	used := uint32(0)
	for i, v := range now {
		if v != r.last[i] {
			used |= 1 << i
		}
	}
	e.symbol(&r.used, used)
	for i, v := range now {
		if v != r.last[i] {
			r.value.encode(e, int32(r.last[i]), int32(v), uint32(i))
		}
	}
	copy(r.last[:], now)
}

func TestVersion1(t *testing.T) {
	for format := uint8(0); format <= 3; format++ {
		const extra, n = 3, 1500
		length := baseLength[format] + extra
		d, err := NewDescriptor(format, length, 50000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Items {
			d.Items[i].Version = 1
		}
		d.Compressor = CompressorPointwise
		decoder, err := NewDescriptorDecoder(d, length)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scenes {
			records := makeRecords(s, format, extra, n)
			got := make([]byte, len(records))
			if err := decoder.Decode(got, encodeV1(format, records, length), n); err != nil || !bytes.Equal(got, records) {
				t.Errorf("format %d, %s: %v, %s", format, s.name, err, firstDifference(got, records, length))
			}
		}
	}
}
