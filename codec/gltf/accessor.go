package gltf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Components returns how many numbers an element of a type has; 0 where the type is
// not one of glTF.
func Components(kind string) int {
	switch kind {
	case "SCALAR":
		return 1
	case "VEC2":
		return 2
	case "VEC3":
		return 3
	case "VEC4", "MAT2":
		return 4
	case "MAT3":
		return 9
	case "MAT4":
		return 16
	}
	return 0
}

// TypeOf returns the type of elements with n numbers, 1 to 4, or 16.
func TypeOf(n int) string {
	switch n {
	case 2:
		return "VEC2"
	case 3:
		return "VEC3"
	case 4:
		return "VEC4"
	case 16:
		return "MAT4"
	}
	return "SCALAR"
}

// elements is how those of an accessor lie in a view.
type elements struct {
	component ComponentType
	n         int // numbers an element
	column    int // numbers a column
	columns   int // bytes from column to column (3.6.2.4: those of matrices are aligned)
	size      int // bytes an element
	stride    int // bytes from element to element
}

func (a *Accessor) layout(v *BufferView) elements {
	l := elements{component: a.ComponentType, n: Components(a.Type)}
	size := a.ComponentType.Size()
	l.column = l.n
	switch a.Type {
	case "MAT2":
		l.column = 2
	case "MAT3":
		l.column = 3
	case "MAT4":
		l.column = 4
	}
	l.columns = l.column * size
	if l.column < l.n {
		l.columns += -l.columns & 3
	}
	l.size = l.columns*(l.n/l.column-1) + l.column*size
	l.stride = l.columns * (l.n / l.column)
	if v.ByteStride > 0 {
		l.stride = v.ByteStride
	}
	return l
}

