package ply

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/polygon"
)

// Options say how a model is read.
type Options struct {
	// File returns the bytes of a texture beside the model, by its clean relative
	// path; nil is for models without.
	File func(name string) ([]byte, error)
	// Warn is told of what is missing or left out; nil is nobody.
	Warn func(message string)
}

// Read reads a model: triangles where the file has faces or strips, else points.
// Positions far from the origin are moved, as obj.Read does.
func Read(data []byte, o Options) (*gltf.Document, error) {
	f, err := Parse(data)
	if err != nil {
		return nil, err
	}
	d := &gltf.Document{}
	d.Asset.Generator = "slate360-worker"
	b := builder{f: f, o: o, d: d, vertex: f.Element("vertex")}
	if b.vertex == nil {
		b.vertex = f.Element("vertices")
	}
	if b.vertex == nil || b.vertex.Count == 0 {
		return nil, errors.New("ply: the file has no vertices")
	}
	g, offset, err := b.geometry()
	if err != nil {
		return nil, fmt.Errorf("ply: %w", err)
	}
	if g.Material = b.material(g); g.Material < 0 {
		g.Material = b.plain()
	}
	n := &gltf.Node{Mesh: gltf.Ref(d.AddMesh("", d.AddGeometry(g)))}
	n.Extras = gltf.OffsetExtras(offset)
	d.SetRoots(d.AddNode(n))
	return d, nil
}

type builder struct {
	f      *File
	o      Options
	d      *gltf.Document
	vertex *Element
}

func (b *builder) warn(format string, args ...any) {
	if b.o.Warn != nil {
		b.o.Warn(fmt.Sprintf(format, args...))
	}
}

// columns gathers scalar properties of vertices, interleaved; nil where one is
// missing.
func (b *builder) columns(names ...[]string) []float64 {
	list := make([]*Property, len(names))
	for i, n := range names {
		p := b.vertex.Property(n...)
		if p == nil || p.Count != 0 {
			return nil
		}
		list[i] = p
	}
	out := make([]float64, len(list)*b.vertex.Count)
	for j, p := range list {
		for i, v := range p.Values {
			out[i*len(list)+j] = v
		}
	}
	return out
}

func (b *builder) geometry() (*gltf.Geometry, [3]float64, error) {
	g := &gltf.Geometry{Mode: gltf.ModePoints, Material: -1}
	var offset [3]float64
	xyz := b.columns([]string{"x"}, []string{"y"}, []string{"z"})
	if xyz == nil {
		return nil, offset, errors.New("vertices need the properties x, y, z")
	}
	for i, v := range xyz {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, offset, fmt.Errorf("vertex %d has the coordinate %g", i/3, v)
		}
	}
	offset = gltf.Center(xyz)
	g.Positions = make([]float32, len(xyz))
	for i, v := range xyz {
		g.Positions[i] = float32(v - offset[i%3])
	}
	g.Normals = unit(b.columns([]string{"nx", "normal_x"}, []string{"ny", "normal_y"}, []string{"nz", "normal_z"}))
	g.Colors = b.colors()
	if uv := b.columns([]string{"s", "u", "texture_u", "texture_s"}, []string{"t", "v", "texture_v", "texture_t"}); uv != nil {
		g.UVs = make([]float32, len(uv))
		for i := 0; i < len(uv); i += 2 {
			g.UVs[i], g.UVs[i+1] = float32(uv[i]), float32(1-uv[i+1])
		}
	}
	if err := b.faces(g, xyz); err != nil {
		return nil, offset, err
	}
	if g.Mode == gltf.ModePoints {
		g.Normals = nil
	}
	return g, offset, nil
}

func unit(n []float64) []float32 {
	if n == nil {
		return nil
	}
	out := make([]float32, len(n))
	for i := 0; i+2 < len(n); i += 3 {
		l := math.Sqrt(n[i]*n[i] + n[i+1]*n[i+1] + n[i+2]*n[i+2])
		if !(l > 1e-20) || math.IsInf(l, 0) {
			out[i+1] = 1
			continue
		}
		for k := range 3 {
			out[i+k] = float32(n[i+k] / l)
		}
	}
	return out
}

// colors gives linear colours of vertices, from bytes, 16-bit numbers or fractions.
func (b *builder) colors() []float32 {
	rgb := b.columns([]string{"red", "r", "diffuse_red"}, []string{"green", "g", "diffuse_green"}, []string{"blue", "b", "diffuse_blue"})
	if rgb == nil {
		return nil
	}
	scale := func(p *Property) float64 {
		switch p.Kind {
		case Uint8, Int8:
			return 1.0 / 255
		case Uint16, Int16:
			return 1.0 / 65535
		case Float32, Float64:
			return 1
		}
		return 1.0 / 255
	}
	k := scale(b.vertex.Property("red", "r", "diffuse_red"))
	alpha := b.vertex.Property("alpha", "a")
	out := make([]float32, 0, 4*b.vertex.Count)
	for i := range b.vertex.Count {
		for j := range 3 {
			out = append(out, float32(gltf.Linear(rgb[3*i+j]*k)))
		}
		a := 1.0
		if alpha != nil && alpha.Count == 0 {
			a = min(max(alpha.Values[i]*scale(alpha), 0), 1)
		}
		out = append(out, float32(a))
	}
	return out
}

