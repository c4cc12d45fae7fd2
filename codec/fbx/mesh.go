package fbx

import (
	"fmt"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/geom/polygon"
)

// layer is values of corners, points, polygons, or all alike.
type layer struct {
	values  []float64
	indices []int64 // nil where values are taken as they come
	size    int
	mapping string
}

func newLayer(n *record, values, indices string, size int) *layer {
	if n == nil {
		return nil
	}
	l := &layer{values: n.child(values).floats(), size: size, mapping: n.child("MappingInformationType").text(0)}
	if n.child("ReferenceInformationType").text(0) != "Direct" {
		l.indices = n.child(indices).integers()
	}
	if len(l.values) < size {
		return nil
	}
	return l
}

// at returns the values of a corner, nil where there are none.
func (l *layer) at(corner, point, face int) []float64 {
	k := 0
	switch l.mapping {
	case "ByPolygonVertex":
		k = corner
	case "ByVertice", "ByVertex":
		k = point
	case "ByPolygon":
		k = face
	}
	if l.indices != nil {
		if k >= len(l.indices) {
			return nil
		}
		k = int(l.indices[k])
	}
	if k < 0 || (k+1)*l.size > len(l.values) {
		return nil
	}
	return l.values[k*l.size:][:l.size]
}

// builder gathers the vertices of one material.
type builder struct {
	out    gltf.Geometry
	lookup map[vertexKey]uint32
}

type vertexKey struct {
	point  int
	normal [3]float32
	uv     [2]float32
	color  [4]float32
}

// mesh makes a mesh of a geometry, a primitive for each material; ok is false where
// it has no faces.
func (r *reader) mesh(g *record, looks []int) (index int, ok bool, err error) {
	points := g.child("Vertices").floats()
	for i, v := range points {
		if v-v != 0 {
			return 0, false, fmt.Errorf("vertex %d has the coordinate %g", i/3, v)
		}
	}
	corners := g.child("PolygonVertexIndex").integers()
	normals := newLayer(g.child("LayerElementNormal"), "Normals", "NormalsIndex", 3)
	uvs := newLayer(g.child("LayerElementUV"), "UV", "UVIndex", 2)
	colors := newLayer(g.child("LayerElementColor"), "Colors", "ColorIndex", 4)
	material := g.child("LayerElementMaterial")
	materials := material.child("Materials").integers()
	byFace := material.child("MappingInformationType").text(0) == "ByPolygon"

	builders := map[int]*builder{}
	var order []int
	var xyz []float64
	var triangles []int
	first, face := 0, 0
	for i, c := range corners {
		if c >= 0 && i+1 < len(corners) {
			continue
		}
		n := i + 1 - first
		which := 0
		if byFace && face < len(materials) {
			which = int(materials[face])
		} else if !byFace && len(materials) > 0 {
			which = int(materials[0])
		}
		xyz = xyz[:0]
		for _, c := range corners[first : i+1] {
			p := point(c)
			if 3*p+3 > len(points) {
				return 0, false, fmt.Errorf("polygon %d has vertex %d, there are %d", face, p, len(points)/3)
			}
			xyz = append(xyz, points[3*p:3*p+3]...)
		}
		if n >= 3 {
			b := builders[which]
			if b == nil {
				b = &builder{lookup: map[vertexKey]uint32{}}
				b.out.Mode = gltf.ModeTriangles
				builders[which] = b
				order = append(order, which)
			}
			triangles = polygon.Triangulate(triangles[:0], xyz)
			for _, k := range triangles {
				b.corner(points, point(corners[first+k]), first+k, face, normals, uvs, colors)
			}
		}
		first, face = i+1, face+1
	}
	if len(order) == 0 {
		return 0, false, nil
	}
	var primitives []*gltf.Primitive
	for _, which := range order {
		b := builders[which]
		b.out.Material = -1
		if which >= 0 && which < len(looks) {
			b.out.Material = looks[which]
		}
		primitives = append(primitives, r.d.AddGeometry(&b.out))
	}
	return r.d.AddMesh(name(g), primitives...), true, nil
}

// point is the index of a corner; that of the last of a polygon is written as its
// complement.
func point(c int64) int {
	if c < 0 {
		return int(^c)
	}
	return int(c)
}

func (b *builder) corner(points []float64, p, corner, face int, normals, uvs, colors *layer) {
	key := vertexKey{point: p}
	if normals != nil {
		key.normal = [3]float32{0, 1, 0}
		if v := normals.at(corner, p, face); v != nil {
			key.normal = [3]float32(gltf.Unit(v[0], v[1], v[2]))
		}
	}
	if uvs != nil {
		if v := uvs.at(corner, p, face); v != nil {
			key.uv = [2]float32{float32(v[0]), float32(1 - v[1])}
		}
	}
	if colors != nil {
		key.color = [4]float32{1, 1, 1, 1}
		if v := colors.at(corner, p, face); v != nil {
			key.color = [4]float32{float32(gltf.Linear(v[0])), float32(gltf.Linear(v[1])), float32(gltf.Linear(v[2])), float32(min(max(v[3], 0), 1))}
		}
	}
	i, ok := b.lookup[key]
	if !ok {
		i = uint32(len(b.lookup))
		b.lookup[key] = i
		b.out.Positions = append(b.out.Positions, float32(points[3*p]), float32(points[3*p+1]), float32(points[3*p+2]))
		if normals != nil {
			b.out.Normals = append(b.out.Normals, key.normal[:]...)
		}
		if uvs != nil {
			b.out.UVs = append(b.out.UVs, key.uv[:]...)
		}
		if colors != nil {
			b.out.Colors = append(b.out.Colors, key.color[:]...)
		}
	}
	b.out.Indices = append(b.out.Indices, i)
}
