package crs

import "math"

// lambertConformal is the Lambert conic conformal projection: EPSG methods
// 9801 (one standard parallel), 9802 (two) and 9803 (Belgium).
type lambertConformal struct {
	el         *ellipsoid
	lon0       float64 // includes the constant rotation of the Belgian variant
	n          float64
	af         float64 // radius of the equator's image, signed as n
	rho0       float64
	fe, fn     float64
	invN, invF float64 // 1/n, 1/af²
}

// belgianAngle is the constant a of EPSG method 9803: 29.2985 arc-seconds.
const belgianAngle = 29.2985 / 3600 * math.Pi / 180

func newLambertConformal(el *ellipsoid, p *params, lon0 float64, m method) (*lambertConformal, error) {
	l := &lambertConformal{el: el, fe: p.fe, fn: p.fn, lon0: lon0}
	lat1, lat2 := radians(p.lat1), radians(p.lat2)
	if m == methodLambert1SP {
		lat1, lat2 = radians(p.lat0), radians(p.lat0)
	}
	s1, c1 := math.Sincos(lat1)
	s2, c2 := math.Sincos(lat2)
	m1, psi1 := el.m(s1, c1), el.isometric(lat1)
	l.n = s1
	if math.Abs(lat1-lat2) > 1e-10 {
		l.n = math.Log(m1/el.m(s2, c2)) / (el.isometric(lat2) - psi1)
	}
	if math.Abs(l.n) < 1e-9 || math.IsNaN(l.n) || c1 < 1e-9 || c2 < 1e-9 {
		return nil, badParameter("lambert conic conformal: standard parallels %g° and %g° span no cone", p.lat1, p.lat2)
	}
	l.af = p.k * el.a * m1 / l.n * math.Exp(l.n*psi1)
	if math.Abs(p.lat0) < 90 {
		l.rho0 = l.af * math.Exp(-l.n*el.isometric(radians(p.lat0)))
	}
	if m == methodLambertBelgium {
		l.lon0 += belgianAngle / l.n
	}
	l.invN, l.invF = 1/l.n, 1/(l.af*l.af)
	return l, nil
}

func (l *lambertConformal) forward(lon, lat float64) (x, y float64) {
	rho := 0.0
	switch {
	case math.Abs(lat) < math.Pi/2-1e-12:
		rho = l.af * math.Exp(-l.n*l.el.isometric(lat))
	case lat*l.n < 0:
		return math.NaN(), math.NaN()
	}
	s, c := math.Sincos(l.n * wrap(lon-l.lon0))
	return l.fe + rho*s, l.fn + l.rho0 - rho*c
}

// polar gives exp(-2 psi) and the longitude.
func (l *lambertConformal) polar(x, y float64) (t2, lon float64) {
	x, y = x-l.fe, l.rho0-(y-l.fn)
	t2 = math.Exp(math.Log((x*x+y*y)*l.invF) * l.invN)
	if l.n < 0 {
		x, y = -x, -y
	}
	return t2, math.Atan2(x, y)*l.invN + l.lon0
}

func (l *lambertConformal) inverse(x, y float64) (lon, lat float64) {
	t2, lon := l.polar(x, y)
	return wrap(lon), l.el.latitudeFromT2(t2)
}

func (l *lambertConformal) inverseDirection(x, y float64) direction {
	t2, lon := l.polar(x, y)
	var d direction
	d.sinLon, d.cosLon = math.Sincos(lon)
	s, c := conformalFromT2(t2)
	d.sinLat, d.cosLat = l.el.latitudeSinCos(s, c)
	return d
}

// albers is the Albers equal-area conic projection, EPSG method 9822.
type albers struct {
	el     *ellipsoid
	lon0   float64
	n, c   float64
	rho0   float64
	fe, fn float64
}

func newAlbers(el *ellipsoid, p *params, lon0 float64) (*albers, error) {
	s1, c1 := math.Sincos(radians(p.lat1))
	s2, c2 := math.Sincos(radians(p.lat2))
	a := &albers{el: el, lon0: lon0, fe: p.fe, fn: p.fn}
	m1, q1 := el.m(s1, c1), el.q(s1)
	a.n = s1
	if math.Abs(p.lat1-p.lat2) > 1e-9 {
		m2 := el.m(s2, c2)
		a.n = (m1*m1 - m2*m2) / (el.q(s2) - q1)
	}
	if math.Abs(a.n) < 1e-9 || math.IsNaN(a.n) {
		return nil, badParameter("albers equal area: standard parallels %g° and %g° span no cone", p.lat1, p.lat2)
	}
	a.c = m1*m1 + a.n*q1
	a.rho0 = a.rho(math.Sin(radians(p.lat0)))
	return a, nil
}

