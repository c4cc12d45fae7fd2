package survey

import (
	"math"
	"math/rand/v2"
)

// plant puts trees and bushes where there is room.
func (s *site) plant(r *rand.Rand) {
	for try, want := 0, 10+int(s.halfX*s.halfY/75); try < 4000 && want > 0; try++ {
		x, y := 1.6*s.halfX*(2*r.Float32()-1), 1.6*s.halfY*(2*r.Float32()-1)
		bush := r.IntN(3) == 0
		radius := 1.5 + 1.6*r.Float32()
		if bush {
			radius = .6 + .5*r.Float32()
		}
		if s.inYard(x, y) > -1 || !s.free(x, y, radius) {
			continue
		}
		want--
		s.take(x, y, .8*radius)
		green := rgb{.085, .15, .035}.mix(rgb{.17, .19, .05}, r.Float32()).times(.8 + .5*r.Float32())
		leaves := surface{material: foliage, seed: r.Uint32(), color: green}
		at := vec{x, y, s.height(x, y)}
		if bush {
			s.crown(leaves, at.plus(vec{0, 0, .5 * radius}), vec{radius, radius, .9 * radius}, 0)
			continue
		}
		trunk := 1 + 1.2*r.Float32()
		s.trunk(at, .1+.05*radius, trunk+.8*radius)
		if r.IntN(3) == 0 {
			tall := radius * (1.5 + .7*r.Float32())
			leaves.color = rgb{.045, .09, .04}.times(.8 + .5*r.Float32())
			s.crown(leaves, at.plus(vec{0, 0, .6 + tall}), vec{.8 * radius, .8 * radius, tall}, .85)
			continue
		}
		tall := radius * (.85 + .3*r.Float32())
		s.crown(leaves, at.plus(vec{0, 0, trunk + tall}), vec{radius, radius, tall}, 0)
	}
}

func (s *site) trunk(at vec, radius, height float32) {
	id := s.surface(surface{material: bark, seed: s.seed, origin: at, u: vec{.7, .7}, v: vec{0, 0, 1}, color: rgb{.12, .09, .06}})
	const n = 7
	var ring [n][2]uint32
	for i := range ring {
		a := 2 * math.Pi * float64(i) / n
		out := vec{float32(math.Cos(a)), float32(math.Sin(a)), 0}
		ring[i] = [2]uint32{s.vertex(at.along(radius, out).plus(vec{0, 0, -.3}), out), s.vertex(at.along(.7*radius, out).plus(vec{0, 0, height}), out)}
	}
	for i := range ring {
		a, b := ring[i], ring[(i+1)%n]
		s.triangle(a[0], b[0], b[1], id)
		s.triangle(a[0], b[1], a[1], id)
	}
}

// crown is a ball of leaves with dents; taper (0 to 1) makes it a cone.
func (s *site) crown(q surface, middle, axes vec, taper float32) {
	q.origin, q.u, q.v = middle, vec{1, 0, .8}, vec{0, 1, -.6}
	id := s.surface(q)
	verts, faces := ball()
	first := uint32(len(s.positions) / 3)
	place := func(d vec) vec {
		dent := 1 + .22*noise3(1.7*d[0], 1.7*d[1], 1.7*d[2], q.seed) + .12*noise3(4.3*d[0], 4.3*d[1], 4.3*d[2], q.seed+1)
		k := dent * (1 - taper*(d[2]+1)/2)
		return middle.plus(vec{k * d[0] * axes[0], k * d[1] * axes[1], d[2] * axes[2] * mix(dent, 1, taper)})
	}
	sum := make([]vec, len(verts))
	points := make([]vec, len(verts))
	for i, d := range verts {
		points[i] = place(d)
	}
	for _, f := range faces {
		n := points[f[1]].minus(points[f[0]]).cross(points[f[2]].minus(points[f[0]]))
		for _, i := range f {
			sum[i] = sum[i].plus(n)
		}
	}
	for i, p := range points {
		s.vertex(p, sum[i].unit())
	}
	for _, f := range faces {
		s.triangle(first+uint32(f[0]), first+uint32(f[1]), first+uint32(f[2]), id)
	}
}

// ball is a sphere of 1,280 triangles: an icosahedron, each divided in four thrice.
func ball() ([]vec, [][3]int) {
	g := float32((1 + math.Sqrt(5)) / 2)
	verts := []vec{{-1, g, 0}, {1, g, 0}, {-1, -g, 0}, {1, -g, 0}, {0, -1, g}, {0, 1, g}, {0, -1, -g}, {0, 1, -g}, {g, 0, -1}, {g, 0, 1}, {-g, 0, -1}, {-g, 0, 1}}
	faces := [][3]int{
		{0, 11, 5},
		{0, 5, 1},
		{0, 1, 7},
		{0, 7, 10},
		{0, 10, 11},
		{1, 5, 9},
		{5, 11, 4},
		{11, 10, 2},
		{10, 7, 6},
		{7, 1, 8},
		{3, 9, 4},
		{3, 4, 2},
		{3, 2, 6},
		{3, 6, 8},
		{3, 8, 9},
		{4, 9, 5},
		{2, 4, 11},
		{6, 2, 10},
		{8, 6, 7},
		{9, 8, 1},
	}
	for i := range verts {
		verts[i] = verts[i].unit()
	}
	for range 3 {
		between := map[[2]int]int{}
		middle := func(a, b int) int {
			k := [2]int{min(a, b), max(a, b)}
			i, ok := between[k]
			if !ok {
				i = len(verts)
				between[k] = i
				verts = append(verts, verts[a].plus(verts[b]).unit())
			}
			return i
		}
		finer := make([][3]int, 0, 4*len(faces))
		for _, f := range faces {
			a, b, c := middle(f[0], f[1]), middle(f[1], f[2]), middle(f[2], f[0])
			finer = append(finer, [3]int{f[0], a, c}, [3]int{f[1], b, a}, [3]int{f[2], c, b}, [3]int{a, b, c})
		}
		faces = finer
	}
	return verts, faces
}
