package surface

import (
	"context"
	"math"
	"slices"
)

const (
	// trimmed is the part of the points at each end of an axis that does not count for
	// how large the field is: outliers.
	trimmed = 0.0005
	// roomy is how many cells of the field there are for a vertex, at most.
	roomy = 16
	// quantile of the heights in a cell that is its height: roofs, not what is under
	// their eaves.
	quantile = 0.75
	// astray is how much a height may differ from the median of those around, in parts
	// of the median of these differences, and at least so many cells.
	astray      = 8
	astrayCells = 3
	// sliver is twice the least area in plan of a triangle, in parts of a cell.
	sliver = 1e-3
	// membraneSteps is how often a filled gap is relaxed.
	membraneSteps = 60
)

// frame is the plane of a height field: two axes in it and up, right-handed.
type frame struct{ x, y, up vec }

// field is heights on a grid, each with the place in its cell where it was seen.
type field struct {
	frame
	cell          float64
	origin        [2]float64
	width, height int
	places        []vec // in the frame; up is NaN where nothing is known
}

// heightField makes a surface with one height for each place of the frame.
func heightField(ctx context.Context, v *vertices, fr frame, o Options) (*mesh, error) {
	f := newField(v, fr)
	if err := f.settle(ctx, v); err != nil {
		return nil, err
	}
	f.dropAstray()
	f.fillGaps(o.MaxHole * o.MaxHole)
	return f.mesh(ctx)
}

// newField lays a grid over the vertices, as fine as these are apart.
func newField(v *vertices, fr frame) *field {
	f := &field{frame: fr}
	scales := slices.Clone(v.scale)
	slices.Sort(scales)
	f.cell = float64(scales[len(scales)/2])
	n := v.len()
	var size [2]float64
	axis := make([]float64, n)
	for a, e := range []vec{fr.x, fr.y} {
		for i := range n {
			axis[i] = dot(v.at(int32(i)), e)
		}
		slices.Sort(axis)
		k := int(trimmed * float64(n))
		f.origin[a] = axis[k]
		size[a] = axis[n-1-k] - axis[k]
	}
	limit := float64(roomy*n + 1024)
	for (size[0]/f.cell+1)*(size[1]/f.cell+1) > limit {
		f.cell *= 1.25
	}
	f.width, f.height = int(size[0]/f.cell)+1, int(size[1]/f.cell)+1
	f.places = make([]vec, f.width*f.height)
	for i := range f.places {
		f.places[i][2] = math.NaN()
	}
	return f
}

func (v *vertices) at(i int32) vec {
	p := v.points[3*i : 3*i+3]
	return vec{float64(p[0]), float64(p[1]), float64(p[2])}
}

// settle gives each cell the vertex that is at a quantile of the heights in it.
func (f *field) settle(ctx context.Context, v *vertices) error {
	type entry struct {
		cell int32
		up   float64
		v    int32
	}
	entries := make([]entry, 0, v.len())
	for i := range int32(v.len()) {
		p := v.at(i)
		x := math.Floor((dot(p, f.x) - f.origin[0]) / f.cell)
		y := math.Floor((dot(p, f.y) - f.origin[1]) / f.cell)
		if x >= 0 && y >= 0 && x < float64(f.width) && y < float64(f.height) {
			entries = append(entries, entry{int32(int(y)*f.width + int(x)), dot(p, f.up), i})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.cell != b.cell:
			return int(a.cell - b.cell)
		case a.up < b.up:
			return -1
		case a.up > b.up:
			return 1
		}
		return int(a.v - b.v)
	})
	for from := 0; from < len(entries); {
		to := from
		for to < len(entries) && entries[to].cell == entries[from].cell {
			to++
		}
		e := entries[from+int(quantile*float64(to-from-1)+0.5)]
		p := v.at(e.v)
		f.places[e.cell] = vec{dot(p, f.x), dot(p, f.y), e.up}
		from = to
	}
	return ctx.Err()
}

// dropAstray drops heights that are far from those around: outliers.
func (f *field) dropAstray() {
	var gone []int
	var around, off []float64
	for y := range f.height {
		for x := range f.width {
			up := f.places[y*f.width+x][2]
			if math.IsNaN(up) {
				continue
			}
			around, off = around[:0], off[:0]
			for j := max(0, y-2); j <= min(f.height-1, y+2); j++ {
				for i := max(0, x-2); i <= min(f.width-1, x+2); i++ {
					if z := f.places[j*f.width+i][2]; !math.IsNaN(z) {
						around = append(around, z)
					}
				}
			}
			slices.Sort(around)
			median := around[len(around)/2]
			for _, z := range around {
				off = append(off, math.Abs(z-median))
			}
			slices.Sort(off)
			if math.Abs(up-median) > astray*off[len(off)/2]+astrayCells*f.cell {
				gone = append(gone, y*f.width+x)
			}
		}
	}
	for _, i := range gone {
		f.places[i][2] = math.NaN()
	}
}

// fillGaps spans gaps of up to so many cells that do not reach the edge of the field,
// like a membrane.
func (f *field) fillGaps(most int) {
	seen := make([]bool, len(f.places))
	for i, p := range f.places {
		if seen[i] || !math.IsNaN(p[2]) {
			continue
		}
		gap := f.gap(i, seen)
		if gap != nil && len(gap) <= most {
			f.span(gap)
		}
	}
}

// gap finds the cells without height that are connected to one. It is nil where they
// reach the edge of the field.
func (f *field) gap(from int, seen []bool) []int {
	gap := []int{from}
	seen[from] = true
	open := false
	for k := 0; k < len(gap); k++ {
		x, y := gap[k]%f.width, gap[k]/f.width
		if x == 0 || y == 0 || x == f.width-1 || y == f.height-1 {
			open = true
		}
		for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			i, j := x+d[0], y+d[1]
			if i < 0 || j < 0 || i >= f.width || j >= f.height {
				continue
			}
			if at := j*f.width + i; !seen[at] && math.IsNaN(f.places[at][2]) {
				seen[at] = true
				gap = append(gap, at)
			}
		}
	}
	if open {
		return nil
	}
	return gap
}

