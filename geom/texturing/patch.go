package texturing

import "math"

// patch is a part of the surface that gets its colours from one view; -1 is no view:
// cells for triangles that none shows.
type patch struct {
	view  int32
	faces []int32
	// lo and hi bound it on the photo.
	lo, hi [2]float32
	// page, x, y, w, h is its place, padding included.
	page, x, y, w, h int
	// from is the place on the photo of the corner of the rectangle.
	from [2]float64
	cell int // edge of cells, for view -1
	cols int // cells in a row
}

// nodes are the vertices of patches: one for each patch that a vertex touches.
type nodes struct {
	of     []int32 // by corner of triangles
	vertex []uint32
	patch  []int32
	// xy is the place: on the photo, then in texels on the page.
	xy []float32
}

// patch makes patches of labels, and places them on pages.
func (t *texturer) patch() error {
	list, of := regions(t.mesh, t.labels)
	for _, r := range list {
		t.patches = append(t.patches, patch{view: t.labels[r.faces[0]], faces: r.faces})
	}
	t.split(of)
	err := t.each(len(t.patches), 64, func(from, to int) {
		for i := from; i < to; i++ {
			p := &t.patches[i]
			p.lo, p.hi = [2]float32{math.MaxFloat32, math.MaxFloat32}, [2]float32{}
		}
	})
	if err != nil {
		return err
	}
	n := &t.nodes
	n.xy = make([]float32, 2*len(n.vertex))
	err = t.each(len(n.vertex), 1<<12, func(from, to int) {
		for i := from; i < to; i++ {
			s := t.tone.lenses[t.patches[n.patch[i]].view].project(t.mesh.point(n.vertex[i]))
			n.xy[2*i], n.xy[2*i+1] = s.x, s.y
		}
	})
	if err != nil {
		return err
	}
	for i, p := range n.patch {
		for k := range 2 {
			t.patches[p].lo[k] = min(t.patches[p].lo[k], n.xy[2*i+k])
			t.patches[p].hi[k] = max(t.patches[p].hi[k], n.xy[2*i+k])
		}
	}
	t.addUnseen()
	if err := t.arrange(); err != nil {
		return err
	}
	for i, at := range n.patch {
		p := &t.patches[at]
		for k, o := range [2]int{p.x, p.y} {
			n.xy[2*i+k] = float32((float64(n.xy[2*i+k])-p.from[k])*t.scale + float64(o))
		}
	}
	return nil
}

// split makes the nodes.
func (t *texturer) split(of []int32) {
	m, n := t.mesh, &t.nodes
	// Corners by vertex.
	starts := make([]int32, len(m.positions)/3+1)
	for i, v := range m.triangles {
		if of[i/3] >= 0 {
			starts[v+1]++
		}
	}
	for v := range len(starts) - 1 {
		starts[v+1] += starts[v]
	}
	corners, at := make([]int32, starts[len(starts)-1]), append([]int32(nil), starts...)
	for i, v := range m.triangles {
		if of[i/3] >= 0 {
			corners[at[v]] = int32(i)
			at[v]++
		}
	}
	n.of = make([]int32, len(m.triangles))
	for i := range n.of {
		n.of[i] = -1
	}
	for v := range len(starts) - 1 {
		first := len(n.vertex)
		for _, c := range corners[starts[v]:starts[v+1]] {
			p := of[c/3]
			node := first
			for node < len(n.vertex) && n.patch[node] != p {
				node++
			}
			if node == len(n.vertex) {
				n.vertex, n.patch = append(n.vertex, uint32(v)), append(n.patch, p)
			}
			n.of[c] = int32(node)
		}
	}
}

// node returns that of a vertex at a triangle.
func (t *texturer) node(f int, v uint32) int32 {
	for k := range 3 {
		if t.mesh.triangles[3*f+k] == v {
			return t.nodes.of[3*f+k]
		}
	}
	return -1
}
