package crs

import (
	"fmt"
	"strings"
)

func (c *CRS) readProjected(n *wktNode) error {
	if c.name != "" || c.base.name != "" {
		return fmt.Errorf("%w: wkt has two horizontal parts", ErrUnknownCRS)
	}
	base := n.child("GEOGCS", "BASEGEOGCRS", "BASEGEODCRS")
	if base == nil {
		return fmt.Errorf("%w: %s %q has no geographic CRS", ErrUnknownCRS, n.keyword, n.value(0))
	}
	g, err := readBase(base)
	if err != nil {
		return err
	}
	c.kind, c.name, c.epsg, c.base = projected, n.value(0), n.epsg(), g
	u, code, ok, err := readUnit(axisUnit(n, lengthKeywords...))
	if err != nil {
		return err
	}
	if !ok {
		u, code = unitFromEPSG(unitMetre), unitMetre
	}
	c.unit, c.unitEPSG = u.named(code, false)
	if err := c.readConversion(n); err != nil {
		return err
	}
	c.southWest = c.conv.method == methodTransverseSouth
	return c.checkAxes(n)
}

// checkAxes refuses grids whose axes this package would mirror: westings and
// southings of other methods than the one that means them.
func (c *CRS) checkAxes(n *wktNode) error {
	for _, axis := range n.children {
		if axis.keyword != "AXIS" || c.southWest {
			continue
		}
		d := strings.ToLower(axis.value(1))
		if d == "west" || d == "south" && c.conv.method != methodPolarA && c.conv.method != methodPolarB &&
			c.conv.method != methodPolarC && c.conv.method != methodLambertEqualArea {
			return &UnsupportedError{Method: c.conv.name + " with axis towards " + d}
		}
	}
	return nil
}

// readConversion reads the projection method and its parameters, from the
// PROJCS itself (WKT 1) or its CONVERSION (WKT 2).
func (c *CRS) readConversion(n *wktNode) error {
	holder, name := n, n.child("PROJECTION").value(0)
	if conv := n.child("CONVERSION"); conv != nil {
		holder, name = conv, conv.child("METHOD", "PROJECTION").value(0)
		c.conv.name, c.conv.epsg = conv.value(0), conv.epsg()
	} else {
		c.conv.name = "unnamed"
	}
	if name == "" {
		return fmt.Errorf("%w: %s %q has no projection method", ErrUnknownCRS, n.keyword, n.value(0))
	}
	m, ok := methodNamed(name)
	if !ok {
		return &UnsupportedError{Method: name}
	}
	c.conv.method = m
	c.conv.params = params{k: 1}
	has := map[string]bool{}
	for _, p := range holder.children {
		if p.keyword != "PARAMETER" {
			continue
		}
		field, angle := parameterNamed(p.value(0))
		if field == "" {
			continue // ESRI's X_Scale and the like, which repeat the method
		}
		v, err := p.number(1)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnknownCRS, err)
		}
		u, _, own, err := readUnit(p.child("ANGLEUNIT", "LENGTHUNIT", "SCALEUNIT", "UNIT"))
		if err != nil {
			return err
		}
		switch {
		case angle:
			if !own {
				u = c.base.unit
			}
			v = inDegrees(v, u)
		case field != "k":
			if own {
				u, _ = u.named(0, false)
			} else {
				u = c.unit
			}
			v *= u.Metres
		case own:
			v *= u.Metres
		}
		*c.conv.params.field(field) = v
		has[field] = true
	}
	if isPseudoMercator(n) {
		c.conv.method = methodWebMercator
	}
	c.conv.resolve(name, has)
	return nil
}

// inDegrees converts an angle, exactly where it is in degrees already.
func inDegrees(v float64, u Unit) float64 {
	deg := unitFromEPSG(unitDegree).Metres
	if d := u.Metres/deg - 1; d < 1e-9 && d > -1e-9 {
		return v
	}
	return v * (u.Metres / deg)
}

// isPseudoMercator recognises the way GDAL writes EPSG:3857 as WKT 1: an
// ellipsoidal Mercator with a PROJ string that makes it spherical.
func isPseudoMercator(n *wktNode) bool {
	e := n.child("EXTENSION")
	s := e.value(1)
	return e.value(0) == "PROJ4" && strings.Contains(s, "+proj=merc") &&
		strings.Contains(s, "+a=6378137") && strings.Contains(s, "+b=6378137")
}
