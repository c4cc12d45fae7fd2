// Package draco reads and writes Draco bitstreams: meshes (edgebreaker and
// sequential connectivity) and point clouds.
//
// It follows the "Draco Bitstream Specification" of Google, version 2.2, and is
// what the glTF extension KHR_draco_mesh_compression holds.
package draco

// AttributeType says what an attribute is for (specification, "Attributes
// Decoder", att_dec_att_type).
type AttributeType uint8

// The types of attributes. What glTF calls TANGENT, JOINTS_n, WEIGHTS_n and its
// custom attributes is Generic.
const (
	Position AttributeType = iota
	Normal
	Color
	TexCoord
	Generic
)

// DataType is the type of the components of an attribute (att_dec_data_type).
type DataType uint8

// The types of components.
const (
	Int8 DataType = iota + 1
	Uint8
	Int16
	Uint16
	Int32
	Uint32
	Int64
	Uint64
	Float32
	Float64
	Bool
)

// Attribute is a value of some components for each point.
type Attribute struct {
	Type AttributeType
	// DataType of the components. Int64, Uint64, Float64 are decoded only where
	// their values fit Int32 or Float32.
	DataType DataType
	// Components a value has, 1 to 255.
	Components int
	// Normalized integers stand for 0 to 1, or -1 to 1.
	Normalized bool
	// UniqueID is the name of the attribute, which glTF refers to.
	UniqueID uint32
	// Exact keeps floats as they are when they are encoded.
	Exact bool
	// Floats are the values of Float32, interleaved, Components for each point.
	Floats []float32
	// Ints are the values of all other types, interleaved; Uint32 as their bits.
	Ints []int32
}

// Mesh is what a bitstream holds: triangles over points, or points alone.
type Mesh struct {
	// Points is the number of points.
	Points int
	// Indices of points, three for each triangle; nil for a point cloud.
	Indices []uint32
	// Attributes have Points values each.
	Attributes []Attribute
}

// Attribute returns the attribute of that unique ID, or nil.
func (m *Mesh) Attribute(uniqueID uint32) *Attribute {
	for i := range m.Attributes {
		if m.Attributes[i].UniqueID == uniqueID {
			return &m.Attributes[i]
		}
	}
	return nil
}
