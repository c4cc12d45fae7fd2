package collada

import (
	"fmt"
	"strconv"
	"strings"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/polygon"
)

// stream is the values of a source.
type stream struct {
	values []float64
	stride int
}

func (s *stream) count() int { return len(s.values) / s.stride }

// mesh makes the mesh of an instance; ok is false where its geometry is not there,
// or of no kind that can be shown.
func (r *reader) mesh(at *instance) (index int, ok bool, err error) {
	id := strings.TrimPrefix(at.URL, "#")
	if c, found := r.controllers[id]; found {
		id = strings.TrimPrefix(c.Skin.Source, "#")
	}
	g, found := r.geometries[id]
	if !found {
		r.warn("geometry %q is not there", at.URL)
		return 0, false, nil
	}
	key := id
	for _, m := range at.Materials {
		key += "\n" + m.Symbol + " " + m.Target
	}
	if i, made := r.made[key]; made {
		return i, i >= 0, nil
	}
	r.made[key] = -1
	streams := map[string]*stream{}
	for i := range g.Mesh.Sources {
		s := &g.Mesh.Sources[i]
		v, err := floats(s.Floats)
		if err != nil {
			return 0, false, fmt.Errorf("geometry %q, source %q: %w", g.ID, s.ID, err)
		}
		stride := max(s.Accessor.Stride, 1)
		if s.Accessor.Offset > 0 && s.Accessor.Offset <= len(v) {
			v = v[s.Accessor.Offset:]
		}
		streams[s.ID] = &stream{v, stride}
	}
	var primitives []*gltf.Primitive
	for _, list := range []struct {
		elements []elements
		mode     int
	}{{g.Mesh.Triangles, gltf.ModeTriangles}, {g.Mesh.Polylists, gltf.ModeTriangles}, {g.Mesh.Polygons, gltf.ModeTriangles}, {g.Mesh.Lines, gltf.ModeLines}} {
		for i := range list.elements {
			e := &list.elements[i]
			b := builder{g: g, streams: streams, lookup: map[string]uint32{}}
			out, err := b.build(e, list.mode)
			if err != nil {
				return 0, false, fmt.Errorf("geometry %q: %w", g.ID, err)
			}
			if out == nil {
				continue
			}
			out.Material = r.look(e.Material, at)
			primitives = append(primitives, r.d.AddGeometry(out))
		}
	}
	if len(primitives) == 0 {
		return 0, false, nil
	}
	name := g.Name
	if name == "" {
		name = g.ID
	}
	r.made[key] = r.d.AddMesh(name, primitives...)
	return r.made[key], true, nil
}

// builder gathers the vertices of one list of elements.
type builder struct {
	g       *geometry
	streams map[string]*stream
	lookup  map[string]uint32
	out     gltf.Geometry
	// What a corner has: streams, and where their indices lie.
	position, normal, uv, color *channel
	width                       int
	key                         []byte
}

type channel struct {
	*stream
	offset int
}

func (b *builder) build(e *elements, mode int) (*gltf.Geometry, error) {
	b.out.Mode = mode
	if err := b.channels(e.Inputs); err != nil {
		return nil, err
	}
	var counts []int
	if e.Counts != "" {
		var err error
		if counts, err = integers(e.Counts); err != nil {
			return nil, err
		}
	}
	for _, p := range e.Indices {
		list, err := integers(p)
		if err != nil {
			return nil, err
		}
		if len(list)%b.width != 0 {
			return nil, fmt.Errorf("%d indices, want %d a corner", len(list), b.width)
		}
		if err := b.faces(list, counts, len(e.Indices) > 1); err != nil {
			return nil, err
		}
	}
	if len(b.out.Indices) == 0 {
		return nil, nil
	}
	return &b.out, nil
}

