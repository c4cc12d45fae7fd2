package crs

import "math"

// mercator is EPSG methods 9804 (variant A) and 9805 (variant B).
type mercator struct {
	el     *ellipsoid
	lon0   float64
	scale  float64 // a k0
	fe, fn float64
}

func newMercator(el *ellipsoid, p *params, lon0 float64, m method) (*mercator, error) {
	k := p.k
	if m == methodMercatorB {
		s, c := math.Sincos(radians(p.lat1))
		k *= el.m(s, c)
	}
	if k < 1e-9 {
		return nil, badParameter("mercator: scale %g at the equator", k)
	}
	return &mercator{el: el, lon0: lon0, scale: el.a * k, fe: p.fe, fn: p.fn}, nil
}

func (m *mercator) forward(lon, lat float64) (x, y float64) {
	return m.fe + m.scale*wrap(lon-m.lon0), m.fn + m.scale*m.el.isometric(lat)
}

func (m *mercator) inverse(x, y float64) (lon, lat float64) {
	t2 := math.Exp(-2 * (y - m.fn) / m.scale)
	return wrap((x-m.fe)/m.scale + m.lon0), m.el.latitudeFromT2(t2)
}

// webMercator is EPSG method 1024: spherical formulas on geodetic latitude.
type webMercator struct {
	a, lon0, fe, fn float64
}

func (m *webMercator) forward(lon, lat float64) (x, y float64) {
	return m.fe + m.a*wrap(lon-m.lon0), m.fn + m.a*math.Asinh(math.Tan(lat))
}

func (m *webMercator) inverse(x, y float64) (lon, lat float64) {
	return wrap((x-m.fe)/m.a + m.lon0), math.Atan(math.Sinh((y - m.fn) / m.a))
}
