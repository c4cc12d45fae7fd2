package las

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// Sizes of the public header block: LAS 1.0 to 1.2, 1.3, 1.4.
const (
	headerSize12 = 227
	headerSize13 = 235
	headerSize14 = 375
)

// Bits of Header.GlobalEncoding (LAS 1.4 R15, table 4).
const (
	EncodingAdjustedGPSTime  = 1 << 0 // GPS time is adjusted standard time, else week time
	EncodingInternalWaveform = 1 << 1 // waveform packets are in this file (deprecated by 1.4)
	EncodingExternalWaveform = 1 << 2 // waveform packets are in a .wdp file beside it
	EncodingSyntheticReturns = 1 << 3 // return numbers were made up
	EncodingWKT              = 1 << 4 // the coordinate system is given as WKT
)

// lazFormatBits are set in the point data record format byte by LASzip: bit 7
// marks compression, bit 6 was used for it by an early version.
const lazFormatBits = 0xC0

// Header is the public header block. Min and Max are real coordinates; Scale
// and Offset turn the integers of the records into them (real = x*Scale+Offset).
type Header struct {
	FileSourceID, GlobalEncoding         uint16
	GUID                                 [16]byte
	VersionMajor, VersionMinor           uint8
	SystemIdentifier, GeneratingSoftware string // at most 32 bytes each
	CreationDay, CreationYear            uint16
	HeaderSize                           uint16
	PointDataOffset                      uint32
	PointFormat                          uint8 // 0..10, without the LAZ bits
	Compressed                           bool  // LAZ
	PointRecordLength                    uint16
	PointCount                           uint64
	PointsByReturn                       [15]uint64
	Scale, Offset, Min, Max              [3]float64
	WaveformOffset                       uint64 // of the record that holds waveform packets, 0 without
	EVLROffset                           uint64
	EVLRCount                            uint32

	vlrCount    uint32 // as claimed by the file
	legacyCount uint32 // as claimed by the file
	extra       string // bytes that the file's header has beyond the standard, kept when rewriting
}

// standardHeaderSize is the size of the header block of a version 1.minor.
func standardHeaderSize(minor uint8) int {
	switch {
	case minor >= 4:
		return headerSize14
	case minor == 3:
		return headerSize13
	}
	return headerSize12
}

// fieldsSize is the part of the block that holds the standard fields: that of the
// version, or less where the header says that it ends before (writers that raised
// the version of an older header).
func (h *Header) fieldsSize() int {
	size := standardHeaderSize(h.VersionMinor)
	if h.HeaderSize >= headerSize12 {
		size = min(size, int(h.HeaderSize))
	}
	return size
}

// ParseHeader reads the public header block at the start of a file. b must hold
// the whole block: 375 bytes are enough for every version, bytes beyond the
// standard size are kept where b has them. Values are taken as they stand; a
// Reader repairs them. The errors are ErrNotLAS and *FormatError.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	if len(b) < 4 || string(b[:4]) != "LASF" {
		return h, ErrNotLAS
	}
	if len(b) < headerSize12 {
		return h, formatErrorf(int64(len(b)), "file ends inside the %d-byte header; it was cut off, copy it again", headerSize12)
	}
	le := binary.LittleEndian
	h.FileSourceID = le.Uint16(b[4:])
	h.GlobalEncoding = le.Uint16(b[6:])
	copy(h.GUID[:], b[8:24])
	h.VersionMajor, h.VersionMinor = b[24], b[25]
	h.SystemIdentifier = cString(b[26:58])
	h.GeneratingSoftware = cString(b[58:90])
	h.CreationDay = le.Uint16(b[90:])
	h.CreationYear = le.Uint16(b[92:])
	h.HeaderSize = le.Uint16(b[94:])
	h.PointDataOffset = le.Uint32(b[96:])
	h.vlrCount = le.Uint32(b[100:])
	format := b[104]
	h.Compressed = format&lazFormatBits != 0
	h.PointFormat = format &^ lazFormatBits
	h.PointRecordLength = le.Uint16(b[105:])
	h.legacyCount = le.Uint32(b[107:])
	h.PointCount = uint64(h.legacyCount)
	for i := range 5 {
		h.PointsByReturn[i] = uint64(le.Uint32(b[111+4*i:]))
	}
	f64 := func(at int) float64 { return math.Float64frombits(le.Uint64(b[at:])) }
	for i := range 3 {
		h.Scale[i] = f64(131 + 8*i)
		h.Offset[i] = f64(155 + 8*i)
		h.Max[i] = f64(179 + 16*i)
		h.Min[i] = f64(187 + 16*i)
	}
	if h.VersionMajor != 1 || h.VersionMinor > 4 {
		return h, formatErrorf(24, "version %d.%d is unknown; versions 1.0 to 1.4 are read", h.VersionMajor, h.VersionMinor)
	}
	if _, err := NewLayout(h.PointFormat, int(h.PointRecordLength)); err != nil {
		return h, &FormatError{Offset: 104, Msg: "point data record format cannot be read", Err: err}
	}
	size := h.fieldsSize()
	if len(b) < size {
		return h, formatErrorf(int64(len(b)), "file ends inside the %d-byte header of version 1.%d; it was cut off, copy it again", size, h.VersionMinor)
	}
	if size >= headerSize13 {
		h.WaveformOffset = le.Uint64(b[227:])
	}
	if size >= headerSize14 {
		h.EVLROffset = le.Uint64(b[235:])
		h.EVLRCount = le.Uint32(b[243:])
		h.parseCounts14(b)
	}
	if int(h.HeaderSize) > size && len(b) >= int(h.HeaderSize) {
		h.extra = string(b[size:h.HeaderSize])
	}
	return h, nil
}

