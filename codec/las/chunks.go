package las

import (
	"context"
	"encoding/binary"
	"errors"
	"math"

	"slate360.ai/worker/codec/laz"
)

// openChunks reads the laszip record and finds the chunks of a LAZ file.
func (r *Reader) openChunks(ctx context.Context) error {
	h := &r.header
	if err := r.openDescriptor(); err != nil {
		return err
	}
	start := int64(h.PointDataOffset)
	switch r.descriptor.Compressor {
	case compressorNone:
		h.Compressed = false
		return r.openPlain()
	case compressorPointwise:
		return r.openSingleChunk(start)
	case compressorChunked, compressorLayered:
	default:
		return formatErrorf(int64(h.HeaderSize), "LASzip compressor %d is unknown; compress the file again with a current LASzip", r.descriptor.Compressor)
	}
	if h.PointCount == 0 && r.dataEnd(start) < start+16 {
		return nil // some writers end the empty file at once
	}
	table, err := r.tableOffset(start)
	if err != nil {
		r.warnf("%v; the chunks are searched one by one", err)
		return r.walkChunks(ctx, start+8)
	}
	entries, err := r.readTable(table, start+8)
	if err != nil {
		r.warnf("chunk table at byte %d cannot be read (%v); the chunks are searched one by one", table, err)
		return r.walkChunks(ctx, start+8)
	}
	return r.layChunks(entries, start+8, table)
}

// openDescriptor parses the laszip record and tries whether it can be decoded.
func (r *Reader) openDescriptor() error {
	for _, v := range r.vlrs {
		if v.Extended || !v.Is(UserLASzip, RecordLASzip) {
			continue
		}
		d, err := laz.ParseDescriptor(v.Data)
		if err != nil {
			return &FormatError{Offset: int64(r.header.HeaderSize), Msg: "laszip record cannot be read; the file is corrupt, copy it again", Err: err}
		}
		r.descriptor = d
		if d.Compressor == compressorNone {
			return nil
		}
		s, err := r.decoder()
		if err != nil {
			return err
		}
		r.decoders.Put(s)
		return nil
	}
	return formatErrorf(int64(r.header.HeaderSize), "points are compressed, but no laszip record says how; the file is corrupt, copy it again")
}

func (r *Reader) variable() bool { return r.descriptor.ChunkSize == VariableChunks }

// openSingleChunk lays out a file of LASzip's first compressor: one chunk that
// holds all points and has no table.
func (r *Reader) openSingleChunk(start int64) error {
	h := &r.header
	size := r.dataEnd(start) - start
	if h.PointCount == 0 {
		if size > int64(h.PointRecordLength) {
			return formatErrorf(107, "header claims no points, but %d bytes of them follow in one chunk that does not tell their number; write the number into the header", size)
		}
		return nil
	}
	if size <= 0 || h.PointCount > math.MaxUint32 {
		return formatErrorf(start, "header claims %d points in one chunk of %d bytes; the file is corrupt, copy it again", h.PointCount, size)
	}
	r.chunks = []Chunk{{Points: int(h.PointCount), Offset: start, Size: size}}
	c, _, err := r.checkChunk(0)
	if err != nil {
		return err
	}
	// Only decoding tells whether the chunk is whole.
	n, err := r.probe(c, c.Points)
	if err != nil {
		return err
	}
	if n < c.Points {
		r.chunks[0].Points, r.partial = n, 0
		r.setCount(uint64(n))
	}
	return nil
}

// tableOffset gives the place of the chunk table of points that begin at start:
// the first 8 bytes there, or the last 8 of the file where the former are -1
// because the writer could not seek.
func (r *Reader) tableOffset(start int64) (int64, error) {
	var b [8]byte
	if err := r.readFull(b[:], start); err != nil {
		return 0, errors.New("the file ends before its chunk table")
	}
	table := int64(binary.LittleEndian.Uint64(b[:]))
	if table == start {
		return 0, errors.New("chunk table was never written, its writer stopped early")
	}
	if table == -1 {
		if err := r.readFull(b[:], r.size-8); err != nil {
			return 0, err
		}
		table = int64(binary.LittleEndian.Uint64(b[:]))
	}
	if table < start+8 || table > r.size-8 {
		return 0, formatErrorf(start, "chunk table should be at byte %d of a file of %d", table, r.size)
	}
	if err := r.readFull(b[:], table); err != nil {
		return 0, err
	}
	if version := binary.LittleEndian.Uint32(b[:]); version != 0 {
		return 0, formatErrorf(table, "chunk table has version %d instead of 0", version)
	}
	return table, nil
}

