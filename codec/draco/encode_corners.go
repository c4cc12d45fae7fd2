package draco

import (
	"slices"
)

// encNone is no corner.
const encNone = -1

// encCorners is the surface by its corners: those of triangle f are 3f, 3f+1 and
// 3f+2. Two corners are opposite where their triangles share the edge between the
// other two corners. All corners that are reached around a point by opposites are
// one vertex, so that a point where several surfaces touch is several vertices.
type encCorners struct {
	points   []uint32 // corner → point of the mesh
	opposite []int32  // corner → corner, or encNone
	vertex   []int32  // corner → vertex
	boundary []bool   // of a vertex: it lies on an open edge
	edges    []uint64
	starts   []uint32
}

// next and previous corner of the same triangle.
func encNext(c int32) int32 {
	if c%3 == 2 {
		return c - 2
	}
	return c + 1
}

func encPrevious(c int32) int32 {
	if c%3 == 0 {
		return c + 2
	}
	return c - 1
}

// build connects the triangles whose corners have three different positions. Two
// triangles share an edge where both its ends have the same identity.
func (t *encCorners) build(indices, positions, identities []uint32, count int) {
	t.points = encResize(t.points, len(indices))[:0]
	for i := 0; i < len(indices); i += 3 {
		a, b, c := indices[i], indices[i+1], indices[i+2]
		pa, pb, pc := positions[a], positions[b], positions[c]
		if pa != pb && pb != pc && pc != pa {
			t.points = append(t.points, a, b, c)
		}
	}
	t.connect(identities, count, false)
	t.boundary = encFans(t.opposite, t.vertex, t.boundary)
	// Decoders refuse more edges than the vertices of a simple graph can have,
	// which edges that were shared by many triangles can lead to.
	if v, f := uint64(len(t.boundary)), uint64(len(t.points)/3); v*(v-1)/2 < 3*f/2 {
		t.connect(identities, count, true)
		t.boundary = encFans(t.opposite, t.vertex, t.boundary)
	}
}

// connect finds opposite corners. Edges are gathered at the end of lower identity
// and sorted there: by the other end, the direction, and the corner. Where simple
// is set, edges that more than two triangles share stay open.
func (t *encCorners) connect(identities []uint32, count int, simple bool) {
	n := len(t.points)
	t.opposite = encResize(t.opposite, n)
	t.vertex = encResize(t.vertex, n)
	encFill(t.opposite, encNone)
	t.gather(identities, count)
	start := uint32(0)
	for id := range count {
		end := t.starts[id]
		edges := t.edges[start:end]
		start = end
		encSortEdges(edges)
		for i := 0; i < len(edges); {
			j := i + 1
			for j < len(edges) && edges[j]>>32 == edges[i]>>32 {
				j++
			}
			switch {
			case j-i == 2:
				t.pair(edges[i], edges[i+1])
			case j-i > 2 && !simple:
				t.pairMany(edges[i:j])
			}
			i = j
		}
	}
}

// gather lists the edges of each identity: the other end in the highest 32 bits,
// then the corner that is opposite to the edge, then one bit of direction.
// Afterwards starts holds where the edges of an identity end.
func (t *encCorners) gather(identities []uint32, count int) {
	n := len(t.points)
	t.edges = encResize(t.edges, n)
	t.starts = encResize(t.starts, count+1)
	clear(t.starts)
	// The identity of each corner is kept in vertex, which is free until fans
	// are found.
	ids := t.vertex
	for c, p := range t.points {
		ids[c] = int32(identities[p])
	}
	for f := 0; f < n; f += 3 {
		a, b, c := ids[f], ids[f+1], ids[f+2]
		t.starts[min(a, b)]++
		t.starts[min(b, c)]++
		t.starts[min(c, a)]++
	}
	sum := uint32(0)
	for i, k := range t.starts {
		t.starts[i] = sum
		sum += k
	}
	for f := 0; f < n; f += 3 {
		a, b, c := ids[f], ids[f+1], ids[f+2]
		t.put(a, b, f+2)
		t.put(b, c, f)
		t.put(c, a, f+1)
	}
}

// put adds the edge from one identity to another that a corner is opposite to.
func (t *encCorners) put(from, to int32, corner int) {
	low, high, direction := from, to, uint64(0)
	if from > to {
		low, high, direction = to, from, 1
	}
	t.edges[t.starts[low]] = uint64(high)<<32 | uint64(corner)<<1 | direction
	t.starts[low]++
}

// encSortEdges sorts the few edges of a point.
func encSortEdges(edges []uint64) {
	if len(edges) > 24 {
		slices.Sort(edges)
		return
	}
	for i := 1; i < len(edges); i++ {
		e, j := edges[i], i
		for ; j > 0 && edges[j-1] > e; j-- {
			edges[j] = edges[j-1]
		}
		edges[j] = e
	}
}

// pair makes two corners opposite where their triangles run along the edge in
// different directions and are not the two sides of one triangle.
func (t *encCorners) pair(e, f uint64) bool {
	if e&1 == f&1 {
		return false
	}
	c, d := int32(e>>1&(1<<31-1)), int32(f>>1&(1<<31-1))
	if t.vertex[c] == t.vertex[d] {
		return false
	}
	t.opposite[c], t.opposite[d] = d, c
	return true
}

// pairMany pairs edges that more than two triangles share, nearest corners first,
// and leaves open what finds none among the next few.
func (t *encCorners) pairMany(edges []uint64) {
	const window = 8
	for i, e := range edges {
		if t.opposite[int32(e>>1&(1<<31-1))] != encNone {
			continue
		}
		for _, f := range edges[i+1 : min(len(edges), i+1+window)] {
			if t.opposite[int32(f>>1&(1<<31-1))] == encNone && t.pair(e, f) {
				break
			}
		}
	}
}

// encFans numbers vertices: the corners that are reached around a point through
// opposites. It returns, in the memory given, which of them are on a boundary.
func encFans(opposite, vertex []int32, boundary []bool) []bool {
	boundary = boundary[:0]
	encFill(vertex, encNone)
	for c := range vertex {
		if vertex[c] != encNone {
			continue
		}
		v := int32(len(boundary))
		// Swing to the left, round or up to an open edge.
		at := int32(c)
		for {
			vertex[at] = v
			o := opposite[encNext(at)]
			if o == encNone {
				break
			}
			at = encNext(o)
			if at == int32(c) {
				break
			}
		}
		open := opposite[encNext(at)] == encNone
		if open {
			for at = int32(c); ; {
				o := opposite[encPrevious(at)]
				if o == encNone {
					break
				}
				at = encPrevious(o)
				vertex[at] = v
			}
		}
		boundary = append(boundary, open)
	}
	return boundary
}
