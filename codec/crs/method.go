package crs

import (
	"math"
	"strings"
)

// methodNamed finds the projection method of a name from WKT 1 (GDAL, ESRI),
// WKT 2 or EPSG; names are compared without case and punctuation. The last
// three cases of a name that covers several methods are told apart by the
// parameters in resolve.
func methodNamed(name string) (method, bool) {
	switch simplify(name) {
	case "transversemercator", "gausskruger", "transversemercatorcomplex":
		return methodTransverse, true
	case "transversemercatorsouthorientated", "transversemercatorsouthoriented":
		return methodTransverseSouth, true
	case "lambertconformalconic1sp", "lambertconicconformal1sp":
		return methodLambert1SP, true
	case "lambertconformalconic2sp", "lambertconicconformal2sp", "lambertconformalconic":
		return methodLambert2SP, true
	case "lambertconformalconic2spbelgium", "lambertconicconformal2spbelgium":
		return methodLambertBelgium, true
	case "albersconicequalarea", "albersequalarea", "albers":
		return methodAlbers, true
	case "mercator1sp", "mercatorvarianta":
		return methodMercatorA, true
	case "mercator2sp", "mercatorvariantb", "mercator":
		return methodMercatorB, true
	case "popularvisualisationpseudomercator", "mercatorauxiliarysphere":
		return methodWebMercator, true
	case "polarstereographicvarianta":
		return methodPolarA, true
	case "polarstereographicvariantb", "stereographicnorthpole", "stereographicsouthpole", "polarstereographic":
		return methodPolarB, true
	case "polarstereographicvariantc":
		return methodPolarC, true
	case "obliquestereographic", "doublestereographic":
		return methodObliqueStereo, true
	case "hotineobliquemercator", "hotineobliquemercatorvarianta", "hotineobliquemercatorazimuthnaturalorigin", "rectifiedskeworthomorphicnaturalorigin":
		return methodHotineA, true
	case "hotineobliquemercatorazimuthcenter", "hotineobliquemercatorvariantb", "rectifiedskeworthomorphiccenter", "swissobliquemercator", "swissobliquecylindrical":
		return methodHotineB, true
	case "lambertazimuthalequalarea":
		return methodLambertEqualArea, true
	case "cassinisoldner", "cassini":
		return methodCassini, true
	case "krovak", "krovaknorthorientated", "krovakeastnorth":
		return methodKrovakNorth, true
	}
	return 0, false
}

// parameterNamed gives the short name (see params.field) of a parameter name
// of WKT 1 or 2; "" for one that is not known, and whether it is an angle.
func parameterNamed(name string) (field string, angle bool) {
	switch simplify(name) {
	case "latitudeoforigin", "latitudeofnaturalorigin", "latitudeoffalseorigin", "latitudeofcenter", "latitudeofcentre",
		"latitudeofprojectioncentre", "centralparallel":
		return "lat0", true
	case "centralmeridian", "longitudeofnaturalorigin", "longitudeoffalseorigin", "longitudeofcenter", "longitudeofcentre",
		"longitudeoforigin", "longitudeofprojectioncentre", "straightverticallongitudefrompole":
		return "lon0", true
	case "standardparallel1", "latitudeof1ststandardparallel", "latitudeofstandardparallel", "pseudostandardparallel1",
		"latitudeofpseudostandardparallel":
		return "lat1", true
	case "standardparallel2", "latitudeof2ndstandardparallel":
		return "lat2", true
	case "azimuth", "azimuthofinitialline", "azimuthatprojectioncentre":
		return "az", true
	case "rectifiedgridangle", "anglefromrectifiedtoskewgrid":
		return "rect", true
	case "colatitudeofconeaxis":
		return "colat", true
	case "scalefactor", "scalefactoratnaturalorigin", "scalefactoratprojectioncentre", "scalefactoroninitialline",
		"scalefactoronpseudostandardparallel":
		return "k", false
	case "falseeasting", "eastingatfalseorigin", "eastingatprojectioncentre":
		return "fe", false
	case "falsenorthing", "northingatfalseorigin", "northingatprojectioncentre":
		return "fn", false
	}
	return "", false
}

// resolve settles what a method's name leaves open, from the parameters that
// were given (has), and fills in those that the name implies.
func (c *conversion) resolve(name string, has map[string]bool) {
	p := &c.params
	key := simplify(name)
	switch c.method {
	case methodLambert1SP:
		// ESRI and old GeoTIFF writers put the one parallel beside the origin.
		if has["lat1"] && p.lat1 != p.lat0 {
			c.method, p.lat2 = methodLambert2SP, p.lat1
		}
	case methodLambert2SP:
		switch {
		case has["lat2"]:
		case has["lat1"] && p.lat1 != p.lat0:
			p.lat2 = p.lat1
		default:
			c.method = methodLambert1SP
			p.lat1 = 0
		}
	case methodMercatorB:
		if !has["lat1"] {
			c.method = methodMercatorA
		}
	case methodPolarB:
		c.resolvePolar(key, has)
	case methodHotineB:
		if strings.HasPrefix(key, "swiss") {
			p.az, p.rect = 90, 90
			has["rect"] = true
		}
	case methodKrovakNorth:
		if has["az"] && !has["colat"] { // WKT 1 and ESRI call it azimuth
			p.colat, has["colat"] = p.az, true
		}
		p.az = 0
		if !has["colat"] {
			p.colat = defaultKrovakColatitude
		}
		if !has["lat1"] {
			p.lat1 = defaultKrovakParallel
		}
		if !has["k"] {
			p.k = defaultKrovakScaleFactor
		}
	}
	if (c.method == methodHotineA || c.method == methodHotineB) && !has["rect"] {
		p.rect = p.az
	}
}

// resolvePolar: WKT 1 has one Polar_Stereographic whose latitude_of_origin is
// the standard parallel unless it is the pole (GDAL's reading).
func (c *conversion) resolvePolar(key string, has map[string]bool) {
	p := &c.params
	if key == "polarstereographicvariantb" {
		return
	}
	if !has["lat1"] {
		p.lat1 = p.lat0
	}
	if strings.HasSuffix(key, "southpole") {
		p.lat1 = -math.Abs(p.lat1)
	}
	p.lat0 = 0
	if math.Abs(p.lat1) > 90-1e-9 || math.Abs(p.k-1) > 1e-12 && key == "polarstereographic" {
		c.method = methodPolarA
		p.lat0, p.lat1 = math.Copysign(90, p.lat1), 0
	}
}
