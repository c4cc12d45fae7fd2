package crs

import (
	"fmt"
	"math"
	"strings"
)

// OutOfDomainError is returned by Transform.Apply when points have no image:
// they lie outside what the projections can show, or were not numbers. Their
// coordinates are NaN; all other points are transformed.
type OutOfDomainError struct {
	Points int // how many
	First  int // index of the first of them, in points
}

// Error says how many points failed and where the first is.
func (e *OutOfDomainError) Error() string {
	return fmt.Sprintf("%d points (the first at index %d) lie outside the domain of the coordinate reference system: check that it belongs to the data", e.Points, e.First)
}

// end is one side of a Transform.
type end struct {
	kind     kind
	ell      *ellipsoid
	proj     projection
	dir      directionInverse // of proj, if it has it
	unit     float64          // metres or radians per unit of x and y
	meridian float64          // radians, of a geographic CRS
	zUnit    float64          // metres per unit of z, negative for depths
}

func newEnd(c *CRS) (end, error) {
	s := &c.base.datum.spheroid
	e := end{kind: c.kind, ell: newEllipsoid(s.a, s.inverseFlattening), unit: c.HorizontalUnit().Metres, zUnit: c.VerticalUnit().Metres}
	if c.vertical != nil && c.vertical.down {
		e.zUnit = -e.zUnit
	}
	switch c.kind {
	case projected:
		p, err := newProjection(c.conv.method, &c.conv.params, e.ell, c.base.datum.meridian.lon)
		if err != nil {
			return e, err
		}
		e.proj = p
		e.dir, _ = p.(directionInverse)
	case geographic2D, geographic3D:
		e.meridian = radians(c.base.datum.meridian.lon)
	case geocentric:
	}
	return e, nil
}

// Transform turns coordinates of one CRS into those of another. It is
// immutable and safe for concurrent use.
type Transform struct {
	from, to  end
	identity  bool
	shift     bool
	shiftFrom matrixShift // to WGS 84
	shiftTo   matrixShift // to WGS 84, used backwards
	keepZ     bool        // the shift leaves heights alone
	note      string
}

// NewTransform prepares the way from one CRS to another.
func NewTransform(from, to *CRS) (*Transform, error) {
	f, err := newEnd(from)
	if err != nil {
		return nil, fmt.Errorf("transform from %q: %w", from.Name(), err)
	}
	g, err := newEnd(to)
	if err != nil {
		return nil, fmt.Errorf("transform to %q: %w", to.Name(), err)
	}
	t := &Transform{from: f, to: g, identity: from.sameAs(to)}
	has3D := func(c *CRS) bool { return c.kind == geocentric || c.kind == geographic3D }
	// A geocentric target of a map with heights takes them as they are, too.
	t.keepZ = !has3D(from) || !has3D(to)
	if from.kind == geocentric || to.kind == geocentric && has3D(from) {
		t.keepZ = false
	}
	var notes []string
	if !t.identity {
		notes = t.planShift(from, to)
	}
	t.note = strings.Join(append(notes, heightNotes(from, to)...), "; ")
	return t, nil
}

// ToWGS84 is the transform to longitude and latitude in degrees and height
// above the ellipsoid in metres (EPSG:4979, in this order).
func (c *CRS) ToWGS84() (*Transform, error) { return c.toCode(4979) }

// ToECEF is the transform to geocentric coordinates in metres (EPSG:4978).
func (c *CRS) ToECEF() (*Transform, error) { return c.toCode(4978) }

func (c *CRS) toCode(code int) (*Transform, error) {
	to, err := FromEPSG(code)
	if err != nil {
		return nil, err
	}
	return NewTransform(c, to)
}

// Note tells in words what the transform leaves out or estimates: datum
// shifts with their accuracy, and heights taken as they are. It is empty where
// there is nothing to say.
func (t *Transform) Note() string { return t.note }

// sameAs says that coordinates are equal in both CRSs.
func (c *CRS) sameAs(o *CRS) bool {
	if c == o {
		return true
	}
	return c.kind == o.kind && c.conv.method == o.conv.method && c.conv.params == o.conv.params &&
		c.base.unit.Metres == o.base.unit.Metres && c.HorizontalUnit().Metres == o.HorizontalUnit().Metres &&
		c.VerticalUnit().Metres == o.VerticalUnit().Metres && c.depths() == o.depths() &&
		c.base.datum.spheroid.a == o.base.datum.spheroid.a &&
		c.base.datum.spheroid.inverseFlattening == o.base.datum.spheroid.inverseFlattening &&
		c.base.datum.meridian.lon == o.base.datum.meridian.lon && c.base.datum.sameAs(&o.base.datum)
}

