package crs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Keys of a GeoTIFF directory (OGC 19-008r4 "GeoTIFF", annex B).
const (
	keyModelType         = 1024
	keyRasterType        = 1025
	keyCitation          = 1026
	keyGeodeticCRS       = 2048
	keyGeodeticCitation  = 2049
	keyDatum             = 2050
	keyMeridian          = 2051
	keyAngularUnit       = 2054
	keyAngularUnitSize   = 2055
	keyEllipsoid         = 2056
	keySemiMajor         = 2057
	keySemiMinor         = 2058
	keyInverseFlattening = 2059
	keyMeridianLongitude = 2061
	keyProjectedCRS      = 3072
	keyProjectedCitation = 3073
	keyConversion        = 3074
	keyMethod            = 3075
	keyLinearUnit        = 3076
	keyLinearUnitSize    = 3077
	keyParallel1         = 3078
	keyParallel2         = 3079
	keyNaturalLongitude  = 3080
	keyNaturalLatitude   = 3081
	keyFalseEasting      = 3082
	keyFalseNorthing     = 3083
	keyFalseLongitude    = 3084
	keyFalseLatitude     = 3085
	keyFalseEastingAt    = 3086
	keyFalseNorthingAt   = 3087
	keyCenterLongitude   = 3088
	keyCenterLatitude    = 3089
	keyCenterEasting     = 3090
	keyCenterNorthing    = 3091
	keyScale             = 3092
	keyCenterScale       = 3093
	keyAzimuth           = 3094
	keyPoleLongitude     = 3095
	keyVerticalCRS       = 4096
	keyVerticalUnit      = 4099

	userDefined   = 32767
	doublesTag    = 34736
	asciiTag      = 34737
	maxKeyEntries = 1 << 12
)

// geoKeys are the values of a directory.
type geoKeys struct {
	shorts  map[uint16]int
	doubles map[uint16]float64
	texts   map[uint16]string
}

// parseGeoKeys reads a directory: a header of four numbers, then four for each key
// (OGC 19-008r4, 7.1.2).
func parseGeoKeys(directory []uint16, doubles []float64, ascii string) (*geoKeys, error) {
	if len(directory) < 4 || directory[0] != 1 {
		return nil, fmt.Errorf("%w: the GeoTIFF key directory has no header of version 1", ErrUnknownCRS)
	}
	k := &geoKeys{map[uint16]int{}, map[uint16]float64{}, map[uint16]string{}}
	n := min(int(directory[3]), (len(directory)-4)/4, maxKeyEntries)
	for i := range n {
		e := directory[4+4*i : 8+4*i]
		key, tag, count, at := e[0], e[1], int(e[2]), int(e[3])
		switch tag {
		case 0:
			k.shorts[key] = at
		case doublesTag:
			if at < len(doubles) && !math.IsNaN(doubles[at]) && !math.IsInf(doubles[at], 0) {
				k.doubles[key] = doubles[at]
			}
		case asciiTag:
			if at <= len(ascii) {
				k.texts[key] = strings.TrimRight(ascii[at:min(at+count, len(ascii))], "|\x00 ")
			}
		}
	}
	return k, nil
}

// code gives an EPSG code among the keys, 0 where there is none or a user-defined.
func (k *geoKeys) code(key uint16) int {
	if v := k.shorts[key]; v > 0 && v < userDefined {
		return v
	}
	return 0
}

// FromGeoTIFFKeys makes the CRS that the keys of a GeoTIFF, or of a LAS file
// (LASF_Projection 34735, 34736, 34737), describe: by EPSG codes, or by datum,
// method and parameters of their own.
func FromGeoTIFFKeys(directory []uint16, doubles []float64, ascii string) (*CRS, error) {
	k, err := parseGeoKeys(directory, doubles, ascii)
	if err != nil {
		return nil, err
	}
	c, err := k.horizontal()
	if err != nil {
		return nil, err
	}
	return k.withVertical(c)
}

