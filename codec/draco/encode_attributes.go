package draco

import (
	"encoding/binary"
	"fmt"
	"math"
)

// How values are stored (specification, seq_att_dec_decoder_type).
const (
	encStoreRaw       = 0
	encStoreIntegers  = 1
	encStoreQuantized = 2
	encStoreNormals   = 3
)

// encValues is an attribute in the form that is predicted: integers in the order
// of a sequence.
type encValues struct {
	attribute  *Attribute
	store      byte
	bits       int
	components int
	values     []int32
	least      []float32
	extent     float32
}

// storeOf tells how the values of an attribute are stored.
func (e *Encoder) storeOf(a *Attribute) byte {
	switch {
	case a.DataType != Float32:
		return encStoreIntegers
	case e.options.bits(a.Type) < 0 || a.Exact:
		return encStoreRaw
	case a.Type == Normal && a.Components == 3:
		return encStoreNormals
	}
	return encStoreQuantized
}

// appendGroups appends all attributes (specification, "Attributes Decoder").
func (e *Encoder) appendGroups(dst []byte, groups []encGroup) ([]byte, error) {
	dst = append(dst, byte(len(groups)))
	if groups[0].sequence != nil {
		for _, g := range groups {
			dst = append(dst, byte(g.data), g.kind, g.traversal)
		}
	}
	for _, g := range groups {
		dst = binary.AppendUvarint(dst, uint64(len(g.attributes)))
		for _, a := range g.attributes {
			normalized := byte(0)
			if a.Normalized {
				normalized = 1
			}
			dst = append(dst, byte(a.Type), byte(a.DataType), byte(a.Components), normalized)
			dst = binary.AppendUvarint(dst, uint64(a.UniqueID))
		}
		for _, a := range g.attributes {
			dst = append(dst, e.storeOf(a))
		}
	}
	var position *encValues
	for i := range groups {
		g := &groups[i]
		values := make([]encValues, len(g.attributes))
		for j, a := range g.attributes {
			v := &values[j]
			if position == nil {
				position = v
			}
			if e.ready != nil && v == position {
				*v = e.ready.values
				dst = e.appendPrediction(dst, v, e.ready.prediction)
				continue
			}
			if err := e.prepare(v, a, g.sequence); err != nil {
				return dst, err
			}
			dst = e.appendValues(dst, v, g.sequence, position)
			if v != position {
				v.values = nil
			}
		}
		for j := range values {
			dst = values[j].appendTransform(dst)
		}
	}
	return dst, nil
}

// appendTransform appends what turns integers into floats again (specification,
// "DecodeDataNeededByPortableTransforms").
func (v *encValues) appendTransform(dst []byte) []byte {
	switch v.store {
	case encStoreNormals:
		dst = append(dst, byte(v.bits))
	case encStoreQuantized:
		for _, f := range v.least {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
		}
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v.extent))
		dst = append(dst, byte(v.bits))
	}
	return dst
}

// prepare makes integers of the values of an attribute, in the order of the
// sequence.
func (e *Encoder) prepare(v *encValues, a *Attribute, q *encSequence) error {
	*v = encValues{attribute: a, store: e.storeOf(a), bits: e.options.bits(a.Type), components: a.Components}
	n := e.mesh.Points
	if q != nil {
		n = len(q.corners)
	}
	if v.store == encStoreRaw {
		return nil
	}
	if v.store == encStoreNormals {
		v.components = 2
	}
	v.values = make([]int32, n*v.components)
	switch v.store {
	case encStoreNormals:
		octahedron := newEncOctahedron(v.bits)
		for i := range n {
			p := e.pointOf(q, i)
			s, t := octahedron.fromVector(a.Floats[3*p], a.Floats[3*p+1], a.Floats[3*p+2])
			v.values[2*i], v.values[2*i+1] = s, t
		}
	case encStoreIntegers:
		k := a.Components
		for i := range n {
			p := e.pointOf(q, i)
			copy(v.values[i*k:(i+1)*k], a.Ints[p*k:(p+1)*k])
		}
	default:
		return e.quantize(v, q, n)
	}
	return nil
}

// pointOf is the point of the mesh that a value of a sequence is taken from.
func (e *Encoder) pointOf(q *encSequence, value int) int {
	if q == nil {
		return value
	}
	return int(e.surface.points[q.corners[value]])
}

// quantize rounds values to steps that are the same for all components.
func (e *Encoder) quantize(v *encValues, q *encSequence, n int) error {
	a, k := v.attribute, v.components
	first := e.pointOf(q, 0)
	v.least = append([]float32(nil), a.Floats[first*k:(first+1)*k]...)
	most := append([]float32(nil), v.least...)
	for i := range n {
		p := e.pointOf(q, i) * k
		for j, f := range a.Floats[p : p+k] {
			v.least[j] = min(v.least[j], f)
			most[j] = max(most[j], f)
		}
	}
	for j := range v.least {
		v.extent = max(v.extent, most[j]-v.least[j])
	}
	if v.extent-v.extent != 0 {
		return fmt.Errorf("draco: the values of the attribute of unique ID %d reach from %v to %v, which is beyond a float",
			a.UniqueID, v.least, most)
	}
	if g := e.options.Grid; a.Type == Position && g.Span > 0 {
		v.least, v.extent = append(v.least[:0], g.Min[:]...), g.Span
	}
	if v.extent == 0 {
		v.extent = 1
	}
	steps := float64(uint32(1)<<v.bits - 1)
	scale := steps / float64(v.extent)
	for i := range n {
		p := e.pointOf(q, i) * k
		for j, f := range a.Floats[p : p+k] {
			// What is not below 0 is rounded down by the conversion.
			v.values[i*k+j] = int32(min(max((float64(f)-float64(v.least[j]))*scale+0.5, 0), steps))
		}
	}
	return nil
}

// appendRaw appends floats as they are.
func (e *Encoder) appendRaw(dst []byte, v *encValues, q *encSequence) []byte {
	n := e.mesh.Points
	if q != nil {
		n = len(q.corners)
	}
	k := v.components
	for i := range n {
		p := e.pointOf(q, i) * k
		for _, f := range v.attribute.Floats[p : p+k] {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
		}
	}
	return dst
}
