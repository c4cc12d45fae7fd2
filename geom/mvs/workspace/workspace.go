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
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/mvs"
)

// Workspace is a folder with its model. It gives the photos and keeps the depth maps
// for package mvs, from one goroutine at a time.
type Workspace struct {
	dir   string
	names []string
	views []mvs.View
	cache cache
}

// cacheBytes bounds the photos that are kept, as brightness.
const cacheBytes = 128 << 20

// ErrName says that a photo's name leads out of the folder.
var ErrName = errors.New("workspace: a photo's name leads out of the folder")

// Open reads the model of a workspace and selects the neighbours of its views.
func Open(dir string) (*Workspace, error) {
	model, err := colmap.Read(filepath.Join(dir, "sparse"))
	if err != nil {
		return nil, fmt.Errorf("reading the model of the workspace: %w", err)
	}
	w := &Workspace{dir: dir, cache: cache{limit: cacheBytes}}
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
		w.views = append(w.views, mvs.View{Camera: c, Pose: camera.FromQuaternion(i.Rotation, i.Translation)})
	}
	mvs.Select(w.views, points(model, index))
	return w, nil
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
