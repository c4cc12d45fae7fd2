package crs

import (
	"fmt"
	"math"
)

// method is the EPSG code of a map projection method.
type method int

const (
	methodLambert1SP         method = 9801
	methodLambert2SP         method = 9802
	methodLambertBelgium     method = 9803
	methodMercatorA          method = 9804
	methodMercatorB          method = 9805
	methodWebMercator        method = 1024
	methodCassini            method = 9806
	methodTransverse         method = 9807
	methodTransverseSouth    method = 9808
	methodObliqueStereo      method = 9809
	methodPolarA             method = 9810
	methodPolarB             method = 9829
	methodPolarC             method = 9830
	methodHotineA            method = 9812
	methodHotineB            method = 9815
	methodKrovakNorth        method = 1041
	methodLambertEqualArea   method = 9820
	methodAlbers             method = 9822
	conditionedLimit                = 1e9 // metres; no false origin lies further out
	maxScale                        = 1e3
	maxDegrees                      = 360.0
	defaultKrovakColatitude         = 30.28813975277778
	defaultKrovakParallel           = 78.5
	defaultKrovakScaleFactor        = 0.9999
)

// params are the parameters of a map projection: angles in degrees (longitudes
// from the prime meridian of the CRS), lengths in metres.
type params struct {
	lat0  float64 // latitude of the natural or false origin, or of the projection centre
	lon0  float64 // its longitude
	lat1  float64 // first (or only, or pseudo) standard parallel
	lat2  float64 // second standard parallel
	k     float64 // scale factor
	fe    float64 // false easting
	fn    float64 // false northing
	az    float64 // azimuth of the initial line
	rect  float64 // angle from rectified to skew grid
	colat float64 // co-latitude of the cone axis
}

// projection turns longitude and latitude (radians, Greenwich) into easting
// and northing in metres and back. What has no image is NaN.
type projection interface {
	forward(lon, lat float64) (x, y float64)
	inverse(x, y float64) (lon, lat float64)
}

// directionInverse is a projection whose inverse yields sines and cosines
// cheaper than angles, for the way to geocentric coordinates.
type directionInverse interface {
	inverseDirection(x, y float64) direction
}

// newProjection makes the projection of a method. meridian is the longitude of
// the prime meridian in degrees.
func newProjection(m method, p *params, el *ellipsoid, meridian float64) (projection, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	lon0 := radians(p.lon0 + meridian)
	switch m {
	case methodTransverse:
		return newTransverseMercator(el, p, lon0), nil
	case methodTransverseSouth:
		return newTransverseMercatorSouth(el, p, lon0), nil
	case methodLambert1SP, methodLambert2SP, methodLambertBelgium:
		return orError(newLambertConformal(el, p, lon0, m))
	case methodAlbers:
		return orError(newAlbers(el, p, lon0))
	case methodMercatorA, methodMercatorB:
		return orError(newMercator(el, p, lon0, m))
	case methodWebMercator:
		return &webMercator{a: el.a, lon0: lon0, fe: p.fe, fn: p.fn}, nil
	case methodPolarA, methodPolarB, methodPolarC:
		return orError(newPolarStereographic(el, p, lon0, m))
	case methodObliqueStereo:
		return orError(newObliqueStereographic(el, p, lon0))
	case methodHotineA, methodHotineB:
		return orError(newHotine(el, p, lon0, m))
	case methodLambertEqualArea:
		return newLambertAzimuthal(el, p, lon0), nil
	case methodCassini:
		return newCassini(el, p, lon0), nil
	case methodKrovakNorth:
		return orError(newKrovak(el, p, lon0))
	}
	return nil, &UnsupportedError{Method: fmt.Sprintf("EPSG method %d", int(m))}
}

// orError keeps a failed constructor's typed nil out of the interface.
func orError[P projection](p P, err error) (projection, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// check refuses parameters that no projection has; what comes from a file may
// be anything.
func (p *params) check() error {
	for _, v := range []float64{p.lat0, p.lat1, p.lat2} {
		if !(math.Abs(v) <= 90) {
			return badParameter("latitude %g° of the projection is out of range", v)
		}
	}
	for _, v := range []float64{p.lon0, p.az, p.rect, p.colat} {
		if !(math.Abs(v) <= maxDegrees) {
			return badParameter("angle %g° of the projection is out of range", v)
		}
	}
	if !(p.k > 0 && p.k < maxScale) {
		return badParameter("scale factor %g of the projection is out of range", p.k)
	}
	if !(math.Abs(p.fe) < conditionedLimit && math.Abs(p.fn) < conditionedLimit) {
		return badParameter("false origin (%g, %g) m of the projection is out of range", p.fe, p.fn)
	}
	return nil
}

func radians(deg float64) float64 { return deg * (math.Pi / 180) }

// wrap brings a longitude in radians into [-pi, pi].
func wrap(lon float64) float64 {
	if lon <= math.Pi && lon >= -math.Pi {
		return lon
	}
	return math.Remainder(lon, 2*math.Pi)
}
