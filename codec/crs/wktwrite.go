package crs

import (
	"math"
	"strconv"
	"strings"
)

// WKT is the well-known text of the CRS: the source text if it was parsed from
// WKT, else WKT 1 in GDAL's dialect, which LAS 1.4, GDAL and PROJ read.
func (c *CRS) WKT() string {
	if c.wkt != "" {
		return c.wkt
	}
	var w wktWriter
	if c.vertical == nil {
		w.horizontal(c)
		return w.String()
	}
	w.open("COMPD_CS", c.Name())
	w.horizontal(c)
	w.vertical(c.vertical)
	w.authority(c.compEPSG)
	w.close()
	return w.String()
}

// wktWriter writes WKT 1; every method but String and open ends an argument.
type wktWriter struct{ strings.Builder }

func (w *wktWriter) comma() {
	if s := w.String(); s != "" && s[len(s)-1] != '[' {
		w.WriteByte(',')
	}
}

func (w *wktWriter) open(keyword, name string) {
	w.comma()
	w.WriteString(keyword + `["` + strings.ReplaceAll(name, `"`, `""`) + `"`)
}

func (w *wktWriter) close() { w.WriteByte(']') }

func (w *wktWriter) number(v float64) {
	w.comma()
	w.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
}

func (w *wktWriter) word(s string) {
	w.comma()
	w.WriteString(s)
}

func (w *wktWriter) authority(code int) {
	if code > 0 {
		w.open("AUTHORITY", "EPSG")
		w.WriteString(`,"` + strconv.Itoa(code) + `"`)
		w.close()
	}
}

func (w *wktWriter) unit(u Unit, code int) {
	w.open("UNIT", u.Name)
	w.number(u.Metres)
	w.authority(code)
	w.close()
}

func (w *wktWriter) axis(name, direction string) {
	w.open("AXIS", name)
	w.word(direction)
	w.close()
}

// wktName turns a datum's name into the underscored form of WKT 1.
func wktName(d *datum) string {
	switch d.epsg {
	case 6326:
		return "WGS_1984"
	case 6258:
		return "European_Terrestrial_Reference_System_1989"
	}
	out := make([]byte, 0, len(d.name))
	for i := range len(d.name) {
		b := d.name[i]
		letter := b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '+' || b > 127
		if !letter {
			if len(out) > 0 && out[len(out)-1] == '_' {
				continue
			}
			b = '_'
		}
		out = append(out, b)
	}
	return strings.Trim(string(out), "_")
}

func (w *wktWriter) horizontal(c *CRS) {
	switch c.kind {
	case projected:
		w.projected(c)
	case geocentric:
		w.open("GEOCCS", c.name)
		w.datum(&c.base)
		w.unit(c.base.unit, c.base.unitEPSG)
		w.axis("Geocentric X", "OTHER")
		w.axis("Geocentric Y", "OTHER")
		w.axis("Geocentric Z", "NORTH")
		w.authority(c.epsg)
		w.close()
	case geographic2D, geographic3D:
		w.geographic(&c.base, true, c.kind == geographic3D)
	}
}

// geographic writes GEOGCS; as the base of a projected CRS without axes, as
// GDAL does.
func (w *wktWriter) geographic(g *geodeticCRS, axes, height bool) {
	w.open("GEOGCS", g.name)
	w.datum(g)
	w.unit(g.unit, g.unitEPSG)
	if axes && g.eastFirst {
		w.axis("Longitude", "EAST")
		w.axis("Latitude", "NORTH")
	} else if axes {
		w.axis("Latitude", "NORTH")
		w.axis("Longitude", "EAST")
	}
	if height {
		w.axis("Ellipsoidal height", "UP")
	}
	w.authority(g.epsg)
	w.close()
}

func (w *wktWriter) datum(g *geodeticCRS) {
	d := &g.datum
	w.open("DATUM", wktName(d))
	w.open("SPHEROID", d.spheroid.name)
	w.number(d.spheroid.a)
	w.number(d.spheroid.inverseFlattening)
	w.authority(d.spheroid.epsg)
	w.close()
	if d.toWGS84 != nil {
		w.comma()
		w.WriteString("TOWGS84[")
		for _, v := range d.toWGS84 {
			w.number(v)
		}
		w.close()
	}
	w.authority(d.epsg)
	w.close()
	w.open("PRIMEM", d.meridian.name)
	w.number(d.meridian.lon)
	w.authority(d.meridian.epsg)
	w.close()
}

