package crs

// GeoTIFFKeys gives the CRS as the keys of a GeoTIFF of cells (RasterPixelIsArea):
// directory, doubles and text for the tags 34735, 34736 and 34737. Codes of EPSG
// are used where they are known; ok is false for methods that GeoTIFF cannot say.
func (c *CRS) GeoTIFFKeys() (directory []uint16, doubles []float64, ascii string, ok bool) {
	w := &keyWriter{}
	switch {
	case c.kind == geocentric:
		w.short(keyModelType, 3)
		w.short(keyRasterType, 1)
		w.code(keyGeodeticCRS, c.epsg)
	case c.kind != projected:
		w.short(keyModelType, 2)
		w.short(keyRasterType, 1)
		w.geodetic(&c.base, c.epsg)
	default:
		w.short(keyModelType, 1)
		w.short(keyRasterType, 1)
		if c.epsg != 0 {
			w.short(keyProjectedCRS, c.epsg)
			w.linear(c.unit, c.unitEPSG)
		} else if !w.projected(c) {
			return nil, nil, "", false
		}
	}
	if v := c.vertical; v != nil {
		if v.epsg != 0 {
			w.short(keyVerticalCRS, v.epsg)
		}
		if code := max(v.unitEPSG, unitCode(v.unit, false)); code != 0 {
			w.short(keyVerticalUnit, code)
		}
	}
	return w.finish()
}

// keyWriter collects keys, which come in ascending order.
type keyWriter struct {
	entries []uint16
	doubles []float64
	ascii   string
}

func (w *keyWriter) short(key uint16, v int) {
	w.entries = append(w.entries, key, 0, 1, uint16(v))
}

// code writes an EPSG code, or that it is user-defined.
func (w *keyWriter) code(key uint16, epsg int) {
	if epsg <= 0 || epsg >= userDefined {
		epsg = userDefined
	}
	w.short(key, epsg)
}

func (w *keyWriter) double(key uint16, v float64) {
	w.entries = append(w.entries, key, doublesTag, 1, uint16(len(w.doubles)))
	w.doubles = append(w.doubles, v)
}

func (w *keyWriter) text(key uint16, s string) {
	s += "|"
	w.entries = append(w.entries, key, asciiTag, uint16(len(s)), uint16(len(w.ascii)))
	w.ascii += s
}

func (w *keyWriter) finish() (directory []uint16, doubles []float64, ascii string, ok bool) {
	directory = append([]uint16{1, 1, 0, uint16(len(w.entries) / 4)}, w.entries...)
	return directory, w.doubles, w.ascii, true
}

func (w *keyWriter) geodetic(g *geodeticCRS, epsg int) {
	w.code(keyGeodeticCRS, epsg)
	if epsg != 0 {
		return
	}
	w.text(keyGeodeticCitation, g.name)
	w.code(keyDatum, g.datum.epsg)
	w.short(keyAngularUnit, unitDegree)
	w.double(keySemiMajor, g.datum.spheroid.a)
	w.double(keyInverseFlattening, g.datum.spheroid.inverseFlattening)
	w.double(keyMeridianLongitude, g.datum.meridian.lon)
}

func (w *keyWriter) linear(u Unit, code int) {
	if code == 0 {
		code = unitCode(u, false)
	}
	w.code(keyLinearUnit, code)
	if code == 0 {
		w.double(keyLinearUnitSize, u.Metres)
	}
}

// keyValue is a parameter of a projection with its key.
type keyValue struct {
	key uint16
	v   float64
}

// projected writes a CRS without an EPSG code by method and parameters; false for
// methods that the keys have no code for.
func (w *keyWriter) projected(c *CRS) bool {
	p := c.conv.asWritten(c)
	fe, fn := p.fe/c.unit.Metres, p.fn/c.unit.Metres
	var method int
	var values []keyValue
	natural := []keyValue{{keyNaturalLongitude, p.lon0}, {keyNaturalLatitude, p.lat0}, {keyFalseEasting, fe}, {keyFalseNorthing, fn}, {keyScale, p.k}}
	switch c.conv.method {
	case methodTransverse:
		method, values = 1, natural
	case methodMercatorA:
		method, values = 7, natural
	case methodLambert1SP:
		method, values = 9, natural
	case methodObliqueStereo:
		method, values = 16, natural
	case methodLambert2SP:
		method, values = 8, []keyValue{
			{keyParallel1, p.lat1},
			{keyParallel2, p.lat2},
			{keyFalseLongitude, p.lon0},
			{keyFalseLatitude, p.lat0},
			{keyFalseEastingAt, fe},
			{keyFalseNorthingAt, fn},
		}
	case methodAlbers:
		method, values = 11, []keyValue{
			{keyParallel1, p.lat1},
			{keyParallel2, p.lat2},
			{keyNaturalLongitude, p.lon0},
			{keyNaturalLatitude, p.lat0},
			{keyFalseEasting, fe},
			{keyFalseNorthing, fn},
		}
	case methodPolarA:
		method, values = 15, []keyValue{
			{keyNaturalLatitude, p.lat0}, {keyFalseEasting, fe}, {keyFalseNorthing, fn}, {keyScale, p.k}, {keyPoleLongitude, p.lon0},
		}
	case methodPolarB, methodPolarC:
		method, values = 15, []keyValue{
			{keyNaturalLatitude, p.lat1}, {keyFalseEasting, fe}, {keyFalseNorthing, fn}, {keyScale, 1}, {keyPoleLongitude, p.lon0},
		}
	default:
		return false
	}
	w.geodetic(&c.base, c.base.epsg)
	w.short(keyProjectedCRS, userDefined)
	w.text(keyProjectedCitation, c.name)
	w.short(keyConversion, userDefined)
	w.short(keyMethod, method)
	w.linear(c.unit, c.unitEPSG)
	for _, v := range values {
		w.double(v.key, v.v)
	}
	return true
}