// span gives the cells of a gap the mean height around it, then relaxes them.
func (f *field) span(gap []int) {
	sides := [4]int{1, -1, f.width, -f.width}
	sum, n := 0.0, 0
	for _, i := range gap {
		for _, d := range sides {
			if z := f.places[i+d][2]; !math.IsNaN(z) {
				sum += z
				n++
			}
		}
	}
	for _, i := range gap {
		f.places[i] = vec{f.origin[0] + (float64(i%f.width)+0.5)*f.cell, f.origin[1] + (float64(i/f.width)+0.5)*f.cell, sum / float64(n)}
	}
	for range membraneSteps {
		for _, i := range gap {
			f.places[i][2] = (f.places[i+1][2] + f.places[i-1][2] + f.places[i+f.width][2] + f.places[i-f.width][2]) / 4
		}
	}
}

// mesh joins the heights of neighbouring cells.
func (f *field) mesh(ctx context.Context) (*mesh, error) {
	m := &mesh{}
	id := make([]int32, len(f.places))
	for i, p := range f.places {
		id[i] = -1
		if math.IsNaN(p[2]) {
			continue
		}
		id[i] = int32(len(m.scale))
		m.scale = append(m.scale, float32(f.cell))
		for a := range 3 {
			m.points = append(m.points, float32(p[0]*f.x[a]+p[1]*f.y[a]+p[2]*f.up[a]))
		}
	}
	for y := range f.height - 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for x := range f.width - 1 {
			i := y*f.width + x
			f.quad(m, id, [4]int{i, i + 1, i + f.width + 1, i + f.width})
		}
	}
	return m, nil
}

// quad joins four heights, in counter-clockwise order, by the diagonal that is less
// steep, as far as both its triangles face up; or three of them.
func (f *field) quad(m *mesh, id []int32, q [4]int) {
	known := make([]int, 0, 4)
	for _, i := range q {
		if id[i] >= 0 {
			known = append(known, i)
		}
	}
	add := func(a, b, c int) { m.triangles = append(m.triangles, [3]int32{id[a], id[b], id[c]}) }
	switch len(known) {
	case 3:
		if f.facesUp(known[0], known[1], known[2]) {
			add(known[0], known[1], known[2])
		}
	case 4:
		first := f.facesUp(q[0], q[1], q[2]) && f.facesUp(q[0], q[2], q[3])
		second := f.facesUp(q[0], q[1], q[3]) && f.facesUp(q[1], q[2], q[3])
		steep := math.Abs(f.places[q[0]][2]-f.places[q[2]][2]) > math.Abs(f.places[q[1]][2]-f.places[q[3]][2])
		if first && (!second || !steep) {
			add(q[0], q[1], q[2])
			add(q[0], q[2], q[3])
		} else if second {
			add(q[0], q[1], q[3])
			add(q[1], q[2], q[3])
		}
	}
}

func (f *field) facesUp(a, b, c int) bool {
	p, q, r := f.places[a], f.places[b], f.places[c]
	return (q[0]-p[0])*(r[1]-p[1])-(q[1]-p[1])*(r[0]-p[0]) > sliver*f.cell*f.cell
}

const (
	// steep is the least sine of the elevation of a sight line that counts as steep: 35°
	// from the vertical, the corner of a usual photo; nearlyAll is the part that has to
	// be for a survey from above.
	steep     = 0.82
	nearlyAll = 0.95
)

// fromAbove tells whether the vertices are seen from straight above.
func (v *vertices) fromAbove(centers [][3]float32) bool {
	down := 0
	for i := range int32(v.len()) {
		p := v.at(i)
		for _, w := range v.views[v.offsets[i]:v.offsets[i+1]] {
			c := centers[w]
			d := sub(vec{float64(c[0]), float64(c[1]), float64(c[2])}, p)
			if d[2] > steep*length(d) {
				down++
			}
		}
	}
	return len(v.views) > 0 && float64(down) >= nearlyAll*float64(len(v.views))
}

// level is the frame of plans: z is up.
func level() frame { return frame{vec{1, 0, 0}, vec{0, 1, 0}, vec{0, 0, 1}} }

// planeOf is the frame of vertices that all lie in a plane, with up to where their
// normals or, without, z points. ok is false where they lie in a line.
func planeOf(v *vertices) (fr frame, ok bool) {
	a := v.at(0)
	var b, c vec
	far := 0.0
	for i := range int32(v.len()) {
		if d := length(sub(v.at(i), a)); d > far {
			far, b = d, v.at(i)
		}
	}
	wide := 0.0
	for i := range int32(v.len()) {
		if d := length(cross(sub(b, a), sub(v.at(i), a))); d > wide {
			wide, c = d, v.at(i)
		}
	}
	if wide <= 1e-6*far*far {
		return frame{}, false
	}
	up := cross(sub(b, a), sub(c, a))
	toward := vec{0, 0, 1}
	for i := 0; i+2 < len(v.normals); i += 3 {
		for k := range 3 {
			toward[k] += float64(v.normals[i+k])
		}
	}
	s := 1 / length(up)
	if dot(up, toward) < 0 {
		s = -s
	}
	fr.up = vec{up[0] * s, up[1] * s, up[2] * s}
	x := sub(b, a)
	fr.x = vec{x[0] / far, x[1] / far, x[2] / far}
	fr.y = cross(fr.up, fr.x)
	return fr, true
}
