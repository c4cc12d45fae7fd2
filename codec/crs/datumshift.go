package crs

import (
	"fmt"
	"math"
)

// matrixShift is a Helmert transformation made ready: scale, small rotations
// in radians (position vector convention), translation.
type matrixShift struct {
	s, rx, ry, rz, tx, ty, tz float64
}

func newMatrixShift(h *helmert) matrixShift {
	const arcSecond = math.Pi / 180 / 3600
	if h == nil {
		return matrixShift{s: 1}
	}
	return matrixShift{
		s: 1 + h[6]*1e-6, rx: h[3] * arcSecond, ry: h[4] * arcSecond, rz: h[5] * arcSecond,
		tx: h[0], ty: h[1], tz: h[2],
	}
}

// apply is EPSG method 1033.
func (m *matrixShift) apply(x, y, z float64) (float64, float64, float64) {
	return m.tx + m.s*(x-m.rz*y+m.ry*z), m.ty + m.s*(m.rz*x+y-m.rx*z), m.tz + m.s*(-m.ry*x+m.rx*y+z)
}

// invert undoes apply with the transposed rotation, as PROJ does; the
// difference to the exact inverse is below a millimetre for the small
// rotations of datum shifts.
func (m *matrixShift) invert(x, y, z float64) (float64, float64, float64) {
	x, y, z = (x-m.tx)/m.s, (y-m.ty)/m.s, (z-m.tz)/m.s
	return x + m.rz*y - m.ry*z, -m.rz*x + y + m.rx*z, m.ry*x - m.rx*y + z
}

// helmert gives the parameters to WGS 84 to use, nil if there are none.
func (d *datum) helmert() *helmert {
	if d.toWGS84 != nil {
		return d.toWGS84
	}
	if d.known != nil {
		return &d.known.helmert
	}
	return nil
}

// isWGS84 says that the datum is WGS 84 itself (as ensemble or a realisation
// that nobody tells apart in practice).
func (d *datum) isWGS84() bool { return d.epsg == 6326 || datumKey(d.name) == "wgs1984" }

// sameAs says that both are the same frame.
func (d *datum) sameAs(o *datum) bool {
	if (d.toWGS84 == nil) != (o.toWGS84 == nil) && (d.epsg == 0 || d.epsg != o.epsg) {
		return false
	}
	if d.toWGS84 != nil && o.toWGS84 != nil && *d.toWGS84 != *o.toWGS84 {
		return false
	}
	if d.epsg != 0 || o.epsg != 0 {
		return d.epsg == o.epsg
	}
	return datumKey(d.name) == datumKey(o.name)
}

// planShift sets up the change of datum and says what it is worth.
func (t *Transform) planShift(from, to *CRS) []string {
	a, b := &from.base.datum, &to.base.datum
	if a.sameAs(b) {
		return nil
	}
	ha, hb := a.helmert(), b.helmert()
	null := func(h *helmert) bool { return h == nil || h.isNull() }
	if null(ha) && null(hb) {
		return []string{fmt.Sprintf("datum %s taken as %s without a shift (ballpark, %s)", a.name, b.name, ballpark(a, b))}
	}
	t.shift = true
	t.shiftFrom, t.shiftTo = newMatrixShift(ha), newMatrixShift(hb)
	var notes []string
	for _, d := range []*datum{a, b} {
		switch {
		case d.isWGS84():
		case d.toWGS84 != nil:
			notes = append(notes, fmt.Sprintf("datum %s by the TOWGS84 parameters of its definition", d.name))
		case d.known != nil:
			notes = append(notes, fmt.Sprintf("datum %s to WGS 84 by EPSG:%d, accurate to %g m", d.name, d.known.epsg, d.known.accuracy))
		default:
			notes = append(notes, fmt.Sprintf("datum %s taken as WGS 84 without a shift, of unknown accuracy", d.name))
		}
	}
	return notes
}

// ballpark states what a missing shift may amount to.
func ballpark(a, b *datum) string {
	for _, d := range []*datum{a, b} {
		modern := d.spheroid.a > 6378136 && d.spheroid.a < 6378138
		if !modern {
			return "an error of up to some hundred metres"
		}
	}
	return "accurate to about 2 m"
}

// heightNotes says what heights are taken for.
func heightNotes(from, to *CRS) []string {
	aboveGeoid := func(c *CRS) bool { return c.vertical != nil && !c.vertical.ellipsoidal }
	ellipsoidal := func(c *CRS) bool {
		return c.kind == geocentric || c.kind == geographic3D || c.vertical != nil && c.vertical.ellipsoidal
	}
	switch {
	case aboveGeoid(from) && aboveGeoid(to):
		if from.vertical.epsg != to.vertical.epsg || from.vertical.epsg == 0 && from.vertical.name != to.vertical.name {
			return []string{fmt.Sprintf("heights of %s taken over as %s", from.vertical.name, to.vertical.name)}
		}
	case aboveGeoid(from) && ellipsoidal(to):
		return []string{fmt.Sprintf("heights of %s taken as ellipsoidal: no geoid model, the model may lie up to about 100 m too high or low", from.vertical.name)}
	case ellipsoidal(from) && aboveGeoid(to):
		return []string{fmt.Sprintf("ellipsoidal heights taken over as %s: no geoid model", to.vertical.name)}
	case !from.HasVertical() && ellipsoidal(to):
		return []string{fmt.Sprintf("heights have no vertical datum: taken as ellipsoidal, in units of %s", from.VerticalUnit().Name)}
	}
	return nil
}
