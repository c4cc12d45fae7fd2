// Package texturing gives a triangle mesh textures from oriented photos.
//
// Each triangle gets its colours from one photo, chosen by how much detail it shows
// there and so that few seams arise; the seams that are left are hidden. The steps are
// those of M. Waechter, N. Moehrle, M. Goesele, "Let There Be Color! Large-Scale
// Texturing of 3D Reconstructions" (2014):
//
//   - visibility by a depth buffer a photo, and the detail that each photo shows of
//     each triangle: the sum of gradients (R. Gal et al., "Seamless montage for
//     texturing models", 2010), which a blurred, far or slanting photo lacks;
//   - exposure, white balance and vignetting of the photos, from what they show in
//     common (D. Goldman, "Vignette and exposure calibration and compensation", 2010);
//   - triangles that look different in one photo than in the others show something
//     that moved, and are not taken from there;
//   - labels of least energy, by moves of triangles and of whole regions;
//   - patches packed into pages;
//   - colours levelled over the whole mesh by least squares (V. Lempitsky, D. Ivanov,
//     "Seamless mosaicing of image-based texture maps", 2007), then along seams by
//     membranes (P. Pérez et al., "Poisson image editing", 2003).
//
// Triangles that no photo shows get colours that run in from their surroundings.
//
// Results do not depend on the number of workers.
package texturing

import (
	"context"
	"errors"
	"fmt"
	"math"

	"slate360.ai/worker/geom/camera"
)

// View is an oriented photo without distortion.
type View struct {
	// Camera is a pinhole of the size of the photo.
	Camera camera.Camera
	Pose   camera.Pose
}

// Photos gives the pictures of views. It is called by one goroutine at a time, at most
// twice for each view, while another view is worked on.
type Photos interface {
	// RGB returns red, green and blue in rows, of the size of the view's camera. An
	// error that is ErrNoPhoto leaves the view out.
	RGB(ctx context.Context, view int) ([]uint8, error)
}

// Options say how. Zero fields mean the defaults.
type Options struct {
	// PageSize is the largest width and height of a page; default 8192.
	PageSize int
	// MaxPages is the most pages; default 4. What does not fit makes all textures
	// coarser.
	MaxPages int
	// Texels is the most texels of all pages together; default as many as the pages
	// can hold.
	Texels int64
	// Padding is how many texels around a patch repeat its border; default 4.
	Padding int
	// Seam is what a seam costs: it is worth that many texels of width at a quarter of
	// the detail of the best photo. Larger gives larger patches; default 40.
	Seam float64
	// Workers is how many goroutines share the work; default 1.
	Workers int

	// For tests, to see what a step is worth.
	noExposure, noGlobal, noLocal, noConsistency bool
}

func (o Options) defaults() Options {
	if o.PageSize == 0 {
		o.PageSize = 8192
	}
	if o.MaxPages == 0 {
		o.MaxPages = 4
	}
	if o.Texels == 0 {
		o.Texels = int64(o.MaxPages) * int64(o.PageSize) * int64(o.PageSize)
	}
	if o.Padding == 0 {
		o.Padding = 4
	}
	if o.Seam == 0 {
		o.Seam = 40
	}
	o.Workers = max(1, o.Workers)
	return o
}

func (o Options) check() error {
	switch {
	case o.PageSize < 64 || o.PageSize > 1<<16:
		return fmt.Errorf("texturing: pages of %d texels a side; want 64 to 65536", o.PageSize)
	case o.MaxPages < 1, o.Texels < 4096:
		return fmt.Errorf("texturing: at most %d pages with %d texels", o.MaxPages, o.Texels)
	case o.Padding < 1 || o.Padding > 32:
		return fmt.Errorf("texturing: padding of %d texels; want 1 to 32", o.Padding)
	case !(o.Seam > 0) || math.IsInf(o.Seam, 0):
		return fmt.Errorf("texturing: seams cost %g; want more than 0", o.Seam)
	}
	return nil
}

// Page is a texture and the triangles that use it.
type Page struct {
	Width, Height int
	// Pix is red, green and blue in rows, sRGB.
	Pix []uint8
	// Positions are xyz triples, UV pairs from 0 to 1 with v downwards, a vertex for
	// each of its places on the page.
	Positions, UV []float32
	// Triangles index the vertices of the page, three each.
	Triangles []uint32
}

