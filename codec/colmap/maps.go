package colmap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// Map is a depth map (one channel) or a map of normals (three): each channel a grid
// of rows.
type Map struct {
	Width, Height, Channels int
	Data                    []float32
}

// maxMap bounds what is allocated for a map, in numbers.
const maxMap = 3 << 30

// ReadMap reads a depth or normal map: "width&height&channels&", then 32-bit numbers.
func ReadMap(path string) (*Map, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return DecodeMap(f, filepath.Base(path), info.Size())
}

// DecodeMap reads a map of so many bytes. The name is for errors.
func DecodeMap(src io.Reader, name string, size int64) (*Map, error) {
	r := bufio.NewReaderSize(src, 1<<20)
	var dims [3]int64
	header := int64(0)
	for i := range dims {
		for {
			c, err := r.ReadByte()
			header++
			if err != nil || header > 64 || c != '&' && (c < '0' || c > '9') {
				return nil, malformed(name, "it does not begin with width&height&channels&")
			}
			if c == '&' {
				break
			}
			dims[i] = min(dims[i]*10+int64(c-'0'), 1<<31)
		}
	}
	w, h, ch := dims[0], dims[1], dims[2]
	if w <= 0 || h <= 0 || ch <= 0 || ch > 4 || w*h > maxMap/ch || w > 1<<20 || h > 1<<20 || size-header != 4*w*h*ch {
		return nil, malformed(name, "%d × %d with %d channels do not fit its %d bytes", w, h, ch, size)
	}
	m := &Map{Width: int(w), Height: int(h), Channels: int(ch), Data: make([]float32, w*h*ch)}
	buf := make([]byte, 64<<10)
	for rest := m.Data; len(rest) > 0; {
		n := min(len(rest), len(buf)/4)
		if _, err := io.ReadFull(r, buf[:4*n]); err != nil {
			return nil, malformed(name, "it ends too early")
		}
		for i := range n {
			rest[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
		}
		rest = rest[n:]
	}
	return m, nil
}

// Write writes the map to a file.
func (m *Map) Write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintf(w, "%d&%d&%d&", m.Width, m.Height, m.Channels)
	buf := make([]byte, 0, 64<<10)
	for _, v := range m.Data {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		if len(buf) == cap(buf) {
			_, _ = w.Write(buf) // Flush returns the error
			buf = buf[:0]
		}
	}
	_, _ = w.Write(buf)
	err = w.Flush()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// WriteVisibility writes fused.ply.vis: for each point of a fused cloud the views
// that see it, as indices into the views of the workspace; those of point i are
// views[offsets[i]:offsets[i+1]].
func WriteVisibility(path string, views, offsets []uint32) error {
	return writeFile(path, func(w *writer) {
		n := len(offsets) - 1
		w.u64(uint64(max(n, 0)))
		for i := range n {
			list := views[offsets[i]:offsets[i+1]]
			w.u32(uint32(len(list)))
			for _, v := range list {
				w.u32(v)
			}
		}
	})
}

// ReadVisibility reads what WriteVisibility, or COLMAP's stereo_fusion, writes.
func ReadVisibility(path string) (views, offsets []uint32, err error) {
	err = readFile(path, func(r *reader) {
		offsets = append(offsets, 0)
		for n := r.u64(); n > 0 && r.err == nil; n-- {
			for k := r.u32(); k > 0 && r.err == nil; k-- {
				views = append(views, r.u32())
			}
			offsets = append(offsets, uint32(len(views)))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return views, offsets, nil
}
