package gltf

import (
	"encoding/binary"
	"fmt"

	"slate360.ai/worker/codec/meshopt"
)

// decodeMeshopt returns the bytes of a compressed view.
func decodeMeshopt(e meshoptExtension, data []byte) ([]byte, error) {
	switch e.Mode {
	case "ATTRIBUTES":
		out, err := meshopt.Attributes(e.Count, e.ByteStride, data)
		if err != nil {
			return nil, err
		}
		switch e.Filter {
		case "", "NONE":
		case "OCTAHEDRAL":
			err = meshopt.Octahedral(out, e.ByteStride)
		case "QUATERNION":
			err = meshopt.Quaternion(out, e.ByteStride)
		case "EXPONENTIAL":
			err = meshopt.Exponential(out, e.ByteStride)
		case "COLOR":
			err = meshopt.Color(out, e.ByteStride)
		default:
			err = fmt.Errorf("filter %q is not known", e.Filter)
		}
		return out, err
	case "TRIANGLES", "INDICES":
		decode := meshopt.Triangles
		if e.Mode == "INDICES" {
			decode = meshopt.Indices
		}
		indices, err := decode(e.Count, data)
		if err != nil {
			return nil, err
		}
		return indexBytes(indices, e.ByteStride)
	}
	return nil, fmt.Errorf("mode %q is not known", e.Mode)
}

func indexBytes(indices []uint32, size int) ([]byte, error) {
	out := make([]byte, 0, size*len(indices))
	switch size {
	case 2:
		for _, v := range indices {
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		}
	case 4:
		for _, v := range indices {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
	default:
		return nil, fmt.Errorf("indices of %d bytes; 2 and 4 are", size)
	}
	return out, nil
}
