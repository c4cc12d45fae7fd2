package photogrammetry

import (
	"math"
	"slices"

	"slate360.ai/worker/geom/align"
	"slate360.ai/worker/geom/camera"
)

// oriented is a photo of the model.
type oriented struct {
	photo *Photo
	pose  camera.Pose
}

// Deviations of directions of up, in radians, by where they come from.
const (
	gimbalDeviation = 3 * math.Pi / 180
	guessDeviation  = 15 * math.Pi / 180
)

// upOf returns the direction in the model that is likely up, and its deviation: from
// what drones say of their gimbals; else from people holding cameras level, so that
// the rows of all photos are horizontal; else, where rows do not tell, photos that
// look the same way but are turned against each other look down.
func upOf(list []oriented) (up [3]float64, deviation float64) {
	var sum [3]float64
	n := 0
	for _, o := range list {
		if a := o.photo.Attitude; a != nil {
			d := o.pose.Unrotate(upInCamera(a))
			sum = add3(sum, d)
			n++
		}
	}
	if n >= fewest && norm(sum) > 0.8*float64(n) {
		return scale3(sum, 1/norm(sum)), gimbalDeviation
	}
	return upOfRows(list), guessDeviation
}

// upInCamera is the vertical in the frame of a camera (x right, y down, z ahead) of
// some pitch and roll: yaw does not matter.
func upInCamera(a *Attitude) [3]float64 {
	p, r := a.Pitch*math.Pi/180, a.Roll*math.Pi/180
	// Level: up is -y. Pitched down by -p: up turns towards z. Rolled: about z.
	y, z := -math.Cos(p), math.Sin(p)
	return [3]float64{-y * math.Sin(r), y * math.Cos(r), z}
}

// rowOf and topOf are the directions, in the world, of the rows of a photo and of its
// upper edge, as people see it.
func rowOf(o oriented) [3]float64 {
	if k := o.photo.Orientation; k >= 5 {
		return o.pose.Unrotate([3]float64{0, 1, 0})
	}
	return o.pose.Unrotate([3]float64{1, 0, 0})
}

func topOf(o oriented) [3]float64 {
	switch o.photo.Orientation {
	case 3, 4:
		return o.pose.Unrotate([3]float64{0, 1, 0})
	case 5, 6:
		return o.pose.Unrotate([3]float64{-1, 0, 0})
	case 7, 8:
		return o.pose.Unrotate([3]float64{1, 0, 0})
	}
	return o.pose.Unrotate([3]float64{0, -1, 0})
}

func upOfRows(list []oriented) [3]float64 {
	var rows [9]float64
	var top, ahead [3]float64
	for _, o := range list {
		r := rowOf(o)
		for i := range 3 {
			for j := range 3 {
				rows[3*i+j] += r[i] * r[j]
			}
		}
		top = add3(top, topOf(o))
		ahead = add3(ahead, o.pose.Unrotate([3]float64{0, 0, 1}))
	}
	n := float64(len(list))
	values, vectors := align.Eigen(rows)
	// Photos turned against each other, all looking the same way: a survey from above.
	if norm(ahead) > 0.8*n && norm(top) < 0.6*n {
		return scale3(ahead, -1/norm(ahead))
	}
	up := scale3(top, 1/max(norm(top), 1e-12))
	// Rows in several directions fix the vertical; else it is the mean upper edge,
	// across the rows.
	if values[1] > 0.02*values[0] {
		v := [3]float64{vectors[2], vectors[5], vectors[8]}
		if dot3(v, top) < 0 {
			v = scale3(v, -1)
		}
		return v
	}
	row := [3]float64{vectors[0], vectors[3], vectors[6]}
	across := add3(up, scale3(row, -dot3(up, row)))
	if norm(across) < 1e-6 {
		return up
	}
	return scale3(across, 1/norm(across))
}

// Sizes that a scene is taken to have where nothing tells.
const (
	// stepMetres is how far apart people take photos of an object: a step or two.
	stepMetres = 2.0
	// flightMetres is how high drones fly.
	flightMetres = 60.0
	// down is the cosine of the angle to the vertical up to which photos look down.
	down = 0.8
)

// guessScale returns metres a unit of the model where positions do not tell, and
// where that comes from.
func guessScale(list []oriented, up [3]float64, points [][3]float64) (float64, string) {
	var heights, ratios []float64
	ground := groundLevel(points, up)
	looksDown := 0
	for _, o := range list {
		c := o.pose.Center()
		h := dot3(c, up) - ground
		if dot3(o.pose.Unrotate([3]float64{0, 0, 1}), up) < -down {
			looksDown++
		}
		heights = append(heights, h)
		if a := o.photo.RelativeAltitude; a != nil && *a > 2 && h > 0 {
			ratios = append(ratios, *a/h)
		}
	}
	if len(ratios) >= fewest {
		return median(ratios), "relative altitude"
	}
	if h := median(heights); 2*looksDown > len(list) && h > 0 {
		return flightMetres / h, "guess"
	}
	if s := median(spacings(list)); s > 0 {
		return stepMetres / s, "guess"
	}
	return 1, "guess"
}

// spacings are the distances from each photo to the nearest other.
func spacings(list []oriented) (out []float64) {
	for i := range list {
		nearest := math.Inf(1)
		for j := range list {
			if i != j {
				nearest = min(nearest, norm(add3(list[i].pose.Center(), scale3(list[j].pose.Center(), -1))))
			}
		}
		if !math.IsInf(nearest, 0) {
			out = append(out, nearest)
		}
	}
	return out
}

// groundShare of the points lie below the ground's level: some are wrong.
const groundShare = 0.1

// groundLevel is the height along up that few points lie below.
func groundLevel(points [][3]float64, up [3]float64) float64 {
	if len(points) == 0 {
		return 0
	}
	heights := make([]float64, len(points))
	for i, p := range points {
		heights[i] = dot3(p, up)
	}
	slices.Sort(heights)
	return heights[int(groundShare*float64(len(heights)))]
}

func dot3(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func norm(a [3]float64) float64 { return math.Sqrt(dot3(a, a)) }

func add3(a, b [3]float64) [3]float64 { return [3]float64{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

func scale3(a [3]float64, k float64) [3]float64 { return [3]float64{a[0] * k, a[1] * k, a[2] * k} }
