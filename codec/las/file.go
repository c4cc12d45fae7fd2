package las

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"slate360.ai/worker/codec/laz"
)

// appendFront appends everything in front of the points and sets the header's
// sizes and offset for it. vlrs has no extended records.
func appendFront(dst []byte, h *Header, vlrs []VLR) ([]byte, error) {
	size := int64(h.HeaderSize)
	for i := range vlrs {
		if err := vlrs[i].check(); err != nil {
			return nil, err
		}
		size += vlrHeaderSize + int64(len(vlrs[i].Data))
	}
	if h.VersionMinor == 0 {
		size += 2
	}
	if size > math.MaxUint32 {
		return nil, fmt.Errorf("las: records in front of the points take %d bytes, at most 4 GiB fit; make the large ones Extended", size)
	}
	h.PointDataOffset = uint32(size)
	dst = appendHeader(dst, h, uint32(len(vlrs)))
	for i := range vlrs {
		dst = vlrs[i].appendHeader(dst, uint64(len(vlrs[i].Data)))
		dst = append(dst, vlrs[i].Data...)
	}
	if h.VersionMinor == 0 {
		dst = append(dst, 0xDD, 0xCC) // point data start signature of LAS 1.0
	}
	return dst, nil
}

// front leaves out extended records and puts in the laszip record.
func front(h *Header, vlrs []VLR) ([]VLR, uint32, error) {
	if _, err := h.prepare(); err != nil {
		return nil, 0, err
	}
	all, chunkSize, err := withLaszip(h, vlrs, 0)
	if err != nil {
		return nil, 0, err
	}
	list := all[:0]
	for _, v := range all {
		if !v.Extended {
			list = append(list, v)
		}
	}
	return list, chunkSize, nil
}

// AppendHeader appends the header and the records in front of the points to dst.
// Sizes and the offset of the points are computed, counts, bounds and what lies
// behind the points stand as h has them. A file that h.Compressed says to be LAZ
// gets the laszip record; extended records are left out.
func AppendHeader(dst []byte, h Header, vlrs []VLR) ([]byte, error) {
	list, _, err := front(&h, vlrs)
	if err != nil {
		return nil, err
	}
	return appendFront(dst, &h, list)
}

// AppendFile appends a whole LAZ file of one chunk to dst, as EPT nodes are. The
// chunk holds the points of stats, compressed for the header's format and record
// length by codec/laz; without points it is empty. Extended records, and with
// them waveform packets, are left out.
func AppendFile(dst []byte, h Header, vlrs []VLR, chunk []byte, stats Stats) ([]byte, error) {
	h.Compressed = true
	h.EVLROffset, h.EVLRCount, h.WaveformOffset = 0, 0, 0
	h.GlobalEncoding &^= EncodingInternalWaveform
	stats.apply(&h)
	if stats.Count > math.MaxUint32-1 {
		return nil, fmt.Errorf("las: a chunk holds less than %d points, not %d", uint32(math.MaxUint32), stats.Count)
	}
	if (stats.Count == 0) != (len(chunk) == 0) {
		return nil, errors.New("las: chunk and statistics do not belong together: one is empty")
	}
	list, chunkSize, err := front(&h, vlrs)
	if err != nil {
		return nil, err
	}
	variable := chunkSize == VariableChunks
	if !variable && stats.Count > uint64(chunkSize) {
		for i, v := range list {
			if v.Is(UserLASzip, RecordLASzip) {
				if list[i], err = LaszipVLR(h.PointFormat, int(h.PointRecordLength), uint32(stats.Count)); err != nil {
					return nil, err
				}
			}
		}
	}
	start := len(dst)
	if dst, err = appendFront(dst, &h, list); err != nil {
		return nil, err
	}
	table := len(dst) - start + 8 + len(chunk)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(table))
	dst = append(dst, chunk...)
	var entries []laz.ChunkEntry
	if stats.Count > 0 {
		entries = []laz.ChunkEntry{{Points: uint32(stats.Count), Bytes: uint64(len(chunk))}}
	}
	return laz.AppendChunkTable(dst, entries, variable), nil
}
