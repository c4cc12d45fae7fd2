package mesh

import (
	"math"
	"slices"
	"strings"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/simplify"
)

// part is a primitive of triangles as simplification sees it: vertices from base on
// in one mesh of all parts.
type part struct {
	mesh, primitive int
	p               *gltf.Primitive
	base, count     int
	world           gltf.Matrix
}

// model is all triangles of a document, in the places of the scene.
type model struct {
	doc   *gltf.Document
	parts []part
	mesh  simplify.Mesh
	// used is how many vertices triangles use.
	used  int
	cache floatCache
}

// Weights of attributes against displacement, which is in parts of the extent of
// the model: a difference of 1 is as bad as so much of it.
const (
	normalWeight = 0.05
	uvWeight     = 0.1
	colorWeight  = 0.05
)

// attribute is one that simplification looks at.
type attribute struct {
	name   string
	n      int
	weight float64
}

func attributes() []attribute {
	return []attribute{{"NORMAL", 3, normalWeight}, {"TEXCOORD_0", 2, uvWeight}, {"COLOR_0", 3, colorWeight}}
}

// newModel gathers the triangles of a document. A mesh that several nodes show
// counts once, at the first, unless all are asked for.
func newModel(d *gltf.Document, all bool) (*model, error) {
	m := &model{doc: d}
	list, err := d.Instances()
	if err != nil {
		return nil, err
	}
	if !all {
		list = firsts(list)
	}
	var have []attribute
	for _, a := range attributes() {
		for _, g := range d.Meshes {
			if hasAttribute(g, a.name) {
				have = append(have, a)
				m.mesh.Stride += a.n
				break
			}
		}
	}
	for _, at := range list {
		for j, p := range d.Meshes[at.Mesh].Primitives {
			if _, ok := p.Attributes["POSITION"]; !ok || p.Mode < gltf.ModeTriangles {
				continue
			}
			if err := m.add(at.Mesh, j, p, &at.World, have); err != nil {
				return nil, err
			}
		}
	}
	seen := make([]bool, len(m.mesh.Positions)/3)
	for _, v := range m.mesh.Indices {
		if !seen[v] {
			seen[v] = true
			m.used++
		}
	}
	return m, nil
}

func hasAttribute(m *gltf.Mesh, name string) bool {
	for _, p := range m.Primitives {
		if _, ok := p.Attributes[name]; ok {
			return true
		}
	}
	return false
}

// firsts keeps the first instance of each mesh, in the order of meshes.
func firsts(list []gltf.Instance) []gltf.Instance {
	var out []gltf.Instance
	seen := map[int]bool{}
	for _, i := range list {
		if !seen[i.Mesh] {
			seen[i.Mesh] = true
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b gltf.Instance) int { return a.Mesh - b.Mesh })
	return out
}

// triangles returns the indices of a primitive as a list of triangles (section
// 3.7.2.1); those beyond the vertices are an error.
func triangles(d *gltf.Document, p *gltf.Primitive) ([]uint32, error) {
	count := d.Accessors[p.Attributes["POSITION"]].Count
	var in []uint32
	if p.Indices != nil {
		var err error
		if in, err = d.Indices(*p.Indices); err != nil {
			return nil, err
		}
		for i, v := range in {
			if int64(v) >= int64(count) {
				return nil, &gltf.Error{Pointer: pointerOf(*p.Indices), Err: indexError(i, v, count)}
			}
		}
	} else {
		in = make([]uint32, count)
		for i := range in {
			in[i] = uint32(i)
		}
	}
	switch p.Mode {
	case gltf.ModeTriangleStrip:
		var out []uint32
		for i := 2; i < len(in); i++ {
			out = append(out, in[i-2], in[i-1+i%2], in[i-i%2])
		}
		return out, nil
	case gltf.ModeTriangleFan:
		var out []uint32
		for i := 2; i < len(in); i++ {
			out = append(out, in[i-1], in[i], in[0])
		}
		return out, nil
	}
	return in[:len(in)/3*3], nil
}

func (m *model) add(mesh, primitive int, p *gltf.Primitive, world *gltf.Matrix, have []attribute) error {
	d := m.doc
	in, err := triangles(d, p)
	if err != nil {
		return err
	}
	pos, err := d.Floats(p.Attributes["POSITION"])
	if err != nil {
		return err
	}
	base := len(m.mesh.Positions) / 3
	n := len(pos) / 3
	identity := *world == gltf.Identity()
	for i := 0; i+2 < len(pos); i += 3 {
		for k := range 3 {
			if v := pos[i+k]; v-v != 0 {
				// A vertex that is nowhere must not spoil all others.
				pos[i], pos[i+1], pos[i+2] = 0, 0, 0
			}
		}
		if identity {
			continue
		}
		q := world.Point([3]float64{float64(pos[i]), float64(pos[i+1]), float64(pos[i+2])})
		pos[i], pos[i+1], pos[i+2] = float32(q[0]), float32(q[1]), float32(q[2])
	}
	m.mesh.Positions = append(m.mesh.Positions, pos...)
	group := uint32(len(m.parts))
	for i, v := range in {
		m.mesh.Indices = append(m.mesh.Indices, v+uint32(base))
		if i%3 == 0 {
			m.mesh.Groups = append(m.mesh.Groups, group)
		}
	}
	m.parts = append(m.parts, part{mesh, primitive, p, base, n, *world})
	return m.addAttributes(p, n, have)
}

// addAttributes appends the weighted attributes of a part, zero where it has none.
func (m *model) addAttributes(p *gltf.Primitive, n int, have []attribute) error {
	if m.mesh.Stride == 0 {
		return nil
	}
	out := make([]float32, n*m.mesh.Stride)
	at := 0
	for _, a := range have {
		k, ok := p.Attributes[a.name]
		if ok {
			values, err := m.doc.Floats(k)
			if err != nil {
				return err
			}
			each := gltf.Components(m.doc.Accessors[k].Type)
			for i := range n {
				for j := range min(a.n, each) {
					v := float64(values[i*each+j]) * a.weight
					if v-v == 0 && math.Abs(v) < 1e6 {
						out[i*m.mesh.Stride+at+j] = float32(v)
					}
				}
			}
		}
		at += a.n
	}
	m.mesh.Attributes = append(m.mesh.Attributes, out...)
	return nil
}

// exact tells whether the numbers of an attribute stand for things, so that they
// must be kept as they are: identities of features and other custom attributes.
func exact(name string) bool { return strings.HasPrefix(name, "_") }
