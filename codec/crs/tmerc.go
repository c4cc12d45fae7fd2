package crs

import "math"

// transverseMercator is EPSG method 9807 by Krüger's series to the sixth
// order in the third flattening (Karney 2011, equations 35 and 36): nanometres
// within 35 degrees of the central meridian.
type transverseMercator struct {
	el          *ellipsoid
	lon0        float64
	scale       float64 // k0 times the rectifying radius, m
	fe, fn      float64 // fn includes the meridian distance of the origin
	alpha, beta sineSeries
}

func newTransverseMercator(el *ellipsoid, p *params, lon0 float64) *transverseMercator {
	t := &transverseMercator{el: el, lon0: lon0, fe: p.fe}
	n := el.n
	t.alpha = sineSeries{
		n * (1./2 + n*(-2./3+n*(5./16+n*(41./180+n*(-127./288+n*7891./37800))))),
		n * n * (13./48 + n*(-3./5+n*(557./1440+n*(281./630-n*1983433./1935360)))),
		n * n * n * (61./240 + n*(-103./140+n*(15061./26880+n*167603./181440))),
		math.Pow(n, 4) * (49561./161280 + n*(-179./168+n*6601661./7257600)),
		math.Pow(n, 5) * (34729./80640 - n*3418889./1995840),
		math.Pow(n, 6) * 212378941. / 319334400,
	}
	t.beta = sineSeries{
		n * (1./2 + n*(-2./3+n*(37./96+n*(-1./360+n*(-81./512+n*96199./604800))))),
		n * n * (1./48 + n*(1./15+n*(-437./1440+n*(46./105-n*1118711./3870720)))),
		n * n * n * (17./480 + n*(-37./840+n*(-209./4480+n*5569./90720))),
		math.Pow(n, 4) * (4397./161280 + n*(-11./504-n*830251./7257600)),
		math.Pow(n, 5) * (4583./161280 - n*108847./3991680),
		math.Pow(n, 6) * 20648693. / 638668800,
	}
	n2 := n * n
	t.scale = p.k * el.a / (1 + n) * (1 + n2*(1./4+n2*(1./64+n2/256)))
	t.fn = p.fn - t.meridian(radians(p.lat0))
	return t
}

// meridian is the (scaled) distance from the equator along the central
// meridian to a latitude.
func (t *transverseMercator) meridian(lat float64) float64 {
	chi := math.Atan(math.Sinh(t.el.isometric(lat)))
	if math.Abs(lat) > math.Pi/2-1e-12 {
		chi = lat
	}
	s, c := math.Sincos(2 * chi)
	return t.scale * (chi + t.alpha.sum(s, c))
}

// meridianInverse is the latitude at a (scaled) meridian distance.
func (t *transverseMercator) meridianInverse(m float64) float64 {
	mu := m / t.scale
	s, c := math.Sincos(2 * mu)
	chi := mu - t.beta.sum(s, c)
	s, c = math.Sincos(2 * chi)
	return chi + t.el.conformal.sum(s, c)
}

// complexSum evaluates a sine series at the complex argument xi + i eta, given
// sine and cosine of 2 xi and hyperbolic sine and cosine of 2 eta.
func (c *sineSeries) complexSum(s, co, sh, ch float64) (re, im float64) {
	// a = 2 cos 2z
	ar, ai := 2*co*ch, -2*s*sh
	var r1, i1, r2, i2 float64
	for k := seriesOrder - 1; k >= 0; k-- {
		r := c[k] + ar*r1 - ai*i1 - r2
		i := ar*i1 + ai*r1 - i2
		r1, i1, r2, i2 = r, i, r1, i1
	}
	// times sin 2z
	sr, si := s*ch, co*sh
	return r1*sr - i1*si, r1*si + i1*sr
}

func (t *transverseMercator) forward(lon, lat float64) (x, y float64) {
	sl, cl := math.Sincos(lon - t.lon0)
	psi := t.el.isometric(lat)
	tau := math.Sinh(psi)
	if math.IsInf(tau, 0) || math.Abs(lat) >= math.Pi/2 {
		tau = math.Copysign(1e18, lat)
	}
	xi := math.Atan2(tau, cl)
	eta := math.Asinh(sl / math.Sqrt(tau*tau+cl*cl))
	s, c := math.Sincos(2 * xi)
	ex := math.Exp(2 * eta)
	re, im := t.alpha.complexSum(s, c, (ex-1/ex)/2, (ex+1/ex)/2)
	return t.fe + t.scale*(eta+im), t.fn + t.scale*(xi+re)
}

