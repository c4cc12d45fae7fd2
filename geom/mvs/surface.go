package mvs

import "fmt"

// surface is a depth map as planes.
type surface struct {
	lens   lens
	planes []plane
	costs  []float32 // or nil
}

// surfaceOf returns the planes of a map that must be of the lens' size.
func surfaceOf(m *Map, l lens) (*surface, error) {
	n := l.w * l.h
	if m.Width != l.w || m.Height != l.h || len(m.Depth) != n || len(m.Normal) != 3*n || m.Cost != nil && len(m.Cost) != n {
		return nil, fmt.Errorf("the depth map is %d × %d or incomplete, want %d × %d", m.Width, m.Height, l.w, l.h)
	}
	s := &surface{lens: l, planes: make([]plane, n), costs: m.Cost}
	for y := range l.h {
		for x := range l.w {
			at := y*l.w + x
			d := m.Depth[at]
			if !(d > 0) {
				continue
			}
			rx, ry := l.ray(x, y)
			p := planeAt(d, [3]float32(m.Normal[3*at:]), rx, ry)
			if p.faces(p.inverse(rx, ry), rx, ry) {
				s.planes[at] = p
			}
		}
	}
	return s, nil
}

// at returns the surface at the same or half the size. Planes hold at any.
func (s *surface) at(l lens) *surface {
	if l.w == s.lens.w && l.h == s.lens.h {
		return s
	}
	half := &surface{lens: l, planes: make([]plane, l.w*l.h)}
	for y := range l.h {
		for x := range l.w {
			half.planes[y*l.w+x] = s.planes[2*y*s.lens.w+2*x]
		}
	}
	return half
}

func (s *surface) cost(at int) float32 {
	if s.costs == nil {
		return 0
	}
	return s.costs[at]
}

// result is the map. Pixels that could not be compared, specks, and, after the
// second pass, the fringe of the sky have no depth.
func (m *matcher) result(geometric bool) *Map {
	out := &Map{
		Width: m.lens.w, Height: m.lens.h,
		Depth: make([]float32, len(m.planes)), Normal: make([]float32, 3*len(m.planes)), Cost: m.cost,
	}
	for y := range m.lens.h {
		for x := range m.lens.w {
			at := y*m.lens.w + x
			rx, ry := m.lens.ray(x, y)
			if inv := m.planes[at].inverse(rx, ry); m.cost[at] < worst && inv > 0 {
				out.Depth[at] = 1 / inv
				n := m.planes[at].normal()
				copy(out.Normal[3*at:], n[:])
			}
		}
	}
	out.dropSpecks()
	if geometric {
		out.trimSky(m.pic)
	}
	return out
}
