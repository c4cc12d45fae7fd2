// Package workspace is the folder that dense reconstruction works in, as COLMAP lays
// it out, so that passes of COLMAP and of package mvs can be mixed:
//
//	images/NAME                             photos without distortion
//	sparse/                                 their model, with pinhole cameras
//	stereo/depth_maps/NAME.PASS.bin         depth along the optical axis, 0 is unknown
//	stereo/normal_maps/NAME.PASS.bin        normals in the frame of the camera
//	stereo/confidence_maps/NAME.PASS.bin    costs, which COLMAP does not have
//
// PASS is photometric or geometric. Photometric maps of package mvs have half the size
// of the photos; those of COLMAP, of the full size, are taken as well. Geometric maps
// are alike.
package workspace

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/mvs"
)

// Workspace is a folder with its model. It gives the photos and keeps the depth maps
// for package mvs, from one goroutine at a time.
type Workspace struct {
	dir, maps string
	// sizes of the photos as they are; views may have smaller ones.
	sizes []image.Point
	names []string
	views []mvs.View
	cache cache
}

// cacheBytes bounds the photos that are kept, as brightness.
const cacheBytes = 128 << 20

// ErrName says that a photo's name leads out of the folder.
var ErrName = errors.New("workspace: a photo's name leads out of the folder")

// Options say how a workspace is used. Zero fields mean the defaults.
type Options struct {
	// Side is the longest side of views, in pixels: photos that are larger are made
	// smaller as they are read. The default is as they are.
	Side int
	// Maps is the folder of the maps; default the one in the workspace.
	Maps string
}

// Open reads the model of a workspace and selects the neighbours of its views.
func Open(dir string, o Options) (*Workspace, error) {
	model, err := colmap.Read(filepath.Join(dir, "sparse"))
	if err != nil {
		return nil, fmt.Errorf("reading the model of the workspace: %w", err)
	}
	if o.Maps == "" {
		o.Maps = filepath.Join(dir, "stereo")
	}
	w := &Workspace{dir: dir, maps: o.Maps, cache: cache{limit: cacheBytes}}
	cameras := map[int]camera.Camera{}
	for _, c := range model.Cameras {
		cameras[c.ID] = camera.Camera{Model: camera.Model(c.Model), Width: c.Width, Height: c.Height, Params: c.Params}
	}
	index := map[int]int{}
	for _, i := range model.Images {
		c, ok := cameras[i.CameraID]
		if !ok {
			return nil, fmt.Errorf("workspace: photo %q has camera %d, which is not in the model", i.Name, i.CameraID)
		}
		if err := c.Check(); err != nil {
			return nil, fmt.Errorf("workspace: photo %q: %w", i.Name, err)
		}
		if !filepath.IsLocal(i.Name) {
			return nil, fmt.Errorf("%w: %q", ErrName, i.Name)
		}
		index[i.ID] = len(w.views)
		w.names = append(w.names, i.Name)
		w.sizes = append(w.sizes, image.Pt(c.Width, c.Height))
		w.views = append(w.views, mvs.View{Camera: within(c, o.Side), Pose: camera.FromQuaternion(i.Rotation, i.Translation)})
	}
	mvs.Select(w.views, points(model, index))
	return w, nil
}

// within is a camera whose longest side is at most side pixels.
func within(c camera.Camera, side int) camera.Camera {
	long := max(c.Width, c.Height)
	if side <= 0 || long <= side {
		return c
	}
	w, h := max(1, c.Width*side/long), max(1, c.Height*side/long)
	fx, fy, cx, cy := c.Linear()
	sx, sy := float64(w)/float64(c.Width), float64(h)/float64(c.Height)
	return camera.NewPinhole(w, h, fx*sx, fy*sy, cx*sx, cy*sy)
}

// points are those of the model, with views by index.
func points(model *colmap.Model, index map[int]int) []mvs.Point {
	list := make([]mvs.Point, 0, len(model.Points))
	for _, p := range model.Points {
		q := mvs.Point{XYZ: p.XYZ}
		seen := map[int]bool{} // a track may have two features of one photo
		for _, o := range p.Track {
			if i, ok := index[o.ImageID]; ok && !seen[i] {
				seen[i] = true
				q.Views = append(q.Views, i)
			}
		}
		list = append(list, q)
	}
	return list
}

// Views are the photos of the model in its order, which is also how COLMAP counts
// them in fused.ply.vis.
func (w *Workspace) Views() []mvs.View { return w.views }

// Name is the name of a view's photo, as a path below images.
func (w *Workspace) Name(view int) string { return w.names[view] }
