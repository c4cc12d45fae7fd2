package las

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"slate360.ai/worker/codec/laz"
)

// Writer writes a LAS or LAZ file. Its methods are not to be called concurrently;
// compression runs on several goroutines of its own, which end with the chunks
// that they were given, also where Close is never called.
type Writer struct {
	w      io.WriteSeeker
	base   int64 // where the file begins in w
	at     int64 // next byte to write, from base
	header Header
	layout Layout
	vlrs   []VLR
	behind []extended
	config writeConfig

	stats   Stats
	entries []laz.ChunkEntry
	short   bool // a chunk smaller than the chunk size was written: the last one
	buf     []byte
	pending []*chunkJob // in the order of the file
	idle    []*chunkJob // for reuse
	closed  bool
	err     error // the first of a write; the file is lost
}

// extended is a record to be written behind the points.
type extended struct {
	vlr  VLR
	data io.Reader // instead of vlr.Data
	size int64
}

// chunkJob compresses one chunk.
type chunkJob struct {
	encoder *laz.Encoder
	records []byte
	out     []byte
	stats   Stats
	err     error
	done    chan struct{}
}

// NewWriter begins a file at the current position of w. The header's counts,
// bounds, sizes and offsets are computed; a version 0.0 means 1.4, a record length
// 0 that of the format. h.Compressed makes it LAZ: the laszip record is added to
// vlrs, or put in place of the one there. Extended records go behind the points;
// into versions that have none of these they go in front, where they fit.
func NewWriter(w io.WriteSeeker, h Header, vlrs []VLR, opts ...WriteOption) (*Writer, error) {
	c := writeConfig{}
	for _, o := range opts {
		o(&c)
	}
	c.workers = workersOrDefault(c.workers)
	layout, err := h.prepare()
	if err != nil {
		return nil, err
	}
	out := &Writer{w: w, layout: layout, config: c}
	vlrs, out.config.chunkSize, err = withLaszip(&h, vlrs, c.chunkSize)
	if err != nil {
		return nil, err
	}
	h.EVLROffset, h.EVLRCount, h.WaveformOffset = 0, 0, 0
	h.PointCount, h.PointsByReturn = 0, [15]uint64{}
	out.header = h
	for _, v := range vlrs {
		if v.Extended {
			err = out.AddExtended(v, nil, 0)
		} else {
			out.vlrs = append(out.vlrs, v)
			err = v.check()
		}
		if err != nil {
			return nil, err
		}
	}
	if out.base, err = w.Seek(0, io.SeekCurrent); err != nil {
		return nil, fmt.Errorf("writing las: %w", err)
	}
	head, err := appendFront(nil, &out.header, out.vlrs)
	if err != nil {
		return nil, err
	}
	if h.Compressed {
		// As LASzip does: a pointer to itself says that no table was written yet.
		head = binary.LittleEndian.AppendUint64(head, uint64(out.header.PointDataOffset))
	}
	return out, out.write(head)
}

// AddExtended adds a record behind the points: v.Data, or size bytes of data,
// which is read by Close. Waveform packets (LASF_Spec 65535) are what the header
// then points to.
func (w *Writer) AddExtended(v VLR, data io.Reader, size int64) error {
	v.Extended = true
	e := extended{vlr: v, data: data, size: size}
	if data == nil {
		e.size = int64(len(v.Data))
	}
	waveform := v.Is(UserSpec, RecordWaveform)
	switch minor := w.header.VersionMinor; {
	case minor >= 4 || minor == 3 && waveform:
		w.behind = append(w.behind, e)
		return v.check()
	case w.at > 0 || data != nil || e.size > math.MaxUint16 || waveform:
		return fmt.Errorf("las: version 1.%d has no place for record %q/%d of %d bytes behind the points; write version 1.4",
			minor, v.UserID, v.RecordID, e.size)
	}
	v.Extended = false
	w.vlrs = append(w.vlrs, v)
	return v.check()
}

