package crs

import (
	"math"
	"testing"
)

// TestAutzenKeys reads the keys of autzen_trim.laz: user-defined, in feet.
func TestAutzenKeys(t *testing.T) {
	directory := []uint16{
		1, 1, 0, 20, 1024, 0, 1, 1, 1025, 0, 1, 1, 1026, 34737, 38, 0, 2048, 0, 1, 32767, 2049, 34737, 60, 38, 2050, 0, 1, 6152,
		2054, 0, 1, 9102, 2057, 34736, 1, 7, 2059, 34736, 1, 6, 2061, 34736, 1, 8, 3059, 0, 1, 1, 3072, 0, 1, 32767, 3074, 0, 1, 32767,
		3075, 0, 1, 8, 3076, 0, 1, 9002, 3078, 34736, 1, 2, 3079, 34736, 1, 3, 3084, 34736, 1, 1, 3085, 34736, 1, 0, 3086, 34736, 1, 4, 3087, 34736, 1, 5,
	}
	doubles := []float64{41.75, -120.5, 43, 45.5, 1312335.958005249, 0, 298.257222101, 6378137, 0}
	ascii := "NAD_1983_HARN_Lambert_Conformal_Conic|GCS Name = GCS_North_American_1983_HARN|Primem = Greenwich||"
	directory[3] = uint16((len(directory) - 4) / 4)
	c, err := FromGeoTIFFKeys(directory, doubles, ascii)
	if err != nil {
		t.Fatal(err)
	}
	p := []float64{637300, 851210, 410}
	if err := mustTransform(t, c, must(t, autzenWKT)).Apply(p); err != nil || math.Abs(p[0]-637300) > 1e-5 || math.Abs(p[1]-851210) > 1e-5 {
		t.Errorf("%v, %v", p, err)
	}
}

// TestKeysRoundTrip writes keys of many systems and reads them again.
func TestKeysRoundTrip(t *testing.T) {
	for _, s := range []string{
		"EPSG:32632", "EPSG:2994", "EPSG:4326", "EPSG:2056", "EPSG:3031", "EPSG:32632+5783", "EPSG:5070", "EPSG:3857", autzenWKT,
	} {
		c := must(t, s)
		directory, doubles, ascii, ok := c.GeoTIFFKeys()
		if !ok {
			t.Errorf("%.40s: no keys", s)
			continue
		}
		for i := 8; i < len(directory); i += 4 {
			if directory[i] <= directory[i-4] {
				t.Errorf("%.40s: key %d behind %d", s, directory[i], directory[i-4])
			}
		}
		back, err := FromGeoTIFFKeys(directory, doubles, ascii)
		if err != nil {
			t.Errorf("%.40s: %v", s, err)
			continue
		}
		ll, err := c.ToWGS84()
		if err != nil {
			t.Fatal(err)
		}
		ll2, err := back.ToWGS84()
		if err != nil {
			t.Fatal(err)
		}
		p, q := []float64{500000, 1000000, 12}, []float64{500000, 1000000, 12}
		if c.IsGeographic() {
			p, q = []float64{9, 48, 12}, []float64{9, 48, 12}
		}
		if ll.Apply(p) != nil || ll2.Apply(q) != nil || math.Abs(p[0]-q[0]) > 1e-11 || math.Abs(p[1]-q[1]) > 1e-11 || math.Abs(p[2]-q[2]) > 1e-9 {
			t.Errorf("%.40s: %v and %v", s, p, q)
		}
		if c.VerticalEPSG() != back.VerticalEPSG() {
			t.Errorf("%s: vertical %d and %d", s, c.VerticalEPSG(), back.VerticalEPSG())
		}
	}
}

func FuzzGeoTIFFKeys(f *testing.F) {
	f.Add([]byte{1, 0, 1, 0, 0, 0, 1, 0, 0, 12, 0, 0, 1, 0, 0x78, 0x7f}, "name|", 1.5)
	f.Add([]byte{1, 0, 1, 0, 0, 0, 2, 0, 0, 4, 0, 0, 1, 0, 1, 0, 3, 12, 0, 0, 1, 0, 8, 0}, "", 6378137.0)
	f.Fuzz(func(_ *testing.T, b []byte, ascii string, d float64) {
		directory := make([]uint16, len(b)/2)
		for i := range directory {
			directory[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
		}
		c, err := FromGeoTIFFKeys(directory, []float64{d, -d, d * d, 43, 45.5, 298.257}, ascii)
		if err != nil {
			return
		}
		tr, err := c.ToWGS84()
		if err == nil {
			_ = tr.Apply([]float64{d, d, d})
		}
		c.WKT()
		c.GeoTIFFKeys()
	})
}

func FuzzParse(f *testing.F) {
	f.Add(autzenWKT)
	f.Add("EPSG:32632+5783")
	f.Add(`COMPD_CS["a",PROJCS["b"]]`)
	f.Fuzz(func(_ *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			return
		}
		if tr, err := c.ToECEF(); err == nil {
			_ = tr.Apply([]float64{1, 2, 3})
		}
		c.WKT()
		c.GeoTIFFKeys()
	})
}
