package draco

import "encoding/binary"

// Ways of storing indices (specification, connectivity_method).
const (
	encIndicesCompressed = 0
	encIndicesRaw        = 1
)

// encodeSequential appends points in their order, and triangles where the mesh
// has any.
func (e *Encoder) encodeSequential(dst []byte) (Encoded, error) {
	m := e.mesh
	out := Encoded{Points: m.Points, Triangles: len(m.Indices) / 3}
	group := encGroup{}
	for _, i := range e.order {
		group.attributes = append(group.attributes, &m.Attributes[i])
	}
	attributes, err := e.appendGroups(nil, []encGroup{group})
	if err != nil {
		return Encoded{}, err
	}
	if m.Indices == nil {
		dst = encAppendHeader(dst, encGeometryPoints, encMethodSequential)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(m.Points))
	} else {
		dst = encAppendHeader(dst, encGeometryMesh, encMethodSequential)
		dst = binary.AppendUvarint(dst, uint64(out.Triangles))
		dst = binary.AppendUvarint(dst, uint64(m.Points))
		dst = e.appendIndices(dst, len(attributes))
	}
	out.Data = append(dst, attributes...)
	return out, nil
}

// appendIndices appends indices as differences or as they are, whichever is
// smaller (specification, "Sequential Connectivity Decoder"), before some bytes
// that follow. Decoders hold triangles of less than three bytes, with all that
// follows, for a fault.
func (e *Encoder) appendIndices(dst []byte, following int) []byte {
	indices := e.mesh.Indices
	symbols := encResize(e.scratch.symbols[0], len(indices))
	e.scratch.symbols[0] = symbols
	last := int32(0)
	for i, p := range indices {
		d := int32(p) - last
		symbols[i] = uint32(d) << 1
		if d < 0 {
			symbols[i] = uint32(-d)<<1 | 1
		}
		last = int32(p)
	}
	start := len(dst)
	dst = append(dst, encIndicesCompressed)
	dst = e.entropy.append(dst, symbols, 1)
	width, raw := e.indexWidth()
	if n := len(dst) - start; n-1 <= raw && n+following >= len(indices) {
		return dst
	}
	dst = append(dst[:start], encIndicesRaw)
	for _, p := range indices {
		switch width {
		case 1:
			dst = append(dst, byte(p))
		case 2:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(p))
		case 3:
			dst = binary.AppendUvarint(dst, uint64(p))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, p)
		}
	}
	return dst
}

// indexWidth is the bytes that an index has as it is, 3 for 1 to 3 bytes of seven
// bits, and the size of all.
func (e *Encoder) indexWidth() (width, size int) {
	n := len(e.mesh.Indices)
	switch points := e.mesh.Points; {
	case points < 1<<8:
		return 1, n
	case points < 1<<16:
		return 2, 2 * n
	case points >= 1<<21:
		return 4, 4 * n
	}
	for _, p := range e.mesh.Indices {
		size++
		if p >= 1<<7 {
			size++
		}
		if p >= 1<<14 {
			size++
		}
	}
	return 3, size
}
