// Package gltf writes binary glTF files (GLB).
//
// It follows the "glTF 2.0 Specification" of Khronos (sections 3.6 binary data,
// 3.7 geometry, 4.4 GLB), and the extensions KHR_mesh_quantization,
// KHR_materials_unlit, and EXT_structural_metadata of Cesium (section "Property
// Attributes"). The types are those parts of the JSON that this product writes.
package gltf

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// Names of extensions.
const (
	ExtQuantization       = "KHR_mesh_quantization"
	ExtUnlit              = "KHR_materials_unlit"
	ExtStructuralMetadata = "EXT_structural_metadata"
)

// Component types of accessors (section 3.6.2.2).
const (
	UnsignedByte  = 5121
	UnsignedShort = 5123
	UnsignedInt   = 5125
	Float         = 5126
)

// Modes of primitives and targets of buffer views.
const (
	ModePoints  = 0
	ArrayBuffer = 34962
)

// Document is the JSON of a file.
type Document struct {
	Asset              Asset          `json:"asset"`
	ExtensionsUsed     []string       `json:"extensionsUsed,omitempty"`
	ExtensionsRequired []string       `json:"extensionsRequired,omitempty"`
	Extensions         map[string]any `json:"extensions,omitempty"`
	Scene              int            `json:"scene"`
	Scenes             []Scene        `json:"scenes"`
	Nodes              []Node         `json:"nodes"`
	Meshes             []Mesh         `json:"meshes"`
	Materials          []Material     `json:"materials,omitempty"`
	Accessors          []Accessor     `json:"accessors"`
	BufferViews        []BufferView   `json:"bufferViews"`
	Buffers            []Buffer       `json:"buffers"`
}

// Asset says what wrote the file.
type Asset struct {
	Version   string `json:"version"`
	Generator string `json:"generator,omitempty"`
}

// Scene lists its root nodes.
type Scene struct {
	Nodes []int `json:"nodes"`
}

// Node places a mesh. Matrix is in columns; nil for the identity.
type Node struct {
	Mesh   *int         `json:"mesh,omitempty"`
	Matrix *[16]float64 `json:"matrix,omitempty"`
}

// Mesh is a list of primitives.
type Mesh struct {
	Primitives []Primitive `json:"primitives"`
}

// Primitive is drawn at once; attributes are indices of accessors by name.
type Primitive struct {
	Attributes map[string]int `json:"attributes"`
	Material   *int           `json:"material,omitempty"`
	Mode       int            `json:"mode"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// Material is how a primitive looks.
type Material struct {
	PBR        *PBR           `json:"pbrMetallicRoughness,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// PBR are the parameters of the metallic-roughness model.
type PBR struct {
	MetallicFactor  *float64 `json:"metallicFactor,omitempty"`
	RoughnessFactor *float64 `json:"roughnessFactor,omitempty"`
}

// Accessor reads a buffer view as elements of a type (SCALAR, VEC3 …).
type Accessor struct {
	BufferView    int       `json:"bufferView"`
	ByteOffset    int       `json:"byteOffset,omitempty"`
	ComponentType int       `json:"componentType"`
	Normalized    bool      `json:"normalized,omitempty"`
	Count         int       `json:"count"`
	Type          string    `json:"type"`
	Min           []float64 `json:"min,omitempty"`
	Max           []float64 `json:"max,omitempty"`
}

// BufferView is a part of a buffer; ByteStride 0 is tightly packed.
type BufferView struct {
	Buffer     int `json:"buffer"`
	ByteOffset int `json:"byteOffset,omitempty"`
	ByteLength int `json:"byteLength"`
	ByteStride int `json:"byteStride,omitempty"`
	Target     int `json:"target,omitempty"`
}

// Buffer is the binary chunk.
type Buffer struct {
	ByteLength int `json:"byteLength"`
}

const (
	glbMagic    = 0x46546C67 // "glTF"
	glbVersion  = 2
	chunkJSON   = 0x4E4F534A
	chunkBinary = 0x004E4942
)

// AppendGLB appends a file of a document and its binary chunk to dst.
func AppendGLB(dst []byte, d *Document, bin []byte) ([]byte, error) {
	d.Asset.Version = "2.0"
	d.Buffers = []Buffer{{len(bin)}}
	text, err := json.Marshal(d)
	if err != nil {
		return dst, fmt.Errorf("gltf: encoding the document: %w", err)
	}
	for len(text)%4 != 0 {
		text = append(text, ' ')
	}
	pad := -len(bin) & 3
	total := 12 + 8 + len(text) + 8 + len(bin) + pad
	if total > math.MaxUint32 {
		return dst, fmt.Errorf("gltf: a file of %d bytes; 4 GiB is the most, split the mesh", total)
	}
	for _, v := range []uint32{glbMagic, glbVersion, uint32(total), uint32(len(text)), chunkJSON} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	dst = append(dst, text...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(bin)+pad))
	dst = binary.LittleEndian.AppendUint32(dst, chunkBinary)
	dst = append(dst, bin...)
	return append(dst, make([]byte, pad)...), nil
}
