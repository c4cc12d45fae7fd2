package las

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/codec/laz"
)

// plainChunkPoints is the number of points of the chunks into which uncompressed
// files are cut, the same as LASzip's.
const plainChunkPoints = DefaultChunkSize

// Chunk is a run of points that is decoded at once.
type Chunk struct {
	First  uint64 // index of its first point
	Points int
	Offset int64 // of its bytes in the file
	Size   int64 // compressed size in bytes; of plain records in uncompressed files
}

// Reader gives the points of a LAS or LAZ file. All methods but Close may be
// called concurrently.
type Reader struct {
	src    io.ReaderAt
	size   int64
	closer io.Closer
	name   string
	limits Limits

	header   Header
	layout   Layout
	vlrs     []VLR
	waveform *io.SectionReader
	warnings []string
	chunks   []Chunk
	partial  int // index of a point-wise chunk that was cut off, -1 without

	descriptor laz.Descriptor
	decoders   sync.Pool // *chunkDecoder
	cache      chunkCache
	closed     atomic.Bool
}

// chunkDecoder is the scratch state of decoding one chunk.
type chunkDecoder struct {
	laz *laz.Decoder
	raw []byte
}

// Open opens a file, which Close closes.
func Open(path string, opts ...ReadOption) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening point cloud: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r, err := NewReader(f, info.Size(), append([]ReadOption{WithName(path)}, opts...)...)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.closer = f
	return r, nil
}

// NewReader reads a file of size bytes. The errors are ErrNotLAS, *FormatError,
// and those of src.
func NewReader(src io.ReaderAt, size int64, opts ...ReadOption) (*Reader, error) {
	c := readConfig{ctx: context.Background()}
	for _, o := range opts {
		o(&c)
	}
	r := &Reader{src: src, size: size, name: c.name, limits: c.limits.withDefaults(), partial: -1}
	if err := r.open(c.ctx); err != nil {
		return nil, r.named(err)
	}
	return r, nil
}

// named puts the name of the file into an error.
func (r *Reader) named(err error) error {
	var f *FormatError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		if f.File == "" {
			f.File = r.name
		}
		return err
	case r.name != "":
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return err
}

// Header gives the public header block as repaired.
func (r *Reader) Header() Header { return r.header }

// Layout gives the layout of the records.
func (r *Reader) Layout() Layout { return r.layout }

// VLRs gives the variable length records, then the extended ones. They are not
// to be changed.
func (r *Reader) VLRs() []VLR { return r.vlrs }

// Warnings tells what was wrong with the file and how it was repaired.
func (r *Reader) Warnings() []string { return slices.Clone(r.warnings) }

// NumPoints is the number of points that can be read.
func (r *Reader) NumPoints() uint64 { return r.header.PointCount }

// Chunks gives the runs in which points are decoded: those of a LAZ file, or of
// 50,000 points in uncompressed ones. They are not to be changed.
func (r *Reader) Chunks() []Chunk { return r.chunks }

// Waveform gives the waveform data packets that lie in the file, of any size; nil
// without. Offsets in records count from the header of their record, 60 bytes in
// front of what is given here.
func (r *Reader) Waveform() *io.SectionReader { return r.waveform }

// Close closes the file if Open opened it.
func (r *Reader) Close() error {
	if r.closed.Swap(true) || r.closer == nil {
		return nil
	}
	return r.closer.Close()
}

func (r *Reader) warnf(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// readFull reads len(b) bytes at an offset; an end of file in between is a
// *FormatError.
func (r *Reader) readFull(b []byte, at int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := r.src.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return formatErrorf(at+int64(n), "file ends %d bytes early; it was cut off, copy it again", len(b)-n)
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(b), at, err)
}

