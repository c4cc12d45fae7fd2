package surface

import (
	"context"
	"math"
	"sync/atomic"

	"slate360.ai/worker/geom/delaunay"
	"slate360.ai/worker/geom/maxflow"
)

const (
	// unit is one sight line, in capacities, which are whole numbers so that their sums
	// do not depend on the order.
	unit = 64
	// most is where a capacity stops growing: both directions of an arc, and what the
	// cost of triangles adds, stay below 2^31.
	most = 1 << 29
	// behind is how far behind a point, in its noise, space is full.
	behind = 3
	// front is how far in front of a point, in its noise, space is said to be empty, as it
	// is at the camera. This moves no surface, but the flow then has short ways.
	front = 4
	// sightBatch is how many vertices a worker takes at a time.
	sightBatch = 512
	// maxSteps bounds the cells of one sight line, should rounding send it round.
	maxSteps = 20000
)

// sight follows the sight lines from all vertices to the cameras that see them. A
// triangle that one crosses costs, the nearer to the point the less; where the camera
// is is empty, what is behind the point is full.
func sight(ctx context.Context, t *delaunay.Triangulation, v *vertices, centers [][3]float32, g *maxflow.Graph, o Options, progress func(float64)) error {
	cellOf := make([]int32, v.len())
	for i := range cellOf {
		cellOf[i] = -1
	}
	for c, cell := range t.Cells {
		for _, w := range cell {
			if w != delaunay.Infinite {
				cellOf[w] = int32(c)
			}
		}
	}
	cameras := make([][3]float64, len(centers))
	for i, c := range centers {
		for a := range 3 {
			cameras[i][a] = (float64(c[a]) - t.Origin[a]) / t.Step
		}
	}
	tracers := make([]tracer, o.Workers)
	terminal := make([]int64, len(t.Cells))
	var done atomic.Int64
	err := parallel(ctx, v.len(), sightBatch, o.Workers, func(worker, from, to int) {
		s := &tracers[worker]
		if s.Triangulation == nil {
			*s = tracer{Triangulation: t, graph: g, terminal: terminal}
		}
		for i := from; i < to; i++ {
			if cellOf[i] >= 0 { // not where two vertices fall in one place
				s.vertex(v, int32(i), cellOf[i], cameras, o.Noise)
			}
		}
		if n := done.Add(int64(to - from)); worker == 0 {
			progress(float64(n) / float64(v.len()))
		}
	})
	for c, sum := range terminal {
		g.Terminal[c] = int32(min(max(sum, -most), most))
	}
	return err
}

// tracer follows lines through cells.
type tracer struct {
	*delaunay.Triangulation
	graph    *maxflow.Graph
	terminal []int64 // sums that may be larger than what the graph takes
	star     star
	line
}

// vertex follows the sight lines of one vertex.
func (s *tracer) vertex(v *vertices, i, cell int32, cameras [][3]float64, noise float64) {
	s.star.collect(s.Triangulation, i, cell)
	sigma := float64(v.scale[i]) * noise / s.Step
	if len(v.views) == 0 {
		if s.aim(s.Grid[i], v.ahead(i, s.Grid[i], reach*sigma)) {
			s.toCamera(i, unit, sigma)
			s.back(i, unit, sigma)
		}
		return
	}
	for k := v.offsets[i]; k < v.offsets[i+1]; k++ {
		alpha := float64(v.weights[k]) * unit
		if !s.aim(s.Grid[i], cameras[v.views[k]]) {
			continue // the camera is at the point
		}
		s.toCamera(i, alpha, sigma)
		s.back(i, alpha, sigma)
	}
}

// astrayLine is how far sight lines are turned at most, as a slope.
const astrayLine = 1e-5

// reach is how far in front of a point without views, in its noise, space is empty.
const reach = 6

// ahead is a place in front of a vertex, at a distance, on the grid that it is on.
func (v *vertices) ahead(i int32, at [3]int32, distance float64) (p vec) {
	n := vec{float64(v.normals[3*i]), float64(v.normals[3*i+1]), float64(v.normals[3*i+2])}
	l := length(n)
	for a := range 3 {
		p[a] = float64(at[a])
		if l > 0 {
			p[a] += n[a] / l * distance
		}
	}
	return p
}

// line is a half-line from a vertex, and a triangle that it crosses.
type line struct {
	origin           [3]int32
	toward, e1, e2   [3]float64
	length           float64
	a, b, c          corner // of the triangle, counter-clockwise in the plane of e1 and e2
	cell             int32  // that the line leaves by the triangle
	face, sa, sb, sc int32  // which of its faces that is, and the slots of its corners
}

// corner is a vertex in the frame of the line: its place across and along it.
type corner struct{ x, y, z float64 }

// aim lays the line from a point to a target.
func (l *line) aim(from [3]int32, to [3]float64) bool {
	l.origin = from
	for a := range 3 {
		l.toward[a] = to[a] - float64(from[a])
	}
	l.length = math.Sqrt(dot(l.toward, l.toward))
	if l.length == 0 {
		return false
	}
	for a := range 3 {
		// A line through an edge exactly would not know which way to go on.
		h := mix(uint64(uint32(from[a])) ^ uint64(a)<<32)
		l.toward[a] = l.toward[a]/l.length + astrayLine*(float64(h>>11)/(1<<52)-1)
	}
	n := math.Sqrt(dot(l.toward, l.toward))
	for a := range 3 {
		l.toward[a] /= n
	}
	l.frame()
	return true
}

// reverse turns the line round.
func (l *line) reverse(length float64) {
	for a := range 3 {
		l.toward[a] = -l.toward[a]
	}
	l.length = length
	l.frame()
}

