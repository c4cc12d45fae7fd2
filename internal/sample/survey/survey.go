// Package survey makes the photos of a drone over a synthetic site, with the truth
// about all that can be made of them: poses, cameras, surface, orthophoto, heights and
// control points.
//
// The site has rolling ground, roads, houses, blocks, a yard with heaps and
// containers, cars and trees. Every photo is drawn by rays through the middle of its
// pixels, with the distortion of the lens undone for each, so that it is exactly what
// the camera model says. Textures are noise on lattices that never repeat, limited to
// what a pixel can show.
//
// The local frame of the truth is the grid of the CRS less an offset: x east, y north,
// z up, in metres. Light goes straight in it: the curvature of the Earth and the scale
// of the grid (0.04 %) are left out.
package survey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/geom/camera"
)

// Params of the survey.
type Params struct {
	// Photos is how many to take in all, 3 to 2,000; Oblique how many of them look
	// aslant at the middle of the site, the others straight down. -1 is a third.
	Photos, Oblique int
	// Width and Rows are the size of a photo in pixels, 64 to 12,000, and 60 million in
	// all. A pixel takes 44 bytes while photos are drawn.
	Width, Rows int
	// Model of the lens: camera.SimpleRadial, Radial, OpenCV or Pinhole.
	Model camera.Model
	// Height of the flight above the ground in metres; a pixel shows Height over the
	// focal length in pixels.
	Height float64
	// Overlap of photos along a strip, and Sidelap of strips, as shares, below 0.95.
	Overlap, Sidelap float64
	// GPSNoise is the standard deviation of positions in EXIF in metres, half as much
	// again in height. At 0.1 and below photos also say that they have a fixed
	// solution, as DJI's do.
	GPSNoise float64
	// Noise of the sensor: 1 is about 1 % of white at mid grey.
	Noise float64
	// Exposure is how much it changes from photo to photo: the standard deviation in
	// powers of two.
	Exposure float64
	// Seed picks the site; the same parameters give the same files.
	Seed uint64
	// Workers is the number of goroutines; it does not change the files.
	Workers int
}

// DefaultParams are those of a survey that takes half a minute on two cores.
func DefaultParams() Params {
	return Params{
		Photos: 24, Oblique: -1, Width: 1600, Rows: 1200, Model: camera.SimpleRadial, Height: 50,
		Overlap: .8, Sidelap: .7, GPSNoise: 1, Noise: 1, Exposure: .06, Seed: 1, Workers: 1,
	}
}

// mostPixels of a photo.
const mostPixels = 60e6

// ErrParams says that parameters are out of range.
var ErrParams = errors.New("the sample cannot be made")

func (p *Params) check() error {
	if p.Oblique < 0 {
		p.Oblique = p.Photos / 3
	}
	switch {
	case p.Photos < 3 || p.Photos > 2000:
		return fmt.Errorf("%w of %d photos: 3 to 2,000 can", ErrParams, p.Photos)
	case p.Oblique >= p.Photos:
		return fmt.Errorf("%w with %d oblique photos of %d: one at least looks straight down", ErrParams, p.Oblique, p.Photos)
	case min(p.Width, p.Rows) < 64 || max(p.Width, p.Rows) > 12000 || p.Width*p.Rows > mostPixels:
		return fmt.Errorf("%w with photos of %d × %d pixels: 64 to 12,000 can, and 60 million in all", ErrParams, p.Width, p.Rows)
	case !(p.Height >= 25 && p.Height <= 150):
		return fmt.Errorf("%w from %g m: fly at 25 to 150 m", ErrParams, p.Height)
	case !(p.Overlap >= 0 && p.Overlap <= .95) || !(p.Sidelap >= 0 && p.Sidelap <= .95):
		return fmt.Errorf("%w with overlaps of %g and %g: 0 to 0.95 can", ErrParams, p.Overlap, p.Sidelap)
	case !(p.GPSNoise >= 0 && p.GPSNoise <= 100) || !(p.Noise >= 0 && p.Noise <= 20) || !(p.Exposure >= 0 && p.Exposure <= 1):
		return fmt.Errorf("%w with noise of %g m, %g, and exposure changing by %g", ErrParams, p.GPSNoise, p.Noise, p.Exposure)
	}
	_, err := p.camera()
	return err
}

// wide is the focal length over the diagonal: that of 24 mm on film, as drones have.
const wide = 24 / 43.2666

