package meshdistance

import (
	"cmp"
	"math"
	"slices"
)

// tree is a binary tree of boxes over triangles.
type tree struct {
	nodes []node
	tris  [][3]vec
}

type node struct {
	lo, hi vec
	// left child is the next node; right is 0 for a leaf, whose triangles are
	// first to first+count.
	right        int32
	first, count int32
}

const leafSize = 4

func newTree(m Mesh) *tree {
	t := &tree{}
	order := make([]int32, 0, len(m.Indices)/3)
	centers := make([]vec, len(m.Indices)/3)
	for i := range centers {
		a, b, c := m.at(m.Indices[3*i]), m.at(m.Indices[3*i+1]), m.at(m.Indices[3*i+2])
		for k := range 3 {
			centers[i][k] = (a[k] + b[k] + c[k]) / 3
		}
		order = append(order, int32(i))
	}
	t.tris = make([][3]vec, 0, len(order))
	if len(order) > 0 {
		t.build(&m, order, centers)
	}
	return t
}

func (t *tree) build(m *Mesh, order []int32, centers []vec) {
	at := len(t.nodes)
	n := node{lo: vec{math.Inf(1), math.Inf(1), math.Inf(1)}, hi: vec{math.Inf(-1), math.Inf(-1), math.Inf(-1)}}
	clo, chi := n.lo, n.hi
	for _, i := range order {
		for k := range 3 {
			clo[k], chi[k] = min(clo[k], centers[i][k]), max(chi[k], centers[i][k])
		}
		for c := range 3 {
			p := m.at(m.Indices[3*int(i)+c])
			for k := range 3 {
				n.lo[k], n.hi[k] = min(n.lo[k], p[k]), max(n.hi[k], p[k])
			}
		}
	}
	t.nodes = append(t.nodes, n)
	if len(order) <= leafSize {
		t.nodes[at].first, t.nodes[at].count = int32(len(t.tris)), int32(len(order))
		for _, i := range order {
			t.tris = append(t.tris, [3]vec{m.at(m.Indices[3*i]), m.at(m.Indices[3*i+1]), m.at(m.Indices[3*i+2])})
		}
		return
	}
	axis := 0
	for k := 1; k < 3; k++ {
		if chi[k]-clo[k] > chi[axis]-clo[axis] {
			axis = k
		}
	}
	middle := (clo[axis] + chi[axis]) / 2
	half := 0
	for i, v := range order {
		if centers[v][axis] < middle {
			order[i], order[half] = order[half], order[i]
			half++
		}
	}
	if half == 0 || half == len(order) || min(half, len(order)-half) < len(order)/16 {
		slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(centers[a][axis], centers[b][axis]) })
		half = len(order) / 2
	}
	t.build(m, order[:half], centers)
	t.nodes[at].right = int32(len(t.nodes))
	t.build(m, order[half:], centers)
}

func (n *node) square(p vec) float64 {
	d := 0.0
	for k := range 3 {
		if v := n.lo[k] - p[k]; v > 0 {
			d += v * v
		} else if v := p[k] - n.hi[k]; v > 0 {
			d += v * v
		}
	}
	return d
}

// nearest returns the squared distance to the nearest triangle, and which it is.
// hint is one that may be near.
func (t *tree) nearest(p vec, hint int32) (float64, int32) {
	best, which := toTriangle(p, &t.tris[hint]), hint
	var stack [128]int32
	depth := 1
	for depth > 0 {
		depth--
		i := stack[depth]
		n := &t.nodes[i]
		if n.square(p) >= best {
			continue
		}
		if n.right == 0 {
			for k := n.first; k < n.first+n.count; k++ {
				if d := toTriangle(p, &t.tris[k]); d < best {
					best, which = d, k
				}
			}
			continue
		}
		near, far := i+1, n.right
		if t.nodes[far].square(p) < t.nodes[near].square(p) {
			near, far = far, near
		}
		stack[depth], stack[depth+1] = far, near
		depth += 2
	}
	return best, which
}

// toTriangle is the squared distance of a point to a triangle.
func toTriangle(p vec, t *[3]vec) float64 {
	d := sub(p, closest(p, t))
	return dot(d, d)
}

// closest is the point of a triangle that is nearest to p (C. Ericson, "Real-Time
// Collision Detection", 5.1.5).
func closest(p vec, t *[3]vec) vec {
	a, b, c := t[0], t[1], t[2]
	ab, ac, ap := sub(b, a), sub(c, a), sub(p, a)
	d1, d2 := dot(ab, ap), dot(ac, ap)
	if d1 <= 0 && d2 <= 0 {
		return a
	}
	bp := sub(p, b)
	d3, d4 := dot(ab, bp), dot(ac, bp)
	if d3 >= 0 && d4 <= d3 {
		return b
	}
	vc := d1*d4 - d3*d2
	if vc <= 0 && d1 >= 0 && d3 <= 0 {
		return along(a, d1/(d1-d3), ab)
	}
	cp := sub(p, c)
	d5, d6 := dot(ab, cp), dot(ac, cp)
	if d6 >= 0 && d5 <= d6 {
		return c
	}
	vb := d5*d2 - d1*d6
	if vb <= 0 && d2 >= 0 && d6 <= 0 {
		return along(a, d2/(d2-d6), ac)
	}
	va := d3*d6 - d5*d4
	if va <= 0 && d4-d3 >= 0 && d5-d6 >= 0 {
		return along(b, (d4-d3)/((d4-d3)+(d5-d6)), sub(c, b))
	}
	k := 1 / (va + vb + vc)
	if math.IsInf(k, 0) || math.IsNaN(k) {
		return nearestOf(p, a, b, c)
	}
	return along(along(a, vb*k, ab), vc*k, ac)
}

// nearestOf returns the corner nearest to p of a triangle without area.
func nearestOf(p vec, corners ...vec) vec {
	return slices.MinFunc(corners, func(a, b vec) int {
		da, db := sub(p, a), sub(p, b)
		return cmp.Compare(dot(da, da), dot(db, db))
	})
}