func (k *geoKeys) horizontal() (*CRS, error) {
	if code := k.code(keyProjectedCRS); code != 0 {
		return FromEPSG(code)
	}
	if k.shorts[keyModelType] != 1 && k.shorts[keyMethod] == 0 {
		if code := k.code(keyGeodeticCRS); code != 0 {
			return FromEPSG(code)
		}
		wkt, err := k.geodeticWKT()
		if err != nil {
			return nil, err
		}
		return ParseWKT(wkt)
	}
	wkt, err := k.projectedWKT()
	if err != nil {
		return nil, err
	}
	return ParseWKT(wkt)
}

// withVertical adds the vertical part where the keys have one. A unit without a
// CRS is that of heights above an unknown surface.
func (k *geoKeys) withVertical(c *CRS) (*CRS, error) {
	if c.HasVertical() {
		return c, nil
	}
	out := *c
	if code := k.code(keyVerticalCRS); code != 0 {
		if out.vertical = verticalFromEPSG(code); out.vertical != nil {
			out.wkt = ""
			return &out, nil
		}
	}
	if code := k.code(keyVerticalUnit); code != 0 {
		if u := unitFromEPSG(code); u.Metres > 0 {
			out.vertical = &verticalCRS{name: "unknown", datumName: "unknown", unit: u, unitEPSG: code}
			out.wkt = ""
		}
	}
	return &out, nil
}

func wktNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func wktText(s string) string { return `"` + strings.ReplaceAll(s, `"`, "'") + `"` }

// geodeticWKT gives the geographic CRS as WKT 1.
func (k *geoKeys) geodeticWKT() (string, error) {
	if code := k.code(keyGeodeticCRS); code != 0 {
		c, err := FromEPSG(code)
		if err != nil {
			return "", err
		}
		if !c.IsGeographic() {
			return "", fmt.Errorf("%w: EPSG:%d in the GeoTIFF keys is no geographic CRS", ErrUnknownCRS, code)
		}
		return c.WKT(), nil
	}
	name := k.texts[keyGeodeticCitation]
	if name == "" {
		name = "unknown"
	}
	datum, ellipsoid := "unknown", "unknown"
	a, rf := k.doubles[keySemiMajor], k.doubles[keyInverseFlattening]
	if b := k.doubles[keySemiMinor]; rf == 0 && b > 0 && a > b {
		rf = a / (a - b)
	}
	authority := ""
	if code := k.code(keyDatum); code != 0 {
		if d, ok := datumFromEPSG(code); ok {
			datum, ellipsoid = d.name, d.spheroid.name
			authority = fmt.Sprintf(`,AUTHORITY["EPSG","%d"]`, code)
			if a == 0 {
				a, rf = d.spheroid.a, d.spheroid.inverseFlattening
			}
		}
	}
	if code := k.code(keyEllipsoid); code != 0 && a == 0 {
		if r := record(ellipsoidTable, code); len(r) > 3 {
			ellipsoid, a, rf = r[1], atof(r[2]), atof(r[3])
		}
	}
	if !(a > 0) {
		return "", fmt.Errorf("%w: the GeoTIFF keys name neither a geographic CRS nor a datum nor an ellipsoid", ErrUnknownCRS)
	}
	unit := unitFromEPSG(unitDegree)
	if code := k.code(keyAngularUnit); code != 0 {
		if u := unitFromEPSG(code); u.Metres > 0 {
			unit = u
		}
	} else if size := k.doubles[keyAngularUnitSize]; size > 0 {
		unit = Unit{Name: "unknown", Metres: size}
	}
	return fmt.Sprintf(`GEOGCS[%s,DATUM[%s,SPHEROID[%s,%s,%s]%s],PRIMEM["unknown",%s],UNIT[%s,%s]]`,
		wktText(name), wktText(datum), wktText(ellipsoid), wktNumber(a), wktNumber(rf), authority,
		wktNumber(k.doubles[keyMeridianLongitude]), wktText(unit.Name), wktNumber(unit.Metres)), nil
}

