package surface

import "context"

// Half-edge 3·t+k runs from corner k of triangle t to the next corner.

const (
	edgeBatch = 1 << 14

	border = -1 // the mate of a half-edge without one
	tangle = -2 // that of one whose edge has more than two triangles, or two of one sense
)

// nextInTriangle is the half-edge after h in its triangle.
func nextInTriangle(h int32) int32 {
	if h%3 == 2 {
		return h - 2
	}
	return h + 1
}

func (m *mesh) from(h int32) int32 { return m.triangles[h/3][h%3] }

func (m *mesh) to(h int32) int32 { return m.from(nextInTriangle(h)) }

// mates finds the half-edge that runs the other way for each.
func (m *mesh) mates(ctx context.Context, workers int) ([]int32, error) {
	start, out := m.outgoing()
	mates := make([]int32, 3*len(m.triangles))
	err := parallel(ctx, len(mates), edgeBatch, workers, func(_, from, to int) {
		for h := int32(from); h < int32(to); h++ {
			a, b := m.from(h), m.to(h)
			g, n := m.find(out[start[b]:start[b+1]], a)
			if n < 2 {
				// Whether there is another of this sense decides for both mates alike.
				_, n = m.find(out[start[a]:start[a+1]], b)
			}
			if n > 1 {
				g = tangle
			}
			mates[h] = g
		}
	})
	return mates, err
}

// find looks for half-edges to a vertex: the first, or border, and how many there are.
func (m *mesh) find(out []int32, to int32) (first int32, n int) {
	first = border
	for _, g := range out {
		if m.to(g) == to {
			if n == 0 {
				first = g
			}
			n++
		}
	}
	return first, n
}

// outgoing gives the half-edges of each vertex: those of v are out[start[v]:start[v+1]].
func (m *mesh) outgoing() (start, out []int32) {
	start = make([]int32, len(m.scale)+1)
	for _, t := range m.triangles {
		for _, v := range t {
			start[v+1]++
		}
	}
	for v := range m.scale {
		start[v+1] += start[v]
	}
	out = make([]int32, 3*len(m.triangles))
	for h := int32(len(out)) - 1; h >= 0; h-- {
		v := m.from(h)
		start[v+1]--
		out[start[v+1]] = h
	}
	// start[v+1] has become where v begins.
	copy(start, start[1:])
	start[len(m.scale)] = int32(len(out))
	return start, out
}