// wktMethods gives name and parameters of WKT 1 for each method. The order is
// GDAL's. "lat1@origin" and "lat0@origin" both go by latitude_of_origin.
func wktMethod(m method) (name string, parameters []string) {
	switch m {
	case methodTransverse:
		return "Transverse_Mercator", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "scale_factor=k"}
	case methodTransverseSouth:
		return "Transverse_Mercator_South_Orientated", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "scale_factor=k"}
	case methodLambert1SP:
		return "Lambert_Conformal_Conic_1SP", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "scale_factor=k"}
	case methodLambert2SP:
		return "Lambert_Conformal_Conic_2SP", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "standard_parallel_1=lat1", "standard_parallel_2=lat2"}
	case methodLambertBelgium:
		return "Lambert_Conformal_Conic_2SP_Belgium", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "standard_parallel_1=lat1", "standard_parallel_2=lat2"}
	case methodAlbers:
		return "Albers_Conic_Equal_Area", []string{"latitude_of_center=lat0", "longitude_of_center=lon0", "standard_parallel_1=lat1", "standard_parallel_2=lat2"}
	case methodMercatorA, methodWebMercator:
		return "Mercator_1SP", []string{"central_meridian=lon0", "scale_factor=k"}
	case methodMercatorB:
		return "Mercator_2SP", []string{"standard_parallel_1=lat1", "central_meridian=lon0"}
	case methodPolarA:
		return "Polar_Stereographic", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "scale_factor=k"}
	case methodPolarB, methodPolarC:
		return "Polar_Stereographic", []string{"latitude_of_origin=lat1", "central_meridian=lon0"}
	case methodObliqueStereo:
		return "Oblique_Stereographic", []string{"latitude_of_origin=lat0", "central_meridian=lon0", "scale_factor=k"}
	case methodHotineA:
		return "Hotine_Oblique_Mercator", []string{"latitude_of_center=lat0", "longitude_of_center=lon0", "azimuth=az", "rectified_grid_angle=rect", "scale_factor=k"}
	case methodHotineB:
		return "Hotine_Oblique_Mercator_Azimuth_Center", []string{"latitude_of_center=lat0", "longitude_of_center=lon0", "azimuth=az", "rectified_grid_angle=rect", "scale_factor=k"}
	case methodLambertEqualArea:
		return "Lambert_Azimuthal_Equal_Area", []string{"latitude_of_center=lat0", "longitude_of_center=lon0"}
	case methodCassini:
		return "Cassini_Soldner", []string{"latitude_of_origin=lat0", "central_meridian=lon0"}
	case methodKrovakNorth:
		return "Krovak", []string{"latitude_of_center=lat0", "longitude_of_center=lon0", "azimuth=colat", "pseudo_standard_parallel_1=lat1", "scale_factor=k"}
	}
	return "", nil
}

func (w *wktWriter) projected(c *CRS) {
	w.open("PROJCS", c.name)
	w.geographic(&c.base, false, false)
	name, parameters := wktMethod(c.conv.method)
	w.open("PROJECTION", name)
	w.close()
	p := c.conv.asWritten(c)
	for _, f := range parameters {
		long, short, _ := strings.Cut(f, "=")
		v := *p.field(short)
		if short != "k" {
			v = tidy(v * unitFromEPSG(unitDegree).Metres / c.base.unit.Metres)
		}
		w.parameter(long, v)
	}
	w.parameter("false_easting", tidy(p.fe/c.unit.Metres))
	w.parameter("false_northing", tidy(p.fn/c.unit.Metres))
	w.unit(c.unit, c.unitEPSG)
	switch c.conv.method {
	case methodPolarA, methodPolarB, methodPolarC, methodLambertEqualArea:
		// Axes of a polar grid both point away from the pole; without AXIS
		// the order is east, north for every reader.
	case methodTransverseSouth:
		w.axis("Westing", "WEST")
		w.axis("Southing", "SOUTH")
	default:
		w.axis("Easting", "EAST")
		w.axis("Northing", "NORTH")
	}
	if c.conv.method == methodWebMercator {
		w.open("EXTENSION", "PROJ4")
		w.WriteString(`,"+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=` + strconv.FormatFloat(p.lon0, 'g', -1, 64) +
			` +x_0=` + strconv.FormatFloat(p.fe, 'g', -1, 64) + ` +y_0=` + strconv.FormatFloat(p.fn, 'g', -1, 64) +
			` +k=1 +units=m +nadgrids=@null +wktext +no_defs"`)
		w.close()
	}
	w.authority(c.epsg)
	w.close()
}

func (w *wktWriter) parameter(name string, v float64) {
	w.open("PARAMETER", name)
	w.number(v)
	w.close()
}

// asWritten gives the parameters for formats that do not know polar
// stereographic variant C: as variant B, whose origin is the pole.
func (c *conversion) asWritten(of *CRS) params {
	p := c.params
	if c.method != methodPolarC {
		return p
	}
	s := &of.base.datum.spheroid
	if proj, err := newPolarStereographic(newEllipsoid(s.a, s.inverseFlattening), &p, 0, methodPolarC); err == nil {
		p.fn = proj.fn
	}
	return p
}

// tidy removes the noise of unit conversions: what a text gives with 12 digits
// comes back with 12 digits.
func tidy(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil || math.Abs(r-v) > 4e-15*math.Abs(v) {
		return v
	}
	return r
}

func (w *wktWriter) vertical(v *verticalCRS) {
	w.open("VERT_CS", v.name)
	name := v.datumName
	if name == "" {
		name = v.name
	}
	w.open("VERT_DATUM", name)
	if v.ellipsoidal {
		w.word("2002")
	} else {
		w.word("2005")
	}
	w.authority(v.datumEPSG)
	w.close()
	w.unit(v.unit, v.unitEPSG)
	if v.down {
		w.axis("Depth", "DOWN")
	} else {
		w.axis("Gravity-related height", "UP")
	}
	w.authority(v.epsg)
	w.close()
}
