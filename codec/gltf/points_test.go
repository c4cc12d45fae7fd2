package gltf

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
)

// TestPoints reads a cloud back by hand: structure, places and colours.
func TestPoints(t *testing.T) {
	p := Points{
		XYZ:            []float64{-10, 5, 100, 10, 6, 101, 3, 5.5, 100.25},
		Colors:         []uint16{0, 32768, 65535, 65535, 0, 0, 1, 2, 3},
		Classification: []uint8{1, 2, 7},
		Intensity:      []uint16{0, 9, 65535},
		ReturnNumber:   []uint8{1, 1, 2},
	}
	var w PointWriter
	prefix := []byte("kept")
	b, err := w.Append(prefix, p)
	if err != nil {
		t.Fatal(err)
	}
	b = b[len(prefix):]
	if string(b[:4]) != "glTF" || int(binary.LittleEndian.Uint32(b[8:])) != len(b) || len(b)%4 != 0 {
		t.Fatalf("header % x of %d bytes", b[:12], len(b))
	}
	n := int(binary.LittleEndian.Uint32(b[12:]))
	var d Document
	if err := json.Unmarshal(b[20:20+n], &d); err != nil {
		t.Fatal(err)
	}
	bin := b[28+n:]
	at := func(attribute string, i, component int) uint16 {
		a := d.Accessors[d.Meshes[0].Primitives[0].Attributes[attribute]]
		v := d.BufferViews[*a.BufferView]
		if v.ByteOffset%4 != 0 || v.ByteStride%4 != 0 || a.Count != 3 {
			t.Errorf("%s: offset %d, stride %d, count %d", attribute, v.ByteOffset, v.ByteStride, a.Count)
		}
		o := v.ByteOffset + i*v.ByteStride
		if a.ComponentType == UnsignedByte {
			return uint16(bin[o+component])
		}
		return binary.LittleEndian.Uint16(bin[o+2*component:])
	}
	m := d.Nodes[0].Matrix
	for i := range 3 {
		var q [3]float64
		for r := range 3 {
			q[r] = m[12+r]
			for c := range 3 {
				q[r] += m[4*c+r] * float64(at("POSITION", i, c))
			}
		}
		// glTF is y-up: x, z, -y of the cloud.
		want := [3]float64{p.XYZ[3*i], p.XYZ[3*i+2], -p.XYZ[3*i+1]}
		for a := range 3 {
			if math.Abs(q[a]-want[a]) > 20.0/65535 {
				t.Errorf("point %d: %v, want %v", i, q, want)
			}
		}
		if at("_CLASSIFICATION", i, 0) != uint16(p.Classification[i]) || at("_INTENSITY", i, 0) != p.Intensity[i] || at("_RETURN_NUMBER", i, 0) != uint16(p.ReturnNumber[i]) {
			t.Errorf("point %d has other attributes", i)
		}
	}
	if c := []uint16{at("COLOR_0", 0, 0), at("COLOR_0", 0, 1), at("COLOR_0", 0, 2)}; c[0] != 0 || c[2] != 65535 || c[1] < 13900 || c[1] > 14200 {
		t.Errorf("colour %v: half of sRGB is 0.214 linear", c)
	}
}

func TestPointsRefused(t *testing.T) {
	var w PointWriter
	for name, p := range map[string]Points{
		"none": {}, "NaN": {XYZ: []float64{math.NaN(), 0, 0}}, "infinite": {XYZ: []float64{0, math.Inf(1), 0}},
		"colours": {XYZ: []float64{0, 0, 0}, Colors: []uint16{1}}, "classes": {XYZ: []float64{0, 0, 0}, Classification: []uint8{1, 2}},
	} {
		if _, err := w.Append(nil, p); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if _, err := w.Append(nil, Points{XYZ: []float64{1, 2, 3}}); err != nil {
		t.Errorf("one point: %v", err)
	}
}

func BenchmarkPoints(b *testing.B) {
	const n = 50000
	p := Points{XYZ: make([]float64, 3*n), Colors: make([]uint16, 3*n), Classification: make([]uint8, n), Intensity: make([]uint16, n), ReturnNumber: make([]uint8, n)}
	for i := range p.XYZ {
		p.XYZ[i] = float64(i % 1000)
	}
	var w PointWriter
	var dst []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = w.Append(dst[:0], p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
}
