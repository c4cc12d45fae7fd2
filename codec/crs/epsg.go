package crs

import (
	_ "embed" // the tables
	"fmt"
	"strconv"
	"strings"
)

// The EPSG tables, text sorted by code. They are searched in place: nothing is
// parsed or held until a code is asked for.
var (
	//go:embed epsg/compound.txt
	compoundTable string
	//go:embed epsg/conversion.txt
	conversionTable string
	//go:embed epsg/datum.txt
	datumTable string
	//go:embed epsg/ellipsoid.txt
	ellipsoidTable string
	//go:embed epsg/geodetic.txt
	geodeticTable string
	//go:embed epsg/meridian.txt
	meridianTable string
	//go:embed epsg/projected.txt
	projectedTable string
	//go:embed epsg/unit.txt
	unitTable string
	//go:embed epsg/vertical.txt
	verticalTable string
)

// record finds the record of a code in a table and splits its fields; nil if
// there is none.
func record(table string, code int) []string {
	lo, hi := strings.IndexByte(table, '\n')+1, len(table)
	for lo < hi {
		start := lo + strings.LastIndexByte(table[lo:(lo+hi)/2], '\n') + 1
		end := start + strings.IndexByte(table[start:], '\n')
		line := table[start:end]
		id, _, _ := strings.Cut(line, "|")
		n, err := strconv.Atoi(id)
		switch {
		case err != nil:
			return nil
		case n == code:
			return strings.Split(line, "|")
		case n < code:
			lo = end + 1
		default:
			hi = start
		}
	}
	return nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func atof(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return f
}

// FromEPSG makes the CRS of an EPSG code: geographic, geocentric, projected or
// compound. Unknown codes give ErrUnknownCRS.
func FromEPSG(code int) (*CRS, error) {
	if r := record(compoundTable, code); r != nil {
		c, err := fromEPSGPair(atoi(r[2]), atoi(r[3]))
		if err != nil {
			return nil, err
		}
		c.compound, c.compEPSG = r[1], code
		return c, nil
	}
	if c := geodeticFromEPSG(code); c != nil {
		return c, c.check()
	}
	r := record(projectedTable, code)
	if r == nil {
		if record(verticalTable, code) != nil {
			return nil, fmt.Errorf("%w: EPSG:%d is a vertical CRS; give it after a horizontal one, as in EPSG:32633+%d", ErrUnknownCRS, code, code)
		}
		return nil, fmt.Errorf("%w: EPSG:%d is not in the table of this version; give the CRS as WKT instead", ErrUnknownCRS, code)
	}
	base := geodeticFromEPSG(atoi(r[2]))
	conv, ok := conversionFromEPSG(atoi(r[3]))
	if base == nil || !ok {
		return nil, fmt.Errorf("%w: EPSG:%d is incomplete in the table", ErrUnknownCRS, code)
	}
	c := &CRS{kind: projected, name: r[1], epsg: code, base: base.base, conv: conv, southWest: conv.method == methodTransverseSouth}
	c.unit, c.unitEPSG = unitFromEPSG(atoi(r[4])), atoi(r[4])
	return c, c.check()
}

// fromEPSGPair makes a compound CRS.
func fromEPSGPair(horizontal, vertical int) (*CRS, error) {
	c, err := FromEPSG(horizontal)
	if err != nil {
		return nil, err
	}
	if c.kind == geocentric || c.vertical != nil {
		return nil, fmt.Errorf("%w: EPSG:%d has heights already and cannot go with EPSG:%d", ErrUnknownCRS, horizontal, vertical)
	}
	v := verticalFromEPSG(vertical)
	if v == nil {
		return nil, fmt.Errorf("%w: EPSG:%d is not a vertical CRS in the table of this version", ErrUnknownCRS, vertical)
	}
	c.vertical = v
	return c, nil
}

func geodeticFromEPSG(code int) *CRS {
	r := record(geodeticTable, code)
	if r == nil {
		return nil
	}
	d, ok := datumFromEPSG(atoi(r[3]))
	if !ok {
		return nil
	}
	c := &CRS{name: r[1], epsg: code}
	c.base = geodeticCRS{
		name: r[1], epsg: code, datum: d,
		unit: unitFromEPSG(atoi(r[4])), unitEPSG: atoi(r[4]), eastFirst: r[5] == "en",
	}
	switch r[2] {
	case "2":
		c.kind = geographic2D
	case "3":
		c.kind = geographic3D
		c.height3D = unitFromEPSG(unitMetre)
	default:
		c.kind = geocentric
	}
	return c
}

func datumFromEPSG(code int) (datum, bool) {
	r := record(datumTable, code)
	if r == nil {
		return datum{}, false
	}
	d := datum{name: r[1], epsg: code, known: shiftOf(r)}
	e := record(ellipsoidTable, atoi(r[2]))
	m := record(meridianTable, atoi(r[3]))
	if e == nil || m == nil {
		return datum{}, false
	}
	d.spheroid = spheroid{name: e[1], epsg: atoi(e[0]), a: atof(e[2]), inverseFlattening: atof(e[3])}
	d.meridian = meridian{name: m[1], epsg: atoi(m[0]), lon: atof(m[2])}
	return d, true
}

// shiftOf reads the transformation of a datum record; nil where there is none.
func shiftOf(r []string) *knownShift {
	if r[4] == "" {
		return nil
	}
	s := &knownShift{epsg: atoi(r[4]), accuracy: atof(r[5])}
	for i, f := range strings.Split(r[6], ",") {
		if i < len(s.helmert) {
			s.helmert[i] = atof(f)
		}
	}
	return s
}

// datumByName finds the code of a datum by one of its names, with whatever
// punctuation; 0 if there is none.
func datumByName(name string) int {
	key := datumKey(name)
	if key == "" {
		return 0
	}
	alias := 0
	for line := range strings.Lines(datumTable) {
		r := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(r) < 8 {
			continue
		}
		if datumKey(r[1]) == key {
			return atoi(r[0])
		}
		for a := range strings.SplitSeq(r[7], ";") {
			if alias == 0 && datumKey(a) == key {
				alias = atoi(r[0])
			}
		}
	}
	return alias
}

// datumKey reduces the spellings of a datum's name to one: ESRI's D_ prefix,
// underscores, case and "ensemble" do not count.
func datumKey(name string) string {
	name = strings.TrimPrefix(name, "D_")
	return strings.TrimSuffix(simplify(name), "ensemble")
}

// simplify keeps letters and digits, in lower case.
func simplify(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 127:
			return r
		}
		return -1
	}, s)
}