// parseCounts14 takes the 64-bit counts of LAS 1.4, unless only the legacy ones
// were filled in (seen from writers that patch an older header).
func (h *Header) parseCounts14(b []byte) {
	le := binary.LittleEndian
	count := le.Uint64(b[247:])
	if count == 0 && h.legacyCount != 0 {
		return
	}
	h.PointCount = count
	for i := range h.PointsByReturn {
		h.PointsByReturn[i] = le.Uint64(b[255+8*i:])
	}
}

// appendHeader appends the block as it stands; vlrCount goes in beside it.
// HeaderSize must be at least the standard size of the version.
func appendHeader(dst []byte, h *Header, vlrCount uint32) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, h.HeaderSize)...)
	b := dst[start:]
	le := binary.LittleEndian
	copy(b, "LASF")
	le.PutUint16(b[4:], h.FileSourceID)
	le.PutUint16(b[6:], h.GlobalEncoding)
	copy(b[8:24], h.GUID[:])
	b[24], b[25] = h.VersionMajor, h.VersionMinor
	copy(b[26:58], h.SystemIdentifier)
	copy(b[58:90], h.GeneratingSoftware)
	le.PutUint16(b[90:], h.CreationDay)
	le.PutUint16(b[92:], h.CreationYear)
	le.PutUint16(b[94:], h.HeaderSize)
	le.PutUint32(b[96:], h.PointDataOffset)
	le.PutUint32(b[100:], vlrCount)
	b[104] = h.PointFormat
	if h.Compressed {
		b[104] |= 0x80
	}
	le.PutUint16(b[105:], h.PointRecordLength)
	if h.legacyCountable() {
		le.PutUint32(b[107:], uint32(h.PointCount))
		for i := range 5 {
			le.PutUint32(b[111+4*i:], uint32(min(h.PointsByReturn[i], math.MaxUint32)))
		}
	}
	f64 := func(at int, v float64) { le.PutUint64(b[at:], math.Float64bits(v)) }
	for i := range 3 {
		f64(131+8*i, h.Scale[i])
		f64(155+8*i, h.Offset[i])
		f64(179+16*i, h.Max[i])
		f64(187+16*i, h.Min[i])
	}
	size := standardHeaderSize(h.VersionMinor)
	if size >= headerSize13 {
		le.PutUint64(b[227:], h.WaveformOffset)
	}
	if size >= headerSize14 {
		le.PutUint64(b[235:], h.EVLROffset)
		le.PutUint32(b[243:], h.EVLRCount)
		le.PutUint64(b[247:], h.PointCount)
		for i, n := range h.PointsByReturn {
			le.PutUint64(b[255+8*i:], n)
		}
	}
	copy(b[size:], h.extra)
	return dst
}

// legacyCountable says whether the 32-bit counts are to be filled: LAS 1.4 wants
// them zero for formats 6 to 10 and for more points than they can hold.
func (h *Header) legacyCountable() bool {
	return h.PointFormat < 6 && h.PointCount <= math.MaxUint32
}

// prepare checks a header that is to be written and fills in what follows from
// the rest: version (1.4 where none is given), header size, record length.
func (h *Header) prepare() (Layout, error) {
	if h.VersionMajor == 0 && h.VersionMinor == 0 {
		h.VersionMajor, h.VersionMinor = 1, 4
	}
	if h.VersionMajor != 1 || h.VersionMinor > 4 {
		return Layout{}, fmt.Errorf("las: version %d.%d cannot be written; use 1.0 to 1.4", h.VersionMajor, h.VersionMinor)
	}
	if least := leastMinor(h.PointFormat); h.VersionMinor < least {
		return Layout{}, fmt.Errorf("las: point data record format %d needs version 1.%d, the header says 1.%d",
			h.PointFormat, least, h.VersionMinor)
	}
	if h.PointRecordLength == 0 && h.PointFormat <= 10 {
		h.PointRecordLength = uint16(minRecordLength(h.PointFormat))
	}
	l, err := NewLayout(h.PointFormat, int(h.PointRecordLength))
	if err != nil {
		return l, err
	}
	for i, s := range h.Scale {
		if s == 0 || math.IsNaN(s) || math.IsInf(s, 0) || math.IsNaN(h.Offset[i]) || math.IsInf(h.Offset[i], 0) {
			return l, fmt.Errorf("las: scale %g and offset %g of axis %c give no coordinates; set a finite scale other than 0",
				s, h.Offset[i], "xyz"[i])
		}
	}
	h.HeaderSize = uint16(standardHeaderSize(h.VersionMinor) + len(h.extra))
	return l, nil
}

// leastMinor is the oldest version 1.x that knows a point format.
func leastMinor(format uint8) uint8 {
	switch {
	case format >= 6:
		return 4
	case format >= 4:
		return 3
	case format >= 2:
		return 2
	}
	return 0
}

// cString takes the text of a fixed field up to its first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
