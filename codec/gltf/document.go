// Package gltf reads, changes and writes glTF 2.0 and its binary form GLB.
//
// It follows the "glTF 2.0 Specification" of Khronos and, for what touches
// geometry, the extensions KHR_draco_mesh_compression, EXT_meshopt_compression,
// KHR_meshopt_compression, KHR_mesh_quantization, EXT_mesh_gpu_instancing,
// EXT_mesh_features and EXT_structural_metadata. All other extensions and all
// extras are kept as they are.
//
// A Document in memory has no buffers: each BufferView holds its bytes, already
// decompressed, and images are views too. Buffers, data URIs and files beside a
// .gltf exist only while one is read or written.
package gltf

import (
	"encoding/json"
	"fmt"
)

// Names of extensions that this package knows.
const (
	ExtQuantization       = "KHR_mesh_quantization"
	ExtUnlit              = "KHR_materials_unlit"
	ExtStructuralMetadata = "EXT_structural_metadata"
	ExtMeshFeatures       = "EXT_mesh_features"
	ExtDraco              = "KHR_draco_mesh_compression"
	ExtMeshopt            = "EXT_meshopt_compression"
	ExtMeshoptKHR         = "KHR_meshopt_compression"
	ExtInstancing         = "EXT_mesh_gpu_instancing"
	ExtVariants           = "KHR_materials_variants"
	ExtTextureTransform   = "KHR_texture_transform"
	ExtBasisu             = "KHR_texture_basisu"
	ExtWebP               = "EXT_texture_webp"
	ExtAVIF               = "EXT_texture_avif"
)

// ComponentType of accessors (section 3.6.2.2).
type ComponentType int

// The component types.
const (
	Byte          ComponentType = 5120
	UnsignedByte  ComponentType = 5121
	Short         ComponentType = 5122
	UnsignedShort ComponentType = 5123
	UnsignedInt   ComponentType = 5125
	Float         ComponentType = 5126
)

// Size returns the bytes of a component; 0 where the type is not one of glTF.
func (c ComponentType) Size() int {
	switch c {
	case Byte, UnsignedByte:
		return 1
	case Short, UnsignedShort:
		return 2
	case UnsignedInt, Float:
		return 4
	}
	return 0
}

// Modes of primitives (section 5.24.4).
const (
	ModePoints        = 0
	ModeLines         = 1
	ModeLineLoop      = 2
	ModeLineStrip     = 3
	ModeTriangles     = 4
	ModeTriangleStrip = 5
	ModeTriangleFan   = 6
)

// Targets of buffer views (section 5.11.5).
const (
	ArrayBuffer        = 34962
	ElementArrayBuffer = 34963
)

// Extensions are the extensions of an object by name; values encode to JSON, those
// of a document that was read are json.RawMessage.
type Extensions map[string]any

// Get decodes an extension into v and tells whether it is there.
func (e Extensions) Get(name string, v any) (bool, error) {
	have, ok := e[name]
	if !ok {
		return false, nil
	}
	raw, err := json.Marshal(have)
	if err != nil {
		return true, fmt.Errorf("extensions/%s: %w", name, err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return true, fmt.Errorf("extensions/%s: %w", name, err)
	}
	return true, nil
}

// UnmarshalJSON keeps the values as they are written.
func (e *Extensions) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*e = Extensions{}
	for k, v := range raw {
		(*e)[k] = v
	}
	return nil
}

// Property is what all objects of glTF may have (section 5.16).
type Property struct {
	Extensions Extensions      `json:"extensions,omitempty"`
	Extras     json.RawMessage `json:"extras,omitempty"`
}

// Named is a property with a name that people see.
type Named struct {
	Name string `json:"name,omitempty"`
	Property
}

// Document is the JSON of a file, and the bytes of its views.
type Document struct {
	Asset              Asset         `json:"asset"`
	ExtensionsUsed     []string      `json:"extensionsUsed,omitempty"`
	ExtensionsRequired []string      `json:"extensionsRequired,omitempty"`
	Scene              *int          `json:"scene,omitempty"`
	Scenes             []*Scene      `json:"scenes,omitempty"`
	Nodes              []*Node       `json:"nodes,omitempty"`
	Meshes             []*Mesh       `json:"meshes,omitempty"`
	Materials          []*Material   `json:"materials,omitempty"`
	Textures           []*Texture    `json:"textures,omitempty"`
	Images             []*Image      `json:"images,omitempty"`
	Samplers           []*Sampler    `json:"samplers,omitempty"`
	Skins              []*Skin       `json:"skins,omitempty"`
	Animations         []*Animation  `json:"animations,omitempty"`
	Cameras            []*Camera     `json:"cameras,omitempty"`
	Accessors          []*Accessor   `json:"accessors,omitempty"`
	BufferViews        []*BufferView `json:"bufferViews,omitempty"`
	Buffers            []*Buffer     `json:"buffers,omitempty"`
	Property
}

