package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/geom/camera"
)

// CamerasFormat is what cameras.json says it is.
const CamerasFormat = "slate360-cameras"

// CamerasFile is cameras.json: inner geometry and poses of all registered photos.
type CamerasFile struct {
	Format  string  `json:"format"`
	Version int     `json:"version"`
	Frame   Frame   `json:"frame"`
	Cameras []Inner `json:"cameras"`
	Shots   []Shot  `json:"shots"`
}

// Inner is a camera by COLMAP's models: pixels run right and down, with the outer corner
// of the first at (0, 0).
type Inner struct {
	ID         int                `json:"id"`
	Model      string             `json:"model"`
	Width      int                `json:"width"`
	Height     int                `json:"height"`
	Parameters map[string]float64 `json:"parameters"`
}

// Shot is a photo in its place. A point X of the local frame is Rotation·(X - Position)
// in the frame of the camera, which looks along +z with x to the right and y down.
type Shot struct {
	Photo    string     `json:"photo"`
	Camera   int        `json:"camera"`
	Position [3]float64 `json:"position"`
	// Rotation in rows, and the same as a quaternion w, x, y, z.
	Rotation   [3][3]float64 `json:"rotation"`
	Quaternion [4]float64    `json:"quaternion"`
	// Yaw from north to east, Pitch up from the horizon and Roll to the right of the
	// axes of the camera, in degrees. Straight down yaw is where the upper edge points.
	Yaw   float64 `json:"yaw"`
	Pitch float64 `json:"pitch"`
	Roll  float64 `json:"roll"`
	// Coordinates in the CRS, and Latitude, Longitude (degrees, WGS 84) and Height
	// (metres); nil where the frame is not georeferenced.
	Coordinates *[3]float64 `json:"coordinates,omitempty"`
	Latitude    *float64    `json:"latitude,omitempty"`
	Longitude   *float64    `json:"longitude,omitempty"`
	Height      *float64    `json:"height,omitempty"`
	// View is the photo without distortion, made smaller; nil where it was not kept.
	View *View `json:"view,omitempty"`
}

// View is a photo as a pinhole camera of the same pose sees it. Path is relative to the
// folder of the result; the rest is in pixels of the file.
type View struct {
	Path   string     `json:"path"`
	Width  int        `json:"width"`
	Height int        `json:"height"`
	Focal  [2]float64 `json:"focal"`
	Center [2]float64 `json:"center"`
}

// ToCRS returns local coordinates in the CRS.
func (f *Frame) ToCRS(p [3]float64) [3]float64 {
	unit := func(v float64) float64 {
		if v == 0 {
			return 1
		}
		return v
	}
	u, h := unit(f.UnitMetres), unit(f.HeightUnitMetres)
	return [3]float64{p[0]/u + f.Offset[0], p[1]/u + f.Offset[1], p[2]/h + f.Offset[2]}
}

// toWGS84 is nil where the frame is not georeferenced.
func (f *Frame) toWGS84() (*crs.Transform, error) {
	if !f.Georeferenced {
		return nil, nil
	}
	var c *crs.CRS
	var err error
	if f.CRS != "" {
		c, err = crs.ParseWKT(f.CRS)
	} else {
		c, err = crs.FromEPSG(f.EPSG)
	}
	if err != nil {
		return nil, fmt.Errorf("cameras.json: %w", err)
	}
	t, err := c.ToWGS84()
	if err != nil {
		return nil, fmt.Errorf("cameras.json: %w", err)
	}
	return t, nil
}

// Cameras returns the content of cameras.json. labels are the names of photos that
// people know, by those of the model, and views what was kept of them; nil is none.
func Cameras(m *colmap.Model, f Frame, labels map[string]string, views map[string]View) (*CamerasFile, error) {
	wgs, err := f.toWGS84()
	if err != nil {
		return nil, err
	}
	out := &CamerasFile{Format: CamerasFormat, Version: 1, Frame: f, Cameras: []Inner{}, Shots: []Shot{}}
	for _, c := range m.Cameras {
		k := Inner{ID: c.ID, Model: c.Model, Width: c.Width, Height: c.Height, Parameters: map[string]float64{}}
		for i, name := range parameterNames[camera.Model(c.Model)] {
			if i < len(c.Params) {
				k.Parameters[name] = c.Params[i]
			}
		}
		out.Cameras = append(out.Cameras, k)
	}
	for _, image := range m.Images {
		s := shotOf(&image)
		if label := labels[image.Name]; label != "" {
			s.Photo = label
		}
		if v, ok := views[image.Name]; ok {
			s.View = &v
		}
		if wgs != nil {
			at := f.ToCRS(s.Position)
			geo := at
			if err := wgs.Apply(geo[:]); err != nil {
				return nil, fmt.Errorf("cameras.json: photo %s: %w", image.Name, err)
			}
			s.Coordinates, s.Longitude, s.Latitude, s.Height = &at, &geo[0], &geo[1], &geo[2]
		}
		out.Shots = append(out.Shots, s)
	}
	return out, nil
}

func shotOf(image *colmap.Image) Shot {
	p := camera.FromQuaternion(image.Rotation, image.Translation)
	s := Shot{Photo: image.Name, Camera: image.CameraID, Position: p.Center(), Quaternion: p.Quaternion()}
	for i := range 3 {
		s.Rotation[i] = [3]float64(p.R[3*i : 3*i+3])
	}
	s.Yaw, s.Pitch, s.Roll = attitude(&p)
	return s
}

// attitude of a camera in degrees.
func attitude(p *camera.Pose) (yaw, pitch, roll float64) {
	const degree = 180 / math.Pi
	look, right, up := p.Unrotate([3]float64{0, 0, 1}), p.Unrotate([3]float64{1, 0, 0}), p.Unrotate([3]float64{0, -1, 0})
	pitch = math.Asin(min(1, max(-1, look[2])))
	if math.Hypot(look[0], look[1]) < 1e-6 {
		// Straight up or down there is no heading but that of the upper edge.
		return turn(math.Atan2(up[0], up[1]) * degree), pitch * degree, 0
	}
	yaw = math.Atan2(look[0], look[1])
	level := [3]float64{math.Cos(yaw), -math.Sin(yaw), 0} // to the right of the heading
	over := [3]float64{-math.Sin(pitch) * math.Sin(yaw), -math.Sin(pitch) * math.Cos(yaw), math.Cos(pitch)}
	dot := func(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
	roll = math.Atan2(-dot(right, over), dot(right, level))
	return turn(yaw * degree), pitch * degree, roll * degree
}

// turn brings an angle to 0 up to 360.
func turn(a float64) float64 {
	if a < 0 {
		a += 360
	}
	return a
}

// Write writes the file as indented JSON.
func (c *CamerasFile) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(c)
}
