package mvs

// dropSpecks takes away small surfaces, which are likely chance.
func (m *Map) dropSpecks() {
	parts := m.parts(func(a, b int) bool {
		const step = 0.02 // between neighbours of one surface, relative
		d, e := m.Depth[a], m.Depth[b]
		return d > 0 && e > 0 && abs32(d-e) < step*min(d, e)
	})
	least := max(m.Width*m.Height/leastSpeck, 4)
	for i := range m.Depth {
		if m.Depth[i] > 0 && parts.size(i) < least {
			m.forget(i)
		}
	}
}

// leastSpeck is how many surfaces of the least size would fill a map.
const leastSpeck = 40000

func (m *Map) forget(i int) {
	m.Depth[i] = 0
	clear(m.Normal[3*i : 3*i+3])
	if m.Cost != nil {
		m.Cost[i] = worst
	}
}

// trimSky takes depth from pixels near the sky that look like it. Windows there also
// see the outline, which has its depth; the sky has none of its own. The sky is what
// has no good depth, is large and reaches the border of the photo.
func (m *Map) trimSky(photo *picture) {
	const poor = 0.9 // cost
	blank := func(i int) bool { return m.Depth[i] == 0 || m.Cost[i] > poor }
	parts := m.parts(func(a, b int) bool {
		const step = 6 // levels of brightness between neighbours
		return blank(a) && blank(b) && abs32(photo.pix[a]-photo.pix[b]) < step
	})
	border := map[int32]bool{}
	for x := range m.Width {
		border[parts.root(int32(x))] = true
	}
	for y := range m.Height {
		border[parts.root(int32(y*m.Width))] = true
		border[parts.root(int32((y+1)*m.Width-1))] = true
	}
	least := m.Width * m.Height / 100
	sky := make([]bool, len(m.Depth))
	for i := range sky {
		sky[i] = blank(i) && parts.size(i) >= least && border[parts.root(int32(i))]
	}
	const reach, alike = windowRadius + 1, 20
	var fringe []int
	m.near(sky, reach, func(i, from int) {
		if m.Depth[i] > 0 && abs32(photo.pix[i]-photo.pix[from]) < alike {
			fringe = append(fringe, i)
		}
	})
	for _, i := range fringe {
		m.forget(i)
	}
	for i := range sky {
		if sky[i] {
			m.forget(i)
		}
	}
}

// near calls f for pixels along rows and columns from a pixel of the set, at most reach
// away.
func (m *Map) near(set []bool, reach int, f func(i, from int)) {
	for _, d := range nearest {
		step := d[1]*m.Width + d[0]
		for y := range m.Height {
			for x := range m.Width {
				i := y*m.Width + x
				nx, ny := x+d[0], y+d[1]
				if !set[i] || nx < 0 || ny < 0 || nx >= m.Width || ny >= m.Height || set[i+step] {
					continue
				}
				for k := 1; k <= reach; k++ {
					if nx, ny = x+k*d[0], y+k*d[1]; nx < 0 || ny < 0 || nx >= m.Width || ny >= m.Height {
						break
					}
					f(i+k*step, i)
				}
			}
		}
	}
}

// parts are the connected parts of a map (union by size, with halving of paths).
type parts struct{ parent []int32 } // or less than zero: minus the size

func (m *Map) parts(joined func(a, b int) bool) parts {
	p := parts{make([]int32, len(m.Depth))}
	for i := range p.parent {
		p.parent[i] = -1
	}
	for y := range m.Height {
		for x := range m.Width {
			i := y*m.Width + x
			if x > 0 && joined(i-1, i) {
				p.join(int32(i-1), int32(i))
			}
			if y > 0 && joined(i-m.Width, i) {
				p.join(int32(i-m.Width), int32(i))
			}
		}
	}
	return p
}

func (p parts) root(i int32) int32 {
	for p.parent[i] >= 0 {
		up := p.parent[i]
		if p.parent[up] >= 0 {
			p.parent[i] = p.parent[up]
		}
		i = up
	}
	return i
}

func (p parts) join(a, b int32) {
	a, b = p.root(a), p.root(b)
	if a == b {
		return
	}
	if p.parent[a] > p.parent[b] {
		a, b = b, a
	}
	p.parent[a] += p.parent[b]
	p.parent[b] = a
}

func (p parts) size(i int) int { return -int(p.parent[p.root(int32(i))]) }
