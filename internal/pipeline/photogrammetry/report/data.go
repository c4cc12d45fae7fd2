// Package report tells people and programs how good a reconstruction from photos is:
// report.html, which needs nothing beside itself and prints well, report.json with the
// same figures, and cameras.json with the poses.
package report

import "time"

// Data is all that the report says. Positions are of the local frame (metres, x east, y
// north, z up) unless they say otherwise, pixels those of the photos.
type Data struct {
	// Title is the name of the job or source, Program what made the model.
	Title   string    `json:"title"`
	Program string    `json:"program"`
	Created time.Time `json:"created"`

	Photos  []Photo  `json:"photos"`
	Cameras []Camera `json:"cameras"`
	Pairs   []Pair   `json:"pairs"`
	Frame   Frame    `json:"frame"`

	Reprojection Errors `json:"reprojection"`
	Tracks       Tracks `json:"tracks"`

	// GSD is the ground sampling distance: the median width, in metres, of what a pixel
	// sees of the surface. 0 where the scale is not known.
	GSD float64 `json:"gsd"`
	// Area that two photos or more see, in square metres; 0 where photos do not look
	// down.
	Area float64 `json:"area"`
	// SparsePoints and DensePoints are numbers of points, Triangles that of the mesh; 0
	// where there are none.
	SparsePoints int   `json:"sparsePoints"`
	DensePoints  int64 `json:"densePoints,omitempty"`
	Triangles    int64 `json:"triangles,omitempty"`
	// Overlap is how many photos see the ground; nil where photos do not look down.
	Overlap *Overlap `json:"overlap,omitempty"`

	// GPS, GCP and Check are residuals of camera positions, of ground control points,
	// and of points that did not take part; nil where there are none.
	GPS   *Residuals `json:"gps,omitempty"`
	GCP   *Residuals `json:"gcp,omitempty"`
	Check *Residuals `json:"check,omitempty"`

	Stages   []Stage   `json:"stages"`
	Warnings []string  `json:"warnings"`
	Previews []Preview `json:"-"`
}

// Photo is one of the photos that came.
type Photo struct {
	Name       string `json:"name"`
	Registered bool   `json:"registered"`
	// Reason says why it is not in the model.
	Reason string `json:"reason,omitempty"`
	// Camera is an index of Data.Cameras, -1 where not known.
	Camera int `json:"camera"`
	// Position and Direction of sight of those that are registered; else Position is
	// where GPS says, and nil where nothing does.
	Position  *[3]float64 `json:"position,omitempty"`
	Direction *[3]float64 `json:"direction,omitempty"`
	// Points of the model that it shows, and the mean distance to where the model says
	// they are, in pixels.
	Points int     `json:"points"`
	Error  float64 `json:"error"`
	// GSD of what it sees, in metres.
	GSD float64 `json:"gsd,omitempty"`
	// Sharpness as measured on the pixels; 0 where it was not.
	Sharpness float64 `json:"sharpness,omitempty"`
}

// Camera is the inner geometry before and after adjustment.
type Camera struct {
	// Name is maker and model as the photos have them.
	Name   string `json:"name"`
	Model  string `json:"model"` // by COLMAP's name
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Photos int    `json:"photos"`
	// Parameters after adjustment, in the order of the model.
	Parameters []Parameter `json:"parameters"`
	// Prior is the focal length in pixels before, and PriorFrom says where it is from.
	Prior     float64 `json:"prior,omitempty"`
	PriorFrom string  `json:"priorFrom,omitempty"`
	// Displacement is how far distortion moves the corners, in pixels.
	Displacement float64 `json:"displacement"`
}

// Parameter of a camera model.
type Parameter struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Pair are two photos (indices of Data.Photos) and how many points of the model, or
// verified matches, they share.
type Pair struct {
	A      int `json:"a"`
	B      int `json:"b"`
	Shared int `json:"shared"`
}

// Frame says where the local frame lies; its JSON is that of the pipeline's frame.json,
// as far as the report needs it.
type Frame struct {
	Georeferenced bool       `json:"georeferenced"`
	From          string     `json:"from"`
	ScaleFrom     string     `json:"scaleFrom,omitempty"`
	CRS           string     `json:"crs,omitempty"`
	EPSG          int        `json:"epsg,omitempty"`
	Offset        [3]float64 `json:"offset"`
	// Units of the CRS in metres; 0 is 1.
	UnitMetres       float64 `json:"unitMetres"`
	HeightUnitMetres float64 `json:"heightUnitMetres"`
	Latitude         float64 `json:"latitude,omitempty"`
	Longitude        float64 `json:"longitude,omitempty"`
	Height           float64 `json:"height,omitempty"`
}

// scaled tells whether the unit of the frame is known to be the metre, if roughly.
func (f *Frame) scaled() bool {
	return f.Georeferenced || f.ScaleFrom != "" && f.ScaleFrom != "guess"
}

// Residuals are measured less modelled positions in metres: east, north, up.
type Residuals struct {
	Points        []Residual `json:"points"`
	Used          int        `json:"used"`
	Mean          [3]float64 `json:"mean"`
	RMS           [3]float64 `json:"rms"`
	RMSHorizontal float64    `json:"rmsHorizontal"`
	RMS3D         float64    `json:"rms3d"`
}

// Residual is that of one position. Fits is false where it was not believed.
type Residual struct {
	Name       string     `json:"name"`
	Delta      [3]float64 `json:"delta"`
	Fits       bool       `json:"fits"`
	Photos     int        `json:"photos,omitempty"`
	PixelError float64    `json:"pixelError,omitempty"`
}

// Errors are distances of reprojection in pixels.
type Errors struct {
	Observations int     `json:"observations"`
	Mean         float64 `json:"mean"`
	Median       float64 `json:"median"`
	RMS          float64 `json:"rms"`
	// Counts of distances in steps of Step; the last holds all beyond, too.
	Step   float64 `json:"step"`
	Counts []int   `json:"counts"`
}

// Tracks say how many photos see a point.
type Tracks struct {
	Mean float64 `json:"mean"`
	// Counts of points by the number of photos: the first is 2 photos, the last holds
	// all beyond, too.
	Counts []int `json:"counts"`
}

// Overlap is a grid of how many photos see the ground, rows from the north.
type Overlap struct {
	West   float64 `json:"west"`
	North  float64 `json:"north"`
	Cell   float64 `json:"cell"`
	Cols   int     `json:"cols"`
	Rows   int     `json:"rows"`
	Counts []int   `json:"counts"`
}

// Stage is a step of the pipeline.
type Stage struct {
	Name      string  `json:"name"`
	Engine    string  `json:"engine"`
	Seconds   float64 `json:"seconds"`
	PeakBytes int64   `json:"peakBytes"`
	Resumed   bool    `json:"resumed,omitempty"`
}

// Preview is a picture of a result.
type Preview struct {
	Title string
	// Type is image/png, image/jpeg or image/webp.
	Type  string
	Bytes []byte
}
