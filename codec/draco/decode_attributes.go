package draco

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// How the values of an attribute are coded (seq_att_dec_decoder_type).
const (
	codedRaw        = 0
	codedInteger    = 1
	codedQuantized  = 2
	codedOctahedral = 3
)

// decoderAttribute is an attribute while it is decoded.
type decoderAttribute struct {
	Attribute
	coded uint8
	// values are portable: quantised integers of parts components a value.
	values []int32
	parts  int
	raw    []byte
	// quantisation
	minimum []float32
	span    float32
	bits    uint8
}

// decoderGroup are attributes whose values come in one sequence.
type decoderGroup struct {
	data     int8 // -1: that of positions
	element  uint8
	method   uint8
	list     []*decoderAttribute
	sequence *decoderSequence // nil: the order of points
	count    int
}

// attributes reads all values (specification, "Attributes Decoder").
func (d *decoder) attributes() ([]Attribute, error) {
	n, err := d.in.u8()
	if err != nil {
		return nil, err
	}
	groups := make([]*decoderGroup, n)
	for i := range groups {
		g := &decoderGroup{data: -1}
		groups[i] = g
		if d.table == nil {
			continue
		}
		b, err := d.in.take(3)
		if err != nil {
			return nil, err
		}
		g.data, g.element, g.method = int8(b[0]), b[1], b[2]
		if int(g.data) >= len(d.seams) {
			return nil, fmt.Errorf("attribute data %d of %d", g.data, len(d.seams))
		}
	}
	for _, g := range groups {
		if err := g.describe(&d.in); err != nil {
			return nil, err
		}
	}
	var out []Attribute
	for _, g := range groups {
		d.arrange(g)
		of := d.valueOfPoints(g)
		for _, a := range g.list {
			if err := d.decodeValues(g, a); err != nil {
				return nil, fmt.Errorf("attribute %d: %w", a.UniqueID, err)
			}
			if a.Type == Position && d.position == nil {
				d.position, d.positionOf = a, of
			}
		}
		for _, a := range g.list {
			if err := a.transformData(&d.in); err != nil {
				return nil, fmt.Errorf("attribute %d: %w", a.UniqueID, err)
			}
		}
		for _, a := range g.list {
			if err := a.finish(of, d.points); err != nil {
				return nil, fmt.Errorf("attribute %d: %w", a.UniqueID, err)
			}
			out = append(out, a.Attribute)
		}
	}
	return out, nil
}

// describe reads what attributes there are, and how each is coded.
func (g *decoderGroup) describe(in *input) error {
	if err := g.describeList(in); err != nil {
		return err
	}
	kinds, err := in.take(len(g.list))
	if err != nil {
		return err
	}
	for i, k := range kinds {
		g.list[i].coded = k
	}
	return nil
}

func (g *decoderGroup) describeList(in *input) error {
	n, err := in.count()
	if err != nil {
		return err
	}
	for range n {
		b, err := in.take(4)
		if err != nil {
			return err
		}
		id, err := in.varint()
		if err != nil {
			return err
		}
		a := &decoderAttribute{Attribute: Attribute{Type: AttributeType(b[0]), DataType: DataType(b[1]), Components: int(b[2]), Normalized: b[3] != 0, UniqueID: uint32(id)}}
		if a.Type > Generic || a.DataType < Int8 || a.DataType > Bool || a.Components == 0 {
			return fmt.Errorf("attribute %d has type %d, data type %d, %d components", id, b[0], b[1], b[2])
		}
		g.list = append(g.list, a)
	}
	return nil
}

// arrange finds the sequence of a group.
func (d *decoder) arrange(g *decoderGroup) {
	if d.table == nil {
		g.count = d.points
		return
	}
	f := decoderSurface{t: d.table}
	if g.data >= 0 && g.element != 0 {
		f.s = d.seams[g.data]
	}
	g.sequence = newDecoderSequence(f, g.method)
	g.count = len(g.sequence.corner)
}

// valueOfPoints maps points to values of a group; nil is the identity.
func (d *decoder) valueOfPoints(g *decoderGroup) []int32 {
	if g.sequence == nil {
		return nil
	}
	of := make([]int32, d.points)
	for p, c := range d.pointCorner {
		if c >= 0 {
			of[p] = g.sequence.value[g.sequence.vertex(c)]
		}
	}
	return of
}

func (d *decoder) decodeValues(g *decoderGroup, a *decoderAttribute) error {
	a.parts = a.Components
	switch a.coded {
	case codedRaw:
		var err error
		a.raw, err = d.in.take(g.count * a.Components * dataSize(a.DataType))
		return err
	case codedOctahedral:
		if a.Components != 3 {
			return fmt.Errorf("normals of %d components", a.Components)
		}
		a.parts = 2
	case codedInteger, codedQuantized:
	default:
		return fmt.Errorf("coding %d is not known", a.coded)
	}
	b, err := d.in.take(1)
	if err != nil {
		return err
	}
	p := decoderPrediction{d: d, g: g, a: a, scheme: int8(b[0]), transform: transformNone}
	if p.scheme != predictNone {
		if b, err = d.in.take(1); err != nil {
			return err
		}
		p.transform = int8(b[0])
	}
	if int64(g.count)*int64(a.parts) > math.MaxInt32 {
		return errors.New("too many values")
	}
	values := make([]uint32, g.count*a.parts)
	if err := d.codes(values, a.parts); err != nil {
		return err
	}
	return p.restore(values)
}

