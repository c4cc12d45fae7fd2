package crs

import "math"

// seriesOrder is the number of terms kept of the trigonometric series between
// latitudes. The terms fall by the third flattening (0.0017) each: the sixth
// is below 1e-15 rad, the next would be below the resolution of float64.
const seriesOrder = 6

// sineSeries holds coefficients c[k] of sum c[k] sin(2(k+1)x), the difference
// between two auxiliary latitudes as a function of one of them.
type sineSeries [seriesOrder]float64

// newSineSeries finds the coefficients of f, an odd function of period pi, by
// a discrete sine transform. f is smooth, so that 24 samples leave only
// rounding; this spares tabulated expansions and holds for any ellipsoid.
func newSineSeries(f func(x float64) float64) sineSeries {
	const samples = 24
	var c sineSeries
	for j := range samples {
		x := math.Pi / 2 * (float64(j) + 0.5) / samples
		v := f(x)
		for k := range c {
			c[k] += 2.0 / samples * v * math.Sin(2*float64(k+1)*x)
		}
	}
	return c
}

// sum evaluates the series from sin 2x and cos 2x (Clenshaw's recurrence).
func (c *sineSeries) sum(sin2, cos2 float64) float64 {
	t := 2 * cos2
	u5 := c[5]
	u4 := c[4] + t*u5
	u3 := c[3] + t*u4 - u5
	u2 := c[2] + t*u3 - u4
	u1 := c[1] + t*u2 - u3
	u0 := c[0] + t*u1 - u2
	return u0 * sin2
}

// ellipsoid is an oblate ellipsoid or sphere with what the projections need.
type ellipsoid struct {
	a          float64 // semi-major axis, m
	b          float64 // semi-minor axis, m
	e, e2      float64 // first eccentricity and its square
	ep2        float64 // second eccentricity squared
	n          float64 // third flattening
	conformal  sineSeries
	authalic   sineSeries
	qp         float64 // authalic q at the pole
	oneMinusE2 float64
}

// newEllipsoid makes an ellipsoid from its semi-major axis in metres and its
// inverse flattening (0 for a sphere).
func newEllipsoid(a, inverseFlattening float64) *ellipsoid {
	f := 0.0
	if inverseFlattening != 0 {
		f = 1 / inverseFlattening
	}
	e2 := f * (2 - f)
	el := &ellipsoid{
		a: a, b: a * (1 - f), e: math.Sqrt(e2), e2: e2, ep2: e2 / (1 - e2),
		n: f / (2 - f), oneMinusE2: 1 - e2,
	}
	el.qp = el.q(1)
	el.conformal = newSineSeries(func(chi float64) float64 {
		psi := math.Asinh(math.Tan(chi))
		phi := chi
		for range 40 { // contracts by e² a step
			phi = math.Atan(math.Sinh(psi + el.e*math.Atanh(el.e*math.Sin(phi))))
		}
		return phi - chi
	})
	el.authalic = newSineSeries(func(beta float64) float64 {
		q := el.qp * math.Sin(beta)
		phi := beta
		for range 10 { // Newton
			s, c := math.Sincos(phi)
			w := 1 - e2*s*s
			phi += w * w / (2 * c * el.oneMinusE2) * (q - el.q(s))
		}
		return phi - beta
	})
	return el
}

// q is the authalic function of sin(latitude) (Snyder 3-12).
func (el *ellipsoid) q(s float64) float64 {
	if el.e2 == 0 {
		return 2 * s
	}
	return el.oneMinusE2 * (s/(1-el.e2*s*s) + math.Atanh(el.e*s)/el.e)
}

// m is the radius of the parallel over a (Snyder 14-15).
func (el *ellipsoid) m(s, c float64) float64 { return c / math.Sqrt(1-el.e2*s*s) }

// isometric is the isometric latitude.
func (el *ellipsoid) isometric(lat float64) float64 {
	s, c := math.Sincos(lat)
	return math.Asinh(s/c) - el.e*math.Atanh(el.e*s)
}

