package las

import (
	"bytes"
	"math"
	"testing"
)

func layout(t testing.TB, format uint8, extra int) Layout {
	t.Helper()
	l, err := NewLayout(format, minRecordLength(format)+extra)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLayoutRejects(t *testing.T) {
	for _, tc := range []struct {
		format uint8
		length int
	}{{11, 100}, {0, 19}, {6, 29}, {10, 66}, {3, 70000}} {
		if _, err := NewLayout(tc.format, tc.length); err == nil {
			t.Errorf("format %d with %d bytes is accepted", tc.format, tc.length)
		}
	}
}

func TestFieldsKeepApart(t *testing.T) {
	for format := uint8(0); format <= maxFormat; format++ {
		l := layout(t, format, 0)
		rec := bytes.Repeat([]byte{0xFF}, l.Length)
		l.SetClassification(rec, 3)
		l.SetClassFlags(rec, FlagKeyPoint)
		l.SetReturns(rec, 2, 5)
		l.SetXYZ(rec, -1, 2, math.MinInt32)
		l.SetPointSourceID(rec, 258)
		l.SetUserData(rec, 77)
		l.SetScanAngleDegrees(rec, -12)
		l.SetRGB(rec, 1, 2, 3)
		l.SetNIR(rec, 4)
		l.SetGPSTime(rec, 5.5)
		x, y, z := l.XYZ(rec)
		if x != -1 || y != 2 || z != math.MinInt32 || l.Classification(rec) != 3 || l.ClassFlags(rec) != FlagKeyPoint ||
			l.ReturnNumber(rec) != 2 || l.NumberOfReturns(rec) != 5 || l.ScanDirection(rec) != 1 || l.EdgeOfFlightLine(rec) != 1 ||
			l.PointSourceID(rec) != 258 || l.UserData(rec) != 77 || math.Abs(l.ScanAngleDegrees(rec)+12) > 1e-9 || l.Intensity(rec) != 65535 {
			t.Errorf("format %d: fields of %x run into each other", format, rec)
		}
		if r, g, b := l.RGBOf(rec); l.RGB >= 0 && (r != 1 || g != 2 || b != 3) {
			t.Errorf("format %d: colour %d %d %d", format, r, g, b)
		}
		if l.NIR >= 0 && l.NIROf(rec) != 4 || l.GPSTime >= 0 && l.GPSTimeOf(rec) != 5.5 {
			t.Errorf("format %d: near infrared or time is wrong", format)
		}
	}
}

func TestConvertRecords(t *testing.T) {
	const n = 500
	for from := uint8(0); from <= maxFormat; from++ {
		for to := uint8(0); to <= maxFormat; to++ {
			f, g := layout(t, from, 5), layout(t, to, 3)
			src := records(f, n, 8)
			got := ConvertRecords([]byte("kept"), g, src, f)
			if string(got[:4]) != "kept" || len(got) != 4+n*g.Length {
				t.Fatalf("%d to %d: %d bytes", from, to, len(got))
			}
			for i := range n {
				a, b := src[i*f.Length:(i+1)*f.Length], got[4+i*g.Length:4+(i+1)*g.Length]
				checkConverted(t, f, a, g, b)
			}
			if t.Failed() {
				t.Fatalf("converting %d to %d", from, to)
			}
		}
	}
}

func checkConverted(t *testing.T, f Layout, a []byte, g Layout, b []byte) {
	t.Helper()
	widened := min(f.Format, 6) <= min(g.Format, 6) // nothing is cut
	same := bytes.Equal(a[:14], b[:14]) && f.UserData(a) == g.UserData(b) && f.PointSourceID(a) == g.PointSourceID(b) &&
		f.ScanDirection(a) == g.ScanDirection(b) && f.EdgeOfFlightLine(a) == g.EdgeOfFlightLine(b) &&
		f.ClassFlags(a)&7 == g.ClassFlags(b)&7 &&
		min(f.ReturnNumber(a), 7) == min(g.ReturnNumber(b), 7) && min(f.NumberOfReturns(a), 7) == min(g.NumberOfReturns(b), 7)
	if widened {
		same = same && f.ClassFlags(a) == g.ClassFlags(b) && f.ReturnNumber(a) == g.ReturnNumber(b) &&
			math.Abs(f.ScanAngleDegrees(a)-g.ScanAngleDegrees(b)) <= 0.003001
	}
	if f.GPSTime >= 0 && g.GPSTime >= 0 {
		same = same && f.GPSTimeOf(a) == g.GPSTimeOf(b)
	}
	if f.RGB >= 0 && g.RGB >= 0 {
		same = same && bytes.Equal(a[f.RGB:f.RGB+6], b[g.RGB:g.RGB+6])
	}
	if f.Wave >= 0 && g.Wave >= 0 {
		same = same && f.WaveOf(a) == g.WaveOf(b)
	}
	same = same && bytes.Equal(a[f.Extra:f.Extra+3], b[g.Extra:g.Extra+3])
	if !same {
		t.Errorf("fields differ:\nfrom %x\n  to %x", a, b)
	}
}

func TestConvertClasses(t *testing.T) {
	old, new := layout(t, 1, 0), layout(t, 6, 0)
	for _, tc := range []struct{ class, flags, wantClass, wantFlags uint8 }{
		{12, 0, 1, FlagOverlap},
		{12, FlagSynthetic, 1, FlagSynthetic | FlagOverlap},
		{2, FlagWithheld, 2, FlagWithheld},
	} {
		rec := make([]byte, old.Length)
		old.SetClassification(rec, tc.class)
		old.SetClassFlags(rec, tc.flags)
		wide := ConvertRecords(nil, new, rec, old)
		if new.Classification(wide) != tc.wantClass || new.ClassFlags(wide) != tc.wantFlags {
			t.Errorf("class %d flags %d became %d, %d", tc.class, tc.flags, new.Classification(wide), new.ClassFlags(wide))
		}
		if back := ConvertRecords(nil, old, wide, new); !bytes.Equal(back, rec) {
			t.Errorf("class %d flags %d came back as %x, was %x", tc.class, tc.flags, back, rec)
		}
	}
	for angle := -90; angle <= 90; angle++ {
		rec := make([]byte, old.Length)
		old.SetScanAngleDegrees(rec, float64(angle))
		wide := ConvertRecords(nil, new, rec, old)
		if back := ConvertRecords(nil, old, wide, new); old.ScanAngleDegrees(back) != float64(angle) {
			t.Errorf("angle %d came back as %g", angle, old.ScanAngleDegrees(back))
		}
	}
}

func TestExtraBytes(t *testing.T) {
	var list []ExtraBytes
	size := 0
	for typ := ExtraType(1); typ <= maxExtraType; typ++ {
		e := ExtraBytes{
			Type: typ, Name: string(rune('a'+typ%26)) + "dim", Description: "d",
			Options: ExtraHasScale | ExtraHasOffset | ExtraHasNoData | ExtraHasMin | ExtraHasMax,
			Scale:   [3]float64{2, 2, 2}, Offset: [3]float64{1, 1, 1}, NoData: [3]uint64{9, 9, 9}, Max: [3]uint64{1, 1, 1},
		}
		size += e.Size()
		list = append(list, e)
	}
	list = append(list, ExtraBytes{Type: TypeUndocumented, Options: 4, Name: "opaque"})
	size += 4
	l := layout(t, 6, size+2) // two bytes that nothing describes
	v := ExtraBytesVLR(list)
	if len(v.Data) != 192*len(list) {
		t.Fatalf("record has %d bytes", len(v.Data))
	}
	dims, err := FindExtraBytes([]VLR{v}, l)
	if err != nil || len(dims) != len(list) {
		t.Fatalf("%d dimensions, %v", len(dims), err)
	}
	if again := ExtraBytesVLR(dims); !bytes.Equal(again.Data, v.Data) {
		t.Error("descriptors change when written again")
	}
	rec := make([]byte, l.Length)
	at := l.Extra
	for i := range dims {
		e := &dims[i]
		if e.At != at {
			t.Errorf("%s stands at %d, want %d", e.Name, e.At, at)
		}
		at += e.Size()
		for j := range e.Type.Elements() {
			v := uint64(j + 3)
			if base := e.Type.Base(); base == TypeFloat32 || base == TypeFloat64 {
				v = math.Float64bits(float64(j) + 3)
			}
			e.SetRaw(rec, j, v)
			if got, ok := e.Value(rec, j); !ok || got != float64(j+3)*2+1 || e.Raw(rec, j) != v {
				t.Errorf("type %d element %d: value %g, %v", e.Type, j, got, ok)
			}
			e.SetRaw(rec, j, 9)
			if _, ok := e.Value(rec, j); ok && e.Type.Base() != TypeFloat32 {
				t.Errorf("type %d element %d: no-data value is taken for data", e.Type, j)
			}
		}
	}
	short := layout(t, 6, 10)
	if some, err := FindExtraBytes([]VLR{v}, short); err == nil || len(some) == 0 || len(some) == len(dims) {
		t.Errorf("descriptors beyond the record: %d kept, %v", len(some), err)
	}
}
