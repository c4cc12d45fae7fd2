package survey

import (
	"math"
	"math/rand/v2"

	"slate360.ai/worker/geom/camera"
)

// shot is where the drone was when it took a photo.
type shot struct {
	pose    camera.Pose
	center  [3]float64
	oblique bool
	gain    float64 // exposure, 1 is the mean
}

// flight is a grid of photos straight down, in strips flown there and back, and a
// ring of oblique ones around them.
type flight struct {
	shots        []shot
	halfX, halfY float64 // of the area that photos straight down show
	coreX, coreY float64 // of that within, which neighbours on all sides show as well
}

const (
	tilt      = 42 * math.Pi / 180 // of oblique photos from straight down
	baseLevel = 0                  // mean height of the ground
)

// planFlight lays out a flight. The drone's height decides the footprint of a photo.
func planFlight(p *Params, cam camera.Camera) flight {
	fx, fy, _, _ := cam.Linear()
	footX, footY := float64(cam.Width)/fx*p.Height, float64(cam.Height)/fy*p.Height
	nadir := p.Photos - p.Oblique
	// Strips run east and west, so the long side of a photo lies across them.
	stepAlong, stepAcross := footY*(1-p.Overlap), footX*(1-p.Sidelap)
	strips, lopsided := 1, math.Inf(1)
	for n := 1; n <= nadir; n++ {
		length, breadth := float64(nadir)/float64(n)*stepAlong+footY, float64(n)*stepAcross+footX
		if l := math.Abs(math.Log(length / breadth)); l < lopsided {
			strips, lopsided = n, l
		}
	}
	longest := (nadir + strips - 1) / strips
	var f flight
	f.halfX = (float64(longest-1)*stepAlong + footY) / 2
	f.halfY = (float64(strips-1)*stepAcross + footX) / 2
	// Three photos of a strip, and two strips, where there are that many.
	f.coreX = f.halfX - float64(min(2, longest-1))*stepAlong
	f.coreY = f.halfY - float64(min(1, strips-1))*stepAcross
	r := rand.New(rand.NewPCG(p.Seed, 3))
	for strip := range strips {
		n := nadir/strips + b2i(strip < nadir%strips)
		y := (float64(strip) - float64(strips-1)/2) * stepAcross
		heading := 1.0
		if strip%2 == 1 {
			heading = -1
		}
		for i := range n {
			x := 0.0
			if n > 1 {
				x = (float64(i)/float64(n-1) - .5) * float64(longest-1) * stepAlong * heading
			}
			f.add(r, p, [3]float64{x, y, baseLevel + p.Height}, [3]float64{x, y, 0}, [3]float64{heading, 0, 0}, false)
		}
	}
	for i := range p.Oblique {
		a := 2*math.Pi*float64(i)/float64(p.Oblique) + .3
		reach := p.Height * math.Tan(tilt)
		ax, ay := max(reach, .9*f.halfX), max(reach, .9*f.halfY)
		x, y := ax*math.Cos(a), ay*math.Sin(a)
		inner := 1 - reach/math.Hypot(x, y)
		f.add(r, p, [3]float64{x, y, baseLevel + p.Height}, [3]float64{x * inner, y * inner, 0}, [3]float64{0, 0, 1}, true)
	}
	return f
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// add takes a photo; wind moves the drone a little and turns it.
func (f *flight) add(r *rand.Rand, p *Params, eye, look, up [3]float64, oblique bool) {
	shake := func(d float64) float64 { return d * r.NormFloat64() }
	for k := range 3 {
		eye[k] += shake(.008 * p.Height)
		look[k] += shake(.02 * p.Height)
		up[k] += shake(.03)
	}
	pose := camera.LookAt(eye, look, up)
	f.shots = append(f.shots, shot{pose, eye, oblique, math.Exp2(p.Exposure * r.NormFloat64())})
}
