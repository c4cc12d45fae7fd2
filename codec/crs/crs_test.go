package crs

import "testing"

func TestSmoke(t *testing.T) {
	for _, s := range []string{"EPSG:2992", "EPSG:32610", "EPSG:28992", "EPSG:2056", "EPSG:3035", "EPSG:5070", "EPSG:3031", "EPSG:5514", "EPSG:26931", "EPSG:3857"} {
		c, err := Parse(s)
		if err != nil {
			t.Fatal(s, err)
		}
		tr, err := NewTransform(c, c.baseCRS())
		if err != nil {
			t.Fatal(err)
		}
		back, _ := NewTransform(c.baseCRS(), c)
		p := []float64{c.conv.params.lon0 + 1, 50, 10}
		if c.conv.method == methodPolarB {
			p[1] = -70
		}
		t.Log(s, back.Apply(p), p)
		t.Log(tr.Apply(p), p)
	}
}