// ReplaceVLR puts v in place of the record in front of the points with the same
// IDs and the same length, until Close: for records whose content is known only
// when the points are written.
func (w *Writer) ReplaceVLR(v VLR) error {
	for i, old := range w.vlrs {
		if old.Is(v.UserID, v.RecordID) && len(old.Data) == len(v.Data) {
			w.vlrs[i] = v
			w.vlrs[i].Extended = false
			return nil
		}
	}
	return fmt.Errorf("las: no record %q/%d of %d bytes to replace", v.UserID, v.RecordID, len(v.Data))
}

// Position is the offset in the file at which the next chunk given to WriteChunk
// will begin.
func (w *Writer) Position() int64 { return w.at }

func (w *Writer) write(b []byte) error {
	if w.err != nil {
		return w.err
	}
	if _, err := w.w.Write(b); err != nil {
		w.err = fmt.Errorf("writing las: %w", err)
		return w.err
	}
	w.at += int64(len(b))
	return nil
}

// Write appends whole raw records. They are copied; LAZ is compressed in chunks
// on several goroutines, of which at most two a worker are in memory.
func (w *Writer) Write(ctx context.Context, records []byte) error {
	switch {
	case w.closed:
		return ErrClosed
	case w.err != nil:
		return w.err
	case len(records)%w.layout.Length != 0:
		return fmt.Errorf("las: %d bytes are no whole records of %d", len(records), w.layout.Length)
	}
	piece := w.chunkPoints() * w.layout.Length
	for len(records) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(records), piece-len(w.buf))
		w.buf = append(w.buf, records[:n]...)
		if len(w.buf) == piece {
			if err := w.submit(); err != nil {
				return err
			}
		}
		records = records[n:]
	}
	return nil
}

// chunkPoints is the number of points that Write hands on at once.
func (w *Writer) chunkPoints() int {
	switch w.config.chunkSize {
	case 0, VariableChunks:
		return DefaultChunkSize
	}
	return int(w.config.chunkSize)
}

// submit writes the buffer, or hands it to a goroutine that compresses it.
func (w *Writer) submit() error {
	if len(w.buf) == 0 {
		return nil
	}
	if !w.header.Compressed {
		w.stats.Add(w.layout, w.buf)
		err := w.write(w.buf)
		w.buf = w.buf[:0]
		return err
	}
	if len(w.pending) >= 2*w.config.workers {
		if err := w.drain(1); err != nil {
			return err
		}
	}
	var j *chunkJob
	if n := len(w.idle); n > 0 {
		j, w.idle = w.idle[n-1], w.idle[:n-1]
	} else {
		encoder, err := laz.NewEncoder(w.header.PointFormat, w.layout.Length)
		if err != nil {
			return fmt.Errorf("las: %w", err)
		}
		j = &chunkJob{encoder: encoder}
	}
	j.records, w.buf = w.buf, j.records[:0]
	j.done = make(chan struct{})
	w.pending = append(w.pending, j)
	layout := w.layout
	go func() {
		defer close(j.done)
		j.stats = Stats{}
		j.stats.Add(layout, j.records)
		j.out, j.err = j.encoder.Encode(j.out[:0], j.records)
	}()
	return nil
}

// drain writes the n oldest chunks that are being compressed.
func (w *Writer) drain(n int) error {
	for range n {
		j := w.pending[0]
		w.pending = slices.Delete(w.pending, 0, 1)
		<-j.done
		if j.err != nil && w.err == nil {
			w.err = fmt.Errorf("las: compressing points: %w", j.err)
		}
		if err := w.writeChunk(int(j.stats.Count), j.out, &j.stats); err != nil {
			return err
		}
		w.idle = append(w.idle, j)
	}
	return nil
}

