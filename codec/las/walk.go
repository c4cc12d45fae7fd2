package las

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
)

// itemBytes14, itemPoint14 … are the item types of LASzip that layered chunks
// are made of; the numbers of their layers are in layers.
const (
	itemPoint14  = 10
	itemRGB14    = 11
	itemRGBNIR14 = 12
	itemWave14   = 13
	itemBytes14  = 14
)

// layers counts the layers of a layered chunk, 0 where an item is unknown.
func (r *Reader) layers() int {
	n := 0
	for _, item := range r.descriptor.Items {
		switch item.Type {
		case itemPoint14:
			n += 9
		case itemRGB14, itemWave14:
			n++
		case itemRGBNIR14:
			n += 2
		case itemBytes14:
			n += int(item.Size)
		default:
			return 0
		}
	}
	return n
}

// layeredChunk reads from a layered chunk itself how many points and bytes it
// has: it begins with a whole record, the number of points and the sizes of its
// layers. end bounds it.
func (r *Reader) layeredChunk(at, end int64) (points int, size int64, err error) {
	n := r.layers()
	head := make([]byte, 4+4*n)
	from := at + int64(r.layout.Length)
	if n == 0 || from+int64(len(head)) > end {
		return 0, 0, formatErrorf(at, "no whole chunk follows")
	}
	if err := r.readFull(head, from); err != nil {
		return 0, 0, err
	}
	count := binary.LittleEndian.Uint32(head)
	size = int64(r.layout.Length) + int64(len(head))
	for i := range n {
		size += int64(binary.LittleEndian.Uint32(head[4+4*i:]))
	}
	if count == 0 || at+size > end {
		return 0, 0, formatErrorf(at, "chunk of %d points and %d bytes is not whole", count, size)
	}
	return int(count), size, nil
}

// walkChunks finds the chunks of a file whose table is missing, one behind the
// other.
func (r *Reader) walkChunks(ctx context.Context, first int64) error {
	var err error
	switch {
	case r.descriptor.Compressor == compressorLayered:
		err = r.walkLayered(ctx, first)
	case r.variable():
		return formatErrorf(first, "chunks of different sizes cannot be found without their table; get the whole file or write it again")
	default:
		err = r.walkPointwise(ctx, first)
	}
	if err != nil {
		return err
	}
	points := uint64(0)
	if n := len(r.chunks); n > 0 {
		points = r.chunks[n-1].First + uint64(r.chunks[n-1].Points)
	}
	if points == 0 && r.header.PointCount > 0 {
		return formatErrorf(first, "none of the %d points that the header claims can be read; the file was cut off, copy it again", r.header.PointCount)
	}
	r.setCount(points)
	return nil
}

func (r *Reader) walkLayered(ctx context.Context, at int64) error {
	end := r.dataEnd(at)
	points := uint64(0)
	for at < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, size, err := r.layeredChunk(at, end)
		if err != nil || !r.variable() && uint32(n) > r.descriptor.ChunkSize {
			var f *FormatError
			if err != nil && !errors.As(err, &f) {
				return err
			}
			return nil
		}
		r.chunks = append(r.chunks, Chunk{First: points, Points: n, Offset: at, Size: size})
		points += uint64(n)
		at += size
		if !r.variable() && uint32(n) < r.descriptor.ChunkSize {
			return nil // only the last chunk is smaller
		}
	}
	return nil
}

// walkPointwise finds point-wise chunks, which do not tell their size: each is
// decoded to learn where it ends.
func (r *Reader) walkPointwise(ctx context.Context, at int64) error {
	end := r.dataEnd(at)
	length := r.layout.Length
	points := uint64(0)
	for at < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		want := r.descriptor.ChunkSize
		if count := r.header.PointCount; count > points {
			want = uint32(min(uint64(want), count-points))
		} else if count > 0 {
			return nil
		}
		// Chunks hardly ever grow by compression; half more is taken to be sure.
		window := min(end-at, int64(want)*int64(length)*3/2+1024)
		want = uint32(min(int(want), r.maxChunkPoints(window)))
		c, n, err := r.pointwiseChunk(at, window, int(want))
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		r.chunks = append(r.chunks, Chunk{First: points, Points: n, Offset: at, Size: c})
		points += uint64(n)
		at += c
		if n < int(r.descriptor.ChunkSize) {
			r.partial = len(r.chunks) - 1
			return nil
		}
	}
	return nil
}

// pointwiseChunk decodes a chunk of want points that begins at an offset and lies
// within window bytes, and gives its size. Fewer points come out where the file
// ends in it; size is then all of the window.
func (r *Reader) pointwiseChunk(at, window int64, want int) (size int64, points int, err error) {
	d, err := r.decoder()
	if err != nil {
		return 0, 0, err
	}
	defer r.decoders.Put(d)
	if d.raw, err = r.readRaw(Chunk{Offset: at, Size: window}, d.raw); err != nil {
		return 0, 0, err
	}
	scratch := make([]byte, want*r.layout.Length)
	n, _ := d.laz.DecodePartial(scratch, d.raw, want)
	if n < want {
		return window, n, nil
	}
	size, err = fewestBytes(window, want, func(size int64) int {
		n, _ := d.laz.DecodePartial(scratch, d.raw[:size], want)
		return n
	})
	return size, n, err
}

// fewestBytes searches the smallest number of bytes from which decode gives want
// points. Points take much the same room each, so that guessing by rule of three
// comes near in a few steps; halving what is left makes sure that it ends.
func fewestBytes(window int64, want int, decode func(size int64) int) (int64, error) {
	low, high := int64(0), window // decode(low) < want, decode(high) == want
	perPoint := float64(window) / float64(want)
	guess := window / 2
	for step := 0; high-low > 1; step++ {
		if step > 200 {
			return 0, errors.New("las: the end of a chunk cannot be found")
		}
		guess = max(low+1, min(high-1, guess))
		n := decode(guess)
		if n < want {
			low = guess
			perPoint = float64(guess) / math.Max(float64(n), 1)
			guess = low + int64(math.Ceil(perPoint*float64(want-n)))
			if step%4 == 3 {
				guess = (low + high) / 2
			}
			continue
		}
		high = guess
		guess = (low + high) / 2
		if step%2 == 0 {
			guess = high - int64(perPoint) - 1
		}
	}
	return high, nil
}
