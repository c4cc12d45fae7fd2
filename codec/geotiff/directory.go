package geotiff

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Types of fields and tags.
const (
	typeASCII  = 2
	typeShort  = 3
	typeLong   = 4
	typeBytes  = 7
	typeDouble = 12
	typeLong8  = 16

	tagSubfile      = 254
	tagWidth        = 256
	tagHeight       = 257
	tagBits         = 258
	tagCompression  = 259
	tagPhotometric  = 262
	tagSamples      = 277
	tagPlanar       = 284
	tagPredictor    = 317
	tagTileWidth    = 322
	tagTileHeight   = 323
	tagTileOffsets  = 324
	tagTileSizes    = 325
	tagExtraSamples = 338
	tagSampleFormat = 339
	tagJPEGTables   = 347
	tagSubsampling  = 530
	tagPositioning  = 531
	tagPixelScale   = 33550
	tagTiepoint     = 33922
	tagGeoKeys      = 34735
	tagGeoDoubles   = 34736
	tagGeoASCII     = 34737
	tagNoData       = 42113
)

// Place is where a raster lies.
type Place struct {
	// West and North are the outer corner of the first cell, CellX and CellY the
	// size of a cell, all in the unit of the CRS and positive.
	West, North, CellX, CellY float64
	// Keys of the CRS: directory, doubles and text of the tags 34735 to 34737; nil
	// where it is not known.
	KeyDirectory []uint16
	KeyDoubles   []float64
	KeyASCII     string
}

func (p *Place) check() error {
	if !(p.CellX > 0) || !(p.CellY > 0) || math.IsNaN(p.West+p.North) || math.IsInf(p.West+p.North, 0) {
		return errors.New("geotiff: cells need a size above 0 and a finite corner")
	}
	return nil
}

func (p *Place) fields() []field {
	list := []field{doubles(tagPixelScale, p.CellX, p.CellY, 0), doubles(tagTiepoint, 0, 0, 0, p.West, p.North, 0)}
	if len(p.KeyDirectory) == 0 {
		return list
	}
	list = append(list, shorts(tagGeoKeys, p.KeyDirectory...))
	if len(p.KeyDoubles) > 0 {
		list = append(list, doubles(tagGeoDoubles, p.KeyDoubles...))
	}
	if p.KeyASCII != "" {
		list = append(list, text(tagGeoASCII, p.KeyASCII))
	}
	return list
}

// field is an entry of a directory.
type field struct {
	tag, kind uint16
	count     int
	data      []byte
}

func shorts(tag uint16, v ...uint16) field {
	f := field{tag: tag, kind: typeShort, count: len(v)}
	for _, n := range v {
		f.data = binary.LittleEndian.AppendUint16(f.data, n)
	}
	return f
}

func long(tag uint16, v int) field {
	return field{tag, typeLong, 1, binary.LittleEndian.AppendUint32(nil, uint32(v))}
}

func doubles(tag uint16, v ...float64) field {
	f := field{tag: tag, kind: typeDouble, count: len(v)}
	for _, n := range v {
		f.data = binary.LittleEndian.AppendUint64(f.data, math.Float64bits(n))
	}
	return f
}

func text(tag uint16, s string) field {
	return field{tag, typeASCII, len(s) + 1, append([]byte(s), 0)}
}

// places are offsets or sizes of tiles.
func (f *file) places(tag uint16, v []uint64) field {
	out := field{tag: tag, kind: typeLong, count: len(v)}
	if f.big {
		out.kind = typeLong8
	}
	for _, n := range v {
		if f.big {
			out.data = binary.LittleEndian.AppendUint64(out.data, n)
		} else {
			out.data = binary.LittleEndian.AppendUint32(out.data, uint32(n))
		}
	}
	return out
}

// appendDirectory appends a directory, then the values that do not fit into its
// entries.
func (f *file) appendDirectory(b []byte, fields []field, last bool) []byte {
	entry, inline := 12, 4
	head, tail := 2, 4
	if f.big {
		entry, inline, head, tail = 20, 8, 8, 8
	}
	values := len(b) + head + entry*len(fields) + tail
	values += values & 1
	if f.big {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(fields)))
	} else {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(fields)))
	}
	var extra []byte
	for _, v := range fields {
		b = binary.LittleEndian.AppendUint16(b, v.tag)
		b = binary.LittleEndian.AppendUint16(b, v.kind)
		b = f.word(b, uint64(v.count))
		if len(v.data) <= inline {
			b = append(b, v.data...)
			b = append(b, make([]byte, inline-len(v.data))...)
			continue
		}
		b = f.word(b, uint64(values+len(extra)))
		extra = append(extra, v.data...)
		if len(extra)&1 == 1 {
			extra = append(extra, 0)
		}
	}
	next := uint64(values + len(extra))
	if last {
		next = 0
	}
	b = f.word(b, next)
	for len(b) < values {
		b = append(b, 0)
	}
	return append(b, extra...)
}

// word appends a number of the size of offsets.
func (f *file) word(b []byte, v uint64) []byte {
	if f.big {
		return binary.LittleEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(v))
}

// header is what comes in front of the first directory.
func (f *file) header() []byte {
	if f.big {
		return binary.LittleEndian.AppendUint64([]byte{'I', 'I', 43, 0, 8, 0, 0, 0}, 16)
	}
	return binary.LittleEndian.AppendUint32([]byte{'I', 'I', 42, 0}, 8)
}

// merge puts fields in order of their tags, as directories must be.
func merge(a, b []field) []field {
	list := append(slices.Clone(a), b...)
	slices.SortStableFunc(list, func(x, y field) int { return cmp.Compare(x.tag, y.tag) })
	return list
}
