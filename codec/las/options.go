package las

import (
	"context"
	"runtime"
)

// Limits bound the memory that a Reader takes for a file, whatever the file
// claims. Zero fields mean the defaults.
type Limits struct {
	// MaxChunkBytes is the largest decompressed chunk; default 1 GiB. Chunks
	// above 64 MiB must also hold a 2048th of their size as compressed bytes.
	MaxChunkBytes int64
	// MaxRecordBytes is the largest VLR or EVLR that is loaded, and 4 times it
	// the most for all of them together; default 256 MiB. Larger ones are left
	// out with a warning; Reader.Waveform gives waveforms of any size.
	MaxRecordBytes int64
	// MaxRecords is the largest number of VLRs, and of EVLRs; default 65,536.
	MaxRecords int
}

const (
	defaultMaxChunkBytes  = 1 << 30
	defaultMaxRecordBytes = 256 << 20
	defaultMaxRecords     = 1 << 16

	// freeChunkBytes may be decompressed from however few bytes: real chunks are
	// far smaller, and points that are all equal compress to nearly nothing.
	freeChunkBytes = 64 << 20
	maxExpansion   = 2048
)

func (l Limits) withDefaults() Limits {
	if l.MaxChunkBytes <= 0 {
		l.MaxChunkBytes = defaultMaxChunkBytes
	}
	if l.MaxRecordBytes <= 0 {
		l.MaxRecordBytes = defaultMaxRecordBytes
	}
	if l.MaxRecords <= 0 {
		l.MaxRecords = defaultMaxRecords
	}
	return l
}

type readConfig struct {
	ctx    context.Context
	name   string
	limits Limits
}

// ReadOption changes how a Reader opens a file.
type ReadOption func(*readConfig)

// WithLimits bounds the memory for the file.
func WithLimits(l Limits) ReadOption {
	return func(c *readConfig) { c.limits = l }
}

// WithName names the input in errors; Open uses the path.
func WithName(name string) ReadOption {
	return func(c *readConfig) { c.name = name }
}

// WithContext bounds the opening, which reads points where the header's bounds or
// the chunk table are missing. It has no effect on later calls.
func WithContext(ctx context.Context) ReadOption {
	return func(c *readConfig) { c.ctx = ctx }
}

type writeConfig struct {
	chunkSize uint32
	workers   int
}

// WriteOption changes how a Writer writes.
type WriteOption func(*writeConfig)

// WithChunkSize sets the points of a LAZ chunk; VariableChunks for chunks of
// different sizes, given to WriteChunk. Default: that of the laszip record among
// the VLRs, else DefaultChunkSize.
func WithChunkSize(points uint32) WriteOption {
	return func(c *writeConfig) { c.chunkSize = points }
}

// WithWorkers sets how many chunks are compressed at a time; default GOMAXPROCS.
func WithWorkers(n int) WriteOption {
	return func(c *writeConfig) { c.workers = n }
}

func workersOrDefault(n int) int {
	if n <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return n
}
