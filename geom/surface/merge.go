package surface

import (
	"context"
	"math"
	"slices"

	"slate360.ai/worker/geom/knn"
	"slate360.ai/worker/geom/morton"
)

const (
	// samplePoints is how many neighbouring points a sample of the spacing has, and
	// samples how many are taken.
	samplePoints = 4096
	samples      = 64
	// neighbors whose mean distance is the spacing: of a square lattice, the 4 nearest.
	neighbors = 4
	// sameSide is the least cosine between normals of points that are merged: points on
	// both sides of an edge stay apart.
	sameSide = 0.5
	// cellSteps is how many sizes of cells there are between a size and its double.
	cellSteps = 4
	// maxWeight bounds what merged points count for one view, and maxViews is how many
	// views of a vertex count: those that see most of its points. More take time and
	// change little.
	maxWeight = 32
	maxViews  = 5
)

// vertices are merged points, in Morton order.
type vertices struct {
	points  []float32
	normals []float32 // nil where there are none
	scale   []float32 // the distance between merged points here
	// The views of vertex i are views[offsets[i]:offsets[i+1]], and how many of its
	// points each sees, at most maxWeight.
	views   []uint32
	weights []uint8
	offsets []uint32
}

func (v *vertices) len() int { return len(v.scale) }

// merge joins points that lie closer than the photos resolve: those of one cell of a
// grid, whose size goes with the distance to the cameras, and of one side.
func merge(ctx context.Context, c Cloud, o Options) (*vertices, error) {
	order, err := sorted(ctx, &c, o.Workers)
	if err != nil {
		return nil, err
	}
	if len(order) < 3 {
		return nil, ErrTooFew
	}
	m := &merger{Cloud: c, order: order, cell: make([]int32, len(order))}
	if err := m.measure(ctx); err != nil {
		return nil, err
	}
	if m.unit *= o.Merge; !(m.unit > 0) {
		return nil, ErrTooFew // all points in one place
	}
	if err := m.group(ctx); err != nil {
		return nil, err
	}
	if err := m.addViews(ctx); err != nil {
		return nil, err
	}
	return &m.vertices, nil
}

// sorted gives the points that are finite, in Morton order.
func sorted(ctx context.Context, c *Cloud, workers int) ([]uint32, error) {
	n := len(c.Points) / 3
	keep := make([]uint32, 0, n)
	lo := [3]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}
	hi := [3]float32{-math.MaxFloat32, -math.MaxFloat32, -math.MaxFloat32}
	for i := range n {
		p := c.Points[3*i : 3*i+3]
		if !placed(p) {
			continue
		}
		keep = append(keep, uint32(i))
		for a := range 3 {
			lo[a], hi[a] = min(lo[a], p[a]), max(hi[a], p[a])
		}
	}
	if len(keep) == 0 {
		return nil, nil
	}
	extent := max(float64(hi[0])-float64(lo[0]), float64(hi[1])-float64(lo[1]), float64(hi[2])-float64(lo[2]))
	step := max(extent/(1<<30), math.SmallestNonzeroFloat32)
	raw := make([]int32, 0, 3*len(keep))
	for _, i := range keep {
		for a, x := range c.Points[3*i : 3*i+3] {
			raw = append(raw, int32((float64(x)-float64(lo[a]))/step))
		}
	}
	top := [3]int32{1 << 30, 1 << 30, 1 << 30}
	order, err := morton.Sort(ctx, raw, morton.NewCube([3]int32{}, top, [3]float64{1, 1, 1}), workers)
	if err != nil {
		return nil, err
	}
	for i, j := range order {
		order[i] = keep[j]
	}
	return order, nil
}

// merger is the state of merge.
type merger struct {
	Cloud
	vertices
	order []uint32 // points in Morton order
	cell  []int32  // the vertex of each, in that order
	// unit times the distance to the nearest camera is the size of a cell; where there
	// are no views it is the size.
	unit float64
}

// distance of a point to the nearest camera that sees it, 1 where none is known.
func (m *merger) distance(i uint32) float64 {
	if len(m.Views) == 0 {
		return 1
	}
	best := math.Inf(1)
	p := m.Points[3*i : 3*i+3]
	for _, v := range m.Views[m.Offsets[i]:m.Offsets[i+1]] {
		c := &m.Centers[v]
		x, y, z := float64(p[0]-c[0]), float64(p[1]-c[1]), float64(p[2]-c[2])
		best = min(best, x*x+y*y+z*z)
	}
	return math.Sqrt(best)
}

// measure finds the spacing of the points in parts of their distance to the camera:
// the median over samples.
func (m *merger) measure(ctx context.Context) error {
	var ratios []float64
	n := len(m.order)
	size := min(n, samplePoints)
	count := min(samples, max(1, n/size))
	xyz, dist := make([]int32, 3*size), make([]float32, size)
	for s := range count {
		run := m.order[(n-size)*s/max(1, count-1):][:size]
		scale := m.raw(run, xyz)
		if err := knn.MeanDistances(ctx, xyz, [3]float64{scale, scale, scale}, neighbors, 1, dist, nil); err != nil {
			return err
		}
		for k, i := range run {
			if d := m.distance(i); d > 0 && !math.IsInf(d, 1) && dist[k] > 0 {
				ratios = append(ratios, float64(dist[k])/d)
			}
		}
	}
	if len(ratios) > 0 {
		slices.Sort(ratios)
		m.unit = ratios[len(ratios)/2]
	}
	return nil
}

