package mesh

import (
	"math"
	"slices"
	"strconv"

	"slate360.ai/worker/geom/simplify"
	"slate360.ai/worker/geom/weld"
)

// tileTriangles is about the most triangles of a tile: some hundred kilobytes.
const tileTriangles = 40_000

// tile is a node of the tree of tiles. Its geometry refers to vertices of the model.
type tile struct {
	name     string
	depth    int
	parent   *tile
	children []*tile

	triangles []uint32 // of a leaf: triangles of the model
	level     simplify.Level
	// err is the distance of the geometry to that of the model, in its units.
	err    float64
	lo, hi [3]float64 // of the geometry and that of all below
	made   int        // triangles that were written
}

// forest is a model cut into tiles.
type forest struct {
	m      *model
	root   *tile
	levels [][]*tile // by depth
	// border of a place: the deepest tile that has all triangles at it; those
	// below must not move it.
	border []*tile
	place  []uint32
}

// newForest cuts a model in space, at the middle triangle along the longest side,
// twice for each level, until tiles are small enough.
func newForest(m *model) *forest {
	f := &forest{m: m}
	n := len(m.mesh.Indices) / 3
	centers := make([][3]float32, n)
	all := make([]uint32, n)
	for t := range n {
		all[t] = uint32(t)
		for c := range 3 {
			p := m.mesh.Positions[3*m.mesh.Indices[3*t+c]:]
			for k := range 3 {
				centers[t][k] += p[k] / 3
			}
		}
	}
	f.root = &tile{name: "0"}
	f.cut(f.root, all, centers)
	f.borders()
	return f
}

func (f *forest) cut(t *tile, triangles []uint32, centers [][3]float32) {
	for len(f.levels) <= t.depth {
		f.levels = append(f.levels, nil)
	}
	f.levels[t.depth] = append(f.levels[t.depth], t)
	if len(triangles) <= tileTriangles {
		t.triangles = triangles
		return
	}
	parts := [][]uint32{triangles}
	for range 2 {
		var halves [][]uint32
		for _, p := range parts {
			if len(p) <= tileTriangles {
				halves = append(halves, p)
				continue
			}
			a, b := halve(p, centers)
			halves = append(halves, a, b)
		}
		parts = halves
	}
	for i, p := range parts {
		c := &tile{name: t.name + "-" + strconv.Itoa(i), depth: t.depth + 1, parent: t}
		t.children = append(t.children, c)
		f.cut(c, p, centers)
	}
}

// halve parts triangles at the median of the longest axis.
func halve(triangles []uint32, centers [][3]float32) (a, b []uint32) {
	lo := [3]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}
	hi := [3]float32{-math.MaxFloat32, -math.MaxFloat32, -math.MaxFloat32}
	for _, t := range triangles {
		for k := range 3 {
			lo[k], hi[k] = min(lo[k], centers[t][k]), max(hi[k], centers[t][k])
		}
	}
	axis := 0
	for k := 1; k < 3; k++ {
		if hi[k]-lo[k] > hi[axis]-lo[axis] {
			axis = k
		}
	}
	slices.SortFunc(triangles, func(x, y uint32) int {
		switch d := centers[x][axis] - centers[y][axis]; {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return int(x) - int(y)
	})
	half := len(triangles) / 2
	return triangles[:half:half], triangles[half:]
}

// borders finds for each place the tile that has all its triangles.
func (f *forest) borders() {
	f.place = weld.Places(f.m.mesh.Positions)
	f.border = make([]*tile, len(f.place))
	for _, level := range f.levels {
		for _, t := range level {
			for _, k := range t.triangles {
				for c := range uint32(3) {
					p := f.place[f.m.mesh.Indices[3*k+c]]
					f.border[p] = common(f.border[p], t)
				}
			}
		}
	}
}

// common returns the deepest tile that two lie in.
func common(a, b *tile) *tile {
	if a == nil {
		return b
	}
	for a != b {
		if a.depth >= b.depth {
			a = a.parent
		} else {
			b = b.parent
		}
	}
	return a
}

// leaf makes the geometry of a leaf: its triangles as they are.
func (f *forest) leaf(t *tile) {
	m := &f.m.mesh
	l := simplify.Level{Indices: make([]uint32, 0, 3*len(t.triangles)), Groups: make([]uint32, 0, len(t.triangles))}
	for _, k := range t.triangles {
		for c := range uint32(3) {
			l.Vertices = append(l.Vertices, m.Indices[3*k+c])
		}
		l.Groups = append(l.Groups, m.Groups[k])
	}
	slices.Sort(l.Vertices)
	l.Vertices = slices.Compact(l.Vertices)
	for _, k := range t.triangles {
		for c := range uint32(3) {
			i, _ := slices.BinarySearch(l.Vertices, m.Indices[3*k+c])
			l.Indices = append(l.Indices, uint32(i))
		}
	}
	t.level = l
	t.triangles = nil
}

// merged puts the geometry of the children of a tile together as a mesh to be
// simplified; vertices has the vertex of the model of each of its own. What other
// tiles share is locked.
func (f *forest) merged(t *tile) (mesh *simplify.Mesh, vertices []uint32) {
	for _, c := range t.children {
		vertices = append(vertices, c.level.Vertices...)
	}
	slices.Sort(vertices)
	vertices = slices.Compact(vertices)
	m := &f.m.mesh
	mesh = &simplify.Mesh{Stride: m.Stride, Locked: make([]bool, len(vertices))}
	for i, v := range vertices {
		mesh.Positions = append(mesh.Positions, m.Positions[3*v:3*v+3]...)
		mesh.Attributes = append(mesh.Attributes, m.Attributes[int(v)*m.Stride:(int(v)+1)*m.Stride]...)
		mesh.Locked[i] = f.border[f.place[v]].depth < t.depth
	}
	for _, c := range t.children {
		to := make([]uint32, len(c.level.Vertices))
		for i, v := range c.level.Vertices {
			k, _ := slices.BinarySearch(vertices, v)
			to[i] = uint32(k)
		}
		for _, i := range c.level.Indices {
			mesh.Indices = append(mesh.Indices, to[i])
		}
		mesh.Groups = append(mesh.Groups, c.level.Groups...)
	}
	return mesh, vertices
}

// measure finds the box of a tile, in the frame of tiles: z up.
func (f *forest) measure(t *tile) {
	t.lo = [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	t.hi = [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	grow := func(lo, hi [3]float64) {
		for k := range 3 {
			t.lo[k], t.hi[k] = min(t.lo[k], lo[k]), max(t.hi[k], hi[k])
		}
	}
	for _, v := range t.level.Vertices {
		p := f.m.mesh.Positions[3*v:]
		q := [3]float64{float64(p[0]), -float64(p[2]), float64(p[1])}
		grow(q, q)
	}
	for _, c := range t.children {
		grow(c.lo, c.hi)
	}
}
