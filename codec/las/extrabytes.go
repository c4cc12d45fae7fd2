package las

import (
	"encoding/binary"
	"fmt"
	"math"
)

// extraBytesSize is the size of one descriptor.
const extraBytesSize = 192

// ExtraType is the data type of an extra dimension (LAS 1.4 R15, table 24).
// Types 11 to 20 are arrays of two, 21 to 30 of three of the types 1 to 10;
// both were deprecated in R14 and are still read and written.
type ExtraType uint8

// The types; TypeUndocumented has as many bytes as ExtraBytes.Options says.
const (
	TypeUndocumented ExtraType = iota
	TypeUint8
	TypeInt8
	TypeUint16
	TypeInt16
	TypeUint32
	TypeInt32
	TypeUint64
	TypeInt64
	TypeFloat32
	TypeFloat64

	maxExtraType = 30
)

// Elements is the number of values: 1 to 3, 0 for undocumented bytes.
func (t ExtraType) Elements() int {
	if t == TypeUndocumented || t > maxExtraType {
		return 0
	}
	return int(t-1)/10 + 1
}

// Base is the type of one element.
func (t ExtraType) Base() ExtraType {
	if t == TypeUndocumented || t > maxExtraType {
		return TypeUndocumented
	}
	return (t-1)%10 + 1
}

// elementSize is the size of one element of a base type.
func (t ExtraType) elementSize() int {
	return [11]int{0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8}[t.Base()]
}

// Bits of ExtraBytes.Options (table 25).
const (
	ExtraHasNoData = 1 << 0
	ExtraHasMin    = 1 << 1
	ExtraHasMax    = 1 << 2
	ExtraHasScale  = 1 << 3
	ExtraHasOffset = 1 << 4
)

// ExtraBytes describes one dimension that follows the standard fields of a
// record. NoData, Min and Max hold the 8 bytes of the value as the base type
// widens: an int64, uint64 or float64 (Float64bits).
type ExtraBytes struct {
	Type              ExtraType
	Options           uint8 // bits ExtraHas…; the number of bytes for TypeUndocumented
	Name, Description string
	NoData, Min, Max  [3]uint64
	Scale, Offset     [3]float64
	At                int // offset of the dimension within the record, as set by FindExtraBytes

	reserved [6]byte // of the descriptor as read: bytes 0, 1 and 36 to 39
	rawName  string  // 32 bytes as read
	rawText  string
}

// Size is the number of bytes of the dimension in a record.
func (e *ExtraBytes) Size() int {
	if e.Type == TypeUndocumented {
		return int(e.Options)
	}
	return e.Type.Elements() * e.Type.elementSize()
}

// ParseExtraBytes reads the data of a record LASF_Spec 4: 192 bytes a dimension.
// A part of a descriptor at the end is an error, which comes with the whole ones.
func ParseExtraBytes(data []byte) ([]ExtraBytes, error) {
	var list []ExtraBytes
	for at := 0; at+extraBytesSize <= len(data); at += extraBytesSize {
		e := parseExtraBytes(data[at : at+extraBytesSize])
		if e.Type > maxExtraType {
			return list, fmt.Errorf("las: extra bytes %q: data type %d is unknown; types 0 to 30 are read", e.Name, e.Type)
		}
		list = append(list, e)
	}
	if rest := len(data) % extraBytesSize; rest != 0 {
		return list, fmt.Errorf("las: extra bytes record has %d bytes, not a multiple of %d; its last descriptor is left out", len(data), extraBytesSize)
	}
	return list, nil
}

func parseExtraBytes(b []byte) ExtraBytes {
	le := binary.LittleEndian
	e := ExtraBytes{
		Type: ExtraType(b[2]), Options: b[3],
		Name: cString(b[4:36]), Description: cString(b[160:192]),
		rawName: string(b[4:36]), rawText: string(b[160:192]),
	}
	copy(e.reserved[:2], b[:2])
	copy(e.reserved[2:], b[36:40])
	for i := range 3 {
		e.NoData[i] = le.Uint64(b[40+8*i:])
		e.Min[i] = le.Uint64(b[64+8*i:])
		e.Max[i] = le.Uint64(b[88+8*i:])
		e.Scale[i] = math.Float64frombits(le.Uint64(b[112+8*i:]))
		e.Offset[i] = math.Float64frombits(le.Uint64(b[136+8*i:]))
	}
	return e
}

// Append appends the 192-byte descriptor. Names and descriptions longer than 32
// bytes are cut.
func (e *ExtraBytes) Append(dst []byte) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = append(dst, make([]byte, extraBytesSize)...)
	b := dst[start:]
	copy(b[:2], e.reserved[:2])
	b[2], b[3] = uint8(e.Type), e.Options
	copyText(b[4:36], e.Name, e.rawName)
	copy(b[36:40], e.reserved[2:])
	for i := range 3 {
		le.PutUint64(b[40+8*i:], e.NoData[i])
		le.PutUint64(b[64+8*i:], e.Min[i])
		le.PutUint64(b[88+8*i:], e.Max[i])
		le.PutUint64(b[112+8*i:], math.Float64bits(e.Scale[i]))
		le.PutUint64(b[136+8*i:], math.Float64bits(e.Offset[i]))
	}
	copyText(b[160:], e.Description, e.rawText)
	return dst
}

// copyText fills a fixed field with text, or with the bytes it was read from
// while the text is still theirs.
func copyText(dst []byte, text, raw string) {
	if raw != "" && cString([]byte(raw)) == text {
		text = raw
	}
	copy(dst, text)
}

// ExtraBytesVLR gives the record LASF_Spec 4 that describes the dimensions, in
// the order in which they stand in the records.
func ExtraBytesVLR(list []ExtraBytes) VLR {
	v := VLR{UserID: UserSpec, RecordID: RecordExtraBytes, Description: "Extra Bytes Record"}
	for i := range list {
		v.Data = list[i].Append(v.Data)
	}
	v.Extended = len(v.Data) > math.MaxUint16
	return v
}

// FindExtraBytes gives the described extra dimensions of records of layout l, At
// filled in. Bytes behind the described ones have no entry. Descriptors that the
// records have no room for are left out and told as an error, which comes with
// the others.
func FindExtraBytes(vlrs []VLR, l Layout) ([]ExtraBytes, error) {
	for _, v := range vlrs {
		if !v.Is(UserSpec, RecordExtraBytes) {
			continue
		}
		list, err := ParseExtraBytes(v.Data)
		at := 0
		for i := range list {
			size := list[i].Size()
			if at+size > l.ExtraLen {
				return list[:i], fmt.Errorf("las: extra bytes %q need %d bytes, records have %d; it and what follows is left out",
					list[i].Name, at+size, l.ExtraLen)
			}
			list[i].At = l.Extra + at
			at += size
		}
		return list, err
	}
	return nil, nil
}

// Raw gives element i of the dimension in a record, widened to 8 bytes as NoData
// is; i must be below Type.Elements().
func (e *ExtraBytes) Raw(rec []byte, i int) uint64 {
	le := binary.LittleEndian
	base := e.Type.Base()
	p := rec[e.At+i*base.elementSize():]
	switch base {
	case TypeUint8:
		return uint64(p[0])
	case TypeInt8:
		return uint64(int64(int8(p[0])))
	case TypeUint16:
		return uint64(le.Uint16(p))
	case TypeInt16:
		return uint64(int64(int16(le.Uint16(p))))
	case TypeUint32:
		return uint64(le.Uint32(p))
	case TypeInt32:
		return uint64(int64(int32(le.Uint32(p))))
	case TypeUint64, TypeInt64, TypeFloat64:
		return le.Uint64(p)
	case TypeFloat32:
		return math.Float64bits(float64(math.Float32frombits(le.Uint32(p))))
	}
	return 0
}

// SetRaw stores what Raw gives; integers are cut to the width of the type.
func (e *ExtraBytes) SetRaw(rec []byte, i int, v uint64) {
	le := binary.LittleEndian
	base := e.Type.Base()
	p := rec[e.At+i*base.elementSize():]
	switch base {
	case TypeUint8, TypeInt8:
		p[0] = uint8(v)
	case TypeUint16, TypeInt16:
		le.PutUint16(p, uint16(v))
	case TypeUint32, TypeInt32:
		le.PutUint32(p, uint32(v))
	case TypeUint64, TypeInt64, TypeFloat64:
		le.PutUint64(p, v)
	case TypeFloat32:
		le.PutUint32(p, math.Float32bits(float32(math.Float64frombits(v))))
	}
}

// Value gives element i of the dimension in a record with scale and offset
// applied; ok is false where it is the dimension's no-data value.
func (e *ExtraBytes) Value(rec []byte, i int) (v float64, ok bool) {
	raw := e.Raw(rec, i)
	if e.Type != TypeUndocumented && e.Options&ExtraHasNoData != 0 && raw == e.NoData[i] {
		return 0, false
	}
	return e.scaled(raw, i), true
}

// Range gives the bounds of element i that the descriptor states, with scale and
// offset applied; ok is false where it states none.
func (e *ExtraBytes) Range(i int) (lo, hi float64, ok bool) {
	if e.Type == TypeUndocumented || e.Options&(ExtraHasMin|ExtraHasMax) != ExtraHasMin|ExtraHasMax {
		return 0, 0, false
	}
	return e.scaled(e.Min[i], i), e.scaled(e.Max[i], i), true
}

func (e *ExtraBytes) scaled(raw uint64, i int) float64 {
	var v float64
	switch e.Type.Base() {
	case TypeFloat32, TypeFloat64:
		v = math.Float64frombits(raw)
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		v = float64(int64(raw))
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		v = float64(raw)
	}
	if e.Options&ExtraHasScale != 0 {
		v *= e.Scale[i]
	}
	if e.Options&ExtraHasOffset != 0 {
		v += e.Offset[i]
	}
	return v
}
