package crs

import (
	"bufio"
	"math"
	"os"
	"strings"
	"testing"
)

// golden is a line of testdata/golden.txt.
type golden struct {
	code           int
	lon, lat, x, y float64
}

// goldens reads the reference points that PROJ computed; SLATE360_CRS_GOLDEN
// names a longer list (golden.py all).
func goldens(t *testing.T) []golden {
	t.Helper()
	name := os.Getenv("SLATE360_CRS_GOLDEN")
	if name == "" {
		name = "testdata/golden.txt"
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []golden
	for s := bufio.NewScanner(f); s.Scan(); {
		r := strings.Split(s.Text(), "|")
		if strings.HasPrefix(s.Text(), "#") || len(r) != 5 {
			continue
		}
		list = append(list, golden{atoi(r[0]), atof(r[1]), atof(r[2]), atof(r[3]), atof(r[4])})
	}
	if len(list) < 1000 {
		t.Fatalf("%s has only %d points", name, len(list))
	}
	return list
}

// tolerance is the agreement asked of projections, in metres.
const tolerance = 1e-3

// metresApart is the distance on the ground of two geographic positions given
// in an angular unit, near enough for a comparison.
func metresApart(u Unit, lon1, lat1, lon2, lat2 float64) float64 {
	dlon := math.Remainder((lon1-lon2)*u.Metres, 2*math.Pi) * math.Cos(lat1*u.Metres)
	return 6378137 * math.Hypot(dlon, (lat1-lat2)*u.Metres)
}

func TestProjectionsAgreeWithPROJ(t *testing.T) {
	worst := map[method]float64{}
	failed := map[int]bool{}
	for _, g := range goldens(t) {
		c, err := FromEPSG(g.code)
		if err != nil {
			if !failed[g.code] {
				t.Error(err)
			}
			failed[g.code] = true
			continue
		}
		forward, err := NewTransform(c.baseCRS(), c)
		if err != nil {
			t.Fatal(err)
		}
		inverse, err := NewTransform(c, c.baseCRS())
		if err != nil {
			t.Fatal(err)
		}
		p := []float64{g.lon, g.lat, 5}
		if err := forward.Apply(p); err != nil {
			t.Errorf("EPSG:%d %v: %v", g.code, g, err)
			continue
		}
		d := math.Hypot(p[0]-g.x, p[1]-g.y) * c.unit.Metres
		q := []float64{g.x, g.y, 5}
		if err := inverse.Apply(q); err != nil {
			t.Errorf("EPSG:%d %v: %v", g.code, g, err)
			continue
		}
		b := metresApart(c.base.unit, g.lon, g.lat, q[0], q[1])
		if !(d < tolerance && b < tolerance) {
			t.Errorf("EPSG:%d %s (method %d) at %v, %v: %.6f m forward, %.6f m back; got %v want %v, %v", g.code, c.name, c.conv.method, g.lon, g.lat, d, b, p, g.x, g.y)
		}
		worst[c.conv.method] = max(worst[c.conv.method], d, b)
	}
	for m, d := range worst {
		t.Logf("method %d: at most %.2e m from PROJ", m, d)
	}
}