// Asset says what wrote the file.
type Asset struct {
	Version    string `json:"version"`
	MinVersion string `json:"minVersion,omitempty"`
	Generator  string `json:"generator,omitempty"`
	Copyright  string `json:"copyright,omitempty"`
	Property
}

// Scene lists its root nodes.
type Scene struct {
	Nodes []int `json:"nodes,omitempty"`
	Named
}

// Node places a mesh, camera or skin. Matrix is in columns; it, or the others of
// translation, rotation (quaternion x y z w) and scale, are nil for the identity.
type Node struct {
	Children    []int        `json:"children,omitempty"`
	Mesh        *int         `json:"mesh,omitempty"`
	Skin        *int         `json:"skin,omitempty"`
	Camera      *int         `json:"camera,omitempty"`
	Matrix      *[16]float64 `json:"matrix,omitempty"`
	Translation *[3]float64  `json:"translation,omitempty"`
	Rotation    *[4]float64  `json:"rotation,omitempty"`
	Scale       *[3]float64  `json:"scale,omitempty"`
	Weights     []float64    `json:"weights,omitempty"`
	Named
}

// Mesh is a list of primitives.
type Mesh struct {
	Primitives []*Primitive `json:"primitives"`
	Weights    []float64    `json:"weights,omitempty"`
	Named
}

// Attributes are indices of accessors by semantic, such as POSITION.
type Attributes map[string]int

// Primitive is drawn at once.
type Primitive struct {
	Attributes Attributes   `json:"attributes"`
	Indices    *int         `json:"indices,omitempty"`
	Material   *int         `json:"material,omitempty"`
	Mode       int          `json:"mode"`
	Targets    []Attributes `json:"targets,omitempty"`
	Property
}

// UnmarshalJSON reads a primitive, which is of triangles where it does not say.
func (p *Primitive) UnmarshalJSON(b []byte) error {
	type plain Primitive
	q := plain{Mode: ModeTriangles}
	if err := json.Unmarshal(b, &q); err != nil {
		return err
	}
	*p = Primitive(q)
	return nil
}

// TextureInfo refers to a texture.
type TextureInfo struct {
	Index    int      `json:"index"`
	TexCoord int      `json:"texCoord,omitempty"`
	Scale    *float64 `json:"scale,omitempty"`    // of a normal texture
	Strength *float64 `json:"strength,omitempty"` // of an occlusion texture
	Property
}

// Material is how a primitive looks. Factors that are nil have their defaults
// (sections 5.19 and 5.22).
type Material struct {
	PBR              *PBR         `json:"pbrMetallicRoughness,omitempty"`
	NormalTexture    *TextureInfo `json:"normalTexture,omitempty"`
	OcclusionTexture *TextureInfo `json:"occlusionTexture,omitempty"`
	EmissiveTexture  *TextureInfo `json:"emissiveTexture,omitempty"`
	EmissiveFactor   *[3]float64  `json:"emissiveFactor,omitempty"`
	AlphaMode        string       `json:"alphaMode,omitempty"` // OPAQUE, MASK, BLEND
	AlphaCutoff      *float64     `json:"alphaCutoff,omitempty"`
	DoubleSided      bool         `json:"doubleSided,omitempty"`
	Named
}

// PBR are the parameters of the metallic-roughness model.
type PBR struct {
	BaseColorFactor          *[4]float64  `json:"baseColorFactor,omitempty"`
	BaseColorTexture         *TextureInfo `json:"baseColorTexture,omitempty"`
	MetallicFactor           *float64     `json:"metallicFactor,omitempty"`
	RoughnessFactor          *float64     `json:"roughnessFactor,omitempty"`
	MetallicRoughnessTexture *TextureInfo `json:"metallicRoughnessTexture,omitempty"`
	Property
}

// Texture is an image with a sampler. The image may be named by an extension
// (KHR_texture_basisu, EXT_texture_webp) instead of, or beside, Source.
type Texture struct {
	Sampler *int `json:"sampler,omitempty"`
	Source  *int `json:"source,omitempty"`
	Named
}

// Image is the bytes of a picture in a view; URI is set only where it could not be
// read, or in the text of a file.
type Image struct {
	URI        string `json:"uri,omitempty"`
	MimeType   string `json:"mimeType,omitempty"`
	BufferView *int   `json:"bufferView,omitempty"`
	Named
}

