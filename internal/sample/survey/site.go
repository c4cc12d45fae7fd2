package survey

import (
	"math"
	"math/rand/v2"
)

// site is the place that is surveyed. Coordinates are of the local frame: metres,
// x east, y north, z up, the origin in the middle.
type site struct {
	mesh
	seed         uint32
	halfX, halfY float32 // of the part that photos are taken of
	taken        []footprint
	yard         disc // bare soil of a building site
	piles        []pile
	targets      []vec // control points: middles of painted targets
}

// footprint is where nothing else is put: a disc around a thing.
type footprint struct{ x, y, radius float32 }

// disc is an area with a ragged edge.
type disc struct{ x, y, radius float32 }

// pile is heaped soil.
type pile struct{ x, y, radius, height float32 }

// newSite builds the scene around a core of 2·halfX × 2·halfY metres.
func newSite(seed uint64, halfX, halfY float64) *site {
	s := &site{seed: uint32(seed ^ seed>>32), halfX: float32(halfX), halfY: float32(halfY)}
	r := rand.New(rand.NewPCG(seed, 2))
	s.yard = disc{-.52 * s.halfX, -.45 * s.halfY, .42 * min(s.halfX, s.halfY)}
	for range 3 {
		a, d := 2*math.Pi*r.Float64(), .7*float64(s.yard.radius)*math.Sqrt(r.Float64())
		p := pile{s.yard.x + float32(d*math.Cos(a)), s.yard.y + float32(d*math.Sin(a)), 3 + 3*r.Float32(), 1.5 + 1.5*r.Float32()}
		s.piles = append(s.piles, p)
		s.taken = append(s.taken, footprint{p.x, p.y, p.radius * .8})
	}
	s.terrain()
	s.paintTargets(r)
	s.build(r)
	s.furnish(r)
	s.park(r)
	s.plant(r)
	return s
}

// height of the ground.
func (s *site) height(x, y float32) float32 {
	h := .012*x - .006*y +
		2.2*noise(x/95, y/95, s.seed+1) + .8*noise(x/37+.3, y/37, s.seed+2) + .18*noise(x/11, y/11, s.seed+3)
	rough := float32(1)
	if d, _ := s.road(x, y); d < roadHalf+walk+2 {
		rough = clamp((d - roadHalf - walk) / 2)
	}
	h += rough * (.06*noise(x/3.1, y/3.1, s.seed+4) + .03*noise(x/1.3, y/1.3, s.seed+5))
	for _, p := range s.piles {
		d := float32(math.Hypot(float64(x-p.x), float64(y-p.y))) / p.radius
		d += .12 * noise(x/1.9, y/1.9, s.seed+6)
		if d < 1.3 {
			// A cone at the angle of repose with a rounded foot and top.
			h += p.height * float32(math.Exp(-2.6*float64(d*d)))
		}
	}
	return h
}

const (
	roadHalf = 3.0
	walk     = 1.8 // width of a pavement
)

// road returns the distance to the middle of the nearer road, and how far along it.
func (s *site) road(x, y float32) (distance, along float32) {
	slope := .16 * float32(math.Cos(float64(x)/31))
	bend := .16 * 31 * float32(math.Sin(float64(x)/31))
	distance, along = abs(y-bend)/float32(math.Sqrt(float64(1+slope*slope))), x
	// The side street goes north from the other.
	if side := abs(x - .28*s.halfX - .05*y); y > bend && side < distance {
		return side, y + 1000
	}
	return distance, along
}

func abs(v float32) float32 { return max(v, -v) }

// inYard is above 0 on the bare soil and 1 well inside.
func (s *site) inYard(x, y float32) float32 {
	d := float32(math.Hypot(float64(x-s.yard.x), float64(y-s.yard.y)))
	d += 3*noise(x/9, y/9, s.seed+7) + .8*noise(x/1.7, y/1.7, s.seed+8)
	return s.yard.radius - d
}

// cell of the terrain in the core, and how much cells grow beyond it.
const (
	cell   = .8
	growth = 1.12
	beyond = 260.0
)

// lines of the grid of the terrain on one axis.
func lines(half float32) []float32 {
	var right []float32
	step := float32(cell)
	for v := step / 2; v < half+beyond; v += step {
		right = append(right, v)
		if v > half {
			step *= growth
		}
	}
	all := make([]float32, 0, 2*len(right))
	for i := len(right) - 1; i >= 0; i-- {
		all = append(all, -right[i])
	}
	return append(all, right...)
}

// terrain makes the ground.
func (s *site) terrain() {
	id := s.surface(surface{material: ground, seed: s.seed, u: vec{1}, v: vec{0, 1}})
	xs, ys := lines(s.halfX), lines(s.halfY)
	for _, y := range ys {
		for _, x := range xs {
			const d = .25
			normal := vec{s.height(x-d, y) - s.height(x+d, y), s.height(x, y-d) - s.height(x, y+d), 2 * d}
			s.vertex(vec{x, y, s.height(x, y)}, normal.unit())
		}
	}
	w := uint32(len(xs))
	for j := range uint32(len(ys) - 1) {
		for i := range w - 1 {
			a := j*w + i
			s.triangle(a, a+1, a+w+1, id)
			s.triangle(a, a+w+1, a+w, id)
		}
	}
}

// free tells whether a disc touches nothing that stands there, nor a road.
func (s *site) free(x, y, radius float32) bool {
	if d, _ := s.road(x, y); d < roadHalf+walk+radius {
		return false
	}
	return s.clear(x, y, radius)
}

func (s *site) clear(x, y, radius float32) bool {
	for _, f := range s.taken {
		dx, dy, d := f.x-x, f.y-y, f.radius+radius
		if dx*dx+dy*dy < d*d {
			return false
		}
	}
	return true
}

func (s *site) take(x, y, radius float32) {
	s.taken = append(s.taken, footprint{x, y, radius})
}

// targetRadius of the painted control points.
const targetRadius = .45

// paintTargets lays flat control points, some on the roads and some beside them.
func (s *site) paintTargets(r *rand.Rand) {
	for _, at := range [][2]float32{{-.8, .7}, {.75, .75}, {.8, -.65}, {-.2, -.75}, {0, .45}, {-.75, .05}, {.35, -.2}} {
		for range 200 {
			x, y := (at[0]+.2*(r.Float32()-.5))*s.halfX, (at[1]+.2*(r.Float32()-.5))*s.halfY
			d, _ := s.road(x, y)
			if d > roadHalf-.6 && d < roadHalf+walk+1 || !s.clear(x, y, 1.5) {
				continue
			}
			s.layTarget(x, y, r.Float32()*math.Pi)
			break
		}
	}
}

// layTarget puts a thin square plate a little above the ground.
func (s *site) layTarget(x, y, angle float32) {
	const half = targetRadius
	z := s.height(x, y)
	for _, c := range [][2]float32{{-half, -half}, {half, -half}, {half, half}, {-half, half}} {
		z = max(z, s.height(x+c[0], y+c[1]))
	}
	f := frame{vec{x, y, z + .03}, float32(math.Cos(float64(angle))), float32(math.Sin(float64(angle)))}
	s.polygon(surface{material: target, seed: s.seed}, f.point(-half, -half, 0), f.point(half, -half, 0), f.point(half, half, 0), f.point(-half, half, 0))
	s.targets = append(s.targets, f.at)
	s.take(x, y, 1.6) // nothing hides it
}
