package crs

import (
	"fmt"
	"math"
	"strings"
)

// ParseWKT reads WKT 1 (GDAL's and ESRI's dialects) or WKT 2 (2015, 2019).
// Bad text gives ErrUnknownCRS, or ErrParameter where a number is impossible;
// a CRS that this package cannot compute gives *UnsupportedError.
func ParseWKT(wkt string) (*CRS, error) {
	wkt = strings.TrimRight(wkt, "\x00 \r\n\t")
	nodes, err := parseNodes(wkt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknownCRS, err)
	}
	c := &CRS{}
	for _, n := range nodes {
		if err := c.read(n); err != nil {
			return nil, err
		}
	}
	if c.name == "" && c.base.datum.spheroid.a == 0 {
		return nil, fmt.Errorf("%w: wkt %s has no horizontal part", ErrUnknownCRS, nodes[0].keyword)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("wkt %.60q: %w", c.name, err)
	}
	c.wkt = wkt
	return c, nil
}

// read takes over one CRS node; called again for each part of a compound CRS.
func (c *CRS) read(n *wktNode) error {
	switch n.keyword {
	case "PROJCS", "PROJCRS", "PROJECTEDCRS":
		return c.readProjected(n)
	case "GEOGCS", "GEOGCRS", "GEOGRAPHICCRS", "GEOCCS", "GEODCRS", "GEODETICCRS":
		return c.readGeodetic(n)
	case "VERT_CS", "VERTCS", "VERTCRS", "VERTICALCRS":
		return c.readVertical(n)
	case "COMPD_CS", "COMPOUNDCRS":
		c.compound, c.compEPSG = n.value(0), n.epsg()
		for _, part := range n.children {
			switch part.keyword {
			case "AUTHORITY", "ID", "EXTENSION", "USAGE", "SCOPE", "AREA", "BBOX", "REMARK", "COMPD_CS", "COMPOUNDCRS":
				continue
			}
			if err := c.read(part); err != nil {
				return err
			}
		}
		return nil
	case "BOUNDCRS":
		return c.readBound(n)
	case "LOCAL_CS", "ENGCRS", "ENGINEERINGCRS":
		return fmt.Errorf("%w: %s %q is a local system without a place on the Earth", ErrUnknownCRS, n.keyword, n.value(0))
	case "DERIVEDPROJCRS", "FITTED_CS", "PARAMETRICCRS", "TIMECRS", "COORDINATEMETADATA", "COORDINATEOPERATION", "CONCATENATEDOPERATION", "GEOGTRAN":
		return &UnsupportedError{Method: n.keyword}
	}
	return fmt.Errorf("%w: wkt keyword %.40q", ErrUnknownCRS, n.keyword)
}

// readBound takes the source CRS of a BOUNDCRS and, where the target is a
// Helmert transformation to WGS 84, its parameters.
func (c *CRS) readBound(n *wktNode) error {
	source := n.child("SOURCECRS")
	if source == nil || len(source.children) == 0 {
		return fmt.Errorf("%w: BOUNDCRS without SOURCECRS", ErrUnknownCRS)
	}
	if err := c.read(source.children[0]); err != nil {
		return err
	}
	tr := n.child("ABRIDGEDTRANSFORMATION")
	if m := tr.child("METHOD"); m == nil || c.vertical != nil {
		return nil
	}
	frame := strings.Contains(simplify(tr.child("METHOD").value(0)), "coordinateframe")
	var h helmert
	found := false
	for _, p := range tr.children {
		i := boundIndex(simplify(p.value(0)))
		if p.keyword != "PARAMETER" || i < 0 {
			continue
		}
		v, err := p.number(1)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnknownCRS, err)
		}
		switch {
		case i == 6 && math.Abs(v-1) < 0.1: // the scale itself, not its difference
			v = (v - 1) * 1e6
		case i >= 3 && i < 6 && frame:
			v = -v
		}
		h[i] = v
		found = true
	}
	if found {
		c.base.datum.toWGS84 = &h
	}
	return nil
}

func boundIndex(name string) int {
	for i, s := range []string{"xaxistranslation", "yaxistranslation", "zaxistranslation", "xaxisrotation", "yaxisrotation", "zaxisrotation", "scaledifference"} {
		if name == s {
			return i
		}
	}
	return -1
}

