package surface

import (
	"context"
	"math"
	"slices"
)

const (
	// The surface of a cut zigzags between noisy points: that goes first, over shrink
	// and swell so that bodies keep their size (G. Taubin, "A signal processing approach
	// to fair surface design", 1995).
	fairSteps = 2
	shrink    = 0.5
	swell     = -0.53
	// sharpness is how far normals of neighbours may differ to be averaged, as the
	// length of their difference: 0.45 is some 26 degrees. The first steps are blunter,
	// each by so much.
	sharpness = 0.45
	blunter   = 1.35
	sharpLast = 3
	// vertexSteps is how often vertices follow the normals in a step.
	vertexSteps = 3
	smoothBatch = 1 << 13
)

// smoother moves vertices so that triangles turn to where those around them face.
type smoother struct {
	*mesh
	start, out []int32
	fixed      []bool // on a border
	normals    []vec
	centers    []vec
	areas      []float64
	width      float64 // of the filter, as sharpness
}

// smooth filters the normals of triangles, each with those around that face nearly the
// same way, and lets the vertices follow.
func (m *mesh) smooth(ctx context.Context, o Options, progress func(float64)) error {
	n := len(m.triangles)
	s := &smoother{mesh: m, normals: make([]vec, n), centers: make([]vec, n), areas: make([]float64, n)}
	s.start, s.out = m.outgoing()
	s.fixed = make([]bool, len(m.scale))
	mates, err := m.mates(ctx, o.Workers)
	if err != nil {
		return err
	}
	for h, g := range mates {
		if g < 0 {
			s.fixed[m.from(int32(h))], s.fixed[m.to(int32(h))] = true, true
		}
	}
	for i := range min(2*fairSteps, 2*o.Smooth) {
		if err := s.move(ctx, o.Workers, func(v int32, out []float32) { s.fair(v, out, [2]float64{shrink, swell}[i%2]) }); err != nil {
			return err
		}
	}
	for step := range o.Smooth {
		s.width = sharpness * math.Pow(blunter, float64(max(0, o.Smooth-sharpLast-step)))
		if err := s.step(ctx, o.Workers); err != nil {
			return err
		}
		progress(float64(step+1) / float64(o.Smooth))
	}
	return nil
}

func (s *smoother) step(ctx context.Context, workers int) error {
	n := len(s.triangles)
	err := parallel(ctx, n, smoothBatch, workers, func(_, from, to int) {
		for i := from; i < to; i++ {
			s.measure(i)
		}
	})
	if err != nil {
		return err
	}
	filtered := make([]vec, n)
	err = parallel(ctx, n, smoothBatch, workers, func(_, from, to int) {
		for i := from; i < to; i++ {
			filtered[i] = s.filter(i)
		}
	})
	if err != nil {
		return err
	}
	s.normals = filtered
	for range vertexSteps {
		err := parallel(ctx, n, smoothBatch, workers, func(_, from, to int) {
			for i := from; i < to; i++ {
				s.center(i)
			}
		})
		if err != nil {
			return err
		}
		if err := s.move(ctx, workers, s.follow); err != nil {
			return err
		}
	}
	return nil
}

// move gives all vertices new places, which place works out from the old ones.
func (s *smoother) move(ctx context.Context, workers int, place func(v int32, out []float32)) error {
	points := slices.Clone(s.points)
	err := parallel(ctx, len(s.scale), smoothBatch, workers, func(_, from, to int) {
		for v := from; v < to; v++ {
			if !s.fixed[v] {
				place(int32(v), points[3*v:3*v+3])
			}
		}
	})
	s.points = points
	return err
}

// fair moves a vertex towards the mean of those around it, by a part of the way.
func (s *smoother) fair(v int32, out []float32, part float64) {
	var sum vec
	around := s.out[s.start[v]:s.start[v+1]]
	for _, h := range around {
		q := s.at(s.to(h))
		for k := range 3 {
			sum[k] += q[k]
		}
	}
	p := s.at(v)
	for k := range 3 {
		out[k] = float32(p[k] + part*(sum[k]/float64(len(around))-p[k]))
	}
}

// center finds the middle of a triangle.
func (s *smoother) center(i int) {
	t := s.triangles[i]
	a, b, c := s.at(t[0]), s.at(t[1]), s.at(t[2])
	for k := range 3 {
		s.centers[i][k] = (a[k] + b[k] + c[k]) / 3
	}
}

// measure finds normal and area of a triangle.
func (s *smoother) measure(i int) {
	t := s.triangles[i]
	a, b, c := s.at(t[0]), s.at(t[1]), s.at(t[2])
	n := cross(sub(b, a), sub(c, a))
	l := length(n)
	s.areas[i] = l / 2
	if l > 0 {
		for k := range 3 {
			n[k] /= l
		}
	}
	s.normals[i] = n
}

// filter is the mean normal of the triangles that share a vertex with one, weighted by
// area, and by how little they differ.
func (s *smoother) filter(i int) vec {
	n := s.normals[i]
	sum := vec{n[0] * s.areas[i], n[1] * s.areas[i], n[2] * s.areas[i]}
	for _, v := range s.triangles[i] {
		for _, h := range s.out[s.start[v]:s.start[v+1]] {
			j := h / 3
			d := sub(n, s.normals[j])
			w := 1 - dot(d, d)/(4*s.width*s.width) // near exp(-d²/2σ²), as its square
			if w <= 0 {
				continue
			}
			w *= w * s.areas[j]
			for k := range 3 {
				sum[k] += w * s.normals[j][k]
			}
		}
	}
	if l := length(sum); l > 0 {
		return vec{sum[0] / l, sum[1] / l, sum[2] / l}
	}
	return n
}

// follow moves a vertex towards the planes through its triangles' centres with their
// filtered normals.
func (s *smoother) follow(v int32, out []float32) {
	p := s.at(v)
	around := s.out[s.start[v]:s.start[v+1]]
	var sum vec
	for _, h := range around {
		n := s.normals[h/3]
		d := dot(n, sub(s.centers[h/3], p))
		for k := range 3 {
			sum[k] += n[k] * d
		}
	}
	for k := range 3 {
		out[k] = float32(p[k] + sum[k]/float64(len(around)))
	}
}
