package draco

import (
	"errors"
	"fmt"
)

// Limits bound what a bitstream may make.
type Limits struct {
	// Points and Triangles are the most of each; 0 is DefaultPoints and
	// DefaultTriangles.
	Points, Triangles int
}

// The limits that hold unless told otherwise.
const (
	DefaultPoints    = 1 << 28
	DefaultTriangles = 1 << 29
)

// facesPerByte is how many faces a byte of a bitstream may stand for. The densest
// real meshes, grids of equal cells, have some ten; a crafted entropy table could
// claim any number.
const facesPerByte = 2048

// What the header says (specification, "Draco Decoder", ParseHeader).
const (
	geometryCloud    = 0
	geometryMesh     = 1
	methodSequential = 0
	methodSpecial    = 1 // edgebreaker for meshes, kd-tree for clouds
	flagMetadata     = 0x8000
)

// Decode reads a bitstream: meshes of version 2.2, point clouds of version 2.3, and
// 2.2 where they are in their order. Points are in the order in which Google's library numbers
// them.
func Decode(data []byte) (*Mesh, error) { return DecodeLimited(data, Limits{}) }

// DecodeLimited is Decode with other limits.
func DecodeLimited(data []byte, l Limits) (*Mesh, error) {
	if l.Points <= 0 {
		l.Points = DefaultPoints
	}
	if l.Triangles <= 0 {
		l.Triangles = DefaultTriangles
	}
	d := &decoder{in: input{data: data}, limits: l, size: len(data)}
	m, err := d.decode()
	if err != nil {
		return nil, fmt.Errorf("draco: %w", err)
	}
	return m, nil
}

// decoder holds the state of one bitstream.
type decoder struct {
	in     input
	limits Limits
	size   int // bytes of the whole
	method uint8

	points  int
	indices []uint32
	// table is the connectivity of positions, nil where there is none: then
	// values lie in the order of points.
	table *decoderTable
	seams []*decoderSeams // of attribute data, by id
	// pointCorner is a corner of each point, where there is a table.
	pointCorner []int32

	// position is the decoded position attribute, which others are predicted by.
	position *decoderAttribute
	// positionOf maps points to values of position; nil is the identity.
	positionOf []int32
}

func (d *decoder) decode() (*Mesh, error) {
	kind, err := d.header()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == geometryCloud && d.method <= methodSpecial:
		n, err := d.in.u32()
		if err != nil {
			return nil, err
		}
		if err := d.claim(int64(n), 0); err != nil {
			return nil, err
		}
		d.points = int(n)
	case d.method == methodSequential:
		err = d.sequentialConnectivity()
	case d.method == methodSpecial:
		err = d.edgebreakerConnectivity()
	default:
		err = fmt.Errorf("encoding method %d is not known", d.method)
	}
	if err != nil {
		return nil, err
	}
	m := &Mesh{Points: d.points, Indices: d.indices}
	if kind == geometryCloud && d.method == methodSpecial {
		m.Attributes, err = d.kdCloud()
		return m, err
	}
	if m.Attributes, err = d.attributes(); err != nil {
		return nil, err
	}
	return m, nil
}

// header reads what comes before the connectivity.
func (d *decoder) header() (kind uint8, err error) {
	h, err := d.in.take(11)
	if err != nil || string(h[:5]) != "DRACO" {
		return 0, errors.New("not a Draco bitstream: it does not begin with DRACO")
	}
	major, minor := h[5], h[6]
	kind, d.method = h[7], h[8]
	flags := uint16(h[9]) | uint16(h[10])<<8
	switch {
	case kind == geometryMesh && major == 2 && minor == 2:
	case kind == geometryCloud && major == 2 && (minor == 2 || minor == 3):
	case kind > geometryMesh:
		return 0, fmt.Errorf("geometry type %d is not known", kind)
	default:
		return 0, fmt.Errorf("bitstream version %d.%d cannot be read, meshes of 2.2 and clouds of 2.3 can: encode the model anew with a current encoder", major, minor)
	}
	if flags&flagMetadata != 0 {
		if err := d.skipMetadata(); err != nil {
			return 0, fmt.Errorf("metadata: %w", err)
		}
	}
	return kind, nil
}

