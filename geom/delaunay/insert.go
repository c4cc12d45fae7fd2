package delaunay

import "context"

// State of a cell while a point is added.
const (
	untouched = iota
	conflicting
	kept // it was looked at, and its ball does not hold the point
)

// builder adds points to a triangulation.
type builder struct {
	*Triangulation
	state []uint8 // of each cell
	free  []int32 // cells that are not in use
	last  int32   // a cell of the last point, where the next walk starts
	dice  uint32
	// Scratch of one insertion: the conflicting cells, the kept ones beside them, and
	// the new ones with the old cell and face that each stands on.
	conflicts, rim []int32
	made           []madeCell
	first          [4]int32 // vertices of the first cell
}

type madeCell struct{ cell, old, face int32 }

func newBuilder(t *Triangulation) *builder {
	n := len(t.Grid)
	t.Cells = make([][4]int32, 0, 7*n+16)
	t.Faces = make([][4]int32, 0, 7*n+16)
	return &builder{Triangulation: t, state: make([]uint8, 0, 7*n+16), dice: 1}
}

// start makes the first cell of four points that are not in a plane, and the four
// infinite ones around it.
func (b *builder) start(order []int32) error {
	v, ok := b.simplex(order)
	if !ok {
		return ErrFlat
	}
	b.first = v
	b.cell(v)
	for i := range 4 {
		o := v
		o[i] = Infinite
		// The infinite vertex is on the other side of face i than vertex i.
		j, k := (i+1)%4, (i+2)%4
		o[j], o[k] = o[k], o[j]
		b.cell(o)
	}
	for c := range b.Cells {
		for i := range 4 {
			b.Faces[c][i] = b.opposite(int32(c), i)
		}
	}
	return nil
}

// simplex finds four points in general position, with positive volume.
func (b *builder) simplex(order []int32) (v [4]int32, ok bool) {
	found := 1
	v[0] = order[0]
	for _, p := range order[1:] {
		g := &b.Grid[p]
		switch found {
		case 1:
			ok = *g != b.Grid[v[0]]
		case 2:
			ok = !collinear(&b.Grid[v[0]], &b.Grid[v[1]], g)
		case 3:
			o := orient(&b.Grid[v[0]], &b.Grid[v[1]], &b.Grid[v[2]], g)
			if ok = o != 0; o < 0 {
				v[0], v[1] = v[1], v[0]
			}
		}
		if ok {
			v[found] = p
			if found++; found == 4 {
				return v, true
			}
		}
	}
	return v, false
}

func collinear(a, b, c *[3]int32) bool {
	u, w := difference(a, c), difference(b, c)
	return u[0]*w[1] == u[1]*w[0] && u[1]*w[2] == u[2]*w[1] && u[2]*w[0] == u[0]*w[2]
}

// opposite finds the face with the same three vertices among the first cells.
func (b *builder) opposite(c int32, i int) int32 {
	has := func(cell [4]int32, v int32) bool {
		return cell[0] == v || cell[1] == v || cell[2] == v || cell[3] == v
	}
	for d, cell := range b.Cells {
		if int32(d) == c {
			continue
		}
		shared, other := 0, 0
		for j, v := range cell {
			if has(b.Cells[c], v) && v != b.Cells[c][i] {
				shared++
			} else {
				other = j
			}
		}
		if shared == 3 {
			return int32(4*d + other)
		}
	}
	return -1
}

// cell takes room for a cell.
func (b *builder) cell(v [4]int32) int32 {
	if n := len(b.free); n > 0 {
		c := b.free[n-1]
		b.free = b.free[:n-1]
		b.Cells[c], b.Faces[c] = v, [4]int32{-1, -1, -1, -1}
		return c
	}
	b.Cells = append(b.Cells, v)
	b.Faces = append(b.Faces, [4]int32{-1, -1, -1, -1})
	b.state = append(b.state, untouched)
	return int32(len(b.Cells) - 1)
}

// insert adds a point, unless there is one at its place.
func (b *builder) insert(p int32) {
	g := &b.Grid[p]
	c := b.locate(g)
	for _, v := range b.Cells[c] {
		if v != Infinite && b.Grid[v] == *g {
			return
		}
	}
	b.dig(c, g)
	b.fill(p)
	b.link()
	for _, c := range b.conflicts {
		b.state[c] = untouched
		b.Cells[c][0] = unused
	}
	for _, c := range b.rim {
		b.state[c] = untouched
	}
	b.free = append(b.free, b.conflicts...)
	b.last = b.made[0].cell
}

// unused marks a cell that is free.
const unused = -2

