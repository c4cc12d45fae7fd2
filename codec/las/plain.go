package las

// openPlain finds the points of an uncompressed file and cuts them into chunks.
func (r *Reader) openPlain() error {
	h := &r.header
	start := int64(h.PointDataOffset)
	end := max(start, r.dataEnd(start))
	length := int64(h.PointRecordLength)
	whole := uint64((end - start) / length)
	switch {
	case h.PointCount > whole:
		r.warnf("header claims %d points, the file holds %d whole ones; the others are missing", h.PointCount, whole)
		h.PointCount = whole
	case h.PointCount < whole && r.surplusIsPoints(start, end):
		r.warnf("header claims %d points, the file holds %d; took all", h.PointCount, whole)
		h.PointCount = whole
	}
	for first := uint64(0); first < h.PointCount; first += plainChunkPoints {
		n := min(plainChunkPoints, h.PointCount-first)
		r.chunks = append(r.chunks, Chunk{
			First: first, Points: int(n),
			Offset: start + int64(first)*length, Size: int64(n) * length,
		})
	}
	return nil
}

// surplusIsPoints says whether bytes behind the claimed points are points too: a
// writer that never came to fill in the number leaves 0, one that died later
// leaves too few. Padding with zeros is none.
func (r *Reader) surplusIsPoints(start, end int64) bool {
	h := &r.header
	length := int64(h.PointRecordLength)
	if h.PointCount > 0 && (end-start)%length != 0 {
		return false
	}
	first := start + int64(h.PointCount)*length
	last := start + ((end-start)/length-1)*length
	return r.hasData(first, length) && r.hasData(last, length)
}

// hasData says whether any of the bytes is not 0.
func (r *Reader) hasData(at, size int64) bool {
	b := make([]byte, size)
	if r.readFull(b, at) != nil {
		return false
	}
	for _, c := range b {
		if c != 0 {
			return true
		}
	}
	return false
}