// Result is a textured mesh.
type Result struct {
	// Pages hold all triangles of the mesh but those without area or with positions
	// that are not finite.
	Pages []Page
	// Views tells for each triangle given which view its colours are from; -1 for
	// none.
	Views []int32
	// Unseen counts triangles that no view shows, Dropped those that were left out.
	Unseen, Dropped int
	// Patches counts the connected parts that are from one view.
	Patches int
	// Scale is how many texels there are to a pixel of a photo; below 1 where pages
	// were too small.
	Scale float64
	// Gains are the factors that each view's red, green and blue were multiplied by.
	Gains [][3]float64
	// Skipped are views whose photos were not there.
	Skipped []int
}

// ErrNoPhoto says that a view has no photo: see Photos.
var ErrNoPhoto = errors.New("texturing: the photo is not there")

// ErrUnseen says that no view shows any of the mesh.
var ErrUnseen = errors.New("texturing: no photo shows any triangle of the mesh: do mesh and cameras share one frame, and do triangles turn against the clock as seen from outside?")

// Texture textures a mesh of xyz triples and three indices a triangle, seen from
// outside against the clock. progress, which may be nil, is told the share that is
// done.
func Texture(ctx context.Context, positions []float32, triangles []uint32, views []View, photos Photos, o Options, progress func(done float64)) (*Result, error) {
	o = o.defaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := check(positions, triangles, views); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(float64) {}
	}
	t := &texturer{team: team{ctx: ctx, workers: o.Workers}, o: o, views: views, photos: photos, progress: progress}
	t.mesh = newMesh(positions, triangles)
	steps := []struct {
		done float64
		f    func() error
	}{
		{0.45, t.observe},
		{0.48, t.expose},
		{0.50, t.reject},
		{0.58, t.label},
		{0.60, t.patch},
		{0.80, t.extract},
		{0.88, t.levelGlobally},
		{0.96, t.finishPatches},
		{1.00, t.finishPages},
	}
	for _, step := range steps {
		if err := step.f(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(step.done)
	}
	return t.result(), nil
}

// texturer holds the state between the steps.
type texturer struct {
	team
	o        Options
	views    []View
	photos   Photos
	progress func(float64)
	mesh     *mesh

	sights  sights
	skipped []bool
	tone    *tone
	labels  []int32
	texel   float64 // size of a pixel on the surface, in the middle of all

	patches  []patch
	scale    float64
	pages    []page
	nodes    nodes
	leveling []float32 // what to add at nodes: rgb
}

func check(positions []float32, triangles []uint32, views []View) error {
	switch {
	case len(positions)%3 != 0 || len(triangles)%3 != 0:
		return fmt.Errorf("texturing: %d coordinates and %d indices; want multiples of 3", len(positions), len(triangles))
	case len(triangles) == 0:
		return errors.New("texturing: the mesh has no triangles")
	case len(triangles) > math.MaxInt32:
		return fmt.Errorf("texturing: %d triangles are too many", len(triangles)/3)
	case len(views) == 0:
		return errors.New("texturing: there are no views")
	case len(views) > math.MaxUint16:
		return fmt.Errorf("texturing: %d views are too many; at most %d", len(views), math.MaxUint16)
	}
	n := uint32(len(positions) / 3)
	for i, v := range triangles {
		if v >= n {
			return fmt.Errorf("texturing: triangle %d has vertex %d of %d", i/3, v, n)
		}
	}
	for i, v := range views {
		if err := v.Camera.Check(); err != nil {
			return fmt.Errorf("texturing: view %d: %w", i, err)
		}
		if v.Camera.Distorted() {
			return fmt.Errorf("texturing: view %d has lens distortion: undistort the photo first", i)
		}
		for _, x := range append(v.Pose.R[:], v.Pose.T[:]...) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("texturing: the pose of view %d is not finite", i)
			}
		}
	}
	return nil
}

// Bytes is about the most memory that Texture uses, beyond the mesh given: for a mesh
// of so many triangles, views of at most so many pixels each, and options.
func Bytes(triangles int64, views int, pixels int64, o Options) int64 {
	o = o.defaults()
	// Neighbours, areas, labels; what views see; nodes and their equations.
	mesh := triangles * (24 + int64(min(views, maxSights))*sightBytes + 130)
	// Two photos, brightness and gradient, depths.
	photo := 2*3*pixels + min(pixels, maxWorking)*(3+1+4+4)
	// A texel is 3 bytes and a flag, and filling needs a pyramid; of all surface that
	// the photos show little is in pages twice.
	texels := min(o.Texels, int64(o.MaxPages)*int64(o.PageSize)*int64(o.PageSize), 2*pixels*int64(views))
	work := min(int64(o.Workers)*pixels, texels) * 8
	return mesh + max(photo, work) + texels*4 + min(texels, int64(o.PageSize)*int64(o.PageSize))*2
}