// latitudeSinCos gives sine and cosine of the geodetic latitude whose
// conformal latitude has this sine and cosine, without inverse functions: the
// difference is below 0.2 degree, so that its sine and cosine are short
// polynomials, exact to rounding.
func (el *ellipsoid) latitudeSinCos(sinChi, cosChi float64) (sinLat, cosLat float64) {
	d := el.conformal.sum(2*sinChi*cosChi, (cosChi-sinChi)*(cosChi+sinChi))
	d2 := d * d
	sd := d * (1 - d2/6*(1-d2/20))
	cd := 1 - d2/2*(1-d2/12*(1-d2/30))
	return sinChi*cd + cosChi*sd, cosChi*cd - sinChi*sd
}

// conformalFromT2 gives sine and cosine of the conformal latitude from
// exp(-2 psi), psi the isometric latitude.
func conformalFromT2(t2 float64) (sinChi, cosChi float64) {
	if t2 > 1e32 {
		return -1, 0
	}
	d := 1 / (1 + t2)
	return (1 - t2) * d, 2 * math.Sqrt(t2) * d
}

// latitudeFromT2 gives the geodetic latitude from exp(-2 psi).
func (el *ellipsoid) latitudeFromT2(t2 float64) float64 {
	s, c := conformalFromT2(t2)
	return math.Atan2(s, c) + el.conformal.sum(2*s*c, (c-s)*(c+s))
}

// latitudeFromQ gives the geodetic latitude from the authalic function.
func (el *ellipsoid) latitudeFromQ(q float64) float64 {
	s := q / el.qp
	if math.Abs(s) > 1 {
		if math.Abs(s) > 1+1e-9 {
			return math.NaN()
		}
		s = math.Copysign(1, s)
	}
	c := math.Sqrt((1 - s) * (1 + s))
	return math.Atan2(s, c) + el.authalic.sum(2*s*c, (c-s)*(c+s))
}

// direction is a geodetic position by the sines and cosines of its longitude
// and latitude, which is what geocentric coordinates need.
type direction struct{ sinLon, cosLon, sinLat, cosLat float64 }

func directionOf(lon, lat float64) direction {
	var d direction
	d.sinLon, d.cosLon = math.Sincos(lon)
	d.sinLat, d.cosLat = math.Sincos(lat)
	return d
}

// geocentric gives Cartesian coordinates in metres (EPSG method 9602).
func (el *ellipsoid) geocentric(d direction, h float64) (x, y, z float64) {
	nu := el.a / math.Sqrt(1-el.e2*d.sinLat*d.sinLat)
	p := (nu + h) * d.cosLat
	return p * d.cosLon, p * d.sinLon, (nu*el.oneMinusE2 + h) * d.sinLat
}

// geodetic is the inverse of geocentric: radians and metres. Two steps of
// Bowring's method from his improved start leave less than a nanometre
// anywhere from the sea floor to satellites.
func (el *ellipsoid) geodetic(x, y, z float64) (lon, lat, h float64) {
	p := math.Sqrt(x*x + y*y)
	if p == 0 && z == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	r := math.Sqrt(p*p + z*z)
	// The tangent of the reduced latitude as the pair (su, cu), safe at the poles.
	su, cu := el.b*z*(1+el.ep2*el.b/r), el.a*p
	var s, c float64
	for range 2 {
		w := 1 / math.Sqrt(su*su+cu*cu)
		sb, cb := su*w, cu*w
		s = z + el.ep2*el.b*sb*sb*sb
		c = p - el.e2*el.a*cb*cb*cb
		su, cu = el.b*s, el.a*c
	}
	w := 1 / math.Sqrt(s*s+c*c)
	s, c = s*w, c*w
	h = p*c + z*s - el.a*math.Sqrt(1-el.e2*s*s)
	return math.Atan2(y, x), math.Atan2(s, c), h
}
