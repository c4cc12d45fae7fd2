package draco

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// builder collects points of positions.
type builder struct {
	positions []float32
	indices   []uint32
}

func (b *builder) point(x, y, z float64) uint32 {
	b.positions = append(b.positions, float32(x), float32(y), float32(z))
	return uint32(len(b.positions)/3 - 1)
}

func (b *builder) triangle(p, q, r uint32) { b.indices = append(b.indices, p, q, r) }

func (b *builder) mesh() *Mesh {
	return &Mesh{Points: len(b.positions) / 3, Indices: b.indices, Attributes: []Attribute{
		{Type: Position, DataType: Float32, Components: 3, Floats: b.positions},
	}}
}

// gridMesh is a surface over n×n cells; wrap closes it to a torus, or with flip
// to a Möbius strip or a Klein bottle.
func gridMesh(n int, wrapU, wrapV, flip bool) *Mesh {
	var b builder
	at := func(u, v int) uint32 {
		if wrapU && u == n {
			u = 0
			if flip {
				v = n - v
			}
		}
		if wrapV {
			v %= n
		}
		return uint32(u*(n+1) + v)
	}
	for u := range n + 1 {
		for v := range n + 1 {
			s, t := 2*math.Pi*float64(u)/float64(n), 2*math.Pi*float64(v)/float64(n)
			switch {
			case wrapU && wrapV && !flip:
				b.point((3+math.Cos(t))*math.Cos(s), (3+math.Cos(t))*math.Sin(s), math.Sin(t))
			default:
				b.point(float64(u), float64(v), math.Sin(s)*math.Cos(t)*float64(n)/4)
			}
		}
	}
	for u := range n {
		for v := range n {
			p, q, r, s := at(u, v), at(u+1, v), at(u+1, v+1), at(u, v+1)
			b.triangle(p, q, r)
			b.triangle(p, r, s)
		}
	}
	return b.mesh()
}

// soup is random triangles over few points, of which one has an area.
func soup(r *rand.Rand, points, triangles int) *Mesh {
	var b builder
	for range points {
		b.point(r.Float64(), r.Float64(), r.Float64())
	}
	b.triangle(0, 1, 2)
	for range triangles {
		b.triangle(uint32(r.IntN(points)), uint32(r.IntN(points)), uint32(r.IntN(points)))
	}
	return b.mesh()
}

// holes takes triangles out of a mesh.
func holes(r *rand.Rand, m *Mesh, share float64) *Mesh {
	kept := m.Indices[:0:0]
	for i := 0; i < len(m.Indices); i += 3 {
		if r.Float64() >= share {
			kept = append(kept, m.Indices[i:i+3]...)
		}
	}
	c := *m
	c.Indices = kept
	return &c
}

// tetrahedra that share a point, an edge, or a face with the one before.
func tetrahedra(shared int) *Mesh {
	var b builder
	last := [4]uint32{b.point(0, 0, 0), b.point(1, 0, 0), b.point(0, 1, 0), b.point(0, 0, 1)}
	for i := range 4 {
		b.triangle(last[0], last[2], last[1])
		b.triangle(last[0], last[1], last[3])
		b.triangle(last[1], last[2], last[3])
		b.triangle(last[2], last[0], last[3])
		for k := shared; k < 4; k++ {
			last[k] = b.point(float64(i)+float64(k), float64(k*k), float64(i*i-k))
		}
	}
	return b.mesh()
}

// voxels is the surface of cubes at random: handles, edges of four triangles,
// points where several surfaces touch.
func voxels(r *rand.Rand, n int) *Mesh {
	var b builder
	known := map[[3]int]uint32{}
	full := map[[3]int]bool{}
	for i := range n * n * n {
		full[[3]int{i % n, i / n % n, i / n / n}] = r.IntN(2) == 0
	}
	at := func(p [3]int) uint32 {
		if _, ok := known[p]; !ok {
			known[p] = b.point(float64(p[0]), float64(p[1]), float64(p[2]))
		}
		return known[p]
	}
	for i := range n * n * n {
		p := [3]int{i % n, i / n % n, i / n / n}
		for side := 0; full[p] && side < 6; side++ {
			u, v, w := side/2, (side/2+1)%3, (side/2+2)%3
			out := p
			out[u] += side%2*2 - 1
			if full[out] {
				continue
			}
			var corners [4]uint32
			for k := range corners {
				q := p
				q[u] += side % 2
				q[v] += (k + 1) / 2 % 2
				q[w] += k / 2
				corners[k] = at(q)
			}
			if side%2 == 0 {
				corners[1], corners[3] = corners[3], corners[1]
			}
			b.triangle(corners[0], corners[1], corners[2])
			b.triangle(corners[0], corners[2], corners[3])
		}
	}
	return b.mesh()
}

