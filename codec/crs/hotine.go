package crs

import "math"

// hotine is the Hotine oblique Mercator projection (rectified skew
// orthomorphic): EPSG methods 9812 (variant A, origin on the aposphere's
// equator) and 9815 (variant B, origin at the projection centre).
type hotine struct {
	el           *ellipsoid
	lon0         float64
	a, b, lnH    float64
	sinG0, cosG0 float64 // of the azimuth at the equator of the aposphere
	sinGc, cosGc float64 // of the rectified grid angle
	uc           float64 // u of the false origin
	fe, fn       float64
}

func newHotine(el *ellipsoid, p *params, lonC float64, m method) (*hotine, error) {
	latC := radians(p.lat0)
	s, c := math.Sincos(latC)
	az := radians(p.az)
	sinA, cosA := math.Sincos(az)
	if c < 1e-9 || math.Abs(latC) < 1e-9 {
		return nil, badParameter("hotine oblique mercator: centre at latitude %g°", p.lat0)
	}
	h := &hotine{el: el, fe: p.fe, fn: p.fn}
	w := 1 - el.e2*s*s
	h.b = math.Sqrt(1 + el.ep2*c*c*c*c)
	h.a = el.a * h.b * p.k * math.Sqrt(el.oneMinusE2) / w
	d := math.Max(1, h.b*math.Sqrt(el.oneMinusE2)/(c*math.Sqrt(w)))
	sign := math.Copysign(1, latC)
	root := math.Sqrt((d-1)*(d+1)) * sign
	h.lnH = math.Log(d+root) - h.b*el.isometric(latC)
	h.sinG0 = sinA / d
	h.cosG0 = math.Sqrt((1 - h.sinG0) * (1 + h.sinG0))
	// As asin(G tan gamma0), but well conditioned where the azimuth is 90°.
	h.lon0 = lonC - math.Atan2(root*sinA, d*math.Abs(cosA))/h.b
	h.sinGc, h.cosGc = math.Sincos(radians(p.rect))
	if m == methodHotineB {
		h.uc = h.a / h.b * math.Atan2(root, cosA)
	}
	return h, nil
}

func (h *hotine) forward(lon, lat float64) (x, y float64) {
	q := math.Exp(h.lnH + h.b*h.el.isometric(lat))
	s, t := (q-1/q)/2, (q+1/q)/2
	sl, cl := math.Sincos(h.b * wrap(lon-h.lon0))
	u := (s*h.sinG0 - sl*h.cosG0) / t
	v := -h.a / h.b * math.Atanh(u)
	uu := h.a/h.b*math.Atan2(s*h.cosG0+sl*h.sinG0, cl) - h.uc
	return h.fe + v*h.cosGc + uu*h.sinGc, h.fn + uu*h.cosGc - v*h.sinGc
}

func (h *hotine) inverse(x, y float64) (lon, lat float64) {
	x, y = x-h.fe, y-h.fn
	v := x*h.cosGc - y*h.sinGc
	u := y*h.cosGc + x*h.sinGc + h.uc
	q := math.Exp(-h.b * v / h.a)
	s, t := (q-1/q)/2, (q+1/q)/2
	su, cu := math.Sincos(h.b * u / h.a)
	psi := (math.Atanh((su*h.cosG0+s*h.sinG0)/t) - h.lnH) / h.b
	lon = h.lon0 - math.Atan2(s*h.cosG0-su*h.sinG0, cu)/h.b
	return wrap(lon), h.el.latitudeFromT2(math.Exp(-2 * psi))
}
