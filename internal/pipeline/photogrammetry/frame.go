package photogrammetry

import (
	"fmt"
	"math"

	"slate360.ai/worker/codec/crs"
)

// Frame says where the local frame lies: metres, x east, y north, z up. Where it is
// georeferenced its axes are those of the grid of CRS, so that a shift takes local
// coordinates to those of the CRS: see ToCRS.
type Frame struct {
	Georeferenced bool `json:"georeferenced"`
	// From says what places the model: "gps", "gcp", "gcp and gps", or "none".
	From string `json:"from"`
	// ScaleFrom says where the scale comes from: as From, "relative altitude", or
	// "guess".
	ScaleFrom string `json:"scaleFrom"`
	// CRS is WKT, EPSG its code or 0; both are empty where not georeferenced.
	CRS  string `json:"crs,omitempty"`
	EPSG int    `json:"epsg,omitempty"`
	// Offset is what coordinates in the CRS have more: easting, northing, height, in
	// the units of the CRS.
	Offset [3]float64 `json:"offset"`
	// UnitMetres and HeightUnitMetres are the units of the CRS, in metres.
	UnitMetres       float64 `json:"unitMetres"`
	HeightUnitMetres float64 `json:"heightUnitMetres"`
	// Latitude, Longitude (degrees) and Height (metres) of the local origin on WGS 84.
	Latitude  float64 `json:"latitude,omitempty"`
	Longitude float64 `json:"longitude,omitempty"`
	Height    float64 `json:"height,omitempty"`
	// GPS, GCP and Check are residuals of camera positions, ground control points, and
	// points that were not used to place the model.
	GPS   *Residuals `json:"gps,omitempty"`
	GCP   *Residuals `json:"gcp,omitempty"`
	Check *Residuals `json:"check,omitempty"`
}

// ToCRS returns local coordinates in the CRS.
func (f *Frame) ToCRS(p [3]float64) [3]float64 {
	return [3]float64{p[0]/f.UnitMetres + f.Offset[0], p[1]/f.UnitMetres + f.Offset[1], p[2]/f.HeightUnitMetres + f.Offset[2]}
}

// gridNorth is where y points at the origin, in degrees from the north of the globe to
// the east.
func (f *Frame) gridNorth() (float64, error) {
	c, err := crs.Parse(f.CRS)
	if err != nil {
		return 0, err
	}
	t, err := c.ToWGS84()
	if err != nil {
		return 0, err
	}
	const step = 100 // metres, over which the grid does not turn
	north := f.ToCRS([3]float64{0, step, 0})
	p := north[:]
	if err := t.Apply(p); err != nil {
		return 0, err
	}
	east := (p[0] - f.Longitude) * math.Cos(f.Latitude*math.Pi/180)
	return math.Atan2(east, p[1]-f.Latitude) * 180 / math.Pi, nil
}

// Residuals are differences between measured and modelled positions, in metres.
type Residuals struct {
	Points []Residual `json:"points"`
	// Used are those that fit, and went into the sums.
	Used int `json:"used"`
	// Mean and RMS are those of the used ones: east, north, up.
	Mean [3]float64 `json:"mean"`
	RMS  [3]float64 `json:"rms"`
	// RMSHorizontal and RMS3D are those of distances.
	RMSHorizontal float64 `json:"rmsHorizontal"`
	RMS3D         float64 `json:"rms3d"`
}

// Residual is measured less modelled of one position: east, north, up, in metres.
type Residual struct {
	Name  string     `json:"name"`
	Delta [3]float64 `json:"delta"`
	// Fits is false for those that are too far off to be believed.
	Fits bool `json:"fits"`
	// Photos see a ground control point, PixelError is the mean distance of its
	// reprojection.
	Photos     int     `json:"photos,omitempty"`
	PixelError float64 `json:"pixelError,omitempty"`
}

func sumUp(list []Residual) *Residuals {
	r := &Residuals{Points: list}
	var squares [3]float64
	for _, p := range list {
		if !p.Fits {
			continue
		}
		r.Used++
		for k, d := range p.Delta {
			r.Mean[k] += d
			squares[k] += d * d
		}
	}
	if r.Used == 0 {
		return r
	}
	n := float64(r.Used)
	for k := range 3 {
		r.Mean[k] /= n
		r.RMS[k] = math.Sqrt(squares[k] / n)
	}
	r.RMSHorizontal = math.Sqrt((squares[0] + squares[1]) / n)
	r.RMS3D = math.Sqrt((squares[0] + squares[1] + squares[2]) / n)
	return r
}

// grid is a projected CRS with ways to it, in metres.
type grid struct {
	crs       *crs.CRS
	fromWGS84 *crs.Transform
	toWGS84   *crs.Transform
	unit      float64
	zUnit     float64
}

const (
	epsgWGS84   = 4979
	epsgNorthUT = 32600
	epsgSouthUT = 32700
)

// utmZone returns the EPSG code of the UTM zone of a position on WGS 84, with the
// exceptions of Norway and Svalbard.
func utmZone(lat, lon float64) int {
	zone := int(math.Floor((math.Remainder(lon, 360)+180)/6))%60 + 1
	if lat >= 56 && lat < 64 && lon >= 3 && lon < 12 {
		zone = 32
	}
	if lat >= 72 && lat < 84 {
		for _, z := range []struct {
			from, to float64
			zone     int
		}{{0, 9, 31}, {9, 21, 33}, {21, 33, 35}, {33, 42, 37}} {
			if lon >= z.from && lon < z.to {
				zone = z.zone
			}
		}
	}
	if lat < 0 {
		return epsgSouthUT + zone
	}
	return epsgNorthUT + zone
}

func newGrid(c *crs.CRS) (*grid, error) {
	if !c.IsProjected() {
		return nil, fmt.Errorf("%s is not a projected coordinate system, which a model is measured in", c.Name())
	}
	wgs84, err := crs.FromEPSG(epsgWGS84)
	if err != nil {
		return nil, err
	}
	g := &grid{crs: c, unit: c.HorizontalUnit().Metres, zUnit: c.VerticalUnit().Metres}
	if g.fromWGS84, err = crs.NewTransform(wgs84, c); err != nil {
		return nil, err
	}
	g.toWGS84, err = c.ToWGS84()
	return g, err
}

// metres returns a position on WGS 84 on the grid, in metres.
func (g *grid) metres(lat, lon, height float64) ([3]float64, error) {
	p := []float64{lon, lat, height}
	if err := g.fromWGS84.Apply(p); err != nil {
		return [3]float64{}, err
	}
	return [3]float64{p[0] * g.unit, p[1] * g.unit, p[2] * g.zUnit}, nil
}

// place fills in where the origin lies, which is given in metres of the grid.
func (g *grid) place(f *Frame, origin [3]float64) error {
	f.Georeferenced = true
	f.CRS, f.EPSG = g.crs.WKT(), g.crs.EPSG()
	f.UnitMetres, f.HeightUnitMetres = g.unit, g.zUnit
	f.Offset = [3]float64{origin[0] / g.unit, origin[1] / g.unit, origin[2] / g.zUnit}
	p := []float64{f.Offset[0], f.Offset[1], f.Offset[2]}
	if err := g.toWGS84.Apply(p); err != nil {
		return fmt.Errorf("place the origin: %w", err)
	}
	f.Longitude, f.Latitude, f.Height = p[0], p[1], p[2]
	return nil
}