// locate walks to the cell that holds a point: a finite one, on its border or inside,
// or an infinite one whose triangle of the hull the point lies beyond. At each cell
// the faces are tried from a random one on, without which a walk among cells of one
// ball could go round for ever (O. Devillers, S. Pion, M. Teillaud, "Walking in a
// triangulation", 2001).
func (b *builder) locate(g *[3]int32) int32 {
	c := b.last
	for i, v := range b.Cells[c] {
		if v == Infinite {
			c = b.Faces[c][i] >> 2
			break
		}
	}
	from := -1
walk:
	for {
		v := &b.Cells[c]
		b.dice = b.dice*1664525 + 1013904223
		start := int(b.dice >> 30)
		for k := range 4 {
			i := (start + k) & 3
			if i == from || b.side(v, i, g) >= 0 {
				continue
			}
			f := b.Faces[c][i]
			c, from = f>>2, int(f&3)
			if b.Cells[c][from] == Infinite {
				return c
			}
			continue walk
		}
		return c
	}
}

// side is positive where a point is on the inner side of face i of a cell of such
// vertices, those of the face being finite.
func (b *builder) side(v *[4]int32, i int, g *[3]int32) int {
	switch i {
	case 0:
		return orient(g, &b.Grid[v[1]], &b.Grid[v[2]], &b.Grid[v[3]])
	case 1:
		return orient(&b.Grid[v[0]], g, &b.Grid[v[2]], &b.Grid[v[3]])
	case 2:
		return orient(&b.Grid[v[0]], &b.Grid[v[1]], g, &b.Grid[v[3]])
	}
	return orient(&b.Grid[v[0]], &b.Grid[v[1]], &b.Grid[v[2]], g)
}

// conflict tells whether the open ball of a cell holds a point. The ball of an
// infinite cell is the half-space beyond its triangle, with the inside of the
// triangle's circle: in that plane the ball of the cell on the other side decides.
func (b *builder) conflict(c int32, g *[3]int32) bool {
	v := &b.Cells[c]
	for i, w := range v {
		if w != Infinite {
			continue
		}
		if o := b.side(v, i, g); o != 0 {
			return o > 0
		}
		v = &b.Cells[b.Faces[c][i]>>2]
		break
	}
	return inBall(&b.Grid[v[0]], &b.Grid[v[1]], &b.Grid[v[2]], &b.Grid[v[3]], g) > 0
}

// dig finds all conflicting cells, from one of them, and the kept ones around.
func (b *builder) dig(c int32, g *[3]int32) {
	b.conflicts, b.rim = append(b.conflicts[:0], c), b.rim[:0]
	b.state[c] = conflicting
	for i := 0; i < len(b.conflicts); i++ {
		for _, f := range b.Faces[b.conflicts[i]] {
			d := f >> 2
			if b.state[d] != untouched {
				continue
			}
			if b.conflict(d, g) {
				b.state[d] = conflicting
				b.conflicts = append(b.conflicts, d)
			} else {
				b.state[d] = kept
				b.rim = append(b.rim, d)
			}
		}
	}
}

// fill makes a cell of the point and each face between a conflicting and a kept cell.
// No such cell is flat: a point in the plane of the face and inside one of the two
// balls is inside both.
func (b *builder) fill(p int32) {
	b.made = b.made[:0]
	for _, c := range b.conflicts {
		for i := range 4 {
			f := b.Faces[c][i]
			if b.state[f>>2] != kept {
				continue
			}
			v := b.Cells[c]
			v[i] = p
			n := b.cell(v)
			b.Faces[n][i] = f
			b.Faces[f>>2][f&3] = 4*n + int32(i)
			b.Faces[c][i] = ^n // for link
			b.made = append(b.made, madeCell{n, c, int32(i)})
		}
	}
}

// link joins the new cells: around each edge of the border of the hole it turns
// through the old cells from one new cell to the next.
func (b *builder) link() {
	for _, m := range b.made {
		for j := range int32(4) {
			if j == m.face || b.Faces[m.cell][j] >= 0 {
				continue
			}
			c, exit, apex := m.old, j, m.face
			for b.Faces[c][exit] >= 0 {
				s := b.Cells[c][apex]
				f := b.Faces[c][exit]
				c, apex = f>>2, f&3
				exit = indexOf(&b.Cells[c], s)
			}
			n := ^b.Faces[c][exit]
			b.Faces[m.cell][j] = 4*n + apex
			b.Faces[n][apex] = 4*m.cell + j
		}
	}
}

func indexOf(v *[4]int32, w int32) int32 {
	switch w {
	case v[0]:
		return 0
	case v[1]:
		return 1
	case v[2]:
		return 2
	}
	return 3
}

// compact closes the gaps that unused cells leave.
func (b *builder) compact(ctx context.Context) error {
	to := make([]int32, len(b.Cells))
	n := int32(0)
	for c, v := range b.Cells {
		if v[0] != unused {
			to[c] = n
			n++
		}
	}
	for c, v := range b.Cells {
		if c%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if v[0] == unused {
			continue
		}
		f := b.Faces[c]
		for i := range f {
			f[i] = to[f[i]>>2]<<2 | f[i]&3
		}
		b.Cells[to[c]], b.Faces[to[c]] = v, f
	}
	b.Cells, b.Faces = b.Cells[:n], b.Faces[:n]
	return nil
}
