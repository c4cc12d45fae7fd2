package sample

import (
	"math"
	"math/rand/v2"
)

// scene is what is scanned: a square of terrain with things on it.
type scene struct {
	seed           uint64
	side           float64 // metres
	strips         int
	stripStep      float64
	stripWidth     float64
	blocksPerStrip int
	lattice        [64][64]float64
	water          float64 // height of the lake
	houses         []house
	trees          []tree
	cells          map[[2]int][]int32 // houses (≥ 0) and trees (< 0: -1-i) by cell
}

type house struct {
	x, y, w, d, cos, sin float64
	base, eaves, ridge   float64
	rgb                  [3]float64
}

type tree struct {
	x, y, radius, base, height float64
	conifer                    bool
}

// cellSize of the index of things.
const cellSize = 32.0

func newScene(p Params) *scene {
	s := &scene{seed: p.Seed, cells: map[[2]int][]int32{}}
	// Trees give further returns, strips overlap; the lake gives few.
	const returns = 1.07
	s.side = math.Sqrt(float64(p.Points) / (density * returns))
	s.strips = max(1, int(math.Ceil(s.side/stripWidth)))
	s.side /= math.Sqrt(1 + overlap*float64(s.strips-1)/float64(s.strips))
	s.stripStep = s.side / float64(s.strips)
	s.stripWidth = s.stripStep * (1 + overlap)
	s.blocksPerStrip = max(1, int(s.side/100))
	r := rand.New(rand.NewPCG(p.Seed, 1))
	for i := range s.lattice {
		for j := range s.lattice[i] {
			s.lattice[i][j] = r.Float64()*2 - 1
		}
	}
	s.fillLake(r)
	s.build(r)
	s.plant(r)
	return s
}

// noise is value noise between the numbers of the lattice, -1 to 1.
func (s *scene) noise(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	u, v := x-fx, y-fy
	u, v = u*u*(3-2*u), v*v*(3-2*v)
	i, j := int(fx)&63, int(fy)&63
	i1, j1 := (i+1)&63, (j+1)&63
	a := s.lattice[i][j] + (s.lattice[i1][j]-s.lattice[i][j])*u
	b := s.lattice[i][j1] + (s.lattice[i1][j1]-s.lattice[i][j1])*u
	return a + (b-a)*v
}

// terrain is the height without road and water.
func (s *scene) terrain(x, y float64) float64 {
	h, amplitude, frequency := 0.0, 14.0, 1/260.0
	for octave := range 6 {
		h += amplitude * s.noise(x*frequency+17*float64(octave), y*frequency+31*float64(octave))
		amplitude *= .45
		frequency *= 2.1
	}
	return 110 + h + .02*x
}

// fillLake puts the water level at what a tenth of the terrain lies below.
func (s *scene) fillLake(r *rand.Rand) {
	var low []float64
	for range 400 {
		low = append(low, s.terrain(r.Float64()*s.side, r.Float64()*s.side))
	}
	for i := range low {
		for j := i; j > 0 && low[j] < low[j-1]; j-- {
			low[j], low[j-1] = low[j-1], low[j]
		}
	}
	s.water = low[len(low)/12]
}

// roadHalf is half the width of the road.
const roadHalf = 3.5

// road gives the distance to the middle of the road, which winds from west to east.
func (s *scene) road(x, y float64) float64 {
	return math.Abs(y - s.side*(.5+.18*math.Sin(x/s.side*5)))
}

// ground gives the height of the ground, its class, and its colour.
func (s *scene) ground(x, y float64) (z float64, class uint8, rgb [3]float64) {
	z = s.terrain(x, y)
	if z < s.water {
		return s.water, classWater, [3]float64{.10, .22, .28}
	}
	if s.road(x, y) < roadHalf {
		return z, classRoad, [3]float64{.33, .33, .35}
	}
	patch := .5 + .5*s.noise(x/35, y/35)
	return z, classGround, [3]float64{.28 + .18*patch, .42 + .08*patch, .18 + .06*patch}
}

func (s *scene) put(thing int32, x, y, radius float64) {
	for i := int((x - radius) / cellSize); i <= int((x+radius)/cellSize); i++ {
		for j := int((y - radius) / cellSize); j <= int((y+radius)/cellSize); j++ {
			s.cells[[2]int{i, j}] = append(s.cells[[2]int{i, j}], thing)
		}
	}
}

// build places houses along the road, flat and gabled.
func (s *scene) build(r *rand.Rand) {
	roofs := [][3]float64{{.62, .27, .20}, {.45, .24, .20}, {.40, .40, .43}, {.72, .70, .66}}
	for range int(s.side * s.side / 2500) {
		x, y := r.Float64()*s.side, r.Float64()*s.side
		w, d := 4+r.Float64()*5, 5+r.Float64()*9
		reach := math.Hypot(w, d)
		angle := r.Float64() * math.Pi
		flat := r.Float64() < .3
		rgb := roofs[r.IntN(len(roofs))]
		eaves, rise := 3+r.Float64()*6, 2+r.Float64()*2.5
		if s.terrain(x, y) < s.water+1 || s.road(x, y) < reach+roadHalf || s.road(x, y) > 90 || s.crowded(x, y, reach) {
			continue
		}
		h := house{x: x, y: y, w: w, d: d, cos: math.Cos(angle), sin: math.Sin(angle), rgb: rgb}
		h.base = s.terrain(x, y)
		h.eaves = h.base + eaves
		h.ridge = h.eaves + rise
		if flat {
			h.ridge = h.eaves
		}
		s.houses = append(s.houses, h)
		s.put(int32(len(s.houses)-1), x, y, reach)
	}
}

