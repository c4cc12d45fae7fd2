package las

import (
	"context"
	"io"
	"math"
)

// open reads header, records and the place of the points, repairing as it goes.
func (r *Reader) open(ctx context.Context) error {
	if err := r.openHeader(); err != nil {
		return err
	}
	if err := r.openEVLRs(); err != nil {
		return err
	}
	ends, complete, err := r.openVLRs()
	if err != nil {
		return err
	}
	if err := r.placePoints(ends, complete); err != nil {
		return err
	}
	if r.header.Compressed {
		err = r.openChunks(ctx)
	} else {
		err = r.openPlain()
	}
	if err != nil {
		return err
	}
	return r.repairBounds(ctx)
}

func (r *Reader) openHeader() error {
	head := make([]byte, min(r.size, headerSize14))
	if err := r.readFull(head, 0); err != nil {
		return err
	}
	h, err := ParseHeader(head)
	if err != nil {
		return err
	}
	standard := standardHeaderSize(h.VersionMinor)
	switch {
	case h.HeaderSize < headerSize12:
		r.warnf("header size %d is impossible, took the %d bytes of version 1.%d", h.HeaderSize, standard, h.VersionMinor)
		h.HeaderSize = uint16(standard)
	case int(h.HeaderSize) < standard:
		r.warnf("header has %d bytes, version 1.%d wants %d; fields beyond are taken as absent", h.HeaderSize, h.VersionMinor, standard)
	case int64(h.HeaderSize) > r.size:
		return formatErrorf(94, "header claims %d bytes, the file has %d; it was cut off, copy it again", h.HeaderSize, r.size)
	case int(h.HeaderSize) > standard:
		extra := make([]byte, int(h.HeaderSize)-standard)
		if err := r.readFull(extra, int64(standard)); err != nil {
			return err
		}
		h.extra = string(extra)
	}
	for i := range 3 {
		if s := h.Scale[i]; s == 0 || math.IsNaN(s) || math.IsInf(s, 0) {
			return formatErrorf(int64(131+8*i), "scale factor of %c is %g, which gives no coordinates; write the file again with a scale such as 0.001", "xyz"[i], s)
		}
		if o := h.Offset[i]; math.IsNaN(o) || math.IsInf(o, 0) {
			return formatErrorf(int64(155+8*i), "offset of %c is %g, which gives no coordinates; write the file again with a finite offset", "xyz"[i], o)
		}
	}
	if l := uint64(h.legacyCount); l != 0 && l != h.PointCount && h.PointFormat < 6 && h.PointCount <= math.MaxUint32 {
		r.warnf("header has two numbers of points, %d and %d (32 bits); took the first", h.PointCount, l)
	}
	r.header = h
	r.layout, err = NewLayout(h.PointFormat, int(h.PointRecordLength))
	return err
}

// openEVLRs reads the extended records: the list of LAS 1.4, or without one the
// waveform record that LAS 1.3 points to. What is wrong with them costs no points.
func (r *Reader) openEVLRs() error {
	h := &r.header
	at, count := h.EVLROffset, h.EVLRCount
	if count == 0 && h.GlobalEncoding&EncodingInternalWaveform != 0 && h.WaveformOffset != 0 {
		at, count = h.WaveformOffset, 1
	}
	if count == 0 {
		return nil
	}
	if at < uint64(h.HeaderSize) || at > uint64(r.size) {
		r.warnf("extended records should be at byte %d of a file of %d; they are left out", at, r.size)
		h.EVLROffset, h.EVLRCount = 0, 0
		return nil
	}
	list, _, complete, err := r.readRecords(int64(at), r.size, count, true)
	if err != nil {
		return err
	}
	if !complete {
		r.warnf("header claims %d extended records, %d are whole; the others are left out", count, len(list))
	}
	r.vlrs = list
	return nil
}

// openVLRs reads the records between header and points and puts them in front of
// the extended ones. ends holds the end of each in the file; complete is false
// where the file has fewer than the header claims.
func (r *Reader) openVLRs() (ends []int64, complete bool, err error) {
	h := &r.header
	list, ends, complete, err := r.readRecords(int64(h.HeaderSize), r.size, h.vlrCount, false)
	if err != nil {
		return nil, false, err
	}
	r.vlrs = append(list, r.vlrs...)
	return ends, complete, nil
}

// readRecords reads up to count records from at on, none beyond limit.
func (r *Reader) readRecords(at, limit int64, count uint32, extended bool) (list []VLR, ends []int64, complete bool, err error) {
	size := int64(vlrHeaderSize)
	if extended {
		size = evlrHeaderSize
	}
	// Records lie close together: one read brings the headers of many.
	in := &windowReader{src: r, window: make([]byte, 0, 64<<10)}
	loaded := int64(0)
	for i := range count {
		if int(i) >= r.limits.MaxRecords {
			r.warnf("header claims %d records, only %d are read", count, i)
			return list, ends, false, nil
		}
		if at+size > limit {
			return list, ends, false, nil
		}
		head, err := in.bytes(at, int(size))
		if err != nil {
			return nil, nil, false, err
		}
		v, length := parseVLRHeader(head, extended)
		if length > uint64(limit-at-size) {
			return list, ends, false, nil
		}
		from := at + size
		at = from + int64(length)
		if v.Is(UserSpec, RecordWaveform) {
			r.waveform = io.NewSectionReader(r.src, from, int64(length))
		}
		if int64(length) > r.limits.MaxRecordBytes || loaded+int64(length) > 4*r.limits.MaxRecordBytes {
			r.warnf("record %q/%d has %d bytes, more than Limits.MaxRecordBytes allows; it is left out", v.UserID, v.RecordID, length)
			continue
		}
		loaded += int64(length)
		if v.Data, err = in.copy(from, int(length)); err != nil {
			return nil, nil, false, err
		}
		list = append(list, v)
		ends = append(ends, at)
	}
	return list, ends, true, nil
}

