// Package colmap reads and writes the files of COLMAP: sparse models as text and
// binary, depth and normal maps, and which views see the points of a fused cloud.
//
// Formats: COLMAP documentation, "Output Format" and "Dense Reconstruction".
package colmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Camera is the inner geometry of photos: a model by COLMAP's name and its
// parameters.
type Camera struct {
	ID            int
	Model         string
	Width, Height int
	Params        []float64
}

// Image is a photo with its pose.
type Image struct {
	ID int
	// Rotation is a quaternion w, x, y, z, and Translation, from the world to the
	// frame of the camera.
	Rotation    [4]float64
	Translation [3]float64
	CameraID    int
	Name        string
	// Points are features, in pixels, and the point of the model that each shows;
	// -1 for none.
	Points []ImagePoint
}

// ImagePoint is a feature of a photo.
type ImagePoint struct {
	X, Y  float64
	Point int64
}

// Point is a point of the model.
type Point struct {
	ID    int64
	XYZ   [3]float64
	Color [3]uint8
	// Error is the mean distance of reprojection, in pixels.
	Error float64
	Track []Observation
}

// Observation is a photo that shows a point, and the index of the feature.
type Observation struct {
	ImageID int
	Index   int
}

// Model is a sparse reconstruction.
type Model struct {
	Cameras []Camera
	Images  []Image
	Points  []Point
}

// ErrFormat says that a file is not what it should be.
var ErrFormat = errors.New("colmap: malformed file")

func malformed(name, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrFormat, name, fmt.Sprintf(format, args...))
}

// Read reads the model in a folder: binary where it is there, else text.
func Read(dir string) (*Model, error) {
	if _, err := os.Stat(filepath.Join(dir, "cameras.bin")); err == nil {
		return ReadBinary(dir)
	}
	return ReadText(dir)
}