// WriteChunk appends a LAZ chunk that was compressed before, behind all points
// given to Write so far. stats may be nil, the chunk is then decompressed for
// them. With chunks of a fixed size only the last one may have fewer points.
func (w *Writer) WriteChunk(points int, compressed []byte, stats *Stats) error {
	switch {
	case w.closed:
		return ErrClosed
	case !w.header.Compressed:
		return errors.New("las: a compressed chunk cannot go into an uncompressed file; set Header.Compressed")
	case points <= 0 || int64(points) > math.MaxUint32:
		return fmt.Errorf("las: a chunk of %d points cannot be written", points)
	}
	if err := w.submit(); err != nil {
		return err
	}
	if err := w.drain(len(w.pending)); err != nil {
		return err
	}
	if stats == nil {
		stats = &Stats{}
		d, err := laz.NewDecoder(w.header.PointFormat, w.layout.Length)
		if err != nil {
			return fmt.Errorf("las: %w", err)
		}
		records := make([]byte, points*w.layout.Length)
		if err := d.Decode(records, compressed, points); err != nil {
			return fmt.Errorf("las: chunk to be written: %w", err)
		}
		stats.Add(w.layout, records)
	}
	if stats.Count != uint64(points) {
		return fmt.Errorf("las: chunk of %d points comes with statistics of %d", points, stats.Count)
	}
	return w.writeChunk(points, compressed, stats)
}

func (w *Writer) writeChunk(points int, compressed []byte, stats *Stats) error {
	if w.config.chunkSize != VariableChunks {
		if w.short || uint32(points) > w.config.chunkSize {
			return fmt.Errorf("las: chunk of %d points does not fit: chunks have %d and only the last fewer; use WithChunkSize(VariableChunks)",
				points, w.config.chunkSize)
		}
		w.short = uint32(points) < w.config.chunkSize
	}
	if err := w.write(compressed); err != nil {
		return err
	}
	w.entries = append(w.entries, laz.ChunkEntry{Points: uint32(points), Bytes: uint64(len(compressed))})
	w.stats.Merge(stats)
	return nil
}

// Close writes what is left, the chunk table, the extended records and the final
// header. It does not close the underlying file.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	err := w.submit()
	if e := w.drain(len(w.pending)); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := w.finish(); err != nil {
		w.err = err
		return err
	}
	return nil
}

func (w *Writer) finish() error {
	h := &w.header
	w.stats.apply(h)
	if h.VersionMinor < 4 && h.PointCount > math.MaxUint32 {
		return fmt.Errorf("las: version 1.%d counts at most %d points, these are %d; write version 1.4", h.VersionMinor, uint32(math.MaxUint32), h.PointCount)
	}
	table := w.at
	if h.Compressed {
		if err := w.write(laz.AppendChunkTable(nil, w.entries, w.config.chunkSize == VariableChunks)); err != nil {
			return err
		}
	}
	if err := w.writeExtended(); err != nil {
		return err
	}
	end := w.at
	head, err := appendFront(nil, h, w.vlrs)
	if err != nil {
		return err
	}
	if h.Compressed {
		head = binary.LittleEndian.AppendUint64(head, uint64(table))
	}
	if _, err := w.w.Seek(w.base, io.SeekStart); err != nil {
		return fmt.Errorf("writing las header: %w", err)
	}
	if err := w.write(head); err != nil {
		return err
	}
	if _, err := w.w.Seek(w.base+end, io.SeekStart); err != nil {
		return fmt.Errorf("writing las: %w", err)
	}
	w.at = end
	return nil
}

// writeExtended writes the records behind the points and notes their places in
// the header. The flag for waveforms in the file holds only if they are there.
func (w *Writer) writeExtended() error {
	h := &w.header
	if h.VersionMinor >= 4 && len(w.behind) > 0 {
		h.EVLROffset, h.EVLRCount = uint64(w.at), uint32(len(w.behind))
	}
	for i := range w.behind {
		e := &w.behind[i]
		if e.vlr.Is(UserSpec, RecordWaveform) {
			h.WaveformOffset = uint64(w.at)
		}
		if err := w.write(e.vlr.appendHeader(nil, uint64(e.size))); err != nil {
			return err
		}
		if e.data == nil {
			if err := w.write(e.vlr.Data); err != nil {
				return err
			}
			continue
		}
		n, err := io.CopyN(w.w, e.data, e.size)
		w.at += n
		if err != nil {
			return fmt.Errorf("writing record %q/%d, %d of %d bytes: %w", e.vlr.UserID, e.vlr.RecordID, n, e.size, err)
		}
	}
	if h.WaveformOffset == 0 {
		h.GlobalEncoding &^= EncodingInternalWaveform
	}
	return nil
}
