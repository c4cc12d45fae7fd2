// Package mvs finds depth in oriented photos: PatchMatch stereo of each photo
// with its neighbours, and the fusion of depth maps to a cloud of points with
// normals, colours and the views that see each.
//
// A pixel's hypothesis is a plane, by depth and normal. Good ones spread to
// their neighbours on a red-black checkerboard and are refined by chance
// (C. Barnes et al., "PatchMatch", 2009; S. Galliani et al., "Massively parallel
// multiview stereopsis by surface normal diffusion", 2015), measured by bilaterally
// weighted normalised cross correlation over the best views and by the geometric
// consistency with the depth maps of the neighbours (J. L. Schönberger et al.,
// "Pixelwise view selection for unstructured multi-view stereo", 2016), from coarse
// to fine (Q. Xu, W. Tao, "Multi-scale geometric consistency guided multi-view
// stereo", 2019).
//
// Results do not depend on the number of workers.
package mvs

import (
	"context"
	"errors"
	"fmt"
	"math"

	"slate360.ai/worker/geom/camera"
)

// View is an oriented photo without distortion.
type View struct {
	// Camera is a pinhole, of the size that depth maps get.
	Camera camera.Camera
	Pose   camera.Pose
	// Neighbors are the other views to match with, the best first.
	Neighbors []int
	// Near and Far bound the depths, positive.
	Near, Far float64
	// Seeds are known points: pixel x and y, and depth.
	Seeds [][3]float32
}

// Photos gives the pictures of views. It is called by one goroutine at a time.
type Photos interface {
	// Gray returns brightness in rows, of the size of the view's camera.
	Gray(ctx context.Context, view int) ([]uint8, error)
	// RGB returns red, green and blue, of the size of the view's camera.
	RGB(ctx context.Context, view int) ([]uint8, error)
}

// Map is the depth map of a view.
type Map struct {
	Width, Height int
	// Depth along the optical axis; 0 is not known.
	Depth []float32
	// Normal is xyz in the camera's frame, towards the camera.
	Normal []float32
	// Cost is one less the correlation: 0 is best, 2 worst. It may be nil.
	Cost []float32
}

// Maps keeps depth maps. Store and Load are called by one goroutine at a time.
type Maps interface {
	Load(ctx context.Context, view int, geometric bool) (*Map, error)
	Store(ctx context.Context, view int, geometric bool, m *Map) error
	// Has tells whether a map is there from an earlier run.
	Has(view int, geometric bool) bool
}

// Options say how. Zero fields mean the defaults.
type Options struct {
	// Sources is how many neighbours each view is matched with, at most 16; default 6.
	Sources int
	// Workers is how many goroutines share the work; default 1.
	Workers int
	// Seed of the chance.
	Seed uint64
}

func (o Options) defaults() Options {
	if o.Sources <= 0 {
		o.Sources = 6
	}
	o.Sources = min(o.Sources, maxSources)
	o.Workers = max(o.Workers, 1)
	return o
}

// ErrNoViews says that there is nothing to match.
var ErrNoViews = errors.New("mvs: no view has a neighbour to match with")

func check(views []View) error {
	usable := false
	for i, v := range views {
		if err := v.Camera.Check(); err != nil {
			return fmt.Errorf("view %d: %w", i, err)
		}
		if v.Camera.Distorted() {
			return fmt.Errorf("mvs: view %d has lens distortion: undistort the photo first", i)
		}
		if len(v.Neighbors) == 0 {
			continue
		}
		usable = true
		if !(v.Near > 0) || !(v.Far > v.Near) || math.IsInf(v.Far, 0) {
			return fmt.Errorf("mvs: view %d has depths from %g to %g", i, v.Near, v.Far)
		}
		for _, n := range v.Neighbors {
			if n < 0 || n >= len(views) || n == i {
				return fmt.Errorf("mvs: view %d has neighbour %d of %d views", i, n, len(views))
			}
		}
	}
	if !usable {
		return ErrNoViews
	}
	return nil
}

// Bytes is about the most memory that Estimate and FuseParts use for views of so many
// pixels, beyond what Photos and Maps keep. Sources is how many neighbours are compared.
func Bytes(pixels int64, sources int) int64 {
	const (
		own     = 18 + 18/4 + 16 + 12 // planes at two sizes, the map and its copy on the way out
		labels  = 12                  // of connected parts
		picture = 4 * 4 / 3           // in all sizes
		known   = (12 + 16) / 4       // depth maps of half the size, as planes and as read
	)
	return pixels * (own + labels + int64(sources+1)*(picture+known))
}