// raw puts a run of points on a grid of their own, and returns its step.
func (m *merger) raw(run []uint32, xyz []int32) (step float64) {
	first := m.Points[3*run[0] : 3*run[0]+3]
	extent := 0.0
	for _, i := range run {
		for a, x := range m.Points[3*i : 3*i+3] {
			extent = max(extent, math.Abs(float64(x)-float64(first[a])))
		}
	}
	step = max(extent/(1<<29), math.SmallestNonzeroFloat64*(1<<52))
	for k, i := range run {
		for a, x := range m.Points[3*i : 3*i+3] {
			xyz[3*k+a] = int32((float64(x) - float64(first[a])) / step)
		}
	}
	return step
}

// group makes the vertices: means of the points of a cell.
func (m *merger) group(ctx context.Context) error {
	g := newGrid(len(m.order) / 2)
	var count []float32
	var next []int32 // another vertex of the same cell, or -1
	for k, i := range m.order {
		if k%(1<<14) == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		d := m.distance(i)
		if d == 0 || math.IsInf(d, 1) {
			m.cell[k] = -1 // in the camera, or seen by none
			continue
		}
		level := math.Round(math.Log2(d*m.unit) * cellSteps)
		size := math.Exp2(level / cellSteps)
		p := m.Points[3*i : 3*i+3]
		slot := g.slot(int64(level), p, 1/size)
		v := *slot - 1
		for ; v >= 0 && !m.joins(v, i, p, size, count[v]); v = next[v] {
		}
		if v < 0 {
			v = int32(len(m.scale))
			next = append(next, *slot-1)
			*slot = v + 1
			m.scale = append(m.scale, float32(d*m.unit))
			m.points = append(m.points, 0, 0, 0)
			if m.Normals != nil {
				m.normals = append(m.normals, 0, 0, 0)
			}
			count = append(count, 0)
		}
		m.cell[k] = v
		count[v]++
		for a := range 3 {
			// The running mean keeps its precision however many points there are.
			m.points[3*int(v)+a] += (p[a] - m.points[3*int(v)+a]) / count[v]
			if m.Normals != nil {
				if x := m.Normals[3*int(i)+a]; finite(x) {
					m.normals[3*int(v)+a] += x
				}
			}
		}
		g.grow(len(m.scale))
	}
	return nil
}

// joins tells whether a point belongs to a vertex of its cell: it is near, which tells
// cells apart that share a place in the table, and faces the same way.
func (m *merger) joins(v int32, i uint32, p []float32, size float64, count float32) bool {
	q := m.points[3*v : 3*v+3]
	for a := range 3 {
		if math.Abs(float64(p[a]-q[a])) > size {
			return false
		}
	}
	if m.Normals == nil {
		return true
	}
	n, w := m.Normals[3*i:3*i+3], m.normals[3*v:3*v+3]
	dot := n[0]*w[0] + n[1]*w[1] + n[2]*w[2]
	length := math.Sqrt(float64(w[0]*w[0] + w[1]*w[1] + w[2]*w[2]))
	return !(float64(dot) < sameSide*length)
}

// vote is how many points of a vertex a view sees.
type vote struct {
	view  uint32
	count int
}

// addViews gives the vertices the views of their points.
func (m *merger) addViews(ctx context.Context) error {
	n := len(m.scale)
	m.offsets = make([]uint32, n+1)
	if len(m.Views) == 0 {
		return nil
	}
	start := make([]int32, n+1) // points by vertex
	for _, v := range m.cell {
		if v >= 0 {
			start[v+1]++
		}
	}
	for v := range n {
		start[v+1] += start[v]
	}
	points := make([]uint32, start[n])
	at := slices.Clone(start[:n])
	for k, v := range m.cell {
		if v >= 0 {
			points[at[v]] = m.order[k]
			at[v]++
		}
	}
	var seen []uint32
	var votes []vote
	for v := range n {
		if v%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		seen, votes = seen[:0], votes[:0]
		for _, i := range points[start[v]:start[v+1]] {
			seen = append(seen, m.Views[m.Offsets[i]:m.Offsets[i+1]]...)
		}
		slices.Sort(seen)
		for k := 0; k < len(seen); {
			from := k
			for k < len(seen) && seen[k] == seen[from] {
				k++
			}
			votes = append(votes, vote{seen[from], k - from})
		}
		slices.SortStableFunc(votes, func(a, b vote) int { return b.count - a.count })
		for _, w := range votes[:min(len(votes), maxViews)] {
			m.views = append(m.views, w.view)
			m.weights = append(m.weights, uint8(min(w.count, maxWeight)))
		}
		m.offsets[v+1] = uint32(len(m.views))
	}
	return nil
}