// Sampler says how a texture is filtered and wrapped (section 5.26).
type Sampler struct {
	MagFilter int `json:"magFilter,omitempty"`
	MinFilter int `json:"minFilter,omitempty"`
	WrapS     int `json:"wrapS,omitempty"`
	WrapT     int `json:"wrapT,omitempty"`
	Named
}

// Wrapping modes of samplers; 0 is Repeat.
const (
	ClampToEdge    = 33071
	MirroredRepeat = 33648
	Repeat         = 10497
)

// Skin binds vertices to nodes.
type Skin struct {
	InverseBindMatrices *int  `json:"inverseBindMatrices,omitempty"`
	Skeleton            *int  `json:"skeleton,omitempty"`
	Joints              []int `json:"joints"`
	Named
}

// Animation moves nodes.
type Animation struct {
	Channels []AnimationChannel `json:"channels"`
	Samplers []AnimationSampler `json:"samplers"`
	Named
}

// AnimationChannel puts the values of a sampler onto a property of a node.
type AnimationChannel struct {
	Sampler int             `json:"sampler"`
	Target  AnimationTarget `json:"target"`
	Property
}

// AnimationTarget is a property of a node: translation, rotation, scale, weights,
// or pointer (KHR_animation_pointer).
type AnimationTarget struct {
	Node *int   `json:"node,omitempty"`
	Path string `json:"path"`
	Property
}

// AnimationSampler maps times, an accessor, to values, another.
type AnimationSampler struct {
	Input         int    `json:"input"`
	Output        int    `json:"output"`
	Interpolation string `json:"interpolation,omitempty"`
	Property
}

// Camera is kept as it is.
type Camera struct {
	Type         string          `json:"type"`
	Perspective  json.RawMessage `json:"perspective,omitempty"`
	Orthographic json.RawMessage `json:"orthographic,omitempty"`
	Named
}

// Accessor reads a buffer view as elements of a type (SCALAR, VEC3 …). Without a
// view all elements are zero.
type Accessor struct {
	BufferView    *int          `json:"bufferView,omitempty"`
	ByteOffset    int           `json:"byteOffset,omitempty"`
	ComponentType ComponentType `json:"componentType"`
	Normalized    bool          `json:"normalized,omitempty"`
	Count         int           `json:"count"`
	Type          string        `json:"type"`
	Min           []float64     `json:"min,omitempty"`
	Max           []float64     `json:"max,omitempty"`
	Sparse        *Sparse       `json:"sparse,omitempty"`
	Named
}

// Sparse replaces elements of an accessor (section 3.6.2.3).
type Sparse struct {
	Count   int           `json:"count"`
	Indices SparseIndices `json:"indices"`
	Values  SparseValues  `json:"values"`
	Property
}

// SparseIndices say which elements are replaced.
type SparseIndices struct {
	BufferView    int           `json:"bufferView"`
	ByteOffset    int           `json:"byteOffset,omitempty"`
	ComponentType ComponentType `json:"componentType"`
	Property
}

// SparseValues say by what.
type SparseValues struct {
	BufferView int `json:"bufferView"`
	ByteOffset int `json:"byteOffset,omitempty"`
	Property
}

// BufferView is a run of bytes; ByteStride 0 is tightly packed. Buffer, ByteOffset
// and ByteLength mean something only in the text of a file: Data is what counts.
type BufferView struct {
	Buffer     int `json:"buffer"`
	ByteOffset int `json:"byteOffset,omitempty"`
	ByteLength int `json:"byteLength"`
	ByteStride int `json:"byteStride,omitempty"`
	Target     int `json:"target,omitempty"`
	Named

	Data []byte `json:"-"`
}

// Buffer is a file, a data URI, or the binary chunk.
type Buffer struct {
	URI        string `json:"uri,omitempty"`
	ByteLength int    `json:"byteLength"`
	Named
}

// Ref returns a pointer to an index, for the optional ones.
func Ref(i int) *int { return &i }

// Use adds an extension to those used, and to those required, where it is not
// there yet.
func (d *Document) Use(name string, required bool) {
	d.ExtensionsUsed = with(d.ExtensionsUsed, name)
	if required {
		d.ExtensionsRequired = with(d.ExtensionsRequired, name)
	}
}

// Forget removes an extension from those used and required.
func (d *Document) Forget(name string) {
	d.ExtensionsUsed = without(d.ExtensionsUsed, name)
	d.ExtensionsRequired = without(d.ExtensionsRequired, name)
}

func with(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names, name)
}

func without(names []string, name string) []string {
	var kept []string
	for _, n := range names {
		if n != name {
			kept = append(kept, n)
		}
	}
	return kept
}