// faces gathers triangles of faces and strips. Texture coordinates of corners give
// each face vertices of its own.
func (b *builder) faces(g *gltf.Geometry, xyz []float64) error {
	face := b.f.Element("face")
	if face == nil {
		face = b.f.Element("faces")
	}
	list := face.Property("vertex_indices", "vertex_index", "vertex_indexes")
	if list != nil && list.Count != 0 && face.Count > 0 {
		g.Mode = gltf.ModeTriangles
		uv := face.Property("texcoord", "texcoords")
		if uv != nil && (uv.Count == 0 || b.d == nil) {
			uv = nil
		}
		if err := b.polygons(g, xyz, list, uv, face.Count); err != nil {
			return err
		}
	}
	strips := b.f.Element("tristrips")
	if p := strips.Property("vertex_indices", "vertex_index"); p != nil && p.Count != 0 && strips.Count > 0 {
		g.Mode = gltf.ModeTriangles
		for i := range strips.Count {
			if err := b.strip(g, p.List(i)); err != nil {
				return fmt.Errorf("strip %d: %w", i, err)
			}
		}
	}
	return nil
}

func (b *builder) polygons(g *gltf.Geometry, xyz []float64, list, uv *Property, count int) error {
	n := b.vertex.Count
	g.Indices = make([]uint32, 0, 3*count)
	var points []float64
	var order []int
	var split *gltf.Geometry
	if uv != nil {
		split = &gltf.Geometry{Mode: gltf.ModeTriangles, Material: -1}
	}
	for i := range count {
		corners := list.List(i)
		points, order = points[:0], order[:0]
		for _, c := range corners {
			if c < 0 || int(c) >= n {
				return fmt.Errorf("face %d has vertex %g, there are %d", i, c, n)
			}
			if len(corners) > 3 {
				points = append(points, xyz[3*int(c):3*int(c)+3]...)
			}
		}
		if len(corners) == 3 {
			order = append(order, 0, 1, 2)
		} else {
			order = polygon.Triangulate(order, points)
		}
		for _, k := range order {
			if split == nil {
				g.Indices = append(g.Indices, uint32(corners[k]))
				continue
			}
			copyVertex(split, g, int(corners[k]))
			t := uv.List(i)
			if 2*k+1 < len(t) {
				split.UVs = append(split.UVs, float32(t[2*k]), float32(1-t[2*k+1]))
			} else {
				split.UVs = append(split.UVs, 0, 0)
			}
		}
	}
	if split != nil {
		*g = *split
	}
	return nil
}

func copyVertex(to, from *gltf.Geometry, i int) {
	to.Positions = append(to.Positions, from.Positions[3*i:3*i+3]...)
	if from.Normals != nil {
		to.Normals = append(to.Normals, from.Normals[3*i:3*i+3]...)
	}
	if from.Colors != nil {
		to.Colors = append(to.Colors, from.Colors[4*i:4*i+4]...)
	}
}

// strip adds the triangles of strips that -1 parts.
func (b *builder) strip(g *gltf.Geometry, list []float64) error {
	start := 0
	for i, v := range list {
		if v < 0 {
			start = i + 1
			continue
		}
		if int(v) >= b.vertex.Count {
			return fmt.Errorf("vertex %g, there are %d", v, b.vertex.Count)
		}
		if k := i - start; k >= 2 {
			p, q := list[i-2], list[i-1]
			if k%2 == 1 {
				p, q = q, p
			}
			g.Indices = append(g.Indices, uint32(p), uint32(q), uint32(v))
		}
	}
	return nil
}

// material is that of a texture which a comment names, as MeshLab writes it.
func (b *builder) material(g *gltf.Geometry) int {
	if g.UVs == nil {
		return -1
	}
	for _, c := range b.f.Comments {
		name, ok := strings.CutPrefix(c, "TextureFile ")
		if !ok {
			continue
		}
		local, err := gltf.LocalName(strings.TrimSpace(name))
		var data []byte
		if err == nil {
			if b.o.File == nil {
				err = errors.New("it is not there")
			} else {
				data, err = b.o.File(local)
			}
		}
		if err != nil {
			b.warn("texture %q is left out: %v", name, err)
			continue
		}
		i := b.plain()
		b.d.Materials[i].PBR.BaseColorTexture = &gltf.TextureInfo{Index: b.d.AddTexture(strings.TrimSpace(name), data, nil)}
		return i
	}
	return -1
}

// plain adds a material that is neither metal nor shiny.
func (b *builder) plain() int {
	b.d.Materials = append(b.d.Materials, &gltf.Material{PBR: &gltf.PBR{MetallicFactor: new(float64)}})
	return len(b.d.Materials) - 1
}
