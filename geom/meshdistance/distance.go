// Package meshdistance measures how far two surfaces are apart.
//
// Points are sampled evenly over one surface, and the nearest point of the other is
// found in a tree of boxes (P. Cignoni et al., "Metro: measuring error on simplified
// surfaces", 1998).
package meshdistance

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
)

// Mesh is a surface: xyz triples and three indices a triangle.
type Mesh struct {
	Positions []float32
	Indices   []uint32
}

// Distance is that from one surface to another, in units of both.
type Distance struct {
	Mean, RMS, Max float64
	Samples        int
}

// Symmetric is the distance in both directions: the larger mean and RMS, and the
// larger maximum (the Hausdorff distance, as far as samples tell).
func Symmetric(ctx context.Context, a, b Mesh, samples, workers int) (Distance, error) {
	there, err := OneSided(ctx, a, b, samples, workers)
	if err != nil {
		return there, err
	}
	back, err := OneSided(ctx, b, a, samples, workers)
	if err != nil {
		return back, err
	}
	return Distance{max(there.Mean, back.Mean), max(there.RMS, back.RMS), max(there.Max, back.Max), there.Samples + back.Samples}, nil
}

// ErrEmpty says that a surface has no area.
var ErrEmpty = errors.New("meshdistance: a surface without area")

// OneSided is the distance from samples on a, and its vertices, to b. The samples
// are the same each time.
func OneSided(ctx context.Context, a, b Mesh, samples, workers int) (Distance, error) {
	points, _ := Sample(a, samples)
	t := newTree(b)
	if len(points) == 0 || len(t.nodes) == 0 {
		return Distance{}, ErrEmpty
	}
	workers = max(1, workers)
	parts := make([]Distance, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			d := &parts[w]
			hint := int32(0)
			for i := len(points) * w / workers; i < len(points)*(w+1)/workers; i++ {
				if i&0xff == 0 && ctx.Err() != nil {
					return
				}
				var square float64
				square, hint = t.nearest(points[i], hint)
				e := math.Sqrt(square)
				d.Mean += e
				d.RMS += square
				d.Max = max(d.Max, e)
			}
		})
	}
	wait.Wait()
	var out Distance
	for _, p := range parts {
		out.Mean += p.Mean
		out.RMS += p.RMS
		out.Max = max(out.Max, p.Max)
	}
	n := float64(len(points))
	out.Mean, out.RMS, out.Samples = out.Mean/n, math.Sqrt(out.RMS/n), len(points)
	return out, ctx.Err()
}

type vec [3]float64

func (m *Mesh) at(i uint32) vec {
	p := m.Positions[3*i:]
	return vec{float64(p[0]), float64(p[1]), float64(p[2])}
}

func sub(a, b vec) vec { return vec{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func dot(a, b vec) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func along(a vec, t float64, d vec) vec { return vec{a[0] + t*d[0], a[1] + t*d[1], a[2] + t*d[2]} }

func area(a, b, c vec) float64 {
	u, v := sub(b, a), sub(c, a)
	x, y, z := u[1]*v[2]-u[2]*v[1], u[2]*v[0]-u[0]*v[2], u[0]*v[1]-u[1]*v[0]
	return math.Sqrt(x*x+y*y+z*z) / 2
}

// Sample spreads points over a surface, about n in all and evenly by area, the same
// each time; triangles says on which each lies. There are none where there is no area.
func Sample(m Mesh, n int) (points [][3]float64, triangles []int32) {
	total := 0.0
	for i := 0; i+2 < len(m.Indices); i += 3 {
		total += area(m.at(m.Indices[i]), m.at(m.Indices[i+1]), m.at(m.Indices[i+2]))
	}
	if !(total > 0) {
		return nil, nil
	}
	r := rand.New(rand.NewPCG(1, 2))
	points, triangles = make([][3]float64, 0, n), make([]int32, 0, n)
	owed := 0.0
	for i := 0; i+2 < len(m.Indices); i += 3 {
		a, b, c := m.at(m.Indices[i]), m.at(m.Indices[i+1]), m.at(m.Indices[i+2])
		for owed += area(a, b, c) / total * float64(n); owed >= 1; owed-- {
			u, v := r.Float64(), r.Float64()
			if u+v > 1 {
				u, v = 1-u, 1-v
			}
			points = append(points, along(along(a, u, sub(b, a)), v, sub(c, a)))
			triangles = append(triangles, int32(i/3))
		}
	}
	return points, triangles
}

// Surface answers how far points are from a mesh, to any number of goroutines.
type Surface struct{ tree *tree }

// NewSurface makes the tree of a mesh. It fails with ErrEmpty where there is no
// triangle.
func NewSurface(m Mesh) (*Surface, error) {
	if len(m.Indices) < 3 {
		return nil, ErrEmpty
	}
	return &Surface{newTree(m)}, nil
}

// Nearest returns the point of the surface that is nearest to p, how far it is, and a
// hint for the next call, which is fastest for a point that is near this one. The
// first hint is 0.
func (s *Surface) Nearest(p [3]float64, hint int32) (point [3]float64, distance float64, next int32) {
	square, next := s.tree.nearest(p, hint)
	return closest(p, &s.tree.tris[next]), math.Sqrt(square), next
}