// frame makes e1, e2 and toward a right-handed frame (T. Duff et al., "Building an
// orthonormal basis, revisited", 2017).
func (l *line) frame() {
	x, y, z := l.toward[0], l.toward[1], l.toward[2]
	sign := math.Copysign(1, z)
	a := -1 / (sign + z)
	b := x * y * a
	l.e1 = [3]float64{1 + sign*x*x*a, sign * b, -sign * x}
	l.e2 = [3]float64{b, sign + y*y*a, -y}
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (l *line) corner(g *[3]int32) corner {
	x, y, z := float64(g[0]-l.origin[0]), float64(g[1]-l.origin[1]), float64(g[2]-l.origin[2])
	return corner{
		x*l.e1[0] + y*l.e1[1] + z*l.e1[2],
		x*l.e2[0] + y*l.e2[1] + z*l.e2[2],
		x*l.toward[0] + y*l.toward[1] + z*l.toward[2],
	}
}

// turn is positive where b is counter-clockwise of a.
func turn(a, b *corner) float64 { return a.x*b.y - a.y*b.x }

// depth is where along the line the triangle is crossed.
func (l *line) depth() float64 {
	u, v, w := turn(&l.b, &l.c), turn(&l.c, &l.a), turn(&l.a, &l.b)
	sum := u + v + w
	if sum <= 0 {
		return min(l.a.z, l.b.z, l.c.z)
	}
	return (u*l.a.z + v*l.b.z + w*l.c.z) / sum
}

// outward is the vertices of face i of a cell, counter-clockwise seen from outside it.
var outward = [4][3]int32{{1, 2, 3}, {0, 3, 2}, {0, 1, 3}, {0, 2, 1}}

// leave finds the cell of the star of a vertex that the line leaves the vertex
// through, and the triangle by which it leaves that cell.
func (s *tracer) leave(i int32) bool {
	for _, c := range s.star.cells {
		v := &s.Cells[c]
		if v[0] == delaunay.Infinite || v[1] == delaunay.Infinite || v[2] == delaunay.Infinite || v[3] == delaunay.Infinite {
			continue
		}
		f := slotOf(v, i)
		// Counter-clockwise from outside is so in the plane across the line too.
		o := &outward[f]
		l := &s.line
		l.sa, l.sb, l.sc = o[0], o[1], o[2]
		l.a, l.b = l.corner(&s.Grid[v[l.sa]]), l.corner(&s.Grid[v[l.sb]])
		if turn(&l.a, &l.b) < 0 {
			continue
		}
		l.c = l.corner(&s.Grid[v[l.sc]])
		if turn(&l.b, &l.c) < 0 || turn(&l.c, &l.a) < 0 || max(l.a.z, l.b.z, l.c.z) <= 0 {
			continue
		}
		l.cell, l.face = c, f
		return true
	}
	return false
}

func slotOf(v *[4]int32, w int32) int32 {
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

// step goes through the triangle to the next one. It is false where that leaves the
// hull; cell is then the infinite one.
func (s *tracer) step() bool {
	l := &s.line
	old := &s.Cells[l.cell]
	va, vb, vc := old[l.sa], old[l.sb], old[l.sc]
	f := s.Faces[l.cell][l.face]
	l.cell = f >> 2
	v := &s.Cells[l.cell]
	apex := f & 3
	if v[apex] == delaunay.Infinite {
		return false
	}
	l.sa, l.sb, l.sc = slotOf(v, va), slotOf(v, vb), slotOf(v, vc)
	w := l.corner(&s.Grid[v[apex]])
	ta, tb, tc := turn(&w, &l.a), turn(&w, &l.b), turn(&w, &l.c)
	switch {
	case ta >= 0 && tb < 0:
		l.face = l.sc
		l.c, l.sc = w, apex
	case tb >= 0 && tc < 0:
		l.face = l.sa
		l.a, l.sa = w, apex
	default:
		l.face = l.sb
		l.b, l.sb = w, apex
	}
	return true
}

// toCamera follows the line to its end.
func (s *tracer) toCamera(i int32, alpha, sigma float64) {
	if !s.leave(i) {
		return
	}
	near := true
	for range maxSteps {
		d := s.depth()
		if near && d >= front*sigma {
			atomic.AddInt64(&s.terminal[s.cell], int64(alpha))
			near = false
		}
		if d >= s.length {
			break
		}
		// Empty on the camera's side and full on the other is what would block it.
		f := s.Faces[s.cell][s.face]
		add(&s.graph.Capacity[f>>2][f&3], alpha*soft(d, sigma))
		if !s.step() {
			break
		}
	}
	atomic.AddInt64(&s.terminal[s.cell], int64(cameraWeight*alpha))
}

// cameraWeight is how much more than a sight line the place of its camera counts.
const cameraWeight = 2

// back follows the line behind the vertex, as far as its noise may put the surface.
func (s *tracer) back(i int32, alpha, sigma float64) {
	s.reverse(behind * sigma)
	if !s.leave(i) {
		return
	}
	for range maxSteps {
		d := s.depth()
		if d >= s.length {
			break
		}
		add(&s.graph.Capacity[s.cell][s.face], alpha*soft(d, sigma))
		if !s.step() {
			break
		}
	}
	atomic.AddInt64(&s.terminal[s.cell], -int64(alpha))
}

// soft is how sure it is, at a distance from a point, that the surface is not there:
// near 1-exp(-d²/2σ²), without the cost of that.
func soft(d, sigma float64) float64 {
	x := d / sigma
	x = 1 - x*x/8
	if x <= 0 {
		return 1
	}
	x *= x
	return 1 - x*x
}

// add raises a capacity from any goroutine. One that has reached the most may be some
// more, which smallness takes back.
func add(c *int32, x float64) {
	if atomic.LoadInt32(c) < most {
		atomic.AddInt32(c, int32(x))
	}
}