// readTable reads the table of the chunks that lie from first up to it.
func (r *Reader) readTable(table, first int64) ([]laz.ChunkEntry, error) {
	// A chunk begins with one whole record, which bounds their number.
	most := int((table-first)/int64(r.header.PointRecordLength)) + 1
	var head [8]byte
	if err := r.readFull(head[:], table); err != nil {
		return nil, err
	}
	claimed := binary.LittleEndian.Uint32(head[4:])
	if int64(claimed) > int64(most) {
		return nil, formatErrorf(table+4, "table claims %d chunks, %d bytes hold at most %d", claimed, table-first, most)
	}
	// An entry is at most two numbers of 32 bits, each with its bit count.
	b := make([]byte, min(r.size-table, 64+16*int64(claimed)))
	if err := r.readFull(b, table); err != nil {
		return nil, err
	}
	entries, _, err := laz.ParseChunkTable(b, r.variable(), most)
	return entries, err
}

// layChunks turns the table into chunks and squares them with the number of
// points that the header claims.
func (r *Reader) layChunks(entries []laz.ChunkEntry, first, table int64) error {
	at, points := first, uint64(0)
	r.chunks = make([]Chunk, 0, len(entries))
	for i, e := range entries {
		if e.Bytes > uint64(table-at) {
			r.warnf("chunk table gives chunk %d of %d %d bytes, %d are left; it and what follows is left out", i, len(entries), e.Bytes, table-at)
			break
		}
		c := Chunk{First: points, Points: int(r.descriptor.ChunkSize), Offset: at, Size: int64(e.Bytes)}
		if r.variable() {
			c.Points = int(e.Points)
		}
		r.chunks = append(r.chunks, c)
		points += uint64(c.Points)
		at += c.Size
	}
	if len(r.chunks) > 0 && !r.variable() {
		n, err := r.lastChunkPoints(len(r.chunks) == len(entries))
		if err != nil {
			return err
		}
		last := &r.chunks[len(r.chunks)-1]
		points -= uint64(last.Points - n)
		last.Points = n
	}
	r.setCount(points)
	return nil
}

// lastChunkPoints finds how many points the last chunk of a file with chunks of
// equal size has: from the header where that is possible, else from the chunk.
func (r *Reader) lastChunkPoints(whole bool) (int, error) {
	h := &r.header
	i := len(r.chunks) - 1
	c := r.chunks[i]
	left := int64(h.PointCount - c.First)
	fits := h.PointCount > c.First && left <= int64(c.Points)
	if r.descriptor.Compressor == compressorLayered {
		n, _, err := r.layeredChunk(c.Offset, c.Offset+c.Size)
		if err == nil && n <= c.Points {
			return n, nil
		}
	}
	if fits || !whole {
		return int(min(max(left, 0), int64(c.Points))), nil
	}
	// Point-wise: decode until its bytes are used up.
	n, err := r.probe(c, min(c.Points, r.maxChunkPoints(c.Size)))
	if err != nil {
		return 0, err
	}
	if n < c.Points {
		r.partial = i
	}
	return n, nil
}

// setCount compares the points of the chunks with what the header claims.
func (r *Reader) setCount(points uint64) {
	h := &r.header
	switch {
	case h.PointCount > points:
		r.warnf("header claims %d points, the file holds %d; the others are missing", h.PointCount, points)
	case h.PointCount < points:
		r.warnf("header claims %d points, the chunks hold %d; took all", h.PointCount, points)
	}
	h.PointCount = points
}

// maxChunkPoints bounds the points that may be decoded from size bytes.
func (r *Reader) maxChunkPoints(size int64) int {
	bytes := min(r.limits.MaxChunkBytes, max(freeChunkBytes, size*maxExpansion))
	return int(bytes / int64(r.layout.Length))
}

// probe decodes up to want points from the bytes of a point-wise chunk and gives
// the number that came out before the bytes were used up.
func (r *Reader) probe(c Chunk, want int) (int, error) {
	d, err := r.decoder()
	if err != nil {
		return 0, err
	}
	defer r.decoders.Put(d)
	if d.raw, err = r.readRaw(c, d.raw); err != nil {
		return 0, err
	}
	n, _ := d.laz.DecodePartial(make([]byte, want*r.layout.Length), d.raw, want)
	return n, nil
}