// off is how far the lens is from what EXIF says of it.
const off = 1.012

// camera returns the true camera. Its middle is that of the photo: structure from
// motion programs hold it there.
func (p *Params) camera() (camera.Camera, error) {
	f := off * wide * math.Hypot(float64(p.Width), float64(p.Rows))
	c := camera.Camera{Model: p.Model, Width: p.Width, Height: p.Rows}
	cx, cy := float64(p.Width)/2, float64(p.Rows)/2
	switch p.Model {
	case camera.Pinhole:
		c.Params = []float64{f, f, cx, cy}
	case camera.SimpleRadial:
		c.Params = []float64{f, cx, cy, -.062}
	case camera.Radial:
		c.Params = []float64{f, cx, cy, -.081, .027}
	case camera.OpenCV:
		c.Params = []float64{f, f * 1.0004, cx, cy, -.081, .027, .0006, -.0004}
	default:
		return c, fmt.Errorf("%w with a camera of model %q: PINHOLE, SIMPLE_RADIAL, RADIAL and OPENCV can", ErrParams, p.Model)
	}
	return c, c.Check()
}

const (
	epsg          = 32632 // UTM zone 32 north, around Heidelberg
	verticalError = 1.5   // of positions, times that in plan
	quality       = 92    // of JPEG
	sensorWidth   = 17.3  // mm
	shutter       = 1 / 800.
)

// offset is added to the local frame to get coordinates of the CRS.
var offset = [3]float64{477000, 5473000, 110}

// Photos writes photos/SLT_0001.JPG and so on, and truth/ beside them, into dir, which
// is made.
func Photos(ctx context.Context, dir string, p Params) (*Truth, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	for _, d := range []string{"photos", "truth/sparse"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			return nil, fmt.Errorf("make sample folder: %w", err)
		}
	}
	cam, err := p.camera()
	if err != nil {
		return nil, err
	}
	plan := planFlight(&p, cam)
	s, err := newScene(ctx, newSite(p.Seed, plan.halfX, plan.halfY), p.Workers)
	if err != nil {
		return nil, err
	}
	l, err := newLens(ctx, cam, p.Workers)
	if err != nil {
		return nil, err
	}
	shots, err := plan.metadata(&p, l)
	if err != nil {
		return nil, err
	}
	c := newCanvas(cam.Width, cam.Height)
	for i, shot := range plan.shots {
		if err := s.expose(ctx, l, shot.pose, c, p.Workers); err != nil {
			return nil, err
		}
		picture, err := develop(ctx, l, c, shot.gain, p.Noise, p.Seed, i, p.Workers)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("write photo: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "photos", photoName(i)), shots[i].tag(b.Bytes()), 0o666); err != nil {
			return nil, fmt.Errorf("write photo: %w", err)
		}
	}
	return writeTruth(ctx, filepath.Join(dir, "truth"), &p, s, l, &plan, shots)
}

func photoName(i int) string { return fmt.Sprintf("SLT_%04d.JPG", i+1) }

// metadata of all shots: a receiver that errs, a clock that goes on.
func (f *flight) metadata(p *Params, l *lens) ([]metadata, error) {
	utm, err := crs.FromEPSG(epsg)
	if err != nil {
		return nil, err
	}
	wgs, err := utm.ToWGS84()
	if err != nil {
		return nil, err
	}
	fx, _, _, _ := l.Linear()
	nominal := fx / off / float64(l.Width)
	r := rand.New(rand.NewPCG(p.Seed, 4))
	clock := time.Date(2026, 5, 14, 10, 21, 7, 0, time.UTC)
	out := make([]metadata, len(f.shots))
	for i, shot := range f.shots {
		at := shot.center
		for k := range at {
			sigma := p.GPSNoise
			if k == 2 {
				sigma *= verticalError
			}
			at[k] += offset[k] + sigma*r.NormFloat64()
		}
		if err := wgs.Apply(at[:]); err != nil {
			return nil, fmt.Errorf("place photos: %w", err)
		}
		clock = clock.Add(time.Duration(2100+r.IntN(300)) * time.Millisecond)
		out[i] = metadata{
			width: l.Width, height: l.Height, focal: nominal * sensorWidth, focal35: 24, taken: clock,
			longitude: at[0], latitude: at[1], altitude: at[2], accuracy: p.GPSNoise, exposure: shutter * shot.gain,
		}
	}
	return out, nil
}
