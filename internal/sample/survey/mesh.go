package survey

import "math"

// material is what a surface is painted as.
type material uint8

const (
	ground material = iota
	plaster
	tiles
	flatRoof
	concrete
	foliage
	bark
	carPaint
	glass
	rubber
	containerSteel
	target
)

// surface is a part of the scene with one material and a frame for it: a point p has
// the coordinates (p-origin)·u and (p-origin)·v, in metres.
type surface struct {
	material      material
	seed          uint32
	origin, u, v  vec
	width, height float32 // of facades: along u and v
	color         rgb
}

// mesh is the scene: exactly what the photos show.
type mesh struct {
	positions []float32
	normals   []float32
	triangles []uint32
	of        []int32 // surface of each triangle
	surfaces  []surface
}

func (m *mesh) vertex(p, normal vec) uint32 {
	m.positions = append(m.positions, p[0], p[1], p[2])
	m.normals = append(m.normals, normal[0], normal[1], normal[2])
	return uint32(len(m.positions)/3 - 1)
}

func (m *mesh) triangle(a, b, c uint32, surface int32) {
	m.triangles = append(m.triangles, a, b, c)
	m.of = append(m.of, surface)
}

func (m *mesh) surface(s surface) int32 {
	m.surfaces = append(m.surfaces, s)
	return int32(len(m.surfaces) - 1)
}

// polygon adds a flat convex polygon, counter-clockwise from outside. The frame of
// the surface is its first edge, and upwards from it.
func (m *mesh) polygon(s surface, corners ...vec) {
	normal := corners[1].minus(corners[0]).cross(corners[2].minus(corners[0])).unit()
	s.origin, s.u = corners[0], corners[1].minus(corners[0])
	s.width = float32(math.Sqrt(float64(s.u.dot(s.u))))
	s.u = s.u.unit()
	s.v = normal.cross(s.u)
	for _, c := range corners {
		s.height = max(s.height, c.minus(s.origin).dot(s.v))
	}
	id := m.surface(s)
	first := m.vertex(corners[0], normal)
	last := m.vertex(corners[1], normal)
	for _, c := range corners[2:] {
		next := m.vertex(c, normal)
		m.triangle(first, last, next, id)
		last = next
	}
}

// frame is a place on the ground and a heading.
type frame struct {
	at       vec
	cos, sin float32
}

func (f frame) point(x, y, z float32) vec {
	return f.at.plus(vec{x*f.cos - y*f.sin, x*f.sin + y*f.cos, z})
}

// box adds a block between two corners, without its bottom.
func (m *mesh) box(f frame, lo, hi vec, sides, top surface) {
	x, y := [4]float32{lo[0], hi[0], hi[0], lo[0]}, [4]float32{lo[1], lo[1], hi[1], hi[1]}
	for i := range 4 {
		k := (i + 1) % 4
		s := sides
		s.seed += uint32(i) * 101
		m.polygon(s, f.point(x[i], y[i], lo[2]), f.point(x[k], y[k], lo[2]), f.point(x[k], y[k], hi[2]), f.point(x[i], y[i], hi[2]))
	}
	m.polygon(top, f.point(x[0], y[0], hi[2]), f.point(x[1], y[1], hi[2]), f.point(x[2], y[2], hi[2]), f.point(x[3], y[3], hi[2]))
}