func (c *CRS) depths() bool { return c.vertical != nil && c.vertical.down }

// Apply transforms interleaved x, y, z in place: units and axis order as in
// the package comment. It does not allocate. Points without an image become
// NaN and are counted in the *OutOfDomainError returned.
func (t *Transform) Apply(xyz []float64) error {
	if len(xyz)%3 != 0 {
		return fmt.Errorf("transform: %d coordinates are not whole points of x, y, z", len(xyz))
	}
	if t.identity {
		return nil
	}
	if t.from.dir != nil && t.to.kind == geocentric && !t.shift {
		t.applyDirect(xyz)
	} else {
		t.applyGeneral(xyz)
	}
	return domainError(xyz)
}

func domainError(xyz []float64) error {
	n, first := 0, 0
	for i := 0; i+2 < len(xyz); i += 3 {
		// The sum is NaN or infinite as soon as one of them is.
		s := xyz[i] + xyz[i+1] + xyz[i+2]
		if s-s == 0 {
			continue
		}
		if n == 0 {
			first = i / 3
		}
		n++
		xyz[i], xyz[i+1], xyz[i+2] = math.NaN(), math.NaN(), math.NaN()
	}
	if n == 0 {
		return nil
	}
	return &OutOfDomainError{Points: n, First: first}
}

// applyDirect is the way of point clouds into 3D Tiles: from a map to
// geocentric coordinates, without angles between.
func (t *Transform) applyDirect(xyz []float64) {
	dir, ell, unit, zUnit := t.from.dir, t.to.ell, t.from.unit, t.from.zUnit
	scale := 1 / t.to.unit
	for i := 0; i+2 < len(xyz); i += 3 {
		p := xyz[i : i+3 : i+3]
		x, y, z := ell.geocentric(dir.inverseDirection(p[0]*unit, p[1]*unit), p[2]*zUnit)
		p[0], p[1], p[2] = x*scale, y*scale, z*scale
	}
}

func (t *Transform) applyGeneral(xyz []float64) {
	for i := 0; i+2 < len(xyz); i += 3 {
		p := xyz[i : i+3 : i+3]
		p[0], p[1], p[2] = t.point(p[0], p[1], p[2])
	}
}

// point transforms one point through geodetic coordinates of both datums.
func (t *Transform) point(x, y, z float64) (float64, float64, float64) {
	f, g := &t.from, &t.to
	if t.from.kind == geocentric {
		x, y, z = x*f.unit, y*f.unit, z*f.unit
		switch {
		case t.shift:
			x, y, z = t.shiftECEF(x, y, z)
		case g.kind != geocentric:
			x, y, z = f.ell.geodetic(x, y, z)
		}
		if g.kind == geocentric {
			return x / g.unit, y / g.unit, z / g.unit
		}
		if t.shift {
			x, y, z = g.ell.geodetic(x, y, z)
		}
		return t.project(x, y, z)
	}
	lon, lat, h := x*f.unit+f.meridian, y*f.unit, z*f.zUnit
	if f.kind == projected {
		lon, lat = f.proj.inverse(x*f.unit, y*f.unit)
	}
	if t.shift {
		kept := h
		x, y, z = f.ell.geocentric(directionOf(lon, lat), h)
		x, y, z = t.shiftECEF(x, y, z)
		if g.kind == geocentric && !t.keepZ {
			return x / g.unit, y / g.unit, z / g.unit
		}
		lon, lat, h = g.ell.geodetic(x, y, z)
		if t.keepZ {
			h = kept
		}
	}
	if g.kind == geocentric {
		x, y, z = g.ell.geocentric(directionOf(lon, lat), h)
		return x / g.unit, y / g.unit, z / g.unit
	}
	return t.project(lon, lat, h)
}

// project brings geodetic coordinates of the target datum into its CRS.
func (t *Transform) project(lon, lat, h float64) (float64, float64, float64) {
	g := &t.to
	h /= g.zUnit
	if g.kind != projected {
		return wrap(lon-g.meridian) / g.unit, lat / g.unit, h
	}
	if !(math.Abs(lat) <= math.Pi/2+1e-12) {
		return math.NaN(), math.NaN(), math.NaN()
	}
	x, y := g.proj.forward(lon, lat)
	return x / g.unit, y / g.unit, h
}

// shiftECEF goes from one datum to the other by way of WGS 84.
func (t *Transform) shiftECEF(x, y, z float64) (float64, float64, float64) {
	x, y, z = t.shiftFrom.apply(x, y, z)
	return t.shiftTo.invert(x, y, z)
}
