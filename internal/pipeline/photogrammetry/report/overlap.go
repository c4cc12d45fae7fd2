package report

import "math"

const (
	overlapCells = 160 // on the longer side
	// downward is the least mean of the way photos look down for a map of overlap to
	// mean something: 0.5 is 30° below the horizon.
	downward = .5
	// rim is the share of points left out on each side of the map.
	rim = .01
)

// overlap counts the photos that see each place of the ground, and the area of it.
func (b *builder) overlap() {
	down := 0.0
	for _, v := range b.list {
		down -= v.pose.Unrotate([3]float64{0, 0, 1})[2] / float64(len(b.list))
	}
	if len(b.list) == 0 || len(b.model.Points) == 0 || down < downward {
		return
	}
	o, heights := b.ground()
	if o == nil {
		return
	}
	for _, v := range b.list {
		w, h := float64(v.camera.Width), float64(v.camera.Height)
		corner := math.Hypot(w, h)
		fx, _, _, _ := v.camera.Linear()
		for i := range o.Counts {
			c := v.pose.Apply([3]float64{o.West + (float64(i%o.Cols)+.5)*o.Cell, o.North - (float64(i/o.Cols)+.5)*o.Cell, heights[i]})
			// Far outside the photo a lens model may fold over into it.
			if c[2] <= 0 || math.Hypot(c[0], c[1])*fx > corner*c[2] {
				continue
			}
			if x, y, ok := v.camera.Project(c); ok && x >= 0 && y >= 0 && x <= w && y <= h {
				o.Counts[i]++
			}
		}
	}
	b.data.Overlap = o
	for _, n := range o.Counts {
		if n >= 2 {
			b.data.Area += o.Cell * o.Cell
		}
	}
}

// ground lays a grid over the points and the cameras, and gives each cell the mean
// height of its points; those without take it from beside them.
func (b *builder) ground() (*Overlap, []float64) {
	var xs, ys []float64
	for _, p := range b.model.Points {
		xs, ys = append(xs, p.XYZ[0]), append(ys, p.XYZ[1])
	}
	median(xs) // sorts
	median(ys)
	cut := int(rim * float64(len(xs)))
	west, east, south, north := xs[cut], xs[len(xs)-1-cut], ys[cut], ys[len(ys)-1-cut]
	side := max(east-west, north-south)
	if !(side > 0) || math.IsInf(side, 0) {
		return nil, nil
	}
	margin := .05 * side
	o := &Overlap{West: west - margin, North: north + margin, Cell: (side + 2*margin) / overlapCells}
	o.Cols, o.Rows = int(math.Ceil((east-west+2*margin)/o.Cell)), int(math.Ceil((north-south+2*margin)/o.Cell))
	o.Counts = make([]int, o.Cols*o.Rows)
	heights, n := make([]float64, len(o.Counts)), make([]float64, len(o.Counts))
	for _, p := range b.model.Points {
		i, j := int(math.Floor((p.XYZ[0]-o.West)/o.Cell)), int(math.Floor((o.North-p.XYZ[1])/o.Cell))
		if i >= 0 && j >= 0 && i < o.Cols && j < o.Rows {
			heights[j*o.Cols+i] += p.XYZ[2]
			n[j*o.Cols+i]++
		}
	}
	fill(heights, n, o.Cols)
	return o, heights
}

// fill turns sums and numbers into means, and lets cells without points take those of
// their neighbours, ring by ring.
func fill(sum, n []float64, cols int) {
	var edge []int
	for i := range sum {
		if n[i] > 0 {
			sum[i] /= n[i]
			n[i] = 1
			edge = append(edge, i)
		}
	}
	rows := len(sum) / cols
	for len(edge) > 0 {
		var next []int
		for _, i := range edge {
			x, y := i%cols, i/cols
			for _, d := range [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
				u, v := x+d[0], y+d[1]
				if k := v*cols + u; u >= 0 && v >= 0 && u < cols && v < rows && n[k] == 0 {
					n[k], sum[k] = 1, sum[i]
					next = append(next, k)
				}
			}
		}
		edge = next
	}
}
