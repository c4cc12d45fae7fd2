package surface

import (
	"context"

	"slate360.ai/worker/geom/delaunay"
)

// mesh is a surface in the making.
type mesh struct {
	points    []float32
	scale     []float32 // the distance between merged points, of each vertex
	normals   []float32 // of the points, where they are known, until dropLong
	triangles [][3]int32
	copies    []int32 // of which vertex each of the last so many is one, by split
}

// mesh drops vertices that no triangle uses, and gives the rest away.
func (m *mesh) mesh() *Mesh {
	m.compact()
	out := &Mesh{Positions: m.points, Triangles: make([]uint32, 0, 3*len(m.triangles))}
	for _, t := range m.triangles {
		out.Triangles = append(out.Triangles, uint32(t[0]), uint32(t[1]), uint32(t[2]))
	}
	return out
}

// compact drops vertices that no triangle uses. The order of the others stays.
func (m *mesh) compact() {
	to := make([]int32, len(m.scale))
	for _, t := range m.triangles {
		for _, v := range t {
			to[v] = 1
		}
	}
	n := int32(0)
	for v, used := range to {
		if used == 0 {
			continue
		}
		copy(m.points[3*n:3*n+3], m.points[3*v:3*v+3])
		m.scale[n] = m.scale[v]
		to[v] = n
		n++
	}
	m.points, m.scale = m.points[:3*n], m.scale[:n]
	for i, t := range m.triangles {
		for k, v := range t {
			m.triangles[i][k] = to[v]
		}
	}
}

// extract takes the triangles between empty and full cells. Where the full space
// touches itself at a vertex or an edge, each of its sides gets vertices of its own, so
// that the surface is a manifold: at an edge the triangles that bound the same full
// wedge belong together.
func extract(ctx context.Context, t *delaunay.Triangulation, v *vertices, empty []bool) (*mesh, error) {
	x := &extractor{Triangulation: t, empty: empty, first: make([]int32, len(t.Cells))}
	for c := range t.Cells {
		if c%(1<<16) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		x.first[c] = int32(len(x.faces))
		for i := range int32(4) {
			if !empty[c] && empty[t.Faces[c][i]>>2] && x.real(int32(c), i) {
				x.faces = append(x.faces, 4*int32(c)+i)
			}
		}
	}
	corners := newSets(3 * len(x.faces))
	for f := range x.faces {
		if f%(1<<14) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for k := range int32(3) {
			x.join(int32(f), k, corners)
		}
	}
	m := &mesh{triangles: make([][3]int32, len(x.faces))}
	id := make([]int32, 3*len(x.faces)) // vertex of each set, plus one
	for f, cf := range x.faces {
		for k, slot := range outward[cf&3] {
			r := corners.root(int32(3*f + k))
			if id[r] == 0 {
				w := t.Cells[cf>>2][slot]
				m.points = append(m.points, v.points[3*w:3*w+3]...)
				m.scale = append(m.scale, v.scale[w])
				if v.normals != nil {
					m.normals = append(m.normals, v.normals[3*w:3*w+3]...)
				}
				id[r] = int32(len(m.scale))
			}
			m.triangles[f][k] = id[r] - 1
		}
	}
	return m, nil
}

// extractor is the state of extract.
type extractor struct {
	*delaunay.Triangulation
	empty []bool
	faces []int32 // 4·cell+face of the full cell of each triangle
	first []int32 // the first triangle of each cell that has some
}

// real tells whether a face has no infinite corner.
func (x *extractor) real(c, i int32) bool {
	for _, k := range outward[i] {
		if x.Cells[c][k] == delaunay.Infinite {
			return false
		}
	}
	return true
}

// join finds the triangle across the edge opposite corner k of triangle f, turning
// through the full cells around the edge, and joins the corners at its ends.
func (x *extractor) join(f, k int32, corners sets) {
	start := x.faces[f] >> 2
	face := x.faces[f] & 3
	o := outward[face]
	c, exit, apex := start, o[k], face
	p, q := x.Cells[c][o[(k+1)%3]], x.Cells[c][o[(k+2)%3]]
	for {
		next := x.Faces[c][exit]
		if x.empty[next>>2] {
			break
		}
		s := x.Cells[c][apex]
		c, apex = next>>2, next&3
		exit = slotOf(&x.Cells[c], s)
	}
	g := x.first[c]
	for int(g) < len(x.faces) && x.faces[g] < 4*c+exit {
		g++
	}
	if int(g) == len(x.faces) || x.faces[g] != 4*c+exit {
		return // it ends at infinity
	}
	for j, slot := range outward[exit] {
		switch x.Cells[c][slot] {
		case p:
			corners.union(3*g+int32(j), 3*f+(k+1)%3)
		case q:
			corners.union(3*g+int32(j), 3*f+(k+2)%3)
		}
	}
}

// sets are disjoint sets of numbers.
type sets []int32

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

func (s sets) root(i int32) int32 {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

// union joins two sets; the smaller root stands for both.
func (s sets) union(a, b int32) {
	a, b = s.root(a), s.root(b)
	s[max(a, b)] = min(a, b)
}