func conversionFromEPSG(code int) (conversion, bool) {
	r := record(conversionTable, code)
	if r == nil {
		return conversion{}, false
	}
	c := conversion{name: r[1], epsg: code, method: method(atoi(r[2])), params: params{k: 1}}
	for f := range strings.SplitSeq(r[3], ",") {
		key, value, _ := strings.Cut(f, "=")
		if p := c.params.field(key); p != nil {
			*p = atof(value)
		}
	}
	return c, true
}

// field is the parameter of a short name, as the tables use it; nil if none.
func (p *params) field(name string) *float64 {
	switch name {
	case "lat0":
		return &p.lat0
	case "lon0":
		return &p.lon0
	case "lat1":
		return &p.lat1
	case "lat2":
		return &p.lat2
	case "k":
		return &p.k
	case "fe":
		return &p.fe
	case "fn":
		return &p.fn
	case "az":
		return &p.az
	case "rect":
		return &p.rect
	case "colat":
		return &p.colat
	}
	return nil
}

func verticalFromEPSG(code int) *verticalCRS {
	r := record(verticalTable, code)
	if r == nil {
		return nil
	}
	return &verticalCRS{
		name: r[1], epsg: code, datumEPSG: atoi(r[2]), datumName: r[3],
		unit: unitFromEPSG(atoi(r[4])), unitEPSG: atoi(r[4]), down: r[5] == "d",
	}
}

// Codes of the common units.
const (
	unitMetre        = 9001
	unitFoot         = 9002
	unitUSSurveyFoot = 9003
	unitDegree       = 9102
)

func unitFromEPSG(code int) Unit {
	if r := record(unitTable, code); r != nil {
		return Unit{Name: r[1], Metres: atof(r[2])}
	}
	return Unit{}
}

// unitCode finds the EPSG code of a unit by its size; 0 if none.
func unitCode(u Unit, angular bool) int {
	codes := []int{unitMetre, unitFoot, unitUSSurveyFoot}
	if angular {
		codes = []int{unitDegree, 9105, 9101}
	}
	for _, c := range codes {
		f := unitFromEPSG(c).Metres
		if d := u.Metres/f - 1; d < 1e-9 && d > -1e-9 {
			return c
		}
	}
	return 0
}

// Parse makes a CRS from what users type or files hold: "EPSG:n", "EPSG:n+m"
// (horizontal and vertical), a bare code, the OGC URN and URL of a code, or
// WKT 1 or 2.
func Parse(s string) (*CRS, error) {
	s = strings.TrimSpace(strings.TrimRight(s, "\x00"))
	if strings.ContainsAny(s, "[(") {
		return ParseWKT(s)
	}
	upper := strings.ToUpper(s)
	for _, prefix := range []string{"URN:OGC:DEF:CRS:EPSG:", "HTTP://WWW.OPENGIS.NET/DEF/CRS/EPSG/", "HTTPS://WWW.OPENGIS.NET/DEF/CRS/EPSG/", "EPSG:"} {
		if rest, ok := strings.CutPrefix(upper, prefix); ok {
			upper = rest[strings.LastIndexAny(rest, ":/")+1:]
			break
		}
	}
	h, v, pair := strings.Cut(upper, "+")
	code, err := strconv.Atoi(h)
	if err != nil || code <= 0 {
		return nil, fmt.Errorf("%w: %.60q is neither EPSG:code nor WKT", ErrUnknownCRS, s)
	}
	if !pair {
		return FromEPSG(code)
	}
	vcode, err := strconv.Atoi(strings.TrimPrefix(v, "EPSG:"))
	if err != nil {
		return nil, fmt.Errorf("%w: %.60q: the vertical code is not a number", ErrUnknownCRS, s)
	}
	return fromEPSGPair(code, vcode)
}
