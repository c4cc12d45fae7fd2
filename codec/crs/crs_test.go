package crs

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// autzenWKT is the text in LASF_Projection record 2112 of autzen.laz: a
// Lambert conformal conic in international feet without an EPSG code.
const autzenWKT = `PROJCS["NAD_1983_HARN_Lambert_Conformal_Conic",GEOGCS["GCS_North_American_1983_HARN",` +
	`DATUM["NAD83_High_Accuracy_Reference_Network",SPHEROID["GRS 1980",6378137,298.2572221010042,AUTHORITY["EPSG","7019"]],` +
	`AUTHORITY["EPSG","6152"]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic_2SP"],` +
	`PARAMETER["standard_parallel_1",43],PARAMETER["standard_parallel_2",45.5],PARAMETER["latitude_of_origin",41.75],` +
	`PARAMETER["central_meridian",-120.5],PARAMETER["false_easting",1312335.958005249],PARAMETER["false_northing",0],` +
	`UNIT["foot",0.3048,AUTHORITY["EPSG","9002"]]]`

func must(t testing.TB, s string) *CRS {
	t.Helper()
	c, err := Parse(s)
	if err != nil {
		t.Fatalf("parse %.60s: %v", s, err)
	}
	return c
}

func mustTransform(t testing.TB, from, to *CRS) *Transform {
	t.Helper()
	tr, err := NewTransform(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestAutzenLiesInEugene(t *testing.T) {
	c := must(t, autzenWKT+"\x00\x00")
	if !c.IsProjected() || c.EPSG() != 0 || c.VerticalEPSG() != 0 {
		t.Errorf("got EPSG %d+%d, projected %t", c.EPSG(), c.VerticalEPSG(), c.IsProjected())
	}
	if u := c.HorizontalUnit(); u.Name != "foot" || u.Metres != 0.3048 {
		t.Errorf("horizontal unit %+v", u)
	}
	if u := c.VerticalUnit(); u.Metres != 0.3048 {
		t.Errorf("heights without a vertical CRS are in the horizontal unit; got %+v", u)
	}
	tr, err := c.ToWGS84()
	if err != nil {
		t.Fatal(err)
	}
	// The stadium's field, in the middle of the file, 410 ft up.
	p := []float64{637300, 851210, 410}
	if err := tr.Apply(p); err != nil {
		t.Fatal(err)
	}
	if math.Abs(p[0]+123.068) > 0.005 || math.Abs(p[1]-44.058) > 0.005 || math.Abs(p[2]-410*0.3048) > 1e-9 {
		t.Errorf("the stadium lies at %.5f, %.5f, %.2f m", p[0], p[1], p[2])
	}
	// cs2cs +proj=lcc with these parameters says:
	want := []float64{-123.068715231475, 44.056250789812}
	if metresApart(unitFromEPSG(unitDegree), p[0], p[1], want[0], want[1]) > tolerance {
		t.Errorf("got %.10f, %.10f want %v", p[0], p[1], want)
	}
	if !strings.Contains(tr.Note(), "no vertical datum") || !strings.Contains(tr.Note(), "without a shift") {
		t.Errorf("note %q", tr.Note())
	}
}

// TestSameGridUnderItsCode holds that the WKT of autzen.laz is EPSG:2994, whose
// false easting EPSG gives in feet with fewer digits.
func TestSameGridUnderItsCode(t *testing.T) {
	a, b := must(t, autzenWKT), must(t, "EPSG:2994")
	p := []float64{637300, 851210, 410}
	if err := mustTransform(t, a, b).Apply(p); err != nil || math.Abs(p[0]-637300) > 1e-5 || math.Abs(p[1]-851210) > 1e-5 || p[2] != 410 {
		t.Errorf("%v, %v", p, err)
	}
}

func TestDirectAndGeneralWayAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range []string{"EPSG:2994", "EPSG:32610", "EPSG:2053", "EPSG:3112", "EPSG:32733", "EPSG:3032"} {
		c := must(t, s)
		tr, err := c.ToECEF()
		if err != nil {
			t.Fatal(err)
		}
		toLL, err := c.ToWGS84()
		if err != nil {
			t.Fatal(err)
		}
		llToECEF := mustTransform(t, must(t, "EPSG:4979"), must(t, "EPSG:4978"))
		for range 200 {
			x := (c.conv.params.fe + (rng.Float64()-0.5)*8e5) / c.unit.Metres
			y := (c.conv.params.fn + (rng.Float64()-0.5)*8e5) / c.unit.Metres
			p, q := []float64{x, y, 300}, []float64{x, y, 300}
			if err := errors.Join(tr.Apply(p), toLL.Apply(q), llToECEF.Apply(q)); err != nil {
				t.Fatalf("%s %v: %v", s, p, err)
			}
			if d := math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2]); !(d < 2e-8) {
				t.Fatalf("%s at %g, %g: %g m apart", s, x, y, d)
			}
		}
	}
}

func TestGeocentricRoundTrip(t *testing.T) {
	ll, ecef := must(t, "EPSG:4979"), must(t, "EPSG:4978")
	there, back := mustTransform(t, ll, ecef), mustTransform(t, ecef, ll)
	for lat := -90.0; lat <= 90; lat += 7.5 {
		for _, lon := range []float64{-180, -123.068, 0, 45, 179.999} {
			for _, h := range []float64{-11000, 0, 8848, 400e3, 36e6} {
				p := []float64{lon, lat, h}
				if err := errors.Join(there.Apply(p), back.Apply(p)); err != nil {
					t.Fatal(err)
				}
				d := metresApart(unitFromEPSG(unitDegree), lon, lat, p[0], p[1])
				if !(d < 1e-7 && math.Abs(p[2]-h) < 1e-7) {
					t.Errorf("%g %g %g: off by %g m and %g m", lon, lat, h, d, p[2]-h)
				}
			}
		}
	}
	// cs2cs EPSG:4979 EPSG:4978 for 44.058 -123.068 130.
	p := []float64{-123.068, 44.058, 130}
	if err := there.Apply(p); err != nil {
		t.Fatal(err)
	}
	want := []float64{-2505055.195596, -3847442.276596, 4412815.562153}
	for i := range want {
		if math.Abs(p[i]-want[i]) > tolerance {
			t.Errorf("geocentric %v, want %v", p, want)
			break
		}
	}
}

func BenchmarkLambertFeetToGeocentric(b *testing.B) { benchmarkECEF(b, autzenWKT, 637300, 851210) }
func BenchmarkUTMToGeocentric(b *testing.B)         { benchmarkECEF(b, "EPSG:32610", 494000, 4878000) }

func BenchmarkShiftedGridToGeocentric(b *testing.B) { benchmarkECEF(b, "EPSG:27700", 430000, 433000) }

func benchmarkECEF(b *testing.B, crs string, x, y float64) {
	tr, err := must(b, crs).ToECEF()
	if err != nil {
		b.Fatal(err)
	}
	const n = 10000
	src, buf := make([]float64, 3*n), make([]float64, 3*n)
	for i := range n {
		src[3*i], src[3*i+1], src[3*i+2] = x+float64(i%100), y+float64(i/100), 400
	}
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, src)
		if err := tr.Apply(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
}
