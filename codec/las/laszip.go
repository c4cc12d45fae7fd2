package las

import (
	"fmt"

	"slate360.ai/worker/codec/laz"
)

// Compressors of the laszip record.
const (
	compressorNone      = 0 // records as in LAS
	compressorPointwise = 1 // one chunk without a table
	compressorChunked   = 2 // point-wise chunks, formats 0 to 5
	compressorLayered   = 3 // layered chunks, formats 6 to 10
)

// DefaultChunkSize is LASzip's own number of points in a chunk, which every
// reader of LAZ is tuned to.
const DefaultChunkSize = 50000

// VariableChunks as chunk size says that the chunk table holds the number of
// points of every chunk.
const VariableChunks = 0xFFFFFFFF

// LaszipVLR gives the "laszip encoded" record that a LAZ file of this format and
// record length needs; chunkSize is points a chunk, or VariableChunks.
func LaszipVLR(format uint8, recordLength int, chunkSize uint32) (VLR, error) {
	d, err := laz.NewDescriptor(format, recordLength, chunkSize)
	if err != nil {
		return VLR{}, fmt.Errorf("las: describing the compression of format %d: %w", format, err)
	}
	return VLR{
		UserID:      UserLASzip,
		RecordID:    RecordLASzip,
		Description: "LASzip chunked compression",
		Data:        d.Append(nil),
	}, nil
}

// withLaszip gives vlrs with the laszip record that fits the header: in place of
// the one in vlrs, or behind the others in front of the points. chunkSize 0 takes
// that of the record in vlrs, or the default. Uncompressed files get none.
func withLaszip(h *Header, vlrs []VLR, chunkSize uint32) ([]VLR, uint32, error) {
	out := make([]VLR, 0, len(vlrs)+1)
	place := -1
	for _, v := range vlrs {
		if !v.Extended && v.Is(UserLASzip, RecordLASzip) {
			if place < 0 && h.Compressed {
				place = len(out)
				out = append(out, v)
			}
			continue
		}
		out = append(out, v)
	}
	if !h.Compressed {
		return out, 0, nil
	}
	if place < 0 {
		place = len(out)
		out = append(out, VLR{})
	} else if d, err := laz.ParseDescriptor(out[place].Data); err == nil && chunkSize == 0 && d.Compressor >= compressorChunked {
		chunkSize = d.ChunkSize
	}
	if chunkSize == 0 {
		chunkSize = DefaultChunkSize
	}
	v, err := LaszipVLR(h.PointFormat, int(h.PointRecordLength), chunkSize)
	if err != nil {
		return nil, 0, err
	}
	out[place] = v
	return out, chunkSize, nil
}