// codes reads what values are coded by: symbols, or plain integers.
func (d *decoder) codes(values []uint32, parts int) error {
	compressed, err := d.in.u8()
	if err != nil {
		return err
	}
	if compressed != 0 {
		return d.in.symbols(values, parts)
	}
	width, err := d.in.u8()
	if err != nil {
		return err
	}
	if width < 1 || width > 4 {
		return fmt.Errorf("integers of %d bytes", width)
	}
	raw, err := d.in.take(int(width) * len(values))
	if err != nil {
		return err
	}
	for i := range values {
		for k := range int(width) {
			values[i] |= uint32(raw[i*int(width)+k]) << (8 * k)
		}
	}
	return nil
}

// transformData reads what turns portable values into those of the attribute.
func (a *decoderAttribute) transformData(in *input) error {
	var err error
	switch a.coded {
	case codedQuantized:
		a.minimum = make([]float32, a.Components)
		for i := range a.minimum {
			if a.minimum[i], err = in.f32(); err != nil {
				return err
			}
		}
		if a.span, err = in.f32(); err != nil {
			return err
		}
		fallthrough
	case codedOctahedral:
		if a.bits, err = in.u8(); err != nil {
			return err
		}
		if a.bits < 1 || a.bits > 31 {
			return fmt.Errorf("quantised to %d bits", a.bits)
		}
	}
	return nil
}

// finish gives each point its values.
func (a *decoderAttribute) finish(of []int32, points int) error {
	n := a.Components
	at := func(p int) int {
		if of == nil {
			return p
		}
		return int(of[p])
	}
	switch a.coded {
	case codedRaw:
		return a.finishRaw(at, points)
	case codedOctahedral:
		return a.finishNormals(at, points)
	case codedQuantized:
		if a.DataType != Float32 {
			return fmt.Errorf("data type %d cannot be quantised", a.DataType)
		}
		a.Floats = make([]float32, points*n)
		step := a.span / float32(int32(1)<<a.bits-1)
		for p := range points {
			v := a.values[at(p)*n:][:n]
			for k, q := range v {
				// The conversion keeps the product from being fused with the sum:
				// the reference decoder rounds both.
				a.Floats[p*n+k] = float32(float32(q)*step) + a.minimum[k]
			}
		}
	default:
		out := make([]int32, points*n)
		for p := range points {
			copy(out[p*n:], a.values[at(p)*n:][:n])
		}
		a.narrow(out)
		if a.DataType == Float32 || a.DataType == Float64 {
			a.Floats = make([]float32, len(out))
			for i, v := range out {
				a.Floats[i] = float32(v)
			}
			a.DataType = Float32
			return nil
		}
		a.Ints = out
	}
	return nil
}

// narrow cuts integers to their type, as a reader that stores them does.
func (a *decoderAttribute) narrow(v []int32) {
	for i := range v {
		switch a.DataType {
		case Int8:
			v[i] = int32(int8(v[i]))
		case Uint8:
			v[i] = int32(uint8(v[i]))
		case Int16:
			v[i] = int32(int16(v[i]))
		case Uint16:
			v[i] = int32(uint16(v[i]))
		case Bool:
			if v[i] != 0 {
				v[i] = 1
			}
		}
	}
}

func dataSize(t DataType) int {
	switch t {
	case Int8, Uint8, Bool:
		return 1
	case Int16, Uint16:
		return 2
	case Int64, Uint64, Float64:
		return 8
	}
	return 4
}

func (a *decoderAttribute) finishRaw(at func(int) int, points int) error {
	n, size := a.Components, dataSize(a.DataType)
	float := a.DataType == Float32 || a.DataType == Float64
	if float {
		a.Floats = make([]float32, points*n)
	} else {
		a.Ints = make([]int32, points*n)
	}
	for p := range points {
		for k := range n {
			b := a.raw[(at(p)*n+k)*size:]
			i := p*n + k
			switch a.DataType {
			case Int8:
				a.Ints[i] = int32(int8(b[0]))
			case Uint8, Bool:
				a.Ints[i] = int32(b[0])
			case Int16:
				a.Ints[i] = int32(int16(binary.LittleEndian.Uint16(b)))
			case Uint16:
				a.Ints[i] = int32(binary.LittleEndian.Uint16(b))
			case Int32, Uint32:
				a.Ints[i] = int32(binary.LittleEndian.Uint32(b))
			case Float32:
				a.Floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
			case Float64:
				a.Floats[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
			default:
				v := int64(binary.LittleEndian.Uint64(b))
				if v != int64(int32(v)) {
					return fmt.Errorf("the value %d does not fit 32 bits", v)
				}
				a.Ints[i] = int32(v)
			}
		}
	}
	if a.DataType == Float64 {
		a.DataType = Float32
	}
	return nil
}

// finishNormals turns octahedral coordinates into unit vectors (specification,
// "Sequential Normal Attribute Decoder").
func (a *decoderAttribute) finishNormals(at func(int) int, points int) error {
	if a.DataType != Float32 {
		return fmt.Errorf("normals of data type %d", a.DataType)
	}
	top := int32(1)<<a.bits - 1
	scale := float32(2) / float32(top-1)
	a.Floats = make([]float32, 3*points)
	for p := range points {
		i := at(p)
		s := float32(float32(a.values[2*i])*scale) - 1
		t := float32(float32(a.values[2*i+1])*scale) - 1
		// Unfold the left hemisphere over the corners.
		x := 1 - abs32(s) - abs32(t)
		over := max(-x, 0)
		if s < 0 {
			s += over
		} else {
			s -= over
		}
		if t < 0 {
			t += over
		} else {
			t -= over
		}
		square := float32(x*x) + float32(s*s) + float32(t*t)
		if square < 1e-6 {
			continue
		}
		d := 1 / float32(math.Sqrt(float64(square)))
		a.Floats[3*p], a.Floats[3*p+1], a.Floats[3*p+2] = x*d, s*d, t*d
	}
	return nil
}

func abs32(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }
