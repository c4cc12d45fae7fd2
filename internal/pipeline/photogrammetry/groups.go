package photogrammetry

import (
	"fmt"
	"math"
	"slices"

	"slate360.ai/worker/codec/exif"
)

// Focal lengths that lenses of cameras have, in parts of the long side of a photo:
// EXIF that says others is wrong.
const (
	shortestFocal, longestFocal = 0.35, 20
	filmDiagonal                = 43.26661 // millimetres, of 36 × 24
)

// group gives each photo its camera: photos of the same make, model, serial number,
// size and focal length share one.
func (v *survey) group(out *Photos) {
	type key struct {
		make, model, serial, band string
		w, h                      int
		focal, focal35            float64
	}
	index := map[key]int{}
	wrong := []string{}
	for i := range v.items {
		it := &v.items[i]
		if !it.photo.Used() {
			continue
		}
		m := it.meta
		k := key{m.Make, m.Model, m.Serial, m.XMP.Band, m.Width, m.Height, math.Round(m.FocalLength * 10), math.Round(m.Focal35)}
		c, ok := index[k]
		if !ok {
			c = len(out.Cameras)
			index[k] = c
			g := CameraGroup{Make: m.Make, Model: m.Model, Width: m.Width, Height: m.Height, FocalLength: m.FocalLength}
			var bad bool
			if g.FocalPixels, g.FocalFrom, bad = focalPrior(m); bad {
				wrong = append(wrong, it.photo.File)
			}
			out.Cameras = append(out.Cameras, g)
		}
		out.Cameras[c].Photos++
		it.photo.Camera = c
	}
	if len(wrong) > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the focal length that EXIF says cannot be right, and is not used: %s", joinSome(wrong)))
	}
	sizes := map[[2]int]bool{}
	for _, g := range out.Cameras {
		sizes[[2]int{g.Width, g.Height}] = true
	}
	if len(sizes) > 1 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("photos have %d different sizes: each is calibrated as a camera of its own, which is less accurate with few photos of a size", len(sizes)))
	}
}

// focalPrior returns the focal length in pixels and what it was worked out from; 0
// where it is not known. wrong tells that EXIF says something that cannot be.
func focalPrior(m *exif.Metadata) (pixels float64, from string, wrong bool) {
	w, h := float64(m.Width), float64(m.Height)
	long := max(w, h)
	type guess struct {
		pixels float64
		from   string
	}
	var guesses []guess
	if m.XMP.FocalPixels > 0 {
		guesses = append(guesses, guess{m.XMP.FocalPixels, "XMP calibration"})
	}
	if m.FocalLength > 0 && m.PixelPitch[0] > 0 {
		guesses = append(guesses, guess{m.FocalLength / m.PixelPitch[0], "EXIF focal plane resolution"})
	}
	if m.Focal35 > 0 {
		guesses = append(guesses, guess{m.Focal35 / filmDiagonal * math.Hypot(w, h), "EXIF focal length in 35 mm film"})
	}
	for _, g := range guesses {
		if g.pixels >= shortestFocal*long && g.pixels <= longestFocal*long {
			return g.pixels, g.from, false
		}
	}
	return 0, "", len(guesses) > 0
}

// Distances that positions are judged by.
const (
	// strayMetres and strayShare: a position is not believed that lies further from
	// the middle of all than both the metres and the share of the usual distance.
	strayMetres = 20_000
	strayShare  = 50
	// nowhere is how near to 0° N 0° E a position was never measured, in degrees.
	nowhere = 1e-4
)

// checkPositions drops positions that cannot be right.
func (v *survey) checkPositions(out *Photos) {
	var zero, stray []string
	var lats, lons []float64
	for i := range out.Photos {
		p := &out.Photos[i]
		if p.GPS == nil {
			continue
		}
		if math.Abs(p.GPS.Latitude) < nowhere && math.Abs(p.GPS.Longitude) < nowhere {
			zero = append(zero, p.File)
			p.GPS = nil
			continue
		}
		lats, lons = append(lats, p.GPS.Latitude), append(lons, p.GPS.Longitude)
	}
	if len(lats) >= fewest {
		middle := &GPS{Latitude: median(lats), Longitude: median(lons)}
		var far []float64
		for i := range out.Photos {
			if g := out.Photos[i].GPS; g != nil {
				far = append(far, metresApart(g, middle))
			}
		}
		limit := max(strayMetres, strayShare*median(far))
		for i := range out.Photos {
			if g := out.Photos[i].GPS; g != nil && metresApart(g, middle) > limit {
				stray = append(stray, out.Photos[i].File)
				out.Photos[i].GPS = nil
			}
		}
	}
	if len(zero) > 0 {
		out.Warnings = append(out.Warnings, "positions at 0° north, 0° east are not believed: "+joinSome(zero))
	}
	if len(stray) > 0 {
		out.Warnings = append(out.Warnings, "positions far away from all others are not believed: "+joinSome(stray))
	}
}

// median of numbers, which it does not change; of none it is 0.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
