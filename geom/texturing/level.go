package texturing

import "math"

const (
	// stiff is how much corrections keep alike along edges within a patch, held how
	// much they keep to nothing, against 1 for meeting at seams.
	stiff, held = 5, 0.005
	// distrust is the difference at a seam from which it is more likely that the
	// photos show different things.
	distrust = 30
)

// seam is an edge where two patches meet.
type seam struct {
	// nodes at both ends: of one patch, then of the other.
	nodes [2][2]int32
	// inward is the direction into the patch, in texels, where the edge is an outline
	// on the photo: there, pixels are mixed with what is behind.
	inward [2][2]float32
	weight float32
}

const (
	// inset is how far inside of outlines colours are taken, in texels.
	inset = 1.5
	// outline is the weight of seams where they must be.
	outlined = 0.25
)

// seams finds all edges between patches.
func (t *texturer) seams() (list []seam) {
	for f, label := range t.labels {
		if label < 0 {
			continue
		}
		for k := range 3 {
			g := int(t.mesh.across[3*f+k])
			if g < f || t.labels[g] < 0 {
				continue
			}
			a, b := t.mesh.edge(f, k)
			s := seam{nodes: [2][2]int32{{t.node(f, a), t.node(f, b)}, {t.node(g, a), t.node(g, b)}}, weight: 1}
			if t.nodes.patch[s.nodes[0][0]] == t.nodes.patch[s.nodes[1][0]] {
				continue
			}
			for side, pair := range [2][2]int{{f, g}, {g, f}} {
				if !t.shows(t.labels[pair[0]], pair[1]) {
					s.inward[side] = t.inward(s.nodes[side], pair[0])
					s.weight = outlined
				}
			}
			list = append(list, s)
		}
	}
	return list
}

// shows tells whether a view sees all of a triangle.
func (t *texturer) shows(view int32, f int) bool {
	s := t.sights.find(f, uint16(view))
	return s != nil && s.trust <= edge
}

// inward is the direction from an edge into a triangle, inset texels long.
func (t *texturer) inward(ends [2]int32, f int) (d [2]float32) {
	a, b := t.nodes.xy[2*ends[0]:][:2], t.nodes.xy[2*ends[1]:][:2]
	x, y := b[1]-a[1], a[0]-b[0]
	length := float32(math.Hypot(float64(x), float64(y)))
	if length == 0 {
		return d
	}
	for _, n := range t.nodes.of[3*f:][:3] {
		c := t.nodes.xy[2*n:][:2]
		if (c[0]-a[0])*x+(c[1]-a[1])*y < 0 {
			length = -length
			break
		}
	}
	return [2]float32{x / length * inset, y / length * inset}
}

// at returns the place on the page along a side of a seam.
func (t *texturer) at(s *seam, side int, share float32) (x, y float32) {
	a, b := t.nodes.xy[2*s.nodes[side][0]:][:2], t.nodes.xy[2*s.nodes[side][1]:][:2]
	return a[0] + (b[0]-a[0])*share, a[1] + (b[1]-a[1])*share
}

// color returns what a page shows along a side of a seam.
func (t *texturer) color(s *seam, side int, share float32) [3]float32 {
	x, y := t.at(s, side, share)
	return t.pageOf(s.nodes[side][0]).sample(x+s.inward[side][0], y+s.inward[side][1])
}

// samples is how many texels an edge is long, at least 1.
func (t *texturer) samples(s *seam) int {
	n := 1.0
	for _, ends := range s.nodes {
		a, b := t.nodes.xy[2*ends[0]:][:2], t.nodes.xy[2*ends[1]:][:2]
		n = max(n, math.Hypot(float64(b[0]-a[0]), float64(b[1]-a[1])))
	}
	return int(math.Ceil(n))
}

// pageOf returns the page that a node is on.
func (t *texturer) pageOf(node int32) *page {
	return &t.pages[t.patches[t.nodes.patch[node]].page]
}

// differences returns how much brighter the first side of a seam is near each end.
func (t *texturer) differences(s *seam) (d [2][3]float32) {
	n := t.samples(s)
	var weight [2]float32
	for i := range n {
		share := (float32(i) + 0.5) / float32(n)
		var c [2][3]float32
		for side := range c {
			c[side] = t.color(s, side, share)
		}
		for end, w := range [2]float32{1 - share, share} {
			weight[end] += w
			for k := range 3 {
				d[end][k] += w * (c[0][k] - c[1][k])
			}
		}
	}
	for end := range d {
		for k := range 3 {
			d[end][k] /= weight[end]
		}
	}
	return d
}