// crowded tells whether a house stands nearer than both need.
func (s *scene) crowded(x, y, reach float64) bool {
	for _, h := range s.houses {
		if math.Hypot(h.x-x, h.y-y) < reach+math.Hypot(h.w, h.d)+2 {
			return true
		}
	}
	return false
}

// plant places trees in woods and alone.
func (s *scene) plant(r *rand.Rand) {
	for range int(s.side * s.side / 60) {
		x, y := r.Float64()*s.side, r.Float64()*s.side
		t := tree{x: x, y: y, radius: 1.5 + r.Float64()*3, conifer: r.Float64() < .4}
		t.height = t.radius * (2.4 + 1.6*r.Float64())
		keep := r.Float64()
		wood := s.noise(x/90+5, y/90+9) > .25
		if !wood && keep > .08 || s.terrain(x, y) < s.water+.5 || s.road(x, y) < roadHalf+t.radius || s.crowded(x, y, t.radius) {
			continue
		}
		t.base = s.terrain(x, y)
		s.trees = append(s.trees, t)
		s.put(int32(-len(s.trees)), x, y, t.radius)
	}
}

// roof gives the height of a house's roof at a place, and whether it is there.
func (h *house) roof(x, y float64) (z float64, ok bool) {
	dx, dy := x-h.x, y-h.y
	u, v := dx*h.cos+dy*h.sin, -dx*h.sin+dy*h.cos
	if math.Abs(u) > h.w || math.Abs(v) > h.d {
		return 0, false
	}
	return h.ridge - (h.ridge-h.eaves)*math.Abs(u)/h.w, true
}

// crown gives top and underside of a tree's crown at a place.
func (t *tree) crown(x, y float64) (top, under float64, ok bool) {
	d := math.Hypot(x-t.x, y-t.y) / t.radius
	if d > 1 {
		return 0, 0, false
	}
	if t.conifer {
		return t.base + t.height*(1-.85*d), t.base + 1, true
	}
	half := t.height * .38
	middle := t.base + t.height - half
	reach := half * math.Sqrt(1-d*d)
	return middle + reach, middle - reach, true
}

// Share of pulses that come back from where nothing is.
const (
	lowNoiseShare  = 0.00012
	highNoiseShare = 0.00012
)

// pulse appends what one pulse hits, from above.
func (s *scene) pulse(r *rand.Rand, x, y float64, hits []hit) []hit {
	z, class, rgb := s.ground(x, y)
	if class == classWater && r.Float64() < .4 {
		return hits // a lake mirrors many pulses away
	}
	switch chance := r.Float64(); {
	case chance < lowNoiseShare:
		return append(hits, hit{z - 3 - 12*r.Float64(), classLowNoise, 3, [3]float64{.2, .2, .2}})
	case chance < lowNoiseShare+highNoiseShare:
		return append(hits, hit{z + 60 + 120*r.Float64(), classHighNoise, 2, [3]float64{.8, .8, .8}})
	}
	shade := .9 + .2*r.Float64()
	for _, thing := range s.cells[[2]int{int(x / cellSize), int(y / cellSize)}] {
		if thing >= 0 {
			h := &s.houses[thing]
			if top, ok := h.roof(x, y); ok {
				return append(hits, hit{top + .02*r.NormFloat64(), classBuilding, uint16(9000 + 3000*shade), shaded(h.rgb, shade)})
			}
			continue
		}
		t := &s.trees[-1-thing]
		top, under, ok := t.crown(x, y)
		if !ok || len(hits) >= 3 {
			continue
		}
		green := [3]float64{.16, .34, .14}
		if t.conifer {
			green = [3]float64{.10, .26, .16}
		}
		// A pulse is stopped in the crown, or goes on through its gaps.
		at := top - (top-under)*.6*r.Float64()*r.Float64()
		hits = append(hits, hit{at, classHigh, uint16(3000 + 4000*r.Float64()), shaded(green, shade)})
		if r.Float64() < .45 {
			return hits
		}
	}
	level := map[uint8]float64{classGround: 14000, classRoad: 7000, classWater: 900}[class]
	return append(hits, hit{z + .025*r.NormFloat64(), class, uint16(level * shade), shaded(rgb, shade)})
}

func shaded(rgb [3]float64, shade float64) [3]float64 {
	return [3]float64{rgb[0] * shade, rgb[1] * shade, rgb[2] * shade}
}