// unitKeywords are the keywords of units that measure length or angle.
var lengthKeywords = []string{"LENGTHUNIT", "UNIT"}

// readUnit reads a unit node; ok is false where there is none.
func readUnit(n *wktNode) (u Unit, code int, ok bool, err error) {
	if n == nil {
		return Unit{}, 0, false, nil
	}
	f, err := n.number(1)
	if err != nil {
		return Unit{}, 0, false, fmt.Errorf("%w: %w", ErrUnknownCRS, err)
	}
	u = Unit{Name: n.value(0), Metres: f}
	return u, n.epsg(), true, nil
}

// named gives a unit EPSG's name, code and exact size where it is one of the
// common ones: texts round the size and spell the name in many ways.
func (u Unit) named(code int, angular bool) (Unit, int) {
	if c := unitCode(u, angular); c != 0 {
		return unitFromEPSG(c), c
	}
	return u, code
}

// axisUnit finds the unit of the first axis, in the axis or in the whole.
func axisUnit(n *wktNode, keywords ...string) *wktNode {
	if u := n.child(keywords...); u != nil {
		return u
	}
	return n.child("AXIS").child(keywords...)
}

func (c *CRS) readGeodetic(n *wktNode) error {
	g, err := readBase(n)
	if err != nil {
		return err
	}
	if c.kind == projected && c.name != "" || c.base.name != "" {
		return fmt.Errorf("%w: wkt has two horizontal parts", ErrUnknownCRS)
	}
	axes := 0
	for _, ch := range n.children {
		if ch.keyword == "AXIS" {
			axes++
		}
	}
	c.name, c.epsg = n.value(0), n.epsg()
	cs := n.child("CS")
	switch {
	case n.keyword == "GEOCCS" || strings.EqualFold(cs.value(0), "Cartesian"):
		c.kind = geocentric
		u, code, ok, err := readUnit(axisUnit(n, lengthKeywords...))
		if err != nil {
			return err
		}
		if !ok {
			u, code = unitFromEPSG(unitMetre), unitMetre
		}
		g.unit, g.unitEPSG = u.named(code, false)
	case axes == 3:
		c.kind = geographic3D
		c.height3D = unitFromEPSG(unitMetre)
		last := n.children[0]
		for _, ch := range n.children {
			if ch.keyword == "AXIS" {
				last = ch
			}
		}
		u, code, ok, err := readUnit(last.child(lengthKeywords...))
		if err != nil {
			return err
		}
		if ok {
			c.height3D, _ = u.named(code, false)
		}
	default:
		c.kind = geographic2D
	}
	g.eastFirst = !strings.EqualFold(n.child("AXIS").value(1), "NORTH")
	c.base = g
	return nil
}

// readBase reads a geographic or geocentric node as far as it is the base of
// others: datum and angular unit.
func readBase(n *wktNode) (geodeticCRS, error) {
	g := geodeticCRS{name: n.value(0), epsg: n.epsg(), unit: unitFromEPSG(unitDegree), unitEPSG: unitDegree, eastFirst: true}
	if n.keyword != "GEOCCS" {
		u, code, ok, err := readUnit(axisUnit(n, "ANGLEUNIT", "UNIT"))
		if err != nil {
			return g, err
		}
		if ok && u.Metres < 0.9 { // a radian would be 1, which is rather a metre here
			g.unit, g.unitEPSG = u.named(code, true)
		} else if ok && simplify(u.Name) == "radian" {
			g.unit, g.unitEPSG = u.named(code, true)
		}
	}
	d, err := readDatum(n, g.unit)
	if err != nil {
		return g, err
	}
	g.datum = d
	if d.epsg == 0 && g.epsg != 0 {
		if r := record(geodeticTable, g.epsg); r != nil {
			g.datum.known = shiftOfDatum(atoi(r[3]))
			g.datum.epsg = atoi(r[3])
		}
	}
	return g, nil
}

func shiftOfDatum(code int) *knownShift {
	if r := record(datumTable, code); r != nil {
		return shiftOf(r)
	}
	return nil
}