func (a *albers) rho(s float64) float64 {
	return a.el.a * math.Sqrt(math.Max(0, a.c-a.n*a.el.q(s))) / a.n
}

func (a *albers) forward(lon, lat float64) (x, y float64) {
	rho := a.rho(math.Sin(lat))
	s, c := math.Sincos(a.n * wrap(lon-a.lon0))
	return a.fe + rho*s, a.fn + a.rho0 - rho*c
}

func (a *albers) inverse(x, y float64) (lon, lat float64) {
	x, y = x-a.fe, a.rho0-(y-a.fn)
	k := a.n / a.el.a
	q := (a.c - (x*x+y*y)*k*k) / a.n
	if a.n < 0 {
		x, y = -x, -y
	}
	return wrap(math.Atan2(x, y)/a.n + a.lon0), a.el.latitudeFromQ(q)
}

// krovak is EPSG method 1041, Krovak (North Orientated): an oblique conformal
// conic of the Czech Republic and Slovakia with easting and northing.
type krovak struct {
	el             *ellipsoid
	lon0           float64
	b, t0, n, r    float64
	sinAxis, cosAx float64
	fe, fn         float64
}

func newKrovak(el *ellipsoid, p *params, lon0 float64) (*krovak, error) {
	s, c := math.Sincos(radians(p.lat0))
	latP := radians(p.lat1)
	k := &krovak{el: el, lon0: lon0, fe: p.fe, fn: p.fn}
	k.b = math.Sqrt(1 + el.ep2*c*c*c*c)
	gamma := math.Asin(s / k.b)
	k.t0 = math.Exp(math.Asinh(math.Tan(gamma)) - k.b*el.isometric(radians(p.lat0)))
	k.n = math.Sin(latP)
	if math.Abs(k.n) < 1e-9 || math.Abs(math.Cos(latP)) < 1e-9 {
		return nil, badParameter("krovak: pseudo standard parallel %g°", p.lat1)
	}
	radius := el.a * math.Sqrt(el.oneMinusE2) / (1 - el.e2*s*s)
	k.r = p.k * radius / math.Tan(latP) * math.Exp(k.n*math.Asinh(math.Tan(latP)))
	k.sinAxis, k.cosAx = math.Sincos(radians(p.colat))
	return k, nil
}

func (k *krovak) forward(lon, lat float64) (x, y float64) {
	w := k.t0 * math.Exp(k.b*k.el.isometric(lat)) // tan(pi/4 + U/2)
	w2 := w * w
	sinU, cosU := (w2-1)/(w2+1), 2*w/(w2+1)
	sinV, cosV := math.Sincos(k.b * wrap(k.lon0-lon))
	sinT := k.cosAx*sinU + k.sinAxis*cosU*cosV
	theta := k.n * math.Atan2(cosU*sinV, (k.cosAx*sinT-sinU)/k.sinAxis)
	rho := k.r * math.Exp(-k.n*math.Atanh(sinT))
	s, c := math.Sincos(theta)
	return k.fe - rho*s, k.fn - rho*c
}

func (k *krovak) inverse(x, y float64) (lon, lat float64) {
	x, y = k.fe-x, k.fn-y
	rho := math.Hypot(x, y)
	sinD, cosD := math.Sincos(math.Atan2(x, y) / k.n)
	sinT := math.Tanh(math.Log(k.r/rho) / k.n)
	cosT := math.Sqrt((1 - sinT) * (1 + sinT))
	sinU := k.cosAx*sinT - k.sinAxis*cosT*cosD
	v := math.Atan2(cosT*sinD, (sinT-k.cosAx*sinU)/k.sinAxis)
	psi := (math.Atanh(sinU) - math.Log(k.t0)) / k.b
	return wrap(k.lon0 - v/k.b), k.el.latitudeFromT2(math.Exp(-2 * psi))
}
