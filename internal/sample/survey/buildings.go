package survey

import (
	"math"
	"math/rand/v2"
)

var (
	wallColors = []rgb{{.62, .56, .44}, {.55, .55, .52}, {.60, .42, .30}, {.42, .47, .50}, {.66, .62, .30}, {.50, .24, .17}}
	roofColors = []rgb{{.33, .11, .07}, {.22, .10, .08}, {.12, .12, .13}, {.38, .17, .09}, {.17, .15, .14}}
)

// build places houses, sheds and blocks with flat roofs until the core is built up.
func (s *site) build(r *rand.Rand) {
	area := 4 * s.halfX * s.halfY
	want := int(area/420) + 3
	for try := 0; try < 4000 && want > 0; try++ {
		x, y := 1.25*s.halfX*(2*r.Float32()-1), 1.25*s.halfY*(2*r.Float32()-1)
		flat := want%4 == 0
		w, d := 3.5+2*r.Float32(), 4.5+3*r.Float32() // half
		if flat {
			w, d = 5+2.5*r.Float32(), 7+4*r.Float32()
		}
		reach := float32(math.Hypot(float64(w), float64(d)))
		if s.inYard(x, y) > -3 || !s.free(x, y, reach+.8) {
			continue
		}
		want--
		s.take(x, y, reach+.8)
		angle := float64(r.Float32()) * .9
		f := frame{vec{x, y, s.lowest(x, y, reach)}, float32(math.Cos(angle)), float32(math.Sin(angle))}
		if flat {
			s.block(r, f, w, d)
		} else {
			s.house(r, f, w, d)
		}
	}
}

// lowest ground within a radius.
func (s *site) lowest(x, y, radius float32) float32 {
	z := s.height(x, y)
	for i := range 16 {
		a := float64(i) * math.Pi / 8
		z = min(z, s.height(x+radius*float32(math.Cos(a)), y+radius*float32(math.Sin(a))))
	}
	return z - .2
}

// house has walls, a gabled roof that stands over, and a chimney.
func (s *site) house(r *rand.Rand, f frame, w, d float32) {
	eaves, rise := 3.2+2.8*float32(r.IntN(2))+.5*r.Float32(), w*(.55+.4*r.Float32())
	wall := surface{material: plaster, seed: r.Uint32(), color: wallColors[r.IntN(len(wallColors))]}
	roof := surface{material: tiles, seed: r.Uint32(), color: roofColors[r.IntN(len(roofColors))]}
	next := func(q surface) surface { q.seed = r.Uint32(); return q }
	// Walls: two long, two with gables.
	s.polygon(next(wall), f.point(w, -d, 0), f.point(w, d, 0), f.point(w, d, eaves), f.point(w, -d, eaves))
	s.polygon(next(wall), f.point(-w, d, 0), f.point(-w, -d, 0), f.point(-w, -d, eaves), f.point(-w, d, eaves))
	s.polygon(next(wall), f.point(-w, -d, 0), f.point(w, -d, 0), f.point(w, -d, eaves), f.point(0, -d, eaves+rise), f.point(-w, -d, eaves))
	s.polygon(next(wall), f.point(w, d, 0), f.point(-w, d, 0), f.point(-w, d, eaves), f.point(0, d, eaves+rise), f.point(w, d, eaves))
	// The roof is two slabs.
	const over, thick = .45, .22
	slope := rise / w
	e := eaves - over*slope
	for _, side := range []float32{1, -1} {
		low, top := f.point(side*(w+over), -side*(d+over), e+thick), f.point(0, -side*(d+over), eaves+rise+thick)
		low2, top2 := f.point(side*(w+over), side*(d+over), e+thick), f.point(0, side*(d+over), eaves+rise+thick)
		down := vec{0, 0, -thick}
		s.polygon(next(roof), low, low2, top2, top)
		edge := surface{material: concrete, seed: r.Uint32(), color: rgb{.3, .25, .2}}
		s.polygon(edge, low.plus(down), low2.plus(down), low2, low)
		s.polygon(edge, top.plus(down), low.plus(down), low, top)
		s.polygon(edge, low2.plus(down), top2.plus(down), top2, low2)
		s.polygon(edge, top.plus(down), top2.plus(down), low2.plus(down), low.plus(down))
	}
	cx, cy := w*(.2+.3*r.Float32()), d*(r.Float32()-.5)
	brick := surface{material: concrete, seed: r.Uint32(), color: rgb{.35, .16, .11}}
	s.box(f, vec{cx - .35, cy - .45, eaves}, vec{cx + .35, cy + .45, eaves + rise + .9}, brick, surface{material: concrete, seed: r.Uint32(), color: rgb{.3, .3, .3}})
}