// claim checks numbers that the bitstream claims before memory is taken for them.
func (d *decoder) claim(points, triangles int64) error {
	bound := facesPerByte * (int64(d.size) + 64)
	switch {
	case points > int64(d.limits.Points):
		return fmt.Errorf("%d points; the limit is %d", points, d.limits.Points)
	case triangles > int64(d.limits.Triangles):
		return fmt.Errorf("%d triangles; the limit is %d", triangles, d.limits.Triangles)
	case points > bound || triangles > bound:
		return fmt.Errorf("%d points and %d triangles cannot come of %d bytes", points, triangles, d.size)
	}
	return nil
}

// maxMetadataDepth bounds nested metadata.
const maxMetadataDepth = 64

func (d *decoder) skipMetadata() error {
	n, err := d.in.count()
	if err != nil {
		return err
	}
	for range n {
		if _, err := d.in.varint(); err != nil {
			return err
		}
		if err := d.skipElement(0); err != nil {
			return err
		}
	}
	return d.skipElement(0)
}

func (d *decoder) skipElement(depth int) error {
	if depth > maxMetadataDepth {
		return errors.New("it is nested too deep")
	}
	entries, err := d.in.count()
	if err != nil {
		return err
	}
	for range entries {
		for range 2 { // key, value
			if err := d.skipName(); err != nil {
				return err
			}
		}
	}
	children, err := d.in.count()
	if err != nil {
		return err
	}
	for range children {
		if err := d.skipName(); err != nil {
			return err
		}
		if err := d.skipElement(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) skipName() error {
	n, err := d.in.u8()
	if err != nil {
		return err
	}
	_, err = d.in.take(int(n))
	return err
}

// sequentialConnectivity reads indices in their order (specification, "Sequential
// Connectivity Decoder").
func (d *decoder) sequentialConnectivity() error {
	faces, err := d.in.varint()
	if err != nil {
		return err
	}
	points, err := d.in.varint()
	if err != nil {
		return err
	}
	method, err := d.in.u8()
	if err != nil {
		return err
	}
	if faces > 1<<40 || points > 1<<40 {
		return fmt.Errorf("%d triangles of %d points", faces, points)
	}
	if err := d.claim(int64(points), int64(faces)); err != nil {
		return err
	}
	d.points = int(points)
	d.indices = make([]uint32, 3*faces)
	if method == 0 {
		if err := d.in.symbols(d.indices, 1); err != nil {
			return err
		}
		last := int32(0)
		for i, v := range d.indices {
			diff := int32(v >> 1)
			if v&1 != 0 {
				diff = -diff
			}
			last += diff
			d.indices[i] = uint32(last)
		}
	} else if err := d.rawIndices(); err != nil {
		return err
	}
	for i, v := range d.indices {
		if int64(v) >= int64(d.points) {
			return fmt.Errorf("triangle %d has point %d, there are %d", i/3, v, d.points)
		}
	}
	return nil
}

func (d *decoder) rawIndices() error {
	width := 4
	switch {
	case d.points < 1<<8:
		width = 1
	case d.points < 1<<16:
		width = 2
	case d.points < 1<<21:
		for i := range d.indices {
			v, err := d.in.varint()
			if err != nil {
				return err
			}
			d.indices[i] = uint32(v)
		}
		return nil
	}
	raw, err := d.in.take(width * len(d.indices))
	if err != nil {
		return err
	}
	for i := range d.indices {
		v := uint32(0)
		for k := range width {
			v |= uint32(raw[width*i+k]) << (8 * k)
		}
		d.indices[i] = v
	}
	return nil
}
