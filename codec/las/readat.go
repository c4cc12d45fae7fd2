package las

import (
	"context"
	"io"
	"sort"
	"sync"
)

// Bounds of the cache of decoded chunks: few, since callers that jump about ask
// for neighbours, and one always, however large.
const (
	cacheChunks = 8
	cacheBytes  = 64 << 20
)

// chunkCache holds the chunks decoded last.
type chunkCache struct {
	mu      sync.Mutex
	entries []cachedChunk // most recent last
	bytes   int
}

type cachedChunk struct {
	index   int
	records []byte
}

// get gives the records of a chunk, nil if they are not there.
func (c *chunkCache) get(index int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.entries {
		if e.index == index {
			copy(c.entries[i:], c.entries[i+1:])
			c.entries[len(c.entries)-1] = e
			return e.records
		}
	}
	return nil
}

func (c *chunkCache) put(index int, records []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.index == index {
			return
		}
	}
	c.entries = append(c.entries, cachedChunk{index, records})
	c.bytes += len(records)
	for len(c.entries) > 1 && (len(c.entries) > cacheChunks || c.bytes > cacheBytes) {
		c.bytes -= len(c.entries[0].records)
		copy(c.entries, c.entries[1:])
		c.entries[len(c.entries)-1] = cachedChunk{}
		c.entries = c.entries[:len(c.entries)-1]
	}
}

// ReadAt fills dst with the records from point first on and gives their number:
// as many as dst has room for, fewer at the end of the file. From the end on it
// is 0 and io.EOF. A few chunks decoded last are kept for the next calls.
func (r *Reader) ReadAt(ctx context.Context, dst []byte, first uint64) (points int, err error) {
	if r.closed.Load() {
		return 0, ErrClosed
	}
	length := r.layout.Length
	if first >= r.header.PointCount {
		return 0, io.EOF
	}
	want := int(min(uint64(len(dst)/length), r.header.PointCount-first))
	i := sort.Search(len(r.chunks), func(i int) bool { return r.chunks[i].First > first }) - 1
	for points < want {
		if err := ctx.Err(); err != nil {
			return points, err
		}
		c := r.chunks[i]
		skip := int(first + uint64(points) - c.First)
		n := min(c.Points-skip, want-points)
		out := dst[points*length : (points+n)*length]
		if err := r.readPart(i, out, skip*length); err != nil {
			return points, r.named(err)
		}
		points += n
		i++
	}
	return points, nil
}

// readPart copies the records of chunk i from byte skip on.
func (r *Reader) readPart(i int, out []byte, skip int) error {
	c, size, err := r.checkChunk(i)
	if err != nil {
		return err
	}
	if !r.header.Compressed {
		return r.readFull(out, c.Offset+int64(skip))
	}
	if len(out) == size {
		return r.decode(i, c, out)
	}
	records := r.cache.get(i)
	if records == nil {
		records = make([]byte, size)
		if err := r.decode(i, c, records); err != nil {
			return err
		}
		r.cache.put(i, records)
	}
	copy(out, records[skip:])
	return nil
}