// dress gives a mesh attributes of all kinds; where cut is set, values differ
// between the triangles of a point.
func dress(r *rand.Rand, m *Mesh, cut bool) *Mesh {
	c := *m
	if cut {
		// Some triangles get points of their own.
		c.Indices = append([]uint32(nil), m.Indices...)
		p := append([]float32(nil), m.Attributes[0].Floats...)
		for i := range c.Indices {
			if r.IntN(6) == 0 {
				k := 3 * c.Indices[i]
				p = append(p, p[k:k+3]...)
				c.Indices[i] = uint32(len(p)/3 - 1)
			}
		}
		c.Points = len(p) / 3
		c.Attributes = []Attribute{{Type: Position, DataType: Float32, Components: 3, Floats: p}}
	} else {
		c.Attributes = append([]Attribute(nil), m.Attributes...)
	}
	add := func(t AttributeType, d DataType, components int, value func(p, i int) float64) {
		a := Attribute{Type: t, DataType: d, Components: components, UniqueID: uint32(len(c.Attributes) * 3), Normalized: d != Float32}
		for p := range c.Points {
			for i := range components {
				if v := value(p, i); d == Float32 {
					a.Floats = append(a.Floats, float32(v))
				} else {
					a.Ints = append(a.Ints, int32(v))
				}
			}
		}
		c.Attributes = append(c.Attributes, a)
	}
	x := c.Attributes[0].Floats
	add(Normal, Float32, 3, func(p, i int) float64 { return float64(x[3*p+i]) + 0.1*r.NormFloat64() })
	add(TexCoord, Float32, 2, func(p, i int) float64 {
		return float64(x[3*p+i])/10 + float64(r.IntN(2))*float64(p%3)/7
	})
	add(Color, Uint8, 4, func(p, i int) float64 { return float64((p*i + r.IntN(3)) % 256) })
	add(Generic, Uint16, 4, func(p, i int) float64 { return float64(p / (i + 1) % 65536) })
	add(Generic, Float32, 4, func(p, i int) float64 { return float64(p%(i+2)) / 4 })
	add(Generic, Int8, 1, func(p, _ int) float64 { return float64(p%256 - 128) })
	add(Generic, Int32, 1, func(p, _ int) float64 { return float64(int32(uint32(p) * 2654435761)) })
	return &c
}

// glbMeshes reads the triangles of a binary glTF of the test data with their
// positions, normals and texture coordinates, or skips.
func glbMeshes(t testing.TB, name string) []*Mesh {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testDir(), "mesh", name))
	if err != nil {
		t.Skipf("test data: %v", err)
	}
	size := binary.LittleEndian.Uint32(data[12:])
	var doc struct {
		Meshes []struct {
			Primitives []struct {
				Attributes map[string]int
				Indices    int
			}
		}
		Accessors   []struct{ BufferView, ByteOffset, ComponentType, Count int }
		BufferViews []struct{ ByteOffset, ByteStride int }
	}
	if err := json.Unmarshal(data[20:20+size], &doc); err != nil {
		t.Fatal(err)
	}
	floats := func(accessor, components int) []float32 {
		a := doc.Accessors[accessor]
		v := doc.BufferViews[a.BufferView]
		stride := max(v.ByteStride, 4*components)
		var out []float32
		for i := range a.Count {
			at := data[28+int(size)+v.ByteOffset+a.ByteOffset+i*stride:]
			for k := range components {
				out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(at[4*k:])))
			}
		}
		return out
	}
	var meshes []*Mesh
	for _, mesh := range doc.Meshes {
		for _, p := range mesh.Primitives {
			m := &Mesh{Points: doc.Accessors[p.Attributes["POSITION"]].Count}
			for i, name := range []string{"POSITION", "NORMAL", "TEXCOORD_0"} {
				a, ok := p.Attributes[name]
				if ok {
					k := []int{3, 3, 2}[i]
					m.Attributes = append(m.Attributes, Attribute{Type: []AttributeType{Position, Normal, TexCoord}[i], DataType: Float32, Components: k, Floats: floats(a, k), UniqueID: uint32(i)})
				}
			}
			a := doc.Accessors[p.Indices]
			at := data[28+int(size)+doc.BufferViews[a.BufferView].ByteOffset+a.ByteOffset:]
			for i := range a.Count {
				if a.ComponentType == 5123 {
					m.Indices = append(m.Indices, uint32(binary.LittleEndian.Uint16(at[2*i:])))
				} else {
					m.Indices = append(m.Indices, binary.LittleEndian.Uint32(at[4*i:]))
				}
			}
			meshes = append(meshes, m)
		}
	}
	return meshes
}

func testDir() string {
	if dir := os.Getenv("SLATE360_TESTDATA"); dir != "" {
		return dir
	}
	return "../../../shared/data"
}

// objMesh reads positions, texture coordinates and normals of an OBJ file of
// triangles and quads from the test data, or skips.
func objMesh(t testing.TB, name string) *Mesh {
	t.Helper()
	file, err := os.Open(filepath.Join(testDir(), "mesh", name))
	if err != nil {
		t.Skipf("test data: %v", err)
	}
	defer file.Close()
	var raw [3][]float32
	var out [3][]float32
	size := [3]int{3, 2, 3}
	known := map[[3]int]uint32{}
	m := &Mesh{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) == 0 {
			continue
		}
		k := map[string]int{"v": 0, "vt": 1, "vn": 2, "f": 3}
		kind, ok := k[w[0]]
		if !ok {
			continue
		}
		if kind < 3 {
			for _, s := range w[1 : 1+size[kind]] {
				f, _ := strconv.ParseFloat(s, 32)
				raw[kind] = append(raw[kind], float32(f))
			}
			continue
		}
		var corners []uint32
		for _, s := range w[1:] {
			var key [3]int
			for i, n := range strings.Split(s, "/") {
				key[i], _ = strconv.Atoi(n)
			}
			p, ok := known[key]
			if !ok {
				p = uint32(len(known))
				known[key] = p
				for i, n := range key {
					if n > 0 {
						out[i] = append(out[i], raw[i][(n-1)*size[i]:n*size[i]]...)
					}
				}
			}
			corners = append(corners, p)
		}
		for i := 2; i < len(corners); i++ {
			m.Indices = append(m.Indices, corners[0], corners[i-1], corners[i])
		}
	}
	m.Points = len(known)
	for i, kind := range []AttributeType{Position, TexCoord, Normal} {
		if len(out[i]) > 0 {
			m.Attributes = append(m.Attributes, Attribute{Type: kind, DataType: Float32, Components: size[i], Floats: out[i], UniqueID: uint32(i)})
		}
	}
	return m
}
