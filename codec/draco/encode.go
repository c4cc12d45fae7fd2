package draco

import (
	"errors"
	"fmt"
	"math"
)

// Options says how a mesh is encoded. A number of bits that is 0 stands for its
// default; -1 stores floats as they are, which is large.
type Options struct {
	// Level is from 0, which is fastest and keeps the order of points and
	// triangles, to 10, which is smallest: what gltf-pipeline calls
	// compressionLevel, and 10 less than libdraco's speed. See DefaultOptions.
	Level int
	// PositionBits that a component of a position is quantized to, 1 to 30;
	// default 14. The error is at most half of the largest extent divided by
	// 2^bits-1.
	PositionBits int
	// NormalBits of an octahedral coordinate, 2 to 30; default 10.
	NormalBits int
	// TexCoordBits, 1 to 30; default 12.
	TexCoordBits int
	// ColorBits of float colours, 1 to 30; default 8.
	ColorBits int
	// GenericBits of float tangents, weights and the like, 1 to 30; default 12.
	GenericBits int
	// Grid, where its Span is above 0, is what positions are quantized over,
	// instead of their bounds: meshes of one grid have equal positions where
	// they meet. Positions outside are moved to its faces.
	Grid Grid
	// Sequential keeps the order of points and triangles, and degenerate
	// triangles, at any level.
	Sequential bool
}

// Grid is a cube.
type Grid struct {
	Min  [3]float32
	Span float32
}

// DefaultOptions are those of gltf-pipeline, but for finer positions.
func DefaultOptions() Options {
	return Options{Level: 7, PositionBits: 14, NormalBits: 10, TexCoordBits: 12, ColorBits: 8, GenericBits: 12}
}

// Encoded is a bitstream and what it decodes to.
type Encoded struct {
	// Data is the bitstream, appended to what was given.
	Data []byte
	// Points and Triangles that a decoder gives, which may differ from the
	// mesh's: points of equal values are one, points that several surfaces share
	// are several, and triangles without area are left out.
	Points, Triangles int
}

// ErrNoTriangles says that a mesh has no triangle of three different positions.
var ErrNoTriangles = errors.New("draco: no triangle has three different positions")

// encMaxCorners keeps corners and points within 31 bits.
const encMaxCorners = math.MaxInt32 - 3

// Encoder encodes meshes one after the other and keeps its working memory, about
// 120 bytes for each triangle of the largest. It is not for use by several
// goroutines at once. The zero value is ready.
type Encoder struct {
	mesh    *Mesh
	options Options
	entropy encEntropy
	// order of the attributes in the bitstream: the position first.
	order    []int
	position *Attribute
	surface  encSurface
	scratch  encScratch
	ready    *encReady
}

// encReady is positions whose prediction is known before they are written.
type encReady struct {
	values     encValues
	prediction encPrediction
}

// encScratch is memory that stages use one after the other.
type encScratch struct {
	hash      []uint32
	bits      []byte
	symbols   [2][]uint32
	sides     [2][]byte
	flags     [4][]byte
	costs     []uint16
	histogram []uint32
}

// Encode appends a bitstream of version 2.2 that holds the mesh to dst. Values
// are quantized as the options say; integers, and with them joints and feature
// IDs, are kept as they are.
//
// A mesh with Indices is encoded as triangles by edgebreaker, or in its own order
// where Level is 0 or Sequential is set; without Indices, as a point cloud.
func Encode(dst []byte, m *Mesh, o Options) (Encoded, error) {
	var e Encoder
	return e.Encode(dst, m, o)
}

// Encode is as the function of that name.
func (e *Encoder) Encode(dst []byte, m *Mesh, o Options) (Encoded, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Encoded{}, err
	}
	e.mesh, e.options, e.ready = m, o, nil
	if err := e.check(); err != nil {
		return Encoded{}, err
	}
	if m.Indices == nil || o.Sequential || o.Level == 0 {
		return e.encodeSequential(dst)
	}
	return e.encodeEdgebreaker(dst)
}

// withDefaults puts the defaults in and checks the ranges.
func (o Options) withDefaults() (Options, error) {
	if o.Level < 0 || o.Level > 10 {
		return o, fmt.Errorf("draco: level %d, want 0 to 10", o.Level)
	}
	d := DefaultOptions()
	for _, b := range []struct {
		name           string
		bits           *int
		standard, from int
	}{
		{"position", &o.PositionBits, d.PositionBits, 1},
		{"normal", &o.NormalBits, d.NormalBits, 2},
		{"texture coordinate", &o.TexCoordBits, d.TexCoordBits, 1},
		{"colour", &o.ColorBits, d.ColorBits, 1},
		{"generic", &o.GenericBits, d.GenericBits, 1},
	} {
		if *b.bits == 0 {
			*b.bits = b.standard
		}
		if *b.bits != -1 && (*b.bits < b.from || *b.bits > 30) {
			return o, fmt.Errorf("draco: %d bits for a %s, want %d to 30, 0 for %d, or -1 for floats as they are",
				*b.bits, b.name, b.from, b.standard)
		}
	}
	return o, nil
}

