package surface

import (
	"context"
	"math"

	"slate360.ai/worker/geom/delaunay"
	"slate360.ai/worker/geom/maxflow"
)

// smallness adds the cost of triangles: 1 less the smaller cosine of the angles at
// which the balls of the two cells cut it. On a well sampled surface both balls are
// large and touch it (Labatut et al. 2009, section 3.3).
func smallness(ctx context.Context, t *delaunay.Triangulation, v *vertices, g *maxflow.Graph, o Options) error {
	worth := o.Smallness * triangleCost * v.weight() * unit
	cos := make([][4]float32, len(t.Cells))
	err := parallel(ctx, len(t.Cells), 1<<14, o.Workers, func(_, from, to int) {
		for c := from; c < to; c++ {
			cos[c] = cosines(t, &t.Cells[c])
		}
	})
	if err != nil {
		return err
	}
	return parallel(ctx, len(t.Cells), 1<<14, o.Workers, func(_, from, to int) {
		for c := from; c < to; c++ {
			for i, f := range t.Faces[c] {
				cost := 1 - min(cos[c][i], cos[f>>2][f&3])
				g.Capacity[c][i] = min(g.Capacity[c][i], most) + int32(worth*float64(cost))
			}
		}
	})
}

// triangleCost is the most that a triangle costs, in parts of what the sight lines of a
// vertex do.
const triangleCost = 0.05

// weight is the mean over the vertices of what their sight lines count.
func (v *vertices) weight() float64 {
	if len(v.views) == 0 {
		return 1
	}
	sum := 0
	for _, w := range v.weights {
		sum += int(w)
	}
	return float64(sum) / float64(v.len())
}

// cosines are those of the angles between the ball through the corners of a cell and
// the planes of its faces, negative where the centre is beyond the face; 1 for cells
// outside the hull, and those too flat to tell.
func cosines(t *delaunay.Triangulation, v *[4]int32) [4]float32 {
	one := [4]float32{1, 1, 1, 1}
	var p [4][3]float64
	for i, w := range v {
		if w == delaunay.Infinite {
			return one
		}
		for a := range 3 {
			p[i][a] = float64(t.Grid[w][a])
		}
	}
	u, w, x := sub(p[1], p[0]), sub(p[2], p[0]), sub(p[3], p[0])
	uu, ww, xx := dot(u, u), dot(w, w), dot(x, x)
	wx, xu, uw := cross(w, x), cross(x, u), cross(u, w)
	det := 2 * dot(u, wx)
	if det == 0 {
		return one
	}
	var center [3]float64 // from p[0]
	for a := range 3 {
		center[a] = (uu*wx[a] + ww*xu[a] + xx*uw[a]) / det
	}
	radius := math.Sqrt(dot(center, center))
	var cos [4]float32
	for i, f := range outward {
		n := cross(sub(p[f[1]], p[f[0]]), sub(p[f[2]], p[f[0]]))
		length := math.Sqrt(dot(n, n)) * radius
		if length == 0 {
			return one
		}
		from := sub(p[f[0]], p[0])
		cos[i] = float32(min(max(dot(n, sub(from, center))/length, -1), 1))
	}
	return cos
}

func sub(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}
