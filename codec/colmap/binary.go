package colmap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Names and numbers of models, and how many parameters they have.
var cameraModels = []struct {
	name   string
	params int
}{
	{"SIMPLE_PINHOLE", 3},
	{"PINHOLE", 4},
	{"SIMPLE_RADIAL", 4},
	{"RADIAL", 5},
	{"OPENCV", 8},
	{"OPENCV_FISHEYE", 8},
	{"FULL_OPENCV", 12},
	{"FOV", 5},
	{"SIMPLE_RADIAL_FISHEYE", 4},
	{"RADIAL_FISHEYE", 5},
	{"THIN_PRISM_FISHEYE", 12},
}

// maxSide bounds the sizes of cameras, in pixels.
const maxSide = 1 << 30

// number is that of the camera's model, or -1 where that is not known or has other
// parameters.
func (c *Camera) number() int {
	for id, k := range cameraModels {
		if k.name == c.Model && k.params == len(c.Params) {
			return id
		}
	}
	return -1
}

// reader reads little-endian numbers and keeps the first error.
type reader struct {
	r    *bufio.Reader
	name string
	err  error
	buf  [8]byte
}

func (r *reader) bytes(n int) []byte {
	b := r.buf[:n]
	if r.err == nil {
		if _, err := io.ReadFull(r.r, b); err != nil {
			r.err = malformed(r.name, "it ends too early")
		}
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

func (r *reader) u32() uint32  { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r *reader) u64() uint64  { return binary.LittleEndian.Uint64(r.bytes(8)) }
func (r *reader) f64() float64 { return math.Float64frombits(r.u64()) }

// id is a number of 32 bits that is used as an index.
func (r *reader) id() int { return int(int32(r.u32())) }

const maxName = 4096

func (r *reader) text() string {
	var s strings.Builder
	for r.err == nil {
		c := r.bytes(1)[0]
		if c == 0 {
			break
		}
		if s.Len() == maxName {
			r.err = malformed(r.name, "a name is longer than %d bytes", maxName)
		}
		s.WriteByte(c)
	}
	return s.String()
}

func readFile(path string, f func(r *reader)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := &reader{r: bufio.NewReaderSize(file, 1<<20), name: filepath.Base(path)}
	f(r)
	return r.err
}

// ReadBinary reads cameras.bin, images.bin and points3D.bin. What it allocates is
// bounded by what is in the files, whatever counts these claim.
func ReadBinary(dir string) (*Model, error) {
	m := &Model{}
	if err := readFile(filepath.Join(dir, "cameras.bin"), func(r *reader) { m.Cameras = readCameras(r) }); err != nil {
		return nil, err
	}
	if err := readFile(filepath.Join(dir, "images.bin"), func(r *reader) { m.Images = readImages(r) }); err != nil {
		return nil, err
	}
	if err := readFile(filepath.Join(dir, "points3D.bin"), func(r *reader) { m.Points = readPoints(r) }); err != nil {
		return nil, err
	}
	return m, nil
}

func readCameras(r *reader) (list []Camera) {
	for n := r.u64(); n > 0 && r.err == nil; n-- {
		c := Camera{ID: r.id()}
		model := r.id()
		w, h := r.u64(), r.u64()
		if model < 0 || model >= len(cameraModels) || w > maxSide || h > maxSide {
			if r.err == nil {
				r.err = malformed(r.name, "camera %d has model %d and size %d × %d", c.ID, model, w, h)
			}
			return nil
		}
		c.Model, c.Width, c.Height = cameraModels[model].name, int(w), int(h)
		for range cameraModels[model].params {
			c.Params = append(c.Params, r.f64())
		}
		list = append(list, c)
	}
	return list
}

func readImages(r *reader) (list []Image) {
	for n := r.u64(); n > 0 && r.err == nil; n-- {
		i := Image{ID: r.id()}
		for k := range i.Rotation {
			i.Rotation[k] = r.f64()
		}
		for k := range i.Translation {
			i.Translation[k] = r.f64()
		}
		i.CameraID = r.id()
		i.Name = r.text()
		for p := r.u64(); p > 0 && r.err == nil; p-- {
			i.Points = append(i.Points, ImagePoint{X: r.f64(), Y: r.f64(), Point: int64(r.u64())})
		}
		list = append(list, i)
	}
	return list
}

func readPoints(r *reader) (list []Point) {
	for n := r.u64(); n > 0 && r.err == nil; n-- {
		p := Point{ID: int64(r.u64())}
		for k := range p.XYZ {
			p.XYZ[k] = r.f64()
		}
		copy(p.Color[:], r.bytes(3))
		p.Error = r.f64()
		for t := r.u64(); t > 0 && r.err == nil; t-- {
			p.Track = append(p.Track, Observation{ImageID: r.id(), Index: r.id()})
		}
		list = append(list, p)
	}
	return list
}

// writer writes little-endian numbers and keeps the first error.
type writer struct {
	w   *bufio.Writer
	err error
	buf [8]byte
}

func (w *writer) bytes(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

func (w *writer) u32(v uint32)  { w.bytes(binary.LittleEndian.AppendUint32(w.buf[:0], v)) }
func (w *writer) u64(v uint64)  { w.bytes(binary.LittleEndian.AppendUint64(w.buf[:0], v)) }
func (w *writer) f64(v float64) { w.u64(math.Float64bits(v)) }

func writeFile(path string, f func(w *writer)) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := &writer{w: bufio.NewWriterSize(file, 1<<20)}
	f(w)
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if err := file.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}

// WriteBinary writes cameras.bin, images.bin and points3D.bin into an existing folder.
func (m *Model) WriteBinary(dir string) error {
	var unknown error
	err := writeFile(filepath.Join(dir, "cameras.bin"), func(w *writer) {
		w.u64(uint64(len(m.Cameras)))
		for _, c := range m.Cameras {
			model := c.number()
			if model < 0 {
				unknown = fmt.Errorf("colmap: camera %d has model %q with %d parameters", c.ID, c.Model, len(c.Params))
				return
			}
			w.u32(uint32(c.ID))
			w.u32(uint32(model))
			w.u64(uint64(c.Width))
			w.u64(uint64(c.Height))
			for _, p := range c.Params {
				w.f64(p)
			}
		}
	})
	if unknown != nil {
		return unknown
	}
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "images.bin"), m.writeImages); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "points3D.bin"), m.writePoints)
}

func (m *Model) writeImages(w *writer) {
	w.u64(uint64(len(m.Images)))
	for _, i := range m.Images {
		w.u32(uint32(i.ID))
		for _, v := range i.Rotation {
			w.f64(v)
		}
		for _, v := range i.Translation {
			w.f64(v)
		}
		w.u32(uint32(i.CameraID))
		w.bytes(append([]byte(i.Name), 0))
		w.u64(uint64(len(i.Points)))
		for _, p := range i.Points {
			w.f64(p.X)
			w.f64(p.Y)
			w.u64(uint64(p.Point))
		}
	}
}

func (m *Model) writePoints(w *writer) {
	w.u64(uint64(len(m.Points)))
	for _, p := range m.Points {
		w.u64(uint64(p.ID))
		for _, v := range p.XYZ {
			w.f64(v)
		}
		w.bytes(p.Color[:])
		w.f64(p.Error)
		w.u64(uint64(len(p.Track)))
		for _, o := range p.Track {
			w.u32(uint32(o.ImageID))
			w.u32(uint32(o.Index))
		}
	}
}
