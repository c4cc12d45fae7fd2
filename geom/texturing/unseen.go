package texturing

const (
	// cellSize is the edge of the square of texels that a triangle without a view gets;
	// three of them in each direction hold its corners. smallCell is for very many.
	cellSize, smallCell = 5, 2
	// block is how many cells are in a row of a patch of them.
	block = 64
	// smoothings is how often colours of vertices without a view are smoothed.
	smoothings = 60
)

// addUnseen adds patches of cells for triangles that no view shows.
func (t *texturer) addUnseen() {
	var faces []int32
	for f, label := range t.labels {
		if label < 0 && t.mesh.area[f] > 0 {
			faces = append(faces, int32(f))
		}
	}
	cell := cellSize
	if int64(len(faces))*cellSize*cellSize > t.o.Texels/4 {
		cell = smallCell
	}
	side := min(block, (t.o.PageSize-1)/cell)
	for len(faces) > 0 {
		n := min(len(faces), side*side)
		cols := min(n, side)
		p := patch{view: -1, faces: faces[:n:n], cell: cell, cols: cols}
		p.w, p.h = cols*cell, (n+cols-1)/cols*cell
		t.patches = append(t.patches, p)
		faces = faces[n:]
	}
}

// corner returns where on the page corner k of triangle i of a patch of cells is.
func (p *patch) corner(i, k int) (x, y float32) {
	x, y = float32(p.x+i%p.cols*p.cell), float32(p.y+i/p.cols*p.cell)
	low, high := float32(1.5), float32(3.5)
	if p.cell == smallCell {
		low, high = 0.75, 1.25
	}
	switch k {
	case 0:
		return x + low, y + low
	case 1:
		return x + high, y + low
	}
	return x + low, y + high
}

// unseen are the vertices of triangles that no view shows.
type unseen struct {
	t       *texturer
	number  map[uint32]int32
	colors  [][3]float32
	known   []bool
	starts  []int32
	beside  []int32
	average [3]float32
}

// paintUnseen lets colours run in from what is seen.
func (t *texturer) paintUnseen() error {
	u := &unseen{t: t, number: map[uint32]int32{}}
	for i := range t.patches {
		if t.patches[i].view >= 0 {
			continue
		}
		for _, f := range t.patches[i].faces {
			for k := range 3 {
				v := t.mesh.triangles[3*f+int32(k)]
				if _, ok := u.number[v]; !ok {
					u.number[v] = int32(len(u.number))
				}
			}
		}
	}
	if len(u.number) == 0 {
		return nil
	}
	u.borders()
	u.connect()
	if err := u.diffuse(); err != nil {
		return err
	}
	for i := range t.patches {
		if p := &t.patches[i]; p.view < 0 {
			for j := range p.faces {
				u.paint(p, j)
			}
		}
	}
	return nil
}

// borders takes the colours of vertices that something seen touches.
func (u *unseen) borders() {
	u.colors, u.known = make([][3]float32, len(u.number)), make([]bool, len(u.number))
	counts := make([]float32, len(u.number))
	total, n := [3]float64{}, 0.0
	for node, v := range u.t.nodes.vertex {
		i, ok := u.number[v]
		if !ok && node%64 != 0 {
			continue
		}
		xy := u.t.nodes.xy[2*node:][:2]
		c := u.t.pageOf(int32(node)).sample(xy[0], xy[1])
		for k := range 3 {
			total[k] += float64(c[k])
			if ok {
				u.colors[i][k] += c[k]
			}
		}
		n++
		if ok {
			counts[i]++
			u.known[i] = true
		}
	}
	for i, c := range counts {
		if c > 0 {
			for k := range 3 {
				u.colors[i][k] /= c
			}
		}
	}
	for k := range 3 {
		u.average[k] = float32(total[k] / max(n, 1))
	}
}

// connect lists which vertices are beside each.
func (u *unseen) connect() {
	edges := func(f func(a, b int32)) {
		for i := range u.t.patches {
			if u.t.patches[i].view >= 0 {
				continue
			}
			for _, face := range u.t.patches[i].faces {
				for k := range 3 {
					a, b := u.t.mesh.edge(int(face), k)
					f(u.number[a], u.number[b])
				}
			}
		}
	}
	u.starts = make([]int32, len(u.number)+1)
	edges(func(a, b int32) { u.starts[a+1]++; u.starts[b+1]++ })
	for i := range len(u.starts) - 1 {
		u.starts[i+1] += u.starts[i]
	}
	u.beside = make([]int32, u.starts[len(u.starts)-1])
	at := append([]int32(nil), u.starts...)
	edges(func(a, b int32) {
		u.beside[at[a]], u.beside[at[b]] = b, a
		at[a]++
		at[b]++
	})
}

// diffuse gives each vertex the mean of those beside it, from the known ones inwards,
// then smooths.
func (u *unseen) diffuse() error {
	var queue []int32
	reached := make([]bool, len(u.known))
	for i, k := range u.known {
		if k {
			queue = append(queue, int32(i))
			reached[i] = true
		}
	}
	for n := 0; n < len(queue); n++ {
		for _, o := range u.beside[u.starts[queue[n]]:u.starts[queue[n]+1]] {
			if !reached[o] {
				reached[o] = true
				u.colors[o] = u.colors[queue[n]]
				queue = append(queue, o)
			}
		}
	}
	for i := range reached {
		if !reached[i] {
			u.colors[i] = u.average
		}
	}
	for range smoothings {
		if err := u.t.ctx.Err(); err != nil {
			return err
		}
		for _, i := range queue {
			if u.known[i] {
				continue
			}
			var sum [3]float32
			list := u.beside[u.starts[i]:u.starts[i+1]]
			for _, o := range list {
				for k := range 3 {
					sum[k] += u.colors[o][k]
				}
			}
			for k := range 3 {
				u.colors[i][k] = sum[k] / float32(len(list))
			}
		}
	}
	return nil
}

// paint fills the cell of a triangle with the plane through the colours of its corners.
func (u *unseen) paint(p *patch, i int) {
	g := &u.t.pages[p.page]
	tri := u.t.mesh.triangles[3*p.faces[i]:][:3]
	a, b, c := u.colors[u.number[tri[0]]], u.colors[u.number[tri[1]]], u.colors[u.number[tri[2]]]
	x0, y0 := p.x+i%p.cols*p.cell, p.y+i/p.cols*p.cell
	for y := range p.cell {
		for x := range p.cell {
			s, t := float32(x-1)/2, float32(y-1)/2
			if p.cell == smallCell {
				s, t = 1./3, 1./3
			}
			at := (y0+y)*g.width + x0 + x
			g.filled[at] = true
			for k := range 3 {
				v := a[k] + s*(b[k]-a[k]) + t*(c[k]-a[k])
				g.pix[3*at+k] = uint8(min(max(v+0.5, 0), 255))
			}
		}
	}
}