// sphere gives sinh(eta') and the sine and cosine of xi' on the conformal sphere.
func (t *transverseMercator) sphere(x, y float64) (sh, s, c float64) {
	eta, xi := (x-t.fe)/t.scale, (y-t.fn)/t.scale
	s, c = math.Sincos(2 * xi)
	ex := math.Exp(2 * eta)
	re, im := t.beta.complexSum(s, c, (ex-1/ex)/2, (ex+1/ex)/2)
	s, c = math.Sincos(xi - re)
	ex = math.Exp(eta - im)
	return (ex - 1/ex) / 2, s, c
}

func (t *transverseMercator) inverse(x, y float64) (lon, lat float64) {
	sh, s, c := t.sphere(x, y)
	r := math.Sqrt(sh*sh + c*c)
	w := 1 / math.Sqrt(1+sh*sh)
	sc, cc := s*w, r*w
	lat = math.Atan2(s, r) + t.el.conformal.sum(2*sc*cc, (cc-sc)*(cc+sc))
	return wrap(math.Atan2(sh, c) + t.lon0), lat
}

func (t *transverseMercator) inverseDirection(x, y float64) direction {
	sh, s, c := t.sphere(x, y)
	r := math.Sqrt(sh*sh + c*c)
	w := 1 / math.Sqrt(1+sh*sh)
	var d direction
	d.sinLat, d.cosLat = t.el.latitudeSinCos(s*w, r*w)
	if r == 0 {
		sh, c, r = 0, 1, 1
	}
	s0, c0 := math.Sincos(t.lon0)
	sl, cl := sh/r, c/r
	d.sinLon, d.cosLon = sl*c0+cl*s0, cl*c0-sl*s0
	return d
}

// transverseMercatorSouth is EPSG method 9808: westing and southing.
type transverseMercatorSouth struct{ *transverseMercator }

func newTransverseMercatorSouth(el *ellipsoid, p *params, lon0 float64) *transverseMercatorSouth {
	q := *p
	q.fe, q.fn = -p.fe, -p.fn
	return &transverseMercatorSouth{newTransverseMercator(el, &q, lon0)}
}

func (t *transverseMercatorSouth) forward(lon, lat float64) (x, y float64) {
	x, y = t.transverseMercator.forward(lon, lat)
	return -x, -y
}

func (t *transverseMercatorSouth) inverse(x, y float64) (lon, lat float64) {
	return t.transverseMercator.inverse(-x, -y)
}

func (t *transverseMercatorSouth) inverseDirection(x, y float64) direction {
	return t.transverseMercator.inverseDirection(-x, -y)
}

// cassini is EPSG method 9806, Cassini-Soldner, by the series of the guidance
// note, good within a few degrees of the central meridian.
type cassini struct {
	tm     *transverseMercator // for meridian distances
	el     *ellipsoid
	lon0   float64
	fe, fn float64
}

func newCassini(el *ellipsoid, p *params, lon0 float64) *cassini {
	tm := newTransverseMercator(el, &params{k: 1, lat0: p.lat0}, lon0)
	return &cassini{tm: tm, el: el, lon0: lon0, fe: p.fe, fn: p.fn + tm.fn}
}

func (c *cassini) forward(lon, lat float64) (x, y float64) {
	s, co := math.Sincos(lat)
	nu := c.el.a / math.Sqrt(1-c.el.e2*s*s)
	tan := s / co
	t := tan * tan
	a := wrap(lon-c.lon0) * co
	cc := c.el.ep2 * co * co
	a2 := a * a
	x = nu * a * (1 - a2*t*(1./6+(8-t+8*cc)*a2/120))
	y = c.tm.meridian(lat) + nu*tan*a2*(0.5+(5-t+6*cc)*a2/24)
	return c.fe + x, c.fn + y
}

func (c *cassini) inverse(x, y float64) (lon, lat float64) {
	x, y = x-c.fe, y-c.fn
	lat1 := c.tm.meridianInverse(y)
	s, co := math.Sincos(lat1)
	w := 1 - c.el.e2*s*s
	nu := c.el.a / math.Sqrt(w)
	rho := nu * c.el.oneMinusE2 / w
	tan := s / co
	t := tan * tan
	d := x / nu
	d2 := d * d
	lat = lat1 - nu*tan/rho*d2*(0.5-(1+3*t)*d2/24)
	lon = c.lon0 + d*(1+t*d2*(-1./3+(1+3*t)*d2/15))/co
	// The two series are not each other's inverse to the millimetre at the
	// edges of the older grids; what is missing is settled on the forward one.
	for range 3 {
		fx, fy := c.forward(lon, lat)
		s, co = math.Sincos(lat)
		w = 1 - c.el.e2*s*s
		nu = c.el.a / math.Sqrt(w)
		lon += (x + c.fe - fx) / (nu * co)
		lat += (y + c.fn - fy) * w / (nu * c.el.oneMinusE2)
	}
	return wrap(lon), lat
}
