package survey

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/geom/raycast"
)

// scene is a site under the sun, ready for rays.
type scene struct {
	*site
	rays   *raycast.Surface
	sun    vec // towards it
	shadow shadowMap
}

// shadowMap says how far along the sun's rays the scene is lit. The sun stands still:
// shadows are the same in all photos.
type shadowMap struct {
	cols, rows int
	cell       float32
	u, v       vec // axes across the rays
	u0, v0     float32
	depth      []float32 // along the rays, from a plane far up
}

const (
	sunLight   = 2.3
	skyLight   = .75
	shadowCell = .15
	sunFar     = 500
)

func newScene(ctx context.Context, s *site, workers int) (*scene, error) {
	rays, err := raycast.New(s.positions, s.triangles)
	if err != nil {
		return nil, err
	}
	sc := &scene{site: s, rays: rays, sun: vec{-.48, -.42, .9}.unit()}
	m := &sc.shadow
	m.u = vec{0, 0, 1}.cross(sc.sun).unit()
	m.v = sc.sun.cross(m.u)
	m.cell = shadowCell
	reach := 1.25 * float32(math.Hypot(float64(s.halfX), float64(s.halfY)))
	m.u0, m.v0 = -reach, -reach
	m.cols = int(2*reach/m.cell) + 1
	m.rows = m.cols
	m.depth = make([]float32, m.cols*m.rows)
	err = bands(ctx, workers, m.rows, func(row int) {
		hint := int32(-1)
		for col := range m.cols {
			p := m.u.times(m.u0+float32(col)*m.cell).along(m.v0+float32(row)*m.cell, m.v).along(sunFar, sc.sun)
			r := raycast.Ray{Origin: p, Direction: sc.sun.times(-1)}
			m.depth[row*m.cols+col] = math.MaxFloat32
			if h, ok := rays.Nearest(&r, 0, 2*sunFar, hint); ok {
				m.depth[row*m.cols+col], hint = h.T, h.Triangle
			}
		}
	})
	return sc, err
}

// bands calls f for every row, on some goroutines.
func bands(ctx context.Context, workers, rows int, f func(row int)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	const band = 4
	for range max(1, workers) {
		wait.Go(func() {
			for ctx.Err() == nil {
				first := int(next.Add(band)) - band
				if first >= rows {
					return
				}
				for row := first; row < min(rows, first+band); row++ {
					f(row)
				}
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}

// lit tells whether the sun reaches a point: by the four cells around it where they
// agree, else by a ray.
func (s *scene) lit(p, normal vec, slope float32) bool {
	m := &s.shadow
	i, _ := floor((p.dot(m.u) - m.u0) / m.cell)
	j, _ := floor((p.dot(m.v) - m.v0) / m.cell)
	if i < 0 || j < 0 || int(i) >= m.cols-1 || int(j) >= m.rows-1 {
		return true
	}
	depth := sunFar - p.dot(s.sun) - .05 - m.cell*slope
	at := int(j)*m.cols + int(i)
	open := 0
	for _, k := range [4]int{at, at + 1, at + m.cols, at + m.cols + 1} {
		if m.depth[k] >= depth {
			open++
		}
	}
	if open == 0 || open == 4 {
		return open == 4
	}
	r := raycast.Ray{Origin: p.along(.02, normal), Direction: s.sun}
	return !s.rays.Blocked(&r, .02, sunFar)
}

// shade returns the light that comes from a hit along a ray. spread is the width of a
// pixel at distance 1.
func (s *scene) shade(r *raycast.Ray, h *raycast.Hit, spread float32) rgb {
	tri := 3 * int(h.Triangle)
	a, b, c := s.triangles[tri], s.triangles[tri+1], s.triangles[tri+2]
	w := 1 - h.U - h.V
	var n vec
	for k := range uint32(3) {
		n[k] = w*s.normals[3*a+k] + h.U*s.normals[3*b+k] + h.V*s.normals[3*c+k]
	}
	n = n.unit()
	p := vec(r.At(h.T))
	d := vec(r.Direction).unit()
	// The footprint of a pixel is long where the surface is seen at a slant; the
	// mean of its two sides neither blurs nor aliases much.
	facing := max(abs(n.dot(d)), .15)
	width := spread * h.T / float32(math.Sqrt(float64(facing)))
	q := &s.surfaces[s.of[h.Triangle]]
	albedo := s.paint(q, p, n, width)
	cos := n.dot(s.sun)
	light := float32(0)
	if q.material == foliage {
		cos = .35 + .65*cos // leaves let light through
	}
	if cos > 0 {
		slope := min(float32(math.Sqrt(float64(max(0, 1-cos*cos))))/max(cos, .05), 4)
		if s.lit(p, n, slope) {
			light = sunLight * cos
		}
	}
	up := .5 + .5*n[2]
	sky := rgb{.86, .95, 1.15}.times(skyLight*up).mix(rgb{.5, .42, .3}, .35*(1-up))
	var out rgb
	for k, warm := range [3]float32{1, .96, .88} {
		out[k] = albedo[k] * (light*warm + sky[k])
	}
	return out
}
