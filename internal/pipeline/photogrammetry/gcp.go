package photogrammetry

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"slate360.ai/worker/codec/crs"
)

// controlPoint is a measured point and where photos show it.
type controlPoint struct {
	name string
	// at are coordinates in the file's CRS.
	at    [3]float64
	check bool // only compared with
	marks []mark
}

// mark is where a photo shows a point, in pixels from the upper left corner.
type mark struct {
	photo string
	x, y  float64
}

// Bounds of a file of control points.
const (
	maxControlLines = 200_000
	maxControlLine  = 64 << 10
	// checkPrefix begins the names of points that are only compared with.
	checkPrefix = "CHK"
)

// readControlPoints reads OpenDroneMap's gcp_list.txt: the CRS in the first line, then
// lines of easting, northing, height, x and y in pixels, name of the photo and, if
// wanted, name of the point. Points are told apart by their coordinates.
func readControlPoints(r io.Reader) (*crs.CRS, []controlPoint, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4096), maxControlLine)
	var system *crs.CRS
	var points []controlPoint
	index := map[[3]float64]int{}
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(s.Text(), "\xef\xbb\xbf"))
		if n > maxControlLines {
			return nil, nil, fmt.Errorf("more than %d lines", maxControlLines)
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if system == nil {
			var err error
			if system, err = parseProjection(line); err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", n, err)
			}
			continue
		}
		at, m, name, err := parseMark(line)
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		i, ok := index[at]
		if !ok {
			i = len(points)
			index[at] = i
			points = append(points, controlPoint{at: at})
		}
		if name != "" {
			points[i].name, points[i].check = name, strings.HasPrefix(strings.ToUpper(name), checkPrefix)
		}
		points[i].marks = append(points[i].marks, m)
	}
	if err := s.Err(); err != nil {
		return nil, nil, err
	}
	if system == nil {
		return nil, nil, fmt.Errorf("the file is empty: want a coordinate system in the first line")
	}
	for i := range points {
		if points[i].name == "" {
			points[i].name = fmt.Sprintf("point %d", i+1)
		}
	}
	return system, points, nil
}

func parseMark(line string) (at [3]float64, m mark, name string, err error) {
	f := strings.Fields(line)
	if len(f) < 6 {
		return at, m, "", fmt.Errorf("%d fields, want easting, northing, height, x, y and the name of a photo", len(f))
	}
	var v [5]float64
	for i := range v {
		if v[i], err = strconv.ParseFloat(f[i], 64); err != nil || math.IsNaN(v[i]) || math.IsInf(v[i], 0) {
			return at, m, "", fmt.Errorf("%q is not a number", f[i])
		}
	}
	if len(f) > 6 {
		name = f[6]
	}
	return [3]float64{v[0], v[1], v[2]}, mark{photo: f[5], x: v[3], y: v[4]}, name, nil
}

// parseProjection reads how OpenDroneMap's users name a CRS: "EPSG:n", WKT, "WGS84 UTM
// 17N", or a proj string of a UTM zone or of longitude and latitude.
func parseProjection(line string) (*crs.CRS, error) {
	if f := strings.Fields(strings.ToUpper(line)); len(f) == 3 && f[0] == "WGS84" && f[1] == "UTM" {
		zone, south := strings.CutSuffix(f[2], "S")
		n, err := strconv.Atoi(strings.TrimSuffix(zone, "N"))
		if err != nil || n < 1 || n > 60 {
			return nil, fmt.Errorf("there is no UTM zone %q", f[2])
		}
		return crs.FromEPSG(utmCode(n, south))
	}
	if !strings.HasPrefix(line, "+") {
		return crs.Parse(line)
	}
	return parseProj(line)
}

func utmCode(zone int, south bool) int {
	if south {
		return epsgSouthUT + zone
	}
	return epsgNorthUT + zone
}

// parseProj reads a proj string. Those that are written are of few kinds; others are
// better given by their EPSG code.
func parseProj(text string) (*crs.CRS, error) {
	p := map[string]string{}
	for _, f := range strings.Fields(text) {
		key, value, _ := strings.Cut(strings.TrimPrefix(f, "+"), "=")
		p[strings.ToLower(key)] = value
	}
	refuse := func() (*crs.CRS, error) {
		return nil, fmt.Errorf("the projection %q is not understood: write EPSG:n instead", text)
	}
	if code, ok := strings.CutPrefix(strings.ToLower(p["init"]), "epsg:"); ok {
		return crs.Parse("EPSG:" + code)
	}
	datum := strings.ToUpper(p["datum"])
	if datum == "" {
		datum = strings.ToUpper(p["ellps"])
	}
	if u := p["units"]; u != "" && u != "m" {
		return refuse()
	}
	_, south := p["south"]
	switch p["proj"] {
	case "longlat", "latlong", "lonlat", "latlon":
		if datum == "" || datum == "WGS84" {
			return crs.FromEPSG(epsgWGS84)
		}
	case "utm":
		zone, err := strconv.Atoi(p["zone"])
		if err != nil || zone < 1 || zone > 60 {
			return nil, fmt.Errorf("there is no UTM zone %q", p["zone"])
		}
		switch datum {
		case "", "WGS84":
			return crs.FromEPSG(utmCode(zone, south))
		case "GRS80": // ETRS89
			if !south && zone >= 28 && zone <= 38 {
				return crs.FromEPSG(25800 + zone)
			}
		case "NAD83":
			if !south && zone <= 23 {
				return crs.FromEPSG(26900 + zone)
			}
		}
	}
	return refuse()
}

// matchName finds the photo that a file of control points names: by its path in the
// source, or its base name, whatever the case of letters and the extension.
func matchName(photos []Photo, name string) int {
	want := strings.ToLower(name)
	stem := strings.TrimSuffix(want, path.Ext(want))
	tests := []func(f string) bool{
		func(f string) bool { return f == want },
		func(f string) bool { return path.Base(f) == want },
		func(f string) bool { return strings.TrimSuffix(path.Base(f), path.Ext(f)) == stem },
	}
	for _, test := range tests {
		if i := slices.IndexFunc(photos, func(p Photo) bool { return test(strings.ToLower(p.File)) }); i >= 0 {
			return i
		}
	}
	return -1
}
