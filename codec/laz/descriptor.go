package laz

import (
	"encoding/binary"
	"fmt"
)

// Compressors of a laszip record.
const (
	CompressorNone      = 0 // records as in LAS
	CompressorPointwise = 1 // one chunk without a table
	CompressorChunked   = 2 // point-wise chunks
	CompressorLayered   = 3 // layered chunks
)

// VariableChunks as chunk size says that the chunk table holds the number of
// points of every chunk.
const VariableChunks = 0xFFFFFFFF

const (
	descriptorLength = 34 // bytes in front of the items
	itemLength       = 6
)

// A Descriptor is the payload of the record "laszip encoded", number 22204: how
// the points of a file are compressed.
type Descriptor struct {
	Compressor   uint16 // one of the Compressor constants
	Coder        uint16 // 0, arithmetic coding, is the only one
	VersionMajor uint8  // of the LASzip that wrote the file
	VersionMinor uint8
	Revision     uint16
	Options      uint32 // bit 0: formats 6 to 10 stored as 0 to 5 with extra bytes
	ChunkSize    uint32 // points, or VariableChunks
	// SpecialEVLRs is the number of extended records that belong to the
	// compression, SpecialEVLROffset their place; -1 where there are none.
	SpecialEVLRs, SpecialEVLROffset int64
	Items                           []Item
}

// NewDescriptor describes what an Encoder of this format and record length
// writes. chunkSize is in points, or VariableChunks.
func NewDescriptor(format uint8, recordLength int, chunkSize uint32) (Descriptor, error) {
	items, err := itemsOf(format, recordLength)
	if err != nil {
		return Descriptor{}, err
	}
	d := Descriptor{
		Compressor:        CompressorChunked,
		VersionMajor:      3,
		VersionMinor:      4,
		Revision:          3,
		ChunkSize:         chunkSize,
		SpecialEVLRs:      -1,
		SpecialEVLROffset: -1,
		Items:             items,
	}
	if format >= 6 {
		d.Compressor = CompressorLayered
	}
	return d, nil
}

// ParseDescriptor reads the payload of a laszip record. Bytes behind it are
// ignored. Whether it can be decoded is for NewDescriptorDecoder to say.
func ParseDescriptor(b []byte) (Descriptor, error) {
	le := binary.LittleEndian
	if len(b) < descriptorLength {
		return Descriptor{}, corruptf("laszip record has %d bytes instead of at least %d", len(b), descriptorLength)
	}
	n := int(le.Uint16(b[32:]))
	if len(b) < descriptorLength+n*itemLength {
		return Descriptor{}, corruptf("laszip record of %d bytes claims %d items of %d", len(b), n, itemLength)
	}
	d := Descriptor{
		Compressor:        le.Uint16(b),
		Coder:             le.Uint16(b[2:]),
		VersionMajor:      b[4],
		VersionMinor:      b[5],
		Revision:          le.Uint16(b[6:]),
		Options:           le.Uint32(b[8:]),
		ChunkSize:         le.Uint32(b[12:]),
		SpecialEVLRs:      int64(le.Uint64(b[16:])),
		SpecialEVLROffset: int64(le.Uint64(b[24:])),
	}
	if n > 0 {
		d.Items = make([]Item, n)
	}
	for i := range d.Items {
		it := b[descriptorLength+i*itemLength:]
		d.Items[i] = Item{Type: le.Uint16(it), Size: le.Uint16(it[2:]), Version: le.Uint16(it[4:])}
	}
	return d, nil
}

// Append appends the payload of the laszip record to dst.
func (d Descriptor) Append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint16(dst, d.Compressor)
	dst = le.AppendUint16(dst, d.Coder)
	dst = append(dst, d.VersionMajor, d.VersionMinor)
	dst = le.AppendUint16(dst, d.Revision)
	dst = le.AppendUint32(dst, d.Options)
	dst = le.AppendUint32(dst, d.ChunkSize)
	dst = le.AppendUint64(dst, uint64(d.SpecialEVLRs))
	dst = le.AppendUint64(dst, uint64(d.SpecialEVLROffset))
	dst = le.AppendUint16(dst, uint16(len(d.Items)))
	for _, it := range d.Items {
		dst = le.AppendUint16(dst, it.Type)
		dst = le.AppendUint16(dst, it.Size)
		dst = le.AppendUint16(dst, it.Version)
	}
	return dst
}

// check says why the points of a file with records of length bytes cannot be
// decoded.
func (d Descriptor) check(length int) error {
	wrote := fmt.Sprintf("file of LASzip %d.%d", d.VersionMajor, d.VersionMinor)
	layered := d.Compressor == CompressorLayered
	switch {
	case d.Compressor < CompressorPointwise || d.Compressor > CompressorLayered:
		return unsupportedf("%s: compressor %d", wrote, d.Compressor)
	case d.Coder != 0:
		return unsupportedf("%s: entropy coder %d", wrote, d.Coder)
	case len(d.Items) == 0:
		return corruptf("laszip record has no items")
	case itemsLength(d.Items) != length:
		return corruptf("items of the laszip record add up to %d bytes, records have %d", itemsLength(d.Items), length)
	}
	first := uint16(ItemPoint10)
	if layered {
		first = ItemPoint14
	}
	seen := make(map[uint16]bool)
	for i, it := range d.Items {
		if (i == 0) != (it.Type == first) || seen[it.Type] {
			return unsupportedf("%s: item %d of the record is of type %d", wrote, i, it.Type)
		}
		seen[it.Type] = true
		if err := it.check(layered); err != nil {
			return err
		}
	}
	return nil
}

// check says why an item cannot be decoded.
func (it Item) check(layered bool) error {
	size, low, high := uint16(0), uint16(1), uint16(2)
	if layered {
		low, high = 2, 4 // version 2 is that of LASzip's prototype of 3
	}
	known := layered == (it.Type >= ItemPoint14)
	switch it.Type {
	case ItemByte, ItemByte14:
		size = max(1, it.Size)
	case ItemPoint10:
		size = sizePoint10
	case ItemGPSTime11:
		size = sizeGPSTime
	case ItemRGB12, ItemRGB14:
		size = sizeRGB
	case ItemRGBNIR14:
		size = sizeRGBNIR
	case ItemWavePacket13:
		size = sizeWave // there is no version 2, but lazrs writes that number
	case ItemWavePacket14:
		size = sizeWave
	case ItemPoint14:
		size = sizePoint14
	default:
		known = false
	}
	if !known || it.Size != size || it.Version < low || it.Version > high {
		return unsupportedf("item of type %d, size %d, version %d", it.Type, it.Size, it.Version)
	}
	return nil
}