// checkChunk finds the chunk and refuses sizes beyond the limits.
func (r *Reader) checkChunk(i int) (Chunk, int, error) {
	if r.closed.Load() {
		return Chunk{}, 0, ErrClosed
	}
	if i < 0 || i >= len(r.chunks) {
		return Chunk{}, 0, fmt.Errorf("las: chunk %d of %d does not exist", i, len(r.chunks))
	}
	c := r.chunks[i]
	size := int64(c.Points) * int64(r.layout.Length)
	if size > r.limits.MaxChunkBytes || r.header.Compressed && size > freeChunkBytes && size/maxExpansion > c.Size {
		return c, 0, formatErrorf(c.Offset, "chunk %d claims %d points (%d bytes) in %d bytes; the file is corrupt, or Limits.MaxChunkBytes must be raised",
			i, c.Points, size, c.Size)
	}
	return c, int(size), nil
}

// DecodeChunk gives the raw records of chunk i, in dst where its capacity is
// large enough.
func (r *Reader) DecodeChunk(i int, dst []byte) ([]byte, error) {
	c, size, err := r.checkChunk(i)
	if err != nil {
		return nil, r.named(err)
	}
	if cap(dst) < size {
		dst = make([]byte, size)
	}
	dst = dst[:size]
	if err := r.decode(i, c, dst); err != nil {
		return nil, r.named(err)
	}
	return dst, nil
}

func (r *Reader) decode(i int, c Chunk, dst []byte) error {
	if !r.header.Compressed {
		return r.readFull(dst, c.Offset)
	}
	if c.Points == 0 {
		return nil
	}
	d, err := r.decoder()
	if err != nil {
		return err
	}
	defer r.decoders.Put(d)
	if d.raw, err = r.readRaw(c, d.raw); err != nil {
		return err
	}
	if i == r.partial {
		n, err := d.laz.DecodePartial(dst, d.raw, c.Points)
		if n == c.Points {
			return nil
		}
		return &FormatError{Offset: c.Offset, Msg: fmt.Sprintf("chunk %d, which is cut off, gives %d of %d points", i, n, c.Points), Err: err}
	}
	if err := d.laz.Decode(dst, d.raw, c.Points); err != nil {
		return &FormatError{
			Offset: c.Offset, Err: err,
			Msg: fmt.Sprintf("chunk %d of %d (points %d to %d) cannot be decompressed; the file is corrupt, copy it again",
				i, len(r.chunks), c.First, c.First+uint64(c.Points)-1),
		}
	}
	return nil
}

// decoder takes scratch state from the pool.
func (r *Reader) decoder() (*chunkDecoder, error) {
	if d, ok := r.decoders.Get().(*chunkDecoder); ok {
		return d, nil
	}
	d, err := laz.NewDescriptorDecoder(r.descriptor, r.layout.Length)
	if err != nil {
		return nil, &FormatError{Offset: int64(r.header.HeaderSize), Msg: "the laszip record describes a compression that cannot be read", Err: err}
	}
	return &chunkDecoder{laz: d}, nil
}

func (r *Reader) readRaw(c Chunk, dst []byte) ([]byte, error) {
	if int64(cap(dst)) < c.Size {
		dst = make([]byte, c.Size)
	}
	dst = dst[:c.Size]
	return dst, r.readFull(dst, c.Offset)
}

// RawChunk gives the bytes of chunk i as they are in the file, in dst where its
// capacity is large enough: a compressed LAZ chunk, or plain records.
func (r *Reader) RawChunk(i int, dst []byte) ([]byte, error) {
	if r.closed.Load() {
		return nil, ErrClosed
	}
	if i < 0 || i >= len(r.chunks) {
		return nil, fmt.Errorf("las: chunk %d of %d does not exist", i, len(r.chunks))
	}
	dst, err := r.readRaw(r.chunks[i], dst)
	if err != nil {
		return nil, r.named(err)
	}
	return dst, nil
}

// Each decodes all chunks, workers at a time (0: GOMAXPROCS), and calls fn with
// each, concurrently and in any order. The records are valid during the call.
// The first error stops it and is returned, as does the end of ctx.
func (r *Reader) Each(ctx context.Context, workers int, fn func(c Chunk, records []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workersOrDefault(workers), len(r.chunks)) {
		wg.Go(func() {
			var buf []byte
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(r.chunks) {
					return
				}
				records, err := r.DecodeChunk(i, buf)
				if err == nil {
					buf = records
					err = fn(r.chunks[i], records)
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
