package fbx

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	binaryMagic = "Kaydara FBX Binary  \x00\x1a\x00"
	headerSize  = 27
	wideVersion = 7500 // from here on, records have 64-bit sizes
	maxDepth    = 64
	maxNodes    = 8 << 20
)

var errShort = errors.New("the file ends too early: was the upload complete?")

// binaryReader reads records.
type binaryReader struct {
	data   []byte
	wide   bool
	nodes  int
	budget int // bytes that arrays may unpack to
}

func parseBinary(data []byte) (*record, error) {
	if len(data) < headerSize {
		return nil, errShort
	}
	version := binary.LittleEndian.Uint32(data[23:])
	if version < 7000 || version > 9999 {
		return nil, fmt.Errorf("version %d; 7.0 and newer can be read: save the model anew", version)
	}
	const perByte = 1024 // zlib packs no better
	r := &binaryReader{data: data, wide: version >= wideVersion, budget: perByte * len(data)}
	root := &record{}
	at := headerSize
	for at < len(data) {
		n, next, err := r.record(at, 0)
		if err != nil {
			return nil, err
		}
		if n == nil {
			break
		}
		root.children = append(root.children, n)
		at = next
	}
	return root, nil
}

// record reads one; nil is the empty one that ends a list.
func (r *binaryReader) record(at, depth int) (*record, int, error) {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		return nil, 0, fmt.Errorf("byte %d: more than %d records, or nested deeper than %d", at, maxNodes, maxDepth)
	}
	size := 12
	if r.wide {
		size = 24
	}
	if len(r.data)-at < size+1 {
		return nil, 0, errShort
	}
	var head [3]uint64
	for i := range head {
		if r.wide {
			head[i] = binary.LittleEndian.Uint64(r.data[at+8*i:])
		} else {
			head[i] = uint64(binary.LittleEndian.Uint32(r.data[at+4*i:]))
		}
	}
	nameLength := int(r.data[at+size])
	at += size + 1
	end := head[0]
	if end == 0 {
		return nil, at, nil
	}
	if end > uint64(len(r.data)) || end < uint64(at+nameLength) || head[2] > end-uint64(at+nameLength) {
		return nil, 0, fmt.Errorf("byte %d: a record ends at byte %d of %d", at, end, len(r.data))
	}
	n := &record{name: string(r.data[at : at+nameLength])}
	at += nameLength
	properties := r.data[at : at+int(head[2])]
	at += int(head[2])
	for range head[1] {
		if len(properties) == 0 {
			return nil, 0, fmt.Errorf("record %q: %w", n.name, errShort)
		}
		v, rest, err := r.property(properties)
		if err != nil {
			return nil, 0, fmt.Errorf("record %q: %w", n.name, err)
		}
		n.values = append(n.values, v)
		properties = rest
	}
	for at < int(end) {
		child, next, err := r.record(at, depth+1)
		if err != nil {
			return nil, 0, err
		}
		at = next
		if child == nil {
			break
		}
		n.children = append(n.children, child)
	}
	return n, int(end), nil
}

// property reads one value: int64, float64, string, []byte, []float64 or []int64.
func (r *binaryReader) property(b []byte) (any, []byte, error) {
	kind := b[0]
	b = b[1:]
	sizes := map[byte]int{'Y': 2, 'C': 1, 'B': 1, 'I': 4, 'F': 4, 'D': 8, 'L': 8}
	if size, ok := sizes[kind]; ok {
		if len(b) < size {
			return nil, nil, errShort
		}
		return number(kind, b), b[size:], nil
	}
	switch kind {
	case 'S', 'R':
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, nil, errShort
		}
		n := int(binary.LittleEndian.Uint32(b))
		if kind == 'S' {
			return string(b[4 : 4+n]), b[4+n:], nil
		}
		return b[4 : 4+n], b[4+n:], nil
	case 'f', 'd', 'i', 'l', 'b', 'c':
		return r.array(kind, b)
	}
	return nil, nil, fmt.Errorf("a property of type %q", kind)
}

func number(kind byte, b []byte) any {
	switch kind {
	case 'Y':
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 'C', 'B':
		return int64(b[0])
	case 'I':
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case 'L':
		return int64(binary.LittleEndian.Uint64(b))
	case 'F':
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (r *binaryReader) array(kind byte, b []byte) (any, []byte, error) {
	if len(b) < 12 {
		return nil, nil, errShort
	}
	count, encoding, packed := int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:]), int(binary.LittleEndian.Uint32(b[8:]))
	b = b[12:]
	size := map[byte]int{'f': 4, 'd': 8, 'i': 4, 'l': 8, 'b': 1, 'c': 1}[kind]
	if r.budget -= count * size; r.budget < 0 {
		return nil, nil, fmt.Errorf("an array of %d numbers cannot come of this file", count)
	}
	var raw []byte
	switch encoding {
	case 0:
		if len(b) < count*size {
			return nil, nil, errShort
		}
		raw, b = b[:count*size], b[count*size:]
	case 1:
		if len(b) < packed {
			return nil, nil, errShort
		}
		z, err := zlib.NewReader(bytes.NewReader(b[:packed]))
		if err != nil {
			return nil, nil, fmt.Errorf("a packed array: %w", err)
		}
		b = b[packed:]
		raw = make([]byte, count*size)
		if _, err := io.ReadFull(z, raw); err != nil {
			return nil, nil, fmt.Errorf("a packed array: %w", err)
		}
	default:
		return nil, nil, fmt.Errorf("an array of encoding %d", encoding)
	}
	if kind == 'f' || kind == 'd' {
		out := make([]float64, count)
		for i := range out {
			out[i], _ = number(kind-'a'+'A', raw[i*size:]).(float64)
		}
		return out, b, nil
	}
	out := make([]int64, count)
	for i := range out {
		out[i], _ = number(kind-'a'+'A', raw[i*size:]).(int64)
	}
	return out, b, nil
}
