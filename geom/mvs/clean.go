package mvs

// dropSpecks takes away small surfaces, which are likely chance.
func (m *Map) dropSpecks() {
	parts := connect(m.Width, m.Height, func(a, b int) bool { return continuous(m.Depth[a], m.Depth[b]) })
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
	parts := connect(m.Width, m.Height, func(a, b int) bool {
		const step = 6 // levels of brightness between neighbours
		return blank(a) && blank(b) && abs32(photo.pix[a]-photo.pix[b]) < step
	})
	border := map[int]bool{}
	for x := range m.Width {
		border[parts.of(x)] = true
	}
	for y := range m.Height {
		border[parts.of(y*m.Width)] = true
		border[parts.of((y+1)*m.Width-1)] = true
	}
	least := m.Width * m.Height / 100
	sky := make([]bool, len(m.Depth))
	for i := range sky {
		sky[i] = blank(i) && parts.size(i) >= least && border[parts.of(i)]
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