// windowReader reads small pieces of a file through one larger buffer.
type windowReader struct {
	src    *Reader
	window []byte
	start  int64
}

// bytes gives n bytes at an offset that lies in the file; valid until the next call.
func (w *windowReader) bytes(at int64, n int) ([]byte, error) {
	if at < w.start || at+int64(n) > w.start+int64(len(w.window)) {
		w.window = w.window[:min(int64(cap(w.window)), w.src.size-at)]
		w.start = at
		if err := w.src.readFull(w.window, at); err != nil {
			return nil, err
		}
	}
	return w.window[at-w.start:][:n], nil
}

func (w *windowReader) copy(at int64, n int) ([]byte, error) {
	out := make([]byte, n)
	if n > cap(w.window) {
		return out, w.src.readFull(out, at)
	}
	b, err := w.bytes(at, n)
	copy(out, b)
	return out, err
}

// dataEnd is where the point data end at the latest: the first thing that the
// header places behind them, or the end of the file.
func (r *Reader) dataEnd(from int64) int64 {
	end := r.size
	h := &r.header
	if at := h.EVLROffset; h.EVLRCount > 0 && at >= uint64(from) && at < uint64(end) {
		end = int64(at)
	}
	if at := h.WaveformOffset; h.GlobalEncoding&EncodingInternalWaveform != 0 && at >= uint64(from) && at < uint64(end) {
		end = int64(at)
	}
	return end
}

// placePoints checks the offset of the points against the records in front of
// them and decides which of the two is wrong where they collide.
func (r *Reader) placePoints(ends []int64, complete bool) error {
	h := &r.header
	start, behind := int64(h.PointDataOffset), int64(h.HeaderSize)
	if len(ends) > 0 {
		behind = ends[len(ends)-1]
	}
	r.skipSignature(&start)
	r.skipSignature(&behind)
	inside := start >= int64(h.HeaderSize) && start <= r.size
	switch {
	case inside && start >= behind && (start == behind || r.pointsFit(start) || !r.pointsFit(behind)):
		if !complete {
			r.warnf("header claims %d records, %d are whole; the others are left out", h.vlrCount, len(ends))
		}
	case complete && (!inside || r.pointsFit(behind) || !r.pointsFit(start)):
		r.warnf("points should be at byte %d, the records in front of them end at %d; took the latter", start, behind)
		start = behind
	case inside:
		keep := 0
		for keep < len(ends) && ends[keep] <= start {
			keep++
		}
		r.warnf("header claims %d records, %d lie in front of the points at byte %d; the others are left out", h.vlrCount, keep, start)
		r.vlrs = append(r.vlrs[:keep:keep], r.vlrs[len(ends):]...)
	default:
		return formatErrorf(96, "points should be at byte %d, the file has %d and its records do not end within it; it was cut off, copy it again",
			h.PointDataOffset, r.size)
	}
	if start > math.MaxUint32 {
		return formatErrorf(96, "records in front of the points take %d bytes, more than the format can hold", start)
	}
	h.PointDataOffset = uint32(start)
	return nil
}

// skipSignature moves over the two bytes 0xDD 0xCC that LAS 1.0 puts in front of
// the points, where an offset points to them (and the points fit behind).
func (r *Reader) skipSignature(at *int64) {
	if r.header.VersionMinor != 0 || *at < 0 || *at+2 > r.size {
		return
	}
	var b [2]byte
	if r.readFull(b[:], *at) == nil && b == [2]byte{0xDD, 0xCC} && (r.pointsFit(*at+2) || !r.pointsFit(*at)) {
		*at += 2
	}
}

// pointsFit says whether what begins at an offset looks like the points: the
// claimed number of plain records fills the rest exactly, or a pointer to a chunk
// table follows that leads to one.
func (r *Reader) pointsFit(at int64) bool {
	h := &r.header
	end := r.dataEnd(at)
	if at > end {
		return false
	}
	if !h.Compressed {
		rest := uint64(end - at)
		length := uint64(h.PointRecordLength)
		return rest%length == 0 && rest/length == h.PointCount
	}
	table, err := r.tableOffset(at)
	return err == nil && table > 0
}

// repairBounds counts and bounds the points anew where the header's bounds cannot
// be true, which reads the whole file.
func (r *Reader) repairBounds(ctx context.Context) error {
	h := &r.header
	if h.PointCount == 0 {
		return nil
	}
	wrong, zero := false, true
	for i := range 3 {
		lo, hi := h.Min[i], h.Max[i]
		wrong = wrong || !(lo <= hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0)
		zero = zero && lo == 0 && hi == 0
	}
	if !wrong && !zero {
		return nil
	}
	stats, err := r.Stats(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.warnf("bounds in the header cannot be true (%v to %v), and not all points can be read for new ones: %v", h.Min, h.Max, err)
		return nil
	}
	before := *h
	stats.apply(h)
	if before.Min != h.Min || before.Max != h.Max {
		r.warnf("bounds in the header cannot be true (%v to %v); counted anew from the points", before.Min, before.Max)
	}
	return nil
}

// Stats reads all points and gives their number, returns and bounds.
func (r *Reader) Stats(ctx context.Context) (Stats, error) {
	var total lockedStats
	err := r.Each(ctx, 0, func(_ Chunk, records []byte) error {
		var s Stats
		s.Add(r.layout, records)
		total.merge(&s)
		return nil
	})
	return total.stats, err
}
