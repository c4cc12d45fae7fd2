package photogrammetry

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"slate360.ai/worker/internal/pipeline"
)

// Photo is a photo of the source and what is known of it.
type Photo struct {
	// Name is that in the model: unique, and safe in lists and command lines.
	Name string `json:"name"`
	// File is where it lies in the source, with forward slashes.
	File string `json:"file"`
	// Converted tells that COLMAP cannot read the file: it reads a copy in the
	// product of converted photos, of that Name.
	Converted bool `json:"converted,omitempty"`
	// Mask is the name of its mask in the product of masks; empty for none.
	Mask string `json:"mask,omitempty"`
	// Width and Height in pixels, before Orientation (1 to 8, as in EXIF).
	Width       int `json:"width"`
	Height      int `json:"height"`
	Orientation int `json:"orientation,omitempty"`
	// Camera is the index of its camera group.
	Camera int `json:"camera"`
	// Time is when it was taken; zero where not known.
	Time time.Time `json:"time,omitzero"`
	// GPS is where it was taken; nil where not known, or not believed.
	GPS *GPS `json:"gps,omitempty"`
	// Attitude of the camera, nil where not known.
	Attitude *Attitude `json:"attitude,omitempty"`
	// RelativeAltitude is that above the place of take-off, in metres.
	RelativeAltitude *float64 `json:"relativeAltitude,omitempty"`
	Look             Look     `json:"look"`
	// Excluded says why the photo is not used; empty where it is.
	Excluded string `json:"excluded,omitempty"`
}

// GPS is a position on WGS 84.
type GPS struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	// Altitude in metres, nil where not known.
	Altitude *float64 `json:"altitude,omitempty"`
	// Horizontal and Vertical are standard deviations in metres: those the photo
	// says, else what receivers of its kind have.
	Horizontal float64 `json:"horizontal"`
	Vertical   float64 `json:"vertical"`
}

// Attitude of a camera in degrees: yaw from north to east, pitch up from the
// horizon, roll.
type Attitude struct {
	Yaw   float64 `json:"yaw"`
	Pitch float64 `json:"pitch"`
	Roll  float64 `json:"roll"`
}

// Look is what was measured on the pixels.
type Look struct {
	// Mean and Deviation of brightness, 0 to 255.
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
	// Sharpness is how much of the contrast between neighbours lies in the finest
	// detail: see sharpness.
	Sharpness float64 `json:"sharpness"`
	// Hash is the difference hash of the photo in small.
	Hash uint64 `json:"hash"`
}

// Used tells whether the photo goes into the model.
func (p *Photo) Used() bool { return p.Excluded == "" }

// CameraGroup are photos that were taken with one camera at one focal length: they
// share their inner geometry.
type CameraGroup struct {
	Make   string `json:"make,omitempty"`
	Model  string `json:"model,omitempty"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	// FocalLength in millimetres, as EXIF has it; 0 where not known.
	FocalLength float64 `json:"focalLength,omitempty"`
	// FocalPixels is the prior of the focal length in pixels, 0 where there is none.
	FocalPixels float64 `json:"focalPixels,omitempty"`
	// FocalFrom says where the prior comes from.
	FocalFrom string `json:"focalFrom,omitempty"`
	Photos    int    `json:"photos"`
}

// Photos is what the inspect stage found.
type Photos struct {
	Photos   []Photo       `json:"photos"`
	Cameras  []CameraGroup `json:"cameras"`
	GCPs     string        `json:"gcps,omitempty"` // file of ground control points in the source
	Warnings []string      `json:"warnings"`
}

// used returns the photos that go into the model.
func (p *Photos) used() []Photo {
	list := make([]Photo, 0, len(p.Photos))
	for _, photo := range p.Photos {
		if photo.Used() {
			list = append(list, photo)
		}
	}
	return list
}

// byName maps the names of photos to their indices.
func (p *Photos) byName() map[string]int {
	m := make(map[string]int, len(p.Photos))
	for i := range p.Photos {
		m[p.Photos[i].Name] = i
	}
	return m
}

func readPhotos(s *pipeline.Context) (*Photos, error) {
	p := &Photos{}
	return p, readJSON(s.Product(productPhotos), p)
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o666)
}

// metresApart is the distance of two positions over the ground, for positions that
// are near each other compared with the Earth.
func metresApart(a, b *GPS) float64 {
	const radius = 6_371_000
	lat := (a.Latitude + b.Latitude) / 2 * math.Pi / 180
	dx := math.Remainder(a.Longitude-b.Longitude, 360) * math.Pi / 180 * math.Cos(lat)
	dy := (a.Latitude - b.Latitude) * math.Pi / 180
	return radius * math.Hypot(dx, dy)
}
