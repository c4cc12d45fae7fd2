package crs

import (
	"errors"
	"fmt"
	"math"
)

// ErrUnknownCRS says that a text or code names no coordinate reference system
// that this package knows; the wrapping error says which.
var ErrUnknownCRS = errors.New("unknown coordinate reference system")

// UnsupportedError is returned for a CRS that was understood but rests on a
// map projection method or kind of CRS that is not implemented.
type UnsupportedError struct {
	Method string // its name in the source
}

// Error names the method.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("coordinate reference system uses %q, which is not supported: reproject the data to a common CRS (UTM, for example) first", e.Method)
}

// ErrParameter is wrapped by errors on impossible parameters of a CRS
// (latitudes beyond the poles, a scale factor of zero and the like).
var ErrParameter = errors.New("invalid parameter of a coordinate reference system")

func badParameter(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrParameter, fmt.Sprintf(format, args...))
}

// Unit is a unit of length or angle.
type Unit struct {
	Name   string  // EPSG's name where known: "metre", "foot", "US survey foot", "degree"
	Metres float64 // metres, or radians for an angular unit, in one unit
}

type kind uint8

const (
	geographic2D kind = iota
	geographic3D
	geocentric
	projected
)

// spheroid is an ellipsoid as a CRS names it.
type spheroid struct {
	name              string
	epsg              int
	a                 float64 // m
	inverseFlattening float64 // 0 for a sphere
}

// meridian is a prime meridian.
type meridian struct {
	name string
	epsg int
	lon  float64 // degrees east of Greenwich
}

// helmert holds TOWGS84 parameters: translations in metres, rotations in
// arc-seconds (position vector convention), scale difference in ppm.
type helmert [7]float64

func (h *helmert) isNull() bool { return *h == helmert{} }

// datum is a geodetic reference frame.
type datum struct {
	name     string
	epsg     int
	spheroid spheroid
	meridian meridian
	toWGS84  *helmert // given by the source text; nil otherwise
	known    *knownShift
}

// knownShift is the tables' transformation of a datum to WGS 84.
type knownShift struct {
	epsg     int     // code of the transformation
	accuracy float64 // m
	helmert  helmert
}

// geodeticCRS is the geographic or geocentric CRS, or the base of a projected one.
type geodeticCRS struct {
	name      string
	epsg      int
	datum     datum
	unit      Unit // angular; linear for a geocentric CRS
	unitEPSG  int
	eastFirst bool // the authority's axis order, for writing only
}

// conversion is the map projection of a projected CRS.
type conversion struct {
	name   string
	epsg   int
	method method
	params params
}

// verticalCRS is the vertical part of a compound CRS.
type verticalCRS struct {
	name        string
	epsg        int
	datumName   string
	datumEPSG   int
	unit        Unit
	unitEPSG    int
	down        bool // depths
	ellipsoidal bool // heights above the ellipsoid, said explicitly
}

// CRS is a coordinate reference system: geographic, geocentric or projected,
// with or without a vertical part. It is immutable and safe for concurrent use.
type CRS struct {
	kind      kind
	name      string
	epsg      int // of the horizontal part
	compound  string
	compEPSG  int
	base      geodeticCRS
	conv      conversion
	unit      Unit // linear unit of a projected CRS
	unitEPSG  int
	vertical  *verticalCRS
	height3D  Unit   // unit of the third axis of a geographic 3D CRS
	wkt       string // source text, if the CRS was parsed from WKT
	southWest bool   // axes are westing and southing
}

// Name is the name of the CRS; of a compound one, the name of the whole.
func (c *CRS) Name() string {
	if c.vertical == nil {
		return c.name
	}
	if c.compound != "" {
		return c.compound
	}
	return c.name + " + " + c.vertical.name
}

// EPSG is the EPSG code of the horizontal part, 0 where it is not known.
func (c *CRS) EPSG() int { return c.epsg }

// VerticalEPSG is the EPSG code of the vertical part, 0 where there is none or
// it is not known.
func (c *CRS) VerticalEPSG() int {
	if c.vertical == nil {
		return 0
	}
	return c.vertical.epsg
}

// HasVertical says whether the CRS tells what heights are measured from: a
// vertical part, a third axis, or geocentric coordinates.
func (c *CRS) HasVertical() bool {
	return c.vertical != nil || c.kind == geographic3D || c.kind == geocentric
}

// IsGeographic says whether x and y are longitude and latitude.
func (c *CRS) IsGeographic() bool { return c.kind == geographic2D || c.kind == geographic3D }

// IsGeocentric says whether coordinates are Cartesian around the Earth's centre.
func (c *CRS) IsGeocentric() bool { return c.kind == geocentric }

// IsProjected says whether x and y are easting and northing of a map projection.
func (c *CRS) IsProjected() bool { return c.kind == projected }

// HorizontalUnit is the unit of x and y (of x, y and z of a geocentric CRS).
// For a geographic CRS Metres is radians per unit.
func (c *CRS) HorizontalUnit() Unit {
	if c.kind == projected {
		return c.unit
	}
	return c.base.unit
}

// VerticalUnit is the unit of z: of the vertical part, else the linear unit of
// a projected or geocentric CRS, else the third axis' unit or metres.
func (c *CRS) VerticalUnit() Unit {
	switch {
	case c.vertical != nil:
		return c.vertical.unit
	case c.kind == projected:
		return c.unit
	case c.kind == geocentric:
		return c.base.unit
	case c.height3D.Metres > 0:
		return c.height3D
	}
	return Unit{Name: "metre", Metres: 1}
}

// check makes sure that the CRS can be computed with, so that every CRS handed
// out can be.
func (c *CRS) check() error {
	s := &c.base.datum.spheroid
	if !(s.a > 1e3 && s.a < 1e9) {
		return badParameter("semi-major axis %g m", s.a)
	}
	if s.inverseFlattening != 0 && !(s.inverseFlattening > 20 && !math.IsInf(s.inverseFlattening, 0)) {
		return badParameter("inverse flattening %g", s.inverseFlattening)
	}
	if !(math.Abs(c.base.datum.meridian.lon) <= maxDegrees) {
		return badParameter("prime meridian at %g°", c.base.datum.meridian.lon)
	}
	units := []Unit{c.HorizontalUnit(), c.VerticalUnit(), c.base.unit}
	for _, u := range units {
		if !(u.Metres > 1e-9 && u.Metres < 1e9) {
			return badParameter("unit %q of %g", u.Name, u.Metres)
		}
	}
	if h := c.base.datum.toWGS84; h != nil {
		for _, v := range h {
			if !(math.Abs(v) < 1e6) {
				return badParameter("datum shift of %g", v)
			}
		}
	}
	if c.kind != projected {
		return nil
	}
	_, err := newProjection(c.conv.method, &c.conv.params, newEllipsoid(s.a, s.inverseFlattening), c.base.datum.meridian.lon)
	return err
}

// baseCRS is the geographic CRS that a projected one rests on.
func (c *CRS) baseCRS() *CRS {
	return &CRS{kind: geographic2D, name: c.base.name, epsg: c.base.epsg, base: c.base, height3D: c.VerticalUnit()}
}