func readDatum(n *wktNode, angular Unit) (datum, error) {
	dn := n.child("DATUM", "GEODETICDATUM", "TRF", "ENSEMBLE")
	if dn == nil {
		return datum{}, fmt.Errorf("%w: %s %q has no DATUM", ErrUnknownCRS, n.keyword, n.value(0))
	}
	d := datum{name: dn.value(0), epsg: dn.epsg()}
	e := dn.child("SPHEROID", "ELLIPSOID")
	a, err := e.number(1)
	if err != nil {
		return d, fmt.Errorf("%w: ellipsoid of datum %q: %w", ErrUnknownCRS, d.name, err)
	}
	f, err := e.number(2)
	if err != nil {
		return d, fmt.Errorf("%w: ellipsoid of datum %q: %w", ErrUnknownCRS, d.name, err)
	}
	if u, _, ok, err := readUnit(e.child(lengthKeywords...)); err != nil {
		return d, err
	} else if ok {
		a *= u.Metres
	}
	d.spheroid = spheroid{name: e.value(0), epsg: e.epsg(), a: a, inverseFlattening: f}
	if d.meridian, err = readMeridian(n.child("PRIMEM", "PRIMEMERIDIAN"), angular); err != nil {
		return d, err
	}
	if t := dn.child("TOWGS84"); t != nil {
		var h helmert
		for i := range min(len(t.values), len(h)) {
			if h[i], err = t.number(i); err != nil {
				return d, fmt.Errorf("%w: %w", ErrUnknownCRS, err)
			}
		}
		d.toWGS84 = &h
	}
	if record(datumTable, d.epsg) == nil {
		if code := datumByName(d.name); code != 0 {
			d.epsg = code
		}
	}
	d.known = shiftOfDatum(d.epsg)
	return d, nil
}

// readMeridian reads a prime meridian: in its own unit (WKT 2), else in that
// of the geographic CRS; GDAL and ESRI write degrees where that is grads.
func readMeridian(n *wktNode, angular Unit) (meridian, error) {
	if n == nil {
		return meridian{name: "Greenwich", epsg: 8901}, nil
	}
	v, err := n.number(1)
	if err != nil {
		return meridian{}, fmt.Errorf("%w: %w", ErrUnknownCRS, err)
	}
	m := meridian{name: n.value(0), epsg: n.epsg()}
	u, _, ok, err := readUnit(n.child("ANGLEUNIT", "UNIT"))
	if err != nil {
		return m, err
	}
	if !ok {
		u = angular
		if r := record(meridianTable, m.epsg); r != nil && math.Abs(atof(r[2])-v) < 1e-5 || math.Abs(v-2.337229) < 1e-5 {
			u = unitFromEPSG(unitDegree)
		}
	}
	m.lon = v * u.Metres / unitFromEPSG(unitDegree).Metres
	return m, nil
}

func (c *CRS) readVertical(n *wktNode) error {
	if c.vertical != nil {
		return fmt.Errorf("%w: wkt has two vertical parts", ErrUnknownCRS)
	}
	v := &verticalCRS{name: n.value(0), epsg: n.epsg()}
	if d := n.child("VERT_DATUM", "VDATUM", "VRF", "VERTICALDATUM", "ENSEMBLE", "DATUM"); d != nil {
		v.datumName, v.datumEPSG = d.value(0), d.epsg()
		// Datum type 2002 of WKT 1, and ESRI's use of a geodetic datum.
		v.ellipsoidal = d.keyword == "VERT_DATUM" && d.value(1) == "2002" || d.keyword == "DATUM"
	}
	u, code, ok, err := readUnit(axisUnit(n, lengthKeywords...))
	if err != nil {
		return err
	}
	if !ok {
		u, code = unitFromEPSG(unitMetre), unitMetre
	}
	v.unit, v.unitEPSG = u.named(code, false)
	axis := n.child("AXIS")
	v.down = strings.EqualFold(axis.value(1), "DOWN")
	for _, p := range n.children { // ESRI's direction: -1 for depths
		if p.keyword == "PARAMETER" && strings.EqualFold(p.value(0), "Direction") && strings.HasPrefix(p.value(1), "-") {
			v.down = true
		}
	}
	c.vertical = v
	return nil
}
