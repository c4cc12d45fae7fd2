package gltf

import (
	"encoding/json"
	"math"
)

// Geometry is what readers of other formats bring: vertices of one look.
type Geometry struct {
	// Mode is ModeTriangles, ModeLines or ModePoints.
	Mode int
	// Positions are xyz triples.
	Positions []float32
	// Normals are xyz triples of length 1, or nil.
	Normals []float32
	// UVs are pairs with v downwards, as glTF has it (section 3.8.3), or nil.
	UVs []float32
	// Colors are linear red, green, blue, alpha, 0 to 1, or nil.
	Colors []float32
	// Joints and Weights are four a vertex, or nil.
	Joints, Weights []float32
	// Indices of vertices; nil draws them in their order.
	Indices []uint32
	// Material, or -1.
	Material int
}

// AddGeometry adds accessors for a geometry and returns a primitive.
func (d *Document) AddGeometry(g *Geometry) *Primitive {
	p := &Primitive{Attributes: Attributes{}, Mode: g.Mode}
	add := func(name string, values []float32, f Format) {
		if values != nil {
			f.Target = ArrayBuffer
			p.Attributes[name] = d.AddFloats(values, f)
		}
	}
	add("POSITION", g.Positions, Format{Component: Float, Components: 3, Bounds: true})
	add("NORMAL", g.Normals, Format{Component: Float, Components: 3})
	add("TEXCOORD_0", g.UVs, Format{Component: Float, Components: 2})
	add("COLOR_0", g.Colors, Format{Component: UnsignedShort, Normalized: true, Components: 4})
	add("JOINTS_0", g.Joints, Format{Component: UnsignedShort, Components: 4})
	add("WEIGHTS_0", g.Weights, Format{Component: Float, Components: 4})
	if g.Indices != nil {
		p.Indices = Ref(d.AddIndices(g.Indices))
	}
	if g.Material >= 0 {
		p.Material = Ref(g.Material)
	}
	return p
}

// AddMesh adds a mesh of primitives and returns its index.
func (d *Document) AddMesh(name string, primitives ...*Primitive) int {
	m := &Mesh{Primitives: primitives}
	m.Name = name
	d.Meshes = append(d.Meshes, m)
	return len(d.Meshes) - 1
}

// AddNode adds a node and returns its index.
func (d *Document) AddNode(n *Node) int {
	d.Nodes = append(d.Nodes, n)
	return len(d.Nodes) - 1
}

// SetRoots makes a scene of root nodes, the one that is shown.
func (d *Document) SetRoots(roots ...int) {
	d.Scenes = append(d.Scenes, &Scene{Nodes: roots})
	d.Scene = Ref(len(d.Scenes) - 1)
}

// AddTexture adds a texture of an image and returns its index.
func (d *Document) AddTexture(name string, image []byte, sampler *Sampler) int {
	m := &Image{MimeType: imageType(image, ""), BufferView: Ref(d.AddView(image, 0))}
	m.Name = name
	d.Images = append(d.Images, m)
	t := &Texture{Source: Ref(len(d.Images) - 1)}
	if sampler != nil {
		d.Samplers = append(d.Samplers, sampler)
		t.Sampler = Ref(len(d.Samplers) - 1)
	}
	d.Textures = append(d.Textures, t)
	return len(d.Textures) - 1
}

// far is how far from the origin, in parts of its extent, a model may lie before
// its coordinates are moved: a 32-bit number then still tells a hundred-thousandth
// of the extent.
const far = 100

// Center returns what has to be taken off positions (xyz triples) before they
// become 32-bit numbers: zero where they are near the origin, else whole units near
// their middle.
func Center(positions []float64) [3]float64 {
	lo := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	hi := [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for i, v := range positions {
		lo[i%3], hi[i%3] = min(lo[i%3], v), max(hi[i%3], v)
	}
	var offset [3]float64
	extent, distance := 0.0, 0.0
	for a := range 3 {
		if !(hi[a] >= lo[a]) {
			return [3]float64{}
		}
		extent = max(extent, hi[a]-lo[a])
		distance = max(distance, math.Abs(lo[a]+hi[a])/2)
	}
	if distance <= far*extent {
		return offset
	}
	for a := range 3 {
		offset[a] = math.Round((lo[a] + hi[a]) / 2)
	}
	return offset
}

// OffsetExtras are the extras of a node whose positions were moved; nil where they
// were not.
func OffsetExtras(offset [3]float64) json.RawMessage {
	if offset == ([3]float64{}) {
		return nil
	}
	raw, err := json.Marshal(map[string]any{"offset": offset})
	if err != nil {
		return nil
	}
	return raw
}

// Unit returns a normal of length 1; one of no length points up.
func Unit(x, y, z float64) []float32 {
	l := math.Sqrt(x*x + y*y + z*z)
	if !(l > 1e-20) || math.IsInf(l, 0) {
		return []float32{0, 1, 0}
	}
	return []float32{float32(x / l), float32(y / l), float32(z / l)}
}

// Linear undoes the sRGB encoding of a channel, 0 to 1 (IEC 61966-2-1): COLOR_0 and
// factors of glTF are linear, colours of most other formats are not.
func Linear(v float64) float64 {
	v = min(max(v, 0), 1)
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}
