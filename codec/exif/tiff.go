package exif

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"strings"
)

// Types of values (TIFF 6.0, section 2).
const (
	typeByte      = 1
	typeASCII     = 2
	typeShort     = 3
	typeLong      = 4
	typeRational  = 5
	typeUndefined = 7
	typeSRational = 10
)

// typeSizes are the bytes of a value of each type, 0 for those that do not exist.
func typeSize(t uint16) int64 {
	sizes := [...]int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8}
	if int(t) < len(sizes) {
		return sizes[t]
	}
	return 0
}

const (
	// maxEntries bounds the tags of a directory that are read, maxValue the bytes of
	// one value: no tag that is looked at needs more.
	maxEntries = 1024
	maxValue   = 64 << 10
)

// directory is an IFD: tags and their values.
type directory map[uint16]value

type value struct {
	kind  uint16
	order binary.ByteOrder
	data  []byte
}

// readBlock reads an EXIF block, which is a TIFF without pixels. A damaged one is
// left out as far as it is.
func (m *Metadata) readBlock(data []byte) {
	_ = m.readTIFF(bytes.NewReader(data), false)
}

// readTIFF reads the first directory, and those of EXIF and GPS that it names.
// Where image is true the file is a photo and the directory tells its size.
func (m *Metadata) readTIFF(r io.ReaderAt, image bool) error {
	var head [8]byte
	if err := readFull(r, head[:], 0); err != nil {
		return truncated(err, "the TIFF header ends too early")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[0] == 'M' {
		order = binary.BigEndian
	} else if head[0] != 'I' {
		return malformed("the block does not begin with II or MM")
	}
	main, err := readDirectory(r, order, int64(order.Uint32(head[4:])))
	if err != nil {
		return err
	}
	if image {
		m.readImage(main)
	}
	m.readMain(main)
	if at := main.integer(tagExif); at > 0 {
		if d, err := readDirectory(r, order, at); err == nil {
			m.readExif(d)
		}
	}
	if at := main.integer(tagGPS); at > 0 {
		if d, err := readDirectory(r, order, at); err == nil {
			m.readGPS(d)
		}
	}
	return nil
}

func readDirectory(r io.ReaderAt, order binary.ByteOrder, at int64) (directory, error) {
	var count [2]byte
	if err := readFull(r, count[:], at); err != nil {
		return nil, truncated(err, "a directory lies outside the TIFF")
	}
	n := min(int(order.Uint16(count[:])), maxEntries)
	d := make(directory, min(n, 64))
	var entry [12]byte
	for i := range n {
		if err := readFull(r, entry[:], at+2+12*int64(i)); err != nil {
			break // what was read so far is good
		}
		tag, kind := order.Uint16(entry[:]), order.Uint16(entry[2:])
		size := typeSize(kind) * int64(order.Uint32(entry[4:]))
		if size <= 0 || size > maxValue || !known(tag) {
			continue
		}
		data := make([]byte, size)
		if size <= 4 {
			copy(data, entry[8:])
		} else if err := readFull(r, data, int64(order.Uint32(entry[8:]))); err != nil {
			continue
		}
		d[tag] = value{kind: kind, order: order, data: data}
	}
	return d, nil
}

// text returns a value of characters, without what pads it.
func (d directory) text(tag uint16) string {
	v := d[tag]
	if v.kind != typeASCII && v.kind != typeUndefined && v.kind != typeByte {
		return ""
	}
	s, _, _ := strings.Cut(string(v.data), "\x00")
	return strings.TrimSpace(strings.ToValidUTF8(s, ""))
}

// integer returns the first number of a value, or 0.
func (d directory) integer(tag uint16) int64 {
	f := d.numbers(tag)
	if len(f) == 0 || !(math.Abs(f[0]) < 1<<40) {
		return 0
	}
	return int64(f[0])
}

// number returns the first number of a value, or 0.
func (d directory) number(tag uint16) float64 {
	f := d.numbers(tag)
	if len(f) == 0 {
		return 0
	}
	return f[0]
}

// numbers returns the numbers of a value; fractions by zero are NaN.
func (d directory) numbers(tag uint16) []float64 {
	v, ok := d[tag]
	if !ok {
		return nil
	}
	size := int(typeSize(v.kind))
	list := make([]float64, 0, min(len(v.data)/size, 16))
	for b := v.data; len(b) >= size && len(list) < cap(list); b = b[size:] {
		var f float64
		switch v.kind {
		case typeByte, typeUndefined:
			f = float64(b[0])
		case typeShort:
			f = float64(v.order.Uint16(b))
		case typeLong:
			f = float64(v.order.Uint32(b))
		case typeRational:
			f = fraction(float64(v.order.Uint32(b)), float64(v.order.Uint32(b[4:])))
		case typeSRational:
			f = fraction(float64(int32(v.order.Uint32(b))), float64(int32(v.order.Uint32(b[4:]))))
		default:
			return nil
		}
		list = append(list, f)
	}
	return list
}

func fraction(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