// block has a flat roof with a parapet and plant on it.
func (s *site) block(r *rand.Rand, f frame, w, d float32) {
	h := 6 + 3*float32(r.IntN(2)) + r.Float32()
	wall := surface{material: plaster, seed: r.Uint32(), color: wallColors[r.IntN(len(wallColors))]}
	roof := surface{material: flatRoof, seed: r.Uint32(), color: rgb{.27, .27, .26}.times(.7 + .6*r.Float32())}
	s.box(f, vec{-w, -d, 0}, vec{w, d, h}, wall, roof)
	parapet := surface{material: concrete, seed: r.Uint32(), color: rgb{.5, .5, .48}}
	const t, up = .35, .5
	for _, b := range [][4]float32{{-w, -d, w, -d + t}, {-w, d - t, w, d}, {-w, -d + t, -w + t, d - t}, {w - t, -d + t, w, d - t}} {
		parapet.seed = r.Uint32()
		s.box(f, vec{b[0], b[1], h}, vec{b[2], b[3], h + up}, parapet, parapet)
	}
	for range 2 + r.IntN(4) {
		x, y := (w-2)*(2*r.Float32()-1), (d-2)*(2*r.Float32()-1)
		a, b, c := .5+.9*r.Float32(), .5+.9*r.Float32(), .5+1.2*r.Float32()
		plant := surface{material: concrete, seed: r.Uint32(), color: rgb{.4, .42, .43}.times(.6 + .8*r.Float32())}
		s.box(f, vec{x - a, y - b, h}, vec{x + a, y + b, h + c}, plant, plant)
	}
}

// furnish puts containers and stacks on the building site and sheds elsewhere.
func (s *site) furnish(r *rand.Rand) {
	colors := []rgb{{.45, .08, .05}, {.05, .16, .40}, {.08, .28, .12}, {.50, .28, .04}, {.45, .45, .45}}
	for try, want := 0, 5+int(s.yard.radius/5); try < 600 && want > 0; try++ {
		a, k := float64(r.Float32())*2*math.Pi, float32(math.Sqrt(float64(r.Float32())))*.85*s.yard.radius
		x, y := s.yard.x+k*float32(math.Cos(a)), s.yard.y+k*float32(math.Sin(a))
		turn := float64(r.Float32()) * math.Pi
		reach := float32(1.6)
		if want%2 == 0 {
			reach = 3.4
		}
		if !s.free(x, y, reach) {
			continue
		}
		want--
		s.take(x, y, reach)
		f := frame{vec{x, y, s.lowest(x, y, reach) + .1}, float32(math.Cos(turn)), float32(math.Sin(turn))}
		if reach > 3 {
			steel := surface{material: containerSteel, seed: r.Uint32(), color: colors[r.IntN(len(colors))]}
			s.box(f, vec{-3.03, -1.22, 0}, vec{3.03, 1.22, 2.6}, steel, steel)
			continue
		}
		stack := surface{material: concrete, seed: r.Uint32(), color: rgb{.5, .38, .22}.times(.6 + .7*r.Float32())}
		s.box(f, vec{-.6 - .6*r.Float32(), -.5 - .5*r.Float32(), 0}, vec{.6 + .6*r.Float32(), .5 + .5*r.Float32(), .4 + r.Float32()}, stack, stack)
	}
}

// park puts cars along the roads.
func (s *site) park(r *rand.Rand) {
	for try, want := 0, 6+int(s.halfX*s.halfY/220); try < 3000 && want > 0; try++ {
		x, y := 1.2*s.halfX*(2*r.Float32()-1), 1.2*s.halfY*(2*r.Float32()-1)
		d, _ := s.road(x, y)
		if d < 1.4 || d > roadHalf-.9 || !s.clear(x, y, 2.6) {
			continue
		}
		want--
		s.take(x, y, 2.6)
		// Along the road: where its distance does not change.
		dx, _ := s.road(x+.5, y)
		dy, _ := s.road(x, y+.5)
		gx, gy := float64(dx-d), float64(dy-d)
		n := math.Hypot(gx, gy) + 1e-9
		s.carAt(r, frame{vec{x, y, s.height(x, y)}, float32(gy / n), float32(-gx / n)})
	}
}

var carColors = []rgb{{.55, .55, .56}, {.03, .03, .035}, {.35, .03, .03}, {.03, .08, .25}, {.65, .65, .63}, {.15, .16, .17}, {.04, .16, .08}}

// carAt is a body, a cabin that leans in, and dark wheels.
func (s *site) carAt(r *rand.Rand, f frame) {
	body := surface{material: carPaint, seed: r.Uint32(), color: carColors[r.IntN(len(carColors))]}
	l, w := 1.95+.35*r.Float32(), float32(.88)
	tyre := surface{material: rubber, seed: 1, color: rgb{.02, .02, .02}}
	for _, x := range []float32{-.62 * l, .62 * l} {
		s.box(f, vec{x - .3, -w + .02, -.05}, vec{x + .3, w - .02, .32}, tyre, tyre)
	}
	s.box(f, vec{-l, -w, .28}, vec{l, w, .82}, body, body)
	back, front, topBack, topFront := -.85*l, .45*l, -.6*l, .1*l
	const lean = .16
	pane := surface{material: glass, seed: r.Uint32(), color: rgb{.03, .04, .045}}
	z, t := float32(.82), float32(1.42)
	a, b, c, d := f.point(back, -w+.04, z), f.point(front, -w+.04, z), f.point(front, w-.04, z), f.point(back, w-.04, z)
	e, g, h, i := f.point(topBack, -w+lean, t), f.point(topFront, -w+lean, t), f.point(topFront, w-lean, t), f.point(topBack, w-lean, t)
	s.polygon(pane, a, b, g, e)
	s.polygon(pane, b, c, h, g)
	s.polygon(pane, c, d, i, h)
	s.polygon(pane, d, a, e, i)
	s.polygon(body, e, g, h, i)
}
