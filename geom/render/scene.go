// Package render draws pictures of meshes and points in software: perspective, depth
// buffer, textures, light that suits models of metal, plaster and photographs alike.
package render

import "slate360.ai/worker/geom/texture"

// Scene is what is drawn, in a right-handed frame with y up.
type Scene struct {
	Meshes    []*Mesh
	Materials []Material
}

// Mesh is triangles, or points, of one material.
type Mesh struct {
	// Positions and Normals are xyz triples; nil normals are those of triangles.
	Positions, Normals []float32
	// UVs are pairs, v downwards; EmissiveUVs are those of the emissive texture.
	UVs, EmissiveUVs []float32
	// Colors are ColorSize (3 or 4) linear numbers a vertex, or nil.
	Colors    []float32
	ColorSize int
	// Indices are three a triangle, all in range.
	Indices []uint32
	// Points draws all vertices as points.
	Points   bool
	Material int
}

// Material is how a mesh looks.
type Material struct {
	Color               [4]float32 // linear, with alpha
	Texture             *texture.Image
	Metallic, Roughness float32
	Emissive            [3]float32
	EmissiveTexture     *texture.Image
	Unlit, DoubleSided  bool
	// Cutoff is the alpha below which nothing is drawn, where it is above 0.
	Cutoff float32
	// Blend mixes with what lies behind.
	Blend bool
}

// DefaultMaterial is that of glTF (section 5.19): white, and metal.
func DefaultMaterial() Material {
	return Material{Color: [4]float32{1, 1, 1, 1}, Metallic: 1, Roughness: 1}
}