// geoMethods gives the name in WKT 1 of the methods of key 3075 (annex C.3).
func geoMethod(code int) string {
	switch code {
	case 1:
		return "Transverse_Mercator"
	case 3:
		return "Hotine_Oblique_Mercator"
	case 7:
		return "Mercator_1SP"
	case 8:
		return "Lambert_Conformal_Conic_2SP"
	case 9:
		return "Lambert_Conformal_Conic_1SP"
	case 10:
		return "Lambert_Azimuthal_Equal_Area"
	case 11:
		return "Albers_Conic_Equal_Area"
	case 15:
		return "Polar_Stereographic"
	case 16:
		return "Oblique_Stereographic"
	case 18:
		return "Cassini_Soldner"
	case 27:
		return "Transverse_Mercator_South_Orientated"
	}
	return ""
}

// linearUnit gives the unit of a projected CRS, metres where the keys do not say.
func (k *geoKeys) linearUnit() (Unit, int) {
	if code := k.code(keyLinearUnit); code != 0 {
		if u := unitFromEPSG(code); u.Metres > 0 {
			return u, code
		}
	}
	if size := k.doubles[keyLinearUnitSize]; size > 0 {
		u := Unit{Name: "unknown", Metres: size}
		return u, unitCode(u, false)
	}
	return unitFromEPSG(unitMetre), unitMetre
}

// first gives the value of the first of several keys that is there.
func (k *geoKeys) first(keys ...uint16) (float64, bool) {
	for _, key := range keys {
		if v, ok := k.doubles[key]; ok {
			return v, true
		}
	}
	return 0, false
}

// projectedWKT gives a user-defined projected CRS as WKT 1.
func (k *geoKeys) projectedWKT() (string, error) {
	base, err := k.geodeticWKT()
	if err != nil {
		return "", err
	}
	unit, unitEPSG := k.linearUnit()
	if code := k.code(keyConversion); code != 0 {
		return k.zoneWKT(base, unit, unitEPSG, code)
	}
	method := geoMethod(k.shorts[keyMethod])
	if method == "" {
		return "", &UnsupportedError{Method: fmt.Sprintf("GeoTIFF method %d", k.shorts[keyMethod])}
	}
	name := k.texts[keyProjectedCitation]
	if name == "" {
		name = k.texts[keyCitation]
	}
	if name == "" {
		name = "unknown"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `PROJCS[%s,%s,PROJECTION["%s"]`, wktText(name), base, method)
	put := func(parameter string, keys ...uint16) {
		if v, ok := k.first(keys...); ok {
			fmt.Fprintf(&b, `,PARAMETER["%s",%s]`, parameter, wktNumber(v))
		}
	}
	put("latitude_of_origin", keyNaturalLatitude, keyFalseLatitude, keyCenterLatitude)
	put("central_meridian", keyNaturalLongitude, keyFalseLongitude, keyPoleLongitude, keyCenterLongitude)
	put("standard_parallel_1", keyParallel1)
	put("standard_parallel_2", keyParallel2)
	put("azimuth", keyAzimuth)
	put("scale_factor", keyScale, keyCenterScale)
	put("false_easting", keyFalseEasting, keyFalseEastingAt, keyCenterEasting)
	put("false_northing", keyFalseNorthing, keyFalseNorthingAt, keyCenterNorthing)
	fmt.Fprintf(&b, `,UNIT[%s,%s]]`, wktText(unit.Name), wktNumber(unit.Metres))
	return b.String(), nil
}

// zoneWKT is a projected CRS by the EPSG code of its conversion, such as a UTM
// zone (16001 to 16060 and 16101 to 16160) on a datum of its own.
func (k *geoKeys) zoneWKT(base string, unit Unit, unitEPSG, code int) (string, error) {
	conv, ok := conversionFromEPSG(code)
	if !ok {
		return "", fmt.Errorf("%w: EPSG has no conversion %d, which the GeoTIFF keys name", ErrUnknownCRS, code)
	}
	g, err := ParseWKT(base)
	if err != nil {
		return "", err
	}
	c := &CRS{kind: projected, name: conv.name, base: g.base, conv: conv, unit: unit, unitEPSG: unitEPSG, southWest: conv.method == methodTransverseSouth}
	return c.WKT(), nil
}
