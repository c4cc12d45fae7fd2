package mvs

import (
	"cmp"
	"math"
	"slices"
)

// Point is a point of the sparse model.
type Point struct {
	XYZ [3]float64
	// Views that see it.
	Views []int
}

// Select fills in the neighbours, the range of depths and the seeds of views, by the
// points of the sparse model that they see. Views that see too few get no neighbours.
//
// Neighbours are ranked by the points that both views see, each weighted by the angle
// between the rays and by how alike the views' sizes of a pixel there are
// (M. Goesele et al., "Multi-view stereo for community photo collections", 2007).
func Select(views []View, points []Point) {
	pairs := pairScores(views, points)
	for i := range views {
		v := &views[i]
		v.Seeds, v.Near, v.Far = nil, 0, 0
		v.Neighbors = ranked(pairs[i])
	}
	for _, p := range points {
		for _, i := range p.Views {
			if i < 0 || i >= len(views) {
				continue
			}
			v := &views[i]
			x := v.Pose.Apply(p.XYZ)
			if u, w, ok := v.Camera.Project(x); ok && u >= 0 && w >= 0 && u < float64(v.Camera.Width) && w < float64(v.Camera.Height) {
				v.Seeds = append(v.Seeds, [3]float32{float32(u), float32(w), float32(x[2])})
			}
		}
	}
	for i := range views {
		if views[i].Near, views[i].Far = depthRange(views[i].Seeds); views[i].Near == 0 {
			views[i].Neighbors = nil
		}
	}
	for i := range views { // a neighbour without a range has no map of its own
		if len(views[i].Neighbors) == 0 {
			views[i].Near, views[i].Far = 0, 0
		}
	}
}

// leastSeeds is how many points a view must see.
const leastSeeds = 8

// depthRange returns where the depths of the points lie, without the few that are
// likely wrong. There is room around them, and more in front, where the ground often
// has no points.
func depthRange(seeds [][3]float32) (near, far float64) {
	if len(seeds) < leastSeeds {
		return 0, 0
	}
	depths := make([]float64, len(seeds))
	for i, s := range seeds {
		depths[i] = float64(s[2])
	}
	slices.Sort(depths)
	cut := len(depths) / 100
	return 0.5 * depths[cut], 1.3 * depths[len(depths)-1-cut]
}

// shared is what two views have in common.
type shared struct {
	score  float64
	angles float64 // between rays, their sum
	points int
}

// mostSights is how many views of a point are paired, so that a point that very many
// see does not take very long.
const mostSights = 64

func pairScores(views []View, points []Point) []map[int]shared {
	pairs := make([]map[int]shared, len(views))
	for i := range pairs {
		pairs[i] = map[int]shared{}
	}
	type sight struct {
		view  int
		ray   [3]float64 // unit, from the point to the camera
		pixel float64    // its size at the point
	}
	var sights []sight
	for _, p := range points {
		sights = sights[:0]
		for _, i := range p.Views {
			if i < 0 || i >= len(views) || len(sights) == mostSights {
				continue
			}
			v := &views[i]
			c := v.Pose.Center()
			d := [3]float64{c[0] - p.XYZ[0], c[1] - p.XYZ[1], c[2] - p.XYZ[2]}
			n := math.Sqrt(d[0]*d[0] + d[1]*d[1] + d[2]*d[2])
			z := v.Pose.Apply(p.XYZ)[2]
			if n == 0 || z <= 0 {
				continue
			}
			fx, _, _, _ := v.Camera.Linear()
			sights = append(sights, sight{i, [3]float64{d[0] / n, d[1] / n, d[2] / n}, z / fx})
		}
		for a := range sights {
			for b := range sights {
				s, t := &sights[a], &sights[b]
				if s.view == t.view {
					continue
				}
				cosine := s.ray[0]*t.ray[0] + s.ray[1]*t.ray[1] + s.ray[2]*t.ray[2]
				pair := pairs[s.view][t.view]
				angle := math.Acos(min(max(cosine, -1), 1))
				pair.points++
				pair.angles += angle
				pair.score += angleWeight(angle) * scaleWeight(s.pixel/t.pixel)
				pairs[s.view][t.view] = pair
			}
		}
	}
	return pairs
}

// angleWeight is best at an angle of 12 degrees between rays: at less, depth is
// uncertain; at more, surfaces look different.
func angleWeight(a float64) float64 {
	const best, below, above = 12 * math.Pi / 180, 5 * math.Pi / 180, 18 * math.Pi / 180
	sigma := above
	if a < best {
		sigma = below
	}
	d := (a - best) / sigma
	return math.Exp(-d * d / 2)
}

// scaleWeight compares sizes of a pixel: r is that of the view in those of the source.
// A source that sees less sharply helps less.
func scaleWeight(r float64) float64 {
	switch {
	case r > 1.6:
		return (1.6 / r) * (1.6 / r)
	case r >= 1:
		return 1
	default:
		return r * r
	}
}

const (
	mostNeighbors = 12
	leastShared   = 8
	// leastScore is that of a neighbour, in parts of the best.
	leastScore = 0.02
	// leastAngle is the mean angle between rays, below which photos from one place show
	// no depth.
	leastAngle = 1 * math.Pi / 180
)

func ranked(pairs map[int]shared) []int {
	type rank struct {
		view  int
		score float64
	}
	var list []rank
	best := 0.0
	for v, s := range pairs {
		if s.points >= leastShared && s.angles >= leastAngle*float64(s.points) {
			list = append(list, rank{v, s.score})
			best = max(best, s.score)
		}
	}
	slices.SortFunc(list, func(a, b rank) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.view, b.view)) })
	var out []int
	for _, r := range list {
		if r.score > leastScore*best && len(out) < mostNeighbors {
			out = append(out, r.view)
		}
	}
	return out
}
