package laz

import (
	"encoding/binary"
	"math"
)

// A ChunkEntry is a line of the chunk table.
type ChunkEntry struct {
	Points uint32 // in tables of chunks of variable size only
	Bytes  uint64 // compressed; less than 2^32
}

// tableHeader is the length of version and number of entries.
const tableHeader = 8

// Contexts of the numbers in a chunk table.
const (
	tablePoints = iota
	tableBytes
)

// AppendChunkTable appends the table of the chunks of a file to dst: version 0,
// number of entries, and the entries compressed. variable says that numbers of
// points are stored.
func AppendChunkTable(dst []byte, entries []ChunkEntry, variable bool) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(entries)))
	if len(entries) == 0 {
		return dst
	}
	m := newIntegerModel(newModels(false), 32, 2)
	var e rangeEncoder
	e.init(dst)
	var last ChunkEntry
	for _, c := range entries {
		if variable {
			m.encode(&e, int32(last.Points), int32(c.Points), tablePoints)
		}
		m.encode(&e, int32(uint32(last.Bytes)), int32(uint32(c.Bytes)), tableBytes)
		last = c
	}
	return e.done()
}

// ParseChunkTable reads a chunk table at the start of b and gives its entries and
// its length in bytes. More than maxEntries are refused, as are entries beyond
// the end of b.
func ParseChunkTable(b []byte, variable bool, maxEntries int) ([]ChunkEntry, int, error) {
	if len(b) < tableHeader {
		return nil, 0, corruptf("chunk table has %d bytes instead of at least %d", len(b), tableHeader)
	}
	if version := binary.LittleEndian.Uint32(b); version != 0 {
		return nil, 0, corruptf("chunk table has version %d instead of 0", version)
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if int64(n) > int64(max(maxEntries, 0)) || int64(n) > math.MaxInt32 {
		return nil, 0, corruptf("chunk table claims %d entries, at most %d are possible", n, maxEntries)
	}
	if n == 0 {
		return nil, tableHeader, nil
	}
	m := newIntegerModel(newModels(true), 32, 2)
	var d rangeDecoder
	d.init(b[tableHeader:])
	// What is claimed is not yet there: entries grow with what is decoded.
	entries := make([]ChunkEntry, 0, min(int(n), 4096))
	var last ChunkEntry
	for i := range n {
		if variable {
			last.Points = uint32(m.decode(&d, int32(last.Points), tablePoints))
		}
		last.Bytes = uint64(uint32(m.decode(&d, int32(uint32(last.Bytes)), tableBytes)))
		if d.bad || d.overrun() > overrunSlack {
			return nil, 0, corruptf("chunk table ends or is invalid after %d of %d entries", i, n)
		}
		entries = append(entries, last)
	}
	return entries, min(tableHeader+d.pos, len(b)), nil
}