// channels finds the inputs that are used; those of VERTEX are the ones of the
// vertices.
func (b *builder) channels(inputs []input) error {
	add := func(in input, offset int) {
		s := b.streams[strings.TrimPrefix(in.Source, "#")]
		if s == nil || s.count() == 0 {
			return
		}
		c := &channel{s, offset}
		switch {
		case in.Semantic == "POSITION" && s.stride >= 3:
			b.position = c
		case in.Semantic == "NORMAL" && s.stride >= 3 && b.normal == nil:
			b.normal = c
		case in.Semantic == "TEXCOORD" && s.stride >= 2 && b.uv == nil:
			b.uv = c
		case in.Semantic == "COLOR" && s.stride >= 3 && b.color == nil:
			b.color = c
		}
	}
	for _, in := range inputs {
		if in.Offset < 0 || in.Offset > 64 {
			return fmt.Errorf("an input with the offset %d", in.Offset)
		}
		b.width = max(b.width, in.Offset+1)
		if in.Semantic != "VERTEX" {
			add(in, in.Offset)
			continue
		}
		for _, v := range b.g.Mesh.Vertices.Inputs {
			add(v, in.Offset)
		}
	}
	if b.position == nil {
		return fmt.Errorf("elements without positions")
	}
	return nil
}

func integers(text string) ([]int, error) {
	words := strings.Fields(text)
	out := make([]int, len(words))
	for i, w := range words {
		v, err := strconv.ParseInt(w, 10, 32)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%.40q is not an index", w)
		}
		out[i] = int(v)
	}
	return out, nil
}

// faces adds triangles, polygons of some corners each, one polygon, or lines.
func (b *builder) faces(list, counts []int, single bool) error {
	corners := len(list) / b.width
	switch {
	case b.out.Mode == gltf.ModeLines:
		return b.face(list[:corners/2*2*b.width], []int{}, corners/2*2)
	case len(counts) > 0:
		at := 0
		for _, n := range counts {
			if n > corners-at {
				return fmt.Errorf("polygons of more corners than the %d that are there", corners)
			}
			if err := b.polygon(list[at*b.width:(at+n)*b.width], n); err != nil {
				return err
			}
			at += n
		}
		return nil
	case single:
		return b.polygon(list, corners)
	}
	return b.face(list, nil, corners/3*3)
}

func (b *builder) polygon(list []int, n int) error {
	if n < 3 {
		return nil
	}
	points := make([]float64, 0, 3*n)
	for i := range n {
		k := list[i*b.width+b.position.offset]
		if k >= b.position.count() {
			return fmt.Errorf("vertex %d, there are %d", k, b.position.count())
		}
		points = append(points, b.position.values[k*b.position.stride:][:3]...)
	}
	return b.face(list, polygon.Triangulate(nil, points), n)
}

// face adds corners: those of order, or all n of the list.
func (b *builder) face(list, order []int, n int) error {
	add := func(i int) error {
		v, err := b.vertex(list[i*b.width:][:b.width])
		b.out.Indices = append(b.out.Indices, v)
		return err
	}
	if len(order) > 0 {
		for _, i := range order {
			if err := add(i); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range n {
		if err := add(i); err != nil {
			return err
		}
	}
	return nil
}

// vertex returns that of a corner: one for all corners of the same indices.
func (b *builder) vertex(corner []int) (uint32, error) {
	b.key = b.key[:0]
	for _, c := range []*channel{b.position, b.normal, b.uv, b.color} {
		if c == nil {
			continue
		}
		k := corner[c.offset]
		if k >= c.count() {
			return 0, fmt.Errorf("index %d, its source has %d", k, c.count())
		}
		b.key = append(b.key, byte(k), byte(k>>8), byte(k>>16), byte(k>>24))
	}
	if v, ok := b.lookup[string(b.key)]; ok {
		return v, nil
	}
	v := uint32(len(b.lookup))
	b.lookup[string(b.key)] = v
	at := func(c *channel) []float64 { return c.values[corner[c.offset]*c.stride:] }
	p := at(b.position)
	b.out.Positions = append(b.out.Positions, float32(p[0]), float32(p[1]), float32(p[2]))
	if b.normal != nil {
		n := at(b.normal)
		b.out.Normals = append(b.out.Normals, gltf.Unit(n[0], n[1], n[2])...)
	}
	if b.uv != nil {
		t := at(b.uv)
		b.out.UVs = append(b.out.UVs, float32(t[0]), float32(1-t[1]))
	}
	if b.color != nil {
		c := at(b.color)
		a := 1.0
		if b.color.stride >= 4 {
			a = min(max(c[3], 0), 1)
		}
		b.out.Colors = append(b.out.Colors, float32(gltf.Linear(c[0])), float32(gltf.Linear(c[1])), float32(gltf.Linear(c[2])), float32(a))
	}
	return v, nil
}