// levelGlobally finds a correction for each node by which colours meet at seams, as
// far as seams tell of light and not of things out of place, and which changes
// slowly elsewhere.
func (t *texturer) levelGlobally() error {
	n := len(t.nodes.vertex)
	t.leveling = make([]float32, 3*n)
	seams := t.seams()
	if t.o.noGlobal || len(seams) == 0 {
		return nil
	}
	apart := make([][2][3]float32, len(seams))
	err := t.each(len(seams), 1<<10, func(from, to int) {
		for i := from; i < to; i++ {
			apart[i] = t.differences(&seams[i])
		}
	})
	if err != nil {
		return err
	}
	e := t.equations(seams, apart)
	return t.conjugate(3, func(out, x []float32) error { return e.times(&t.team, out, x) }, e.diagonal, e.right, t.leveling, 2e-3, 400)
}

// equations are a symmetric sparse matrix, and the right side.
type equations struct {
	diagonal, right []float32
	starts          []int32
	columns         []int32
	values          []float32 // negated
}

// times multiplies by the matrix.
func (e *equations) times(t *team, out, x []float32) error {
	return t.each(len(e.diagonal), 1<<12, func(from, to int) {
		for i := from; i < to; i++ {
			d := e.diagonal[i]
			a, b, c := d*x[3*i], d*x[3*i+1], d*x[3*i+2]
			for j := e.starts[i]; j < e.starts[i+1]; j++ {
				v, u := e.values[j], x[3*e.columns[j]:][:3]
				a, b, c = a-v*u[0], b-v*u[1], c-v*u[2]
			}
			out[3*i], out[3*i+1], out[3*i+2] = a, b, c
		}
	})
}

func (t *texturer) equations(seams []seam, apart [][2][3]float32) *equations {
	n := len(t.nodes.vertex)
	e := &equations{diagonal: make([]float32, n), right: make([]float32, 3*n), starts: make([]int32, n+1)}
	for i := range e.diagonal {
		e.diagonal[i] = held
	}
	t.terms(seams, apart, func(a, b int32, _ float32) { e.starts[a+1]++; e.starts[b+1]++ })
	for i := range n {
		e.starts[i+1] += e.starts[i]
	}
	e.columns, e.values = make([]int32, e.starts[n]), make([]float32, e.starts[n])
	at := append([]int32(nil), e.starts...)
	t.terms(seams, apart, func(a, b int32, w float32) {
		e.diagonal[a] += w
		e.diagonal[b] += w
		e.columns[at[a]], e.values[at[a]] = b, w
		e.columns[at[b]], e.values[at[b]] = a, w
		at[a]++
		at[b]++
	})
	for i := range seams {
		for end := range 2 {
			d := &apart[i][end]
			w := trustOf(d) * seams[i].weight
			a, b := seams[i].nodes[0][end], seams[i].nodes[1][end]
			for k := range int32(3) {
				e.right[3*a+k] -= w * d[k]
				e.right[3*b+k] += w * d[k]
			}
		}
	}
	return e
}

// terms calls f for each pair of nodes with its weight: both ends of seams, and edges
// within patches.
func (t *texturer) terms(seams []seam, apart [][2][3]float32, f func(a, b int32, w float32)) {
	for i := range seams {
		for end := range 2 {
			f(seams[i].nodes[0][end], seams[i].nodes[1][end], trustOf(&apart[i][end])*seams[i].weight)
		}
	}
	for face, label := range t.labels {
		if label < 0 {
			continue
		}
		for k := range 3 {
			a, b := t.nodes.of[3*face+k], t.nodes.of[3*face+(k+1)%3]
			if g := int(t.mesh.across[3*face+k]); g > face || g < 0 || t.labels[g] != label {
				f(a, b, stiff)
			}
		}
	}
}

// trustOf is the weight of a difference.
func trustOf(d *[3]float32) float32 {
	m := max(abs32(d[0]), abs32(d[1]), abs32(d[2])) / distrust
	return 1 / (1 + m*m)
}
