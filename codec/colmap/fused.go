package colmap

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FusedPoint is a point of a fused cloud.
type FusedPoint struct {
	XYZ    [3]float32
	Normal [3]float32
	Color  [3]uint8
	// Views that see the point, as indices into the photos of the workspace's model.
	// It is nil where the cloud has no file of visibility.
	Views []uint32
}

// fusedHeader is what COLMAP's stereo_fusion writes. The count has room to be filled in.
const fusedHeader = "ply\nformat binary_little_endian 1.0\nelement vertex %-12d\n" +
	"property float x\nproperty float y\nproperty float z\n" +
	"property float nx\nproperty float ny\nproperty float nz\n" +
	"property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"

// fusedBytes is the length of a point.
const fusedBytes = 6*4 + 3

// VisibilitySuffix is what the name of the file of visibility has more than the
// cloud's.
const VisibilitySuffix = ".vis"

// FusedWriter writes a fused cloud, point by point: a PLY file and, beside it, its
// visibility in a file with ".vis" added to the name.
type FusedWriter struct {
	ply, vis *os.File
	p, v     *bufio.Writer
	n        uint64
	buf      []byte
}

// CreateFused begins a fused cloud.
func CreateFused(path string) (*FusedWriter, error) {
	ply, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	vis, err := os.Create(path + VisibilitySuffix)
	if err != nil {
		ply.Close()
		return nil, err
	}
	w := &FusedWriter{ply: ply, vis: vis, p: bufio.NewWriterSize(ply, 1<<20), v: bufio.NewWriterSize(vis, 1<<20)}
	fmt.Fprintf(w.p, fusedHeader, 0)
	_, _ = w.v.Write(make([]byte, 8)) // Close returns the error
	return w, nil
}

// Write adds a point.
func (w *FusedWriter) Write(p *FusedPoint) error {
	b := w.buf[:0]
	for _, v := range p.XYZ {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	for _, v := range p.Normal {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	b = append(b, p.Color[:]...)
	if _, err := w.p.Write(b); err != nil {
		return err
	}
	b = binary.LittleEndian.AppendUint32(b[:0], uint32(len(p.Views)))
	for _, v := range p.Views {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	w.buf = b
	w.n++
	_, err := w.v.Write(b)
	return err
}

// Close fills in how many points there are. Where it returns an error, the files are
// not whole.
func (w *FusedWriter) Close() error {
	err := errors.Join(w.p.Flush(), w.v.Flush())
	if err == nil {
		_, err = w.ply.WriteAt(fmt.Appendf(nil, fusedHeader, w.n), 0)
	}
	if err == nil {
		_, err = w.vis.WriteAt(binary.LittleEndian.AppendUint64(nil, w.n), 0)
	}
	return errors.Join(err, w.ply.Close(), w.vis.Close())
}

// FusedReader reads a fused cloud, point by point.
type FusedReader struct {
	files   []io.Closer
	p       *bufio.Reader
	v       *reader // or nil
	name    string
	n, left uint64
}

// OpenFused opens a fused cloud, with its visibility where that file is there.
func OpenFused(path string) (*FusedReader, error) {
	ply, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	files := []io.Closer{ply}
	info, err := ply.Stat()
	var vis io.Reader
	if err == nil {
		var f *os.File
		if f, err = os.Open(path + VisibilitySuffix); err == nil {
			vis = f
			files = append(files, f)
		} else if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	var r *FusedReader
	if err == nil {
		r, err = newFusedReader(ply, info.Size(), vis, filepath.Base(path))
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, err
	}
	r.files = files
	return r, nil
}

// newFusedReader reads the heads of a cloud of so many bytes and its visibility, or nil.
func newFusedReader(ply io.Reader, size int64, vis io.Reader, name string) (*FusedReader, error) {
	r := &FusedReader{name: name, p: bufio.NewReaderSize(ply, 1<<16)}
	header, err := r.header()
	if err != nil {
		return nil, err
	}
	if body := uint64(size - header); body/fusedBytes < r.n {
		return nil, malformed(r.name, "%d points need more than its %d bytes", r.n, body)
	}
	r.left = r.n
	if vis == nil {
		return r, nil
	}
	r.v = &reader{r: bufio.NewReaderSize(vis, 1<<16), name: r.name + VisibilitySuffix}
	if n := r.v.u64(); r.v.err == nil && n != r.n {
		return nil, malformed(r.v.name, "it is of %d points, the cloud has %d", n, r.n)
	}
	return r, r.v.err
}

// header reads up to the first point, and how many there are.
func (r *FusedReader) header() (int64, error) {
	want := strings.Split(strings.TrimSuffix(fmt.Sprintf(fusedHeader, 0), "\n"), "\n")
	length := int64(0)
	for k := 0; k < len(want); {
		line, err := r.p.ReadSlice('\n')
		length += int64(len(line))
		if err != nil || length > 4096 {
			return 0, malformed(r.name, "it has no header of a PLY file")
		}
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "comment") || strings.HasPrefix(text, "obj_info") {
			continue
		}
		if count, ok := strings.CutPrefix(text, "element vertex "); ok && k == 2 {
			if r.n, err = strconv.ParseUint(strings.TrimSpace(count), 10, 62); err != nil {
				return 0, malformed(r.name, "it has %q points", count)
			}
		} else if text != want[k] {
			return 0, malformed(r.name, "its header has %q where a fused cloud has %q", text, want[k])
		}
		k++
	}
	return length, nil
}

// Len is the number of points.
func (r *FusedReader) Len() uint64 { return r.n }

// Read reads the next point into p, whose Views it uses again. It returns io.EOF
// after the last.
func (r *FusedReader) Read(p *FusedPoint) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	var b [fusedBytes]byte
	if _, err := io.ReadFull(r.p, b[:]); err != nil {
		return malformed(r.name, "it ends too early")
	}
	for k := range 3 {
		p.XYZ[k] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*k:]))
		p.Normal[k] = math.Float32frombits(binary.LittleEndian.Uint32(b[12+4*k:]))
	}
	copy(p.Color[:], b[24:])
	if r.v == nil {
		p.Views = nil
		return nil
	}
	p.Views = p.Views[:0]
	for n := r.v.u32(); n > 0 && r.v.err == nil; n-- {
		p.Views = append(p.Views, r.v.u32())
	}
	return r.v.err
}

// Close closes the files.
func (r *FusedReader) Close() error {
	var err error
	for _, f := range r.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