// number reads one component.
func number(b []byte, kind ComponentType) float64 {
	switch kind {
	case Byte:
		return float64(int8(b[0]))
	case UnsignedByte:
		return float64(b[0])
	case Short:
		return float64(int16(binary.LittleEndian.Uint16(b)))
	case UnsignedShort:
		return float64(binary.LittleEndian.Uint16(b))
	case UnsignedInt:
		return float64(binary.LittleEndian.Uint32(b))
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
}

// normal returns what a normalized integer is divided by (section 3.6.2.2).
func normal(kind ComponentType) float64 {
	switch kind {
	case Byte:
		return math.MaxInt8
	case UnsignedByte:
		return math.MaxUint8
	case Short:
		return math.MaxInt16
	case UnsignedShort:
		return math.MaxUint16
	case UnsignedInt:
		return math.MaxUint32
	}
	return 1
}

// maxImplied is the most elements of an accessor without a view: nothing in the
// file bounds them.
const maxImplied = 1 << 24

// Floats returns the values of an accessor, interleaved: normalized integers as 0
// to 1 or -1 to 1, others as their values; those of UnsignedInt above 2^24 lose
// precision.
func (d *Document) Floats(accessor int) ([]float32, error) {
	a := d.Accessors[accessor]
	n := Components(a.Type)
	if a.BufferView == nil && a.Count > maxImplied {
		return nil, faulty(fmt.Sprintf("/accessors/%d/count", accessor), "is %d without a bufferView; %d is the most", a.Count, maxImplied)
	}
	out := make([]float32, a.Count*n)
	if a.BufferView != nil {
		v := d.BufferViews[*a.BufferView]
		readFloats(out, v.Data[min(a.ByteOffset, len(v.Data)):], a.layout(v), a.Normalized)
	}
	if a.Sparse != nil {
		if err := d.applySparse(accessor, a, out, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readFloats(out []float32, data []byte, l elements, normalized bool) {
	if l.component == Float && l.columns == 4*l.column {
		for i, at := 0, 0; i < len(out); i, at = i+l.n, at+l.stride {
			for j := range l.n {
				out[i+j] = math.Float32frombits(binary.LittleEndian.Uint32(data[at+4*j:]))
			}
		}
		return
	}
	scale, least := 1.0, math.Inf(-1)
	if normalized && l.component != Float {
		scale, least = 1/normal(l.component), -1
	}
	size := l.component.Size()
	for i, at := 0, 0; i < len(out); i, at = i+l.n, at+l.stride {
		for j := range l.n {
			v := number(data[at+j/l.column*l.columns+j%l.column*size:], l.component)
			out[i+j] = float32(max(v*scale, least))
		}
	}
}

func (d *Document) applySparse(accessor int, a *Accessor, out []float32, n int) error {
	s := a.Sparse
	where := d.BufferViews[s.Indices.BufferView].Data[s.Indices.ByteOffset:]
	size := s.Indices.ComponentType.Size()
	values := make([]float32, s.Count*n)
	readFloats(values, d.BufferViews[s.Values.BufferView].Data[s.Values.ByteOffset:], a.layout(&BufferView{}), a.Normalized)
	for i := range s.Count {
		k := int(number(where[i*size:], s.Indices.ComponentType))
		if k >= a.Count {
			return faulty(fmt.Sprintf("/accessors/%d/sparse/indices", accessor), "index %d of %d elements", k, a.Count)
		}
		copy(out[k*n:(k+1)*n], values[i*n:])
	}
	return nil
}

// Indices returns the values of an accessor of scalars.
func (d *Document) Indices(accessor int) ([]uint32, error) {
	a := d.Accessors[accessor]
	switch {
	case a.Type != "SCALAR" || a.ComponentType == Float || a.ComponentType == Byte || a.ComponentType == Short:
		return nil, faulty(fmt.Sprintf("/accessors/%d", accessor), "indices of type %s and component type %d", a.Type, a.ComponentType)
	case a.Sparse != nil:
		return d.sparseIndices(accessor)
	case a.BufferView == nil && a.Count > maxImplied:
		return nil, faulty(fmt.Sprintf("/accessors/%d/count", accessor), "is %d without a bufferView; %d is the most", a.Count, maxImplied)
	}
	out := make([]uint32, a.Count)
	if a.BufferView == nil || a.Count == 0 {
		return out, nil
	}
	v := d.BufferViews[*a.BufferView]
	data, stride := v.Data[a.ByteOffset:], a.layout(v).stride
	switch a.ComponentType {
	case UnsignedByte:
		for i := range out {
			out[i] = uint32(data[i*stride])
		}
	case UnsignedShort:
		for i := range out {
			out[i] = uint32(binary.LittleEndian.Uint16(data[i*stride:]))
		}
	default:
		for i := range out {
			out[i] = binary.LittleEndian.Uint32(data[i*stride:])
		}
	}
	return out, nil
}

func (d *Document) sparseIndices(accessor int) ([]uint32, error) {
	floats, err := d.Floats(accessor)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, len(floats))
	for i, f := range floats {
		out[i] = uint32(f)
	}
	return out, nil
}

// AddIndices appends an accessor of indices, in the smallest type that holds them,
// and returns its index. 65,535 and 255 are not used in the small types: they
// restart primitives (section 3.7.2.1).
func (d *Document) AddIndices(indices []uint32) int {
	top := uint32(0)
	if len(indices) > 0 {
		top = slices.Max(indices)
	}
	var data []byte
	kind := UnsignedInt
	if top < math.MaxUint16 {
		kind = UnsignedShort
		data = make([]byte, 2*len(indices))
		for i, v := range indices {
			binary.LittleEndian.PutUint16(data[2*i:], uint16(v))
		}
	} else {
		data = make([]byte, 4*len(indices))
		for i, v := range indices {
			binary.LittleEndian.PutUint32(data[4*i:], v)
		}
	}
	return d.addAccessor(&Accessor{ComponentType: kind, Count: len(indices), Type: "SCALAR"}, data, ElementArrayBuffer)
}

// Format is how the values of an accessor are written.
type Format struct {
	Component  ComponentType
	Normalized bool
	// Components of an element, as for TypeOf.
	Components int
	// Bounds adds min and max, which POSITION and times of animations need.
	Bounds bool
	// Target of the view: ArrayBuffer for attributes of vertices.
	Target int
}

// AddFloats appends an accessor of values, interleaved, converted to a format, and
// returns its index. Values of integers are rounded and clamped. Elements of
// attributes are aligned to 4 bytes.
func (d *Document) AddFloats(values []float32, f Format) int {
	a := &Accessor{ComponentType: f.Component, Normalized: f.Normalized, Count: len(values) / f.Components, Type: TypeOf(f.Components)}
	size := f.Component.Size()
	stride := size * f.Components
	if f.Target == ArrayBuffer {
		stride += -stride & 3
	}
	data := make([]byte, stride*a.Count)
	scale := 1.0
	if f.Normalized {
		scale = normal(f.Component)
	}
	for i := range a.Count {
		for j := range f.Components {
			put(data[i*stride+j*size:], f.Component, float64(values[i*f.Components+j])*scale)
		}
	}
	if f.Bounds {
		a.Min, a.Max = bounds(values, f.Components)
	}
	index := d.addAccessor(a, data, f.Target)
	if stride != size*f.Components {
		d.BufferViews[*a.BufferView].ByteStride = stride
	}
	return index
}

func (d *Document) addAccessor(a *Accessor, data []byte, target int) int {
	a.BufferView = Ref(d.AddView(data, target))
	d.Accessors = append(d.Accessors, a)
	return len(d.Accessors) - 1
}

func put(b []byte, kind ComponentType, v float64) {
	if kind == Float {
		binary.LittleEndian.PutUint32(b, math.Float32bits(float32(v)))
		return
	}
	v = math.Round(v)
	switch kind {
	case Byte:
		b[0] = byte(int8(min(max(v, math.MinInt8), math.MaxInt8)))
	case UnsignedByte:
		b[0] = uint8(min(max(v, 0), math.MaxUint8))
	case Short:
		binary.LittleEndian.PutUint16(b, uint16(int16(min(max(v, math.MinInt16), math.MaxInt16))))
	case UnsignedShort:
		binary.LittleEndian.PutUint16(b, uint16(min(max(v, 0), math.MaxUint16)))
	case UnsignedInt:
		binary.LittleEndian.PutUint32(b, uint32(min(max(v, 0), math.MaxUint32)))
	}
}

func bounds(values []float32, n int) (lo, hi []float64) {
	lo, hi = make([]float64, n), make([]float64, n)
	for j := range n {
		lo[j], hi[j] = math.Inf(1), math.Inf(-1)
	}
	for i, v := range values {
		lo[i%n], hi[i%n] = min(lo[i%n], float64(v)), max(hi[i%n], float64(v))
	}
	if len(values) == 0 {
		return nil, nil
	}
	return lo, hi
}

// Numbers returns the values of an accessor as they are stored: normalized integers
// as integers.
func (d *Document) Numbers(accessor int) ([]float32, error) {
	a := *d.Accessors[accessor]
	a.Normalized = false
	plain := Document{Accessors: []*Accessor{&a}, BufferViews: d.BufferViews}
	return plain.Floats(0)
}
