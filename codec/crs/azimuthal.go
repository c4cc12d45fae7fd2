package crs

import "math"

// polarStereographic is EPSG methods 9810, 9829 and 9830 (variants A, B, C).
type polarStereographic struct {
	el     *ellipsoid
	lon0   float64
	sign   float64 // +1 at the north pole, -1 at the south pole
	scale  float64 // rho = scale exp(-psi) seen from the pole
	fe, fn float64 // of the pole
}

func newPolarStereographic(el *ellipsoid, p *params, lon0 float64, m method) (*polarStereographic, error) {
	s := &polarStereographic{el: el, lon0: lon0, sign: 1, fe: p.fe, fn: p.fn}
	ref := p.lat1
	if m == methodPolarA {
		ref = p.lat0
	}
	if ref < 0 {
		s.sign = -1
	}
	if math.Abs(ref) > 90-1e-9 {
		k := p.k
		s.scale = 2 * k * el.a / math.Sqrt(math.Pow(1+el.e, 1+el.e)*math.Pow(1-el.e, 1-el.e))
		return s, nil
	}
	if m == methodPolarA || math.Abs(ref) < 1e-9 {
		return nil, badParameter("polar stereographic: latitude %g° is not one of a pole's", ref)
	}
	lat := math.Abs(radians(ref))
	sin, cos := math.Sincos(lat)
	s.scale = p.k * el.a * el.m(sin, cos) * math.Exp(el.isometric(lat))
	if m == methodPolarC { // the false origin lies on the standard parallel
		s.fn += s.sign * p.k * el.a * el.m(sin, cos)
	}
	return s, nil
}

func (s *polarStereographic) forward(lon, lat float64) (x, y float64) {
	rho := 0.0
	if math.Abs(lat) < math.Pi/2-1e-14 {
		rho = s.scale * math.Exp(-s.sign*s.el.isometric(lat))
	} else if lat*s.sign < 0 {
		return math.NaN(), math.NaN()
	}
	sin, cos := math.Sincos(lon - s.lon0)
	return s.fe + rho*sin, s.fn - s.sign*rho*cos
}

func (s *polarStereographic) inverse(x, y float64) (lon, lat float64) {
	x, y = x-s.fe, s.sign*(s.fn-y)
	t2 := (x*x + y*y) / (s.scale * s.scale)
	return wrap(math.Atan2(x, y) + s.lon0), s.sign * s.el.latitudeFromT2(t2)
}

// obliqueStereographic is EPSG method 9809 (double stereographic).
type obliqueStereographic struct {
	el           *ellipsoid
	lon0         float64
	n, lnC       float64
	sinX0, cosX0 float64
	r2           float64 // 2 R k0
	fe, fn       float64
}

func newObliqueStereographic(el *ellipsoid, p *params, lon0 float64) (*obliqueStereographic, error) {
	lat0 := radians(p.lat0)
	s, c := math.Sincos(lat0)
	if c < 1e-9 {
		return nil, badParameter("oblique stereographic: origin at a pole (latitude %g°)", p.lat0)
	}
	o := &obliqueStereographic{el: el, lon0: lon0, fe: p.fe, fn: p.fn}
	o.n = math.Sqrt(1 + el.ep2*c*c*c*c)
	o.r2 = 2 * p.k * el.a * math.Sqrt(el.oneMinusE2) / (1 - el.e2*s*s)
	w1 := math.Exp(2 * o.n * el.isometric(lat0))
	sx := (w1 - 1) / (w1 + 1)
	o.lnC = math.Log((o.n + s) * (1 - sx) / ((o.n - s) * (1 + sx)))
	w2 := w1 * math.Exp(o.lnC)
	o.sinX0, o.cosX0 = (w2-1)/(w2+1), 2*math.Sqrt(w2)/(w2+1)
	return o, nil
}

func (o *obliqueStereographic) forward(lon, lat float64) (x, y float64) {
	half := o.n*o.el.isometric(lat) + o.lnC/2
	sx, cx := math.Tanh(half), 1/math.Cosh(half)
	sl, cl := math.Sincos(o.n * wrap(lon-o.lon0))
	b := o.r2 / (1 + sx*o.sinX0 + cx*o.cosX0*cl)
	return o.fe + b*cx*sl, o.fn + b*(sx*o.cosX0-cx*o.sinX0*cl)
}

func (o *obliqueStereographic) inverse(x, y float64) (lon, lat float64) {
	x, y = (x-o.fe)/o.r2, (y-o.fn)/o.r2
	// Half-angle c/2 has tangent r: the plane point as a unit vector.
	r2 := x*x + y*y
	d := 1 / (1 + r2)
	cosC, k := (1-r2)*d, 2*d // k = sin c / r
	sx := cosC*o.sinX0 + y*k*o.cosX0
	lambda := math.Atan2(x*k, o.cosX0*cosC-y*k*o.sinX0)
	psi := (2*math.Atanh(sx) - o.lnC) / (2 * o.n)
	return wrap(lambda/o.n + o.lon0), o.el.latitudeFromT2(math.Exp(-2 * psi))
}

// lambertAzimuthal is the Lambert azimuthal equal-area projection, EPSG
// method 9820.
type lambertAzimuthal struct {
	el           *ellipsoid
	lon0         float64
	rq, d        float64
	sinB0, cosB0 float64
	fe, fn       float64
}

func newLambertAzimuthal(el *ellipsoid, p *params, lon0 float64) *lambertAzimuthal {
	s, c := math.Sincos(radians(p.lat0))
	l := &lambertAzimuthal{el: el, lon0: lon0, fe: p.fe, fn: p.fn, rq: el.a * math.Sqrt(el.qp/2), d: 1}
	l.sinB0 = el.q(s) / el.qp
	if math.Abs(p.lat0) > 90-1e-9 { // polar aspect: no flattening of the axes
		l.sinB0 = math.Copysign(1, p.lat0)
		return l
	}
	l.cosB0 = math.Sqrt((1 - l.sinB0) * (1 + l.sinB0))
	l.d = el.a * el.m(s, c) / (l.rq * l.cosB0)
	return l
}

func (l *lambertAzimuthal) forward(lon, lat float64) (x, y float64) {
	sb := l.el.q(math.Sin(lat)) / l.el.qp
	cb := math.Sqrt(math.Max(0, (1-sb)*(1+sb)))
	sl, cl := math.Sincos(lon - l.lon0)
	b := l.rq * math.Sqrt(2/(1+l.sinB0*sb+l.cosB0*cb*cl))
	return l.fe + b*l.d*cb*sl, l.fn + b/l.d*(l.cosB0*sb-l.sinB0*cb*cl)
}

func (l *lambertAzimuthal) inverse(x, y float64) (lon, lat float64) {
	x, y = (x-l.fe)/l.d, (y-l.fn)*l.d
	h := (x*x + y*y) / (4 * l.rq * l.rq) // sin²(c/2)
	if h > 1 {
		return math.NaN(), math.NaN()
	}
	cosC := 1 - 2*h
	k := math.Sqrt(1-h) / l.rq // sin c / rho
	sb := cosC*l.sinB0 + y*k*l.cosB0
	lambda := math.Atan2(x*k, l.cosB0*cosC-y*k*l.sinB0)
	return wrap(lambda + l.lon0), l.el.latitudeFromQ(sb * l.el.qp)
}