// bits that floats of a type are quantized to.
func (o *Options) bits(t AttributeType) int {
	switch t {
	case Position:
		return o.PositionBits
	case Normal:
		return o.NormalBits
	case TexCoord:
		return o.TexCoordBits
	case Color:
		return o.ColorBits
	}
	return o.GenericBits
}

// check tells what is wrong with the mesh, and finds the order of attributes.
func (e *Encoder) check() error {
	m := e.mesh
	if m.Points < 1 || m.Points > encMaxCorners {
		return fmt.Errorf("draco: a mesh of %d points, want 1 to %d", m.Points, encMaxCorners)
	}
	if len(m.Indices)%3 != 0 || len(m.Indices) > encMaxCorners {
		return fmt.Errorf("draco: %d indices, want three for each triangle and at most %d", len(m.Indices), encMaxCorners)
	}
	for i, p := range m.Indices {
		if int64(p) >= int64(m.Points) {
			return fmt.Errorf("draco: triangle %d has point %d, the mesh has %d", i/3, p, m.Points)
		}
	}
	if len(m.Attributes) > 255 {
		return fmt.Errorf("draco: %d attributes, at most 255 can be encoded", len(m.Attributes))
	}
	e.order, e.position = e.order[:0], nil
	for i := range m.Attributes {
		if err := e.checkAttribute(i); err != nil {
			return err
		}
		if m.Attributes[i].Type != Position {
			e.order = append(e.order, i)
			continue
		}
		if e.position != nil {
			return errors.New("draco: two attributes are positions, want one")
		}
		e.position = &m.Attributes[i]
		e.order = append([]int{i}, e.order...)
	}
	if e.position == nil {
		return errors.New("draco: no attribute is the position")
	}
	if e.position.Components != 3 {
		return fmt.Errorf("draco: positions of %d components, want 3", e.position.Components)
	}
	return nil
}

// checkAttribute tells what is wrong with an attribute.
func (e *Encoder) checkAttribute(i int) error {
	a := &e.mesh.Attributes[i]
	if a.Type > Generic {
		return fmt.Errorf("draco: attribute %d is of unknown type %d", i, a.Type)
	}
	if a.Components < 1 || a.Components > 255 {
		return fmt.Errorf("draco: attribute %d has %d components, want 1 to 255", i, a.Components)
	}
	for j := range i {
		if e.mesh.Attributes[j].UniqueID == a.UniqueID {
			return fmt.Errorf("draco: attributes %d and %d have the same unique ID %d", j, i, a.UniqueID)
		}
	}
	want := int64(e.mesh.Points) * int64(a.Components)
	if a.DataType == Float32 {
		if int64(len(a.Floats)) != want {
			return fmt.Errorf("draco: attribute %d (unique ID %d) has %d floats, want %d for %d points",
				i, a.UniqueID, len(a.Floats), want, e.mesh.Points)
		}
		return checkFinite(a, i)
	}
	if a.DataType < Int8 || a.DataType > Uint32 {
		return fmt.Errorf("draco: attribute %d (unique ID %d) is of data type %d, only integers of up to 32 bits and Float32 can be encoded",
			i, a.UniqueID, a.DataType)
	}
	if int64(len(a.Ints)) != want {
		return fmt.Errorf("draco: attribute %d (unique ID %d) has %d integers, want %d for %d points",
			i, a.UniqueID, len(a.Ints), want, e.mesh.Points)
	}
	return nil
}

// checkFinite names the first value that is not a number, or infinite.
func checkFinite(a *Attribute, index int) error {
	for i, v := range a.Floats {
		if v-v != 0 {
			return fmt.Errorf("draco: attribute %d (unique ID %d) has %v at point %d, component %d; want finite values",
				index, a.UniqueID, v, i/a.Components, i%a.Components)
		}
	}
	return nil
}

// The methods of the bitstream's header.
const (
	encGeometryPoints = 0
	encGeometryMesh   = 1

	encMethodSequential  = 0
	encMethodEdgebreaker = 1
)

// encAppendHeader appends what every bitstream begins with (specification,
// "ParseHeader").
func encAppendHeader(dst []byte, geometry, method byte) []byte {
	dst = append(dst, "DRACO"...)
	return append(dst, 2, 2, geometry, method, 0, 0)
}

// encResize gives a slice of n, of the old memory where it is large enough; its
// contents are whatever was there.
func encResize[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]T, n)
}

// encFill sets all of a slice.
func encFill[T any](s []T, v T) {
	for i := range s {
		s[i] = v
	}
}
