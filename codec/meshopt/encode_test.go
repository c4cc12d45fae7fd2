package meshopt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// decoded is what meshoptimizer makes of a stream.
type decoded struct {
	Data  []byte
	Error string
}

// request is a stream for meshoptimizer, with what should come out.
type request struct {
	sample
	Old bool // to the release that knows EXT_meshopt_compression only
}

// decodeForeign has meshoptimizer decode streams.
func decodeForeign(t *testing.T, list []request) []decoded {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var out []decoded
	node(t, "decode.cjs", text, &out)
	if len(out) != len(list) {
		t.Fatalf("%d of %d decoded", len(out), len(list))
	}
	for i, d := range out {
		if d.Error != "" {
			t.Errorf("%s: %s", list[i].Name, d.Error)
		}
	}
	return out
}

// TestEncode encodes what meshoptimizer decoded before; it decodes the same again,
// and ours is no larger than its own.
func TestEncode(t *testing.T) {
	var list []request
	var ours, theirs [4]int
	for _, s := range foreign(t) {
		if s.Filter != "NONE" {
			continue
		}
		versions := []int{0}
		if s.Mode == "ATTRIBUTES" {
			versions = []int{0, 1}
		}
		for _, version := range versions {
			r := request{s, version == 0}
			r.Data = encode(t, &s, version)
			r.Name = fmt.Sprintf("%s, version %d", s.Name, version)
			list = append(list, r)
			kind := version
			switch s.Mode {
			case "TRIANGLES":
				kind = 2
			case "INDICES":
				kind = 3
			case "ATTRIBUTES":
				if s.Data[0] != attributesMagic+byte(version) {
					continue // of another version: not to be compared
				}
			}
			ours[kind] += len(r.Data)
			theirs[kind] += len(s.Data)
		}
	}
	for i, d := range decodeForeign(t, list) {
		if r := list[i]; !same(r.Mode, r.Stride, d.Data, r.Want) {
			t.Errorf("%s: comes out otherwise", r.Name)
		}
	}
	t.Logf("bytes of ours %v, of meshoptimizer %v: attributes of version 0, of 1, triangles, indices", ours, theirs)
	for k := range ours {
		if ours[k] > theirs[k] {
			t.Errorf("kind %d: %d bytes, meshoptimizer has %d", k, ours[k], theirs[k])
		}
	}
}

func encode(t *testing.T, s *sample, version int) []byte {
	t.Helper()
	var out []byte
	var err error
	switch s.Mode {
	case "ATTRIBUTES":
		out, err = EncodeAttributes(s.Want, s.Stride, version)
	case "TRIANGLES":
		out, err = EncodeTriangles(numbers(s.Want, s.Stride))
	default:
		out, err = EncodeIndices(numbers(s.Want, s.Stride))
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func numbers(data []byte, size int) (out []uint32) {
	for ; len(data) > 0; data = data[size:] {
		if size == 2 {
			out = append(out, uint32(binary.LittleEndian.Uint16(data)))
		} else {
			out = append(out, binary.LittleEndian.Uint32(data))
		}
	}
	return out
}

// same compares bytes; triangles may begin at any of their corners.
func same(mode string, size int, a, b []byte) bool {
	if mode != "TRIANGLES" {
		return bytes.Equal(a, b)
	}
	return slices.Equal(turned(numbers(a, size)), turned(numbers(b, size)))
}

// turned begins each triangle at the corner from which its indices come first.
func turned(list []uint32) []uint32 {
	list = slices.Clone(list)
	for i := 0; i+3 <= len(list); i += 3 {
		v := list[i : i+3]
		best := slices.Clone(v)
		for range 2 {
			v[0], v[1], v[2] = v[1], v[2], v[0]
			if slices.Compare(v, best) < 0 {
				copy(best, v)
			}
		}
		copy(v, best)
	}
	return list
}

// filtered is data that a filter was made for, and its stream.
type filtered struct {
	request
	values    []float32
	tolerance float64
}

// TestEncodeFilters has meshoptimizer take back what our filters make.
func TestEncodeFilters(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	unit := func(n int) []float32 {
		v := make([]float32, 4*500)
		for i := 0; i < len(v); i += 4 {
			l := 0.0
			for k := range n {
				v[i+k] = float32(random.NormFloat64())
				l += float64(v[i+k] * v[i+k])
			}
			for k := range n {
				v[i+k] /= float32(math.Sqrt(l))
			}
			if n == 3 {
				v[i+3] = float32(1 - 2*(i/4%2)) // the sign of a tangent
			}
		}
		corners := map[int][]float32{3: {0, 0, -1, 1, 1, 0, 0, -1}, 4: {0, 0, -1, 0, 0.5, 0.5, -0.5, -0.5}}
		copy(v, corners[n])
		return v
	}
	colors := make([]float32, 4*500)
	for i := range colors {
		colors[i] = random.Float32()
	}
	copy(colors, []float32{0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 1})
	floats := make([]float32, 4*500)
	for i := range floats {
		floats[i] = float32(random.NormFloat64() * math.Pow(10, float64(i%9)))
	}
	copy(floats, []float32{0, 1, -1, float32(1<<24 - 1), -float32(1<<24 - 1), 1e-45, 1e37})
	var list []filtered
	add := func(filter string, stride int, values []float32, tolerance float64, data []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		stream, err := EncodeAttributes(data, stride, 1)
		if err != nil {
			t.Fatal(err)
		}
		s := sample{Name: fmt.Sprintf("%s %d to %g", filter, stride, tolerance), Count: len(data) / stride, Stride: stride, Mode: "ATTRIBUTES", Filter: filter, Data: stream}
		list = append(list, filtered{request{s, false}, values, tolerance})
	}
	for _, c := range [][2]int{{4, 8}, {4, 5}, {8, 10}, {8, 16}} {
		stride, bits := c[0], c[1]
		step := 1 / float64(int(1)<<(bits-1)-1)
		v := unit(3)
		data, err := EncodeOctahedral(v, stride, bits)
		add("OCTAHEDRAL", stride, v, 2*step+1/float64(int(1)<<(2*stride-1)), data, err)
		data, err = EncodeColor(colors, stride, bits)
		add("COLOR", stride, colors, 2*step, data, err)
	}
	for _, bits := range []int{6, 12, 16} {
		v := unit(4)
		data, err := EncodeQuaternion(v, bits)
		add("QUATERNION", 8, v, 3/float64(int(1)<<(bits-1)-1), data, err)
	}
	for _, bits := range []int{1, 8, 15, 24} {
		for _, share := range []Sharing{Separate, SharedVector, SharedComponent} {
			data, err := EncodeExponential(floats, 4, bits, share)
			add("EXPONENTIAL", 16, floats, math.Ldexp(1, -bits+1), data, err)
			list[len(list)-1].Name = fmt.Sprintf("exponential, %d bits, shared %d", bits, share)
			if share != Separate {
				list[len(list)-1].values = nil
			}
		}
	}
	var requests []request
	for _, f := range list {
		requests = append(requests, f.request)
	}
	for i, d := range decodeForeign(t, requests) {
		f := &list[i]
		ours, err := decode(&f.sample)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case f.Filter == "EXPONENTIAL" && !bytes.Equal(ours, d.Data):
			t.Errorf("%s: ours and theirs differ", f.Name)
		case f.Stride == 8:
			near(t, f.Name, ours, d.Data)
		}
		check(t, f, d.Data)
	}
}

// check compares what meshoptimizer took back with what there was.
func check(t *testing.T, f *filtered, data []byte) {
	t.Helper()
	size := f.Stride / 4
	for i, want := range f.values {
		var got float64
		switch b := data[i*size:]; {
		case size == 4:
			got = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		case f.Filter == "COLOR" && size == 1:
			got = float64(b[0]) / math.MaxUint8
		case f.Filter == "COLOR":
			got = float64(binary.LittleEndian.Uint16(b)) / math.MaxUint16
		case size == 1:
			got = float64(int8(b[0])) / math.MaxInt8
		default:
			got = float64(int16(binary.LittleEndian.Uint16(b))) / math.MaxInt16
		}
		allowed := f.tolerance
		if f.Filter == "EXPONENTIAL" {
			allowed = max(allowed*math.Abs(float64(want)), 1e-30)
		}
		off := math.Abs(got - float64(want))
		if f.Filter == "QUATERNION" {
			off = min(off, math.Abs(got+float64(want)))
		}
		if off > allowed {
			t.Errorf("%s: number %d is %g, want %g", f.Name, i, got, want)
			return
		}
	}
}

// TestEncodeNothing: streams without elements are streams.
func TestEncodeNothing(t *testing.T) {
	for version := range 2 {
		data, err := EncodeAttributes(nil, 8, version)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := Attributes(0, 8, data); err != nil || len(out) > 0 {
			t.Errorf("version %d: %d bytes, %v", version, len(out), err)
		}
		if _, err := Attributes(1, 8, data); err == nil {
			t.Errorf("version %d: an element out of nothing", version)
		}
	}
	for _, data := range [][]byte{must(EncodeTriangles(nil)), must(EncodeIndices(nil))} {
		if len(data) == 0 {
			t.Error("no header")
		}
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

// TestEncodeBad: what cannot be encoded is an error.
func TestEncodeBad(t *testing.T) {
	nan := float32(math.NaN())
	for name, err := range map[string]error{
		"stride":    second(EncodeAttributes(make([]byte, 6), 6, 0)),
		"elements":  second(EncodeAttributes(make([]byte, 6), 4, 0)),
		"version":   second(EncodeAttributes(make([]byte, 8), 4, 2)),
		"triangles": second(EncodeTriangles([]uint32{1, 2})),
		"index":     second(EncodeIndices([]uint32{1 << 31})),
		"bits":      second(EncodeOctahedral(make([]float32, 4), 4, 9)),
		"direction": second(EncodeOctahedral([]float32{nan, 0, 0, 0}, 4, 8)),
		"rotation":  second(EncodeQuaternion(make([]float32, 3), 8)),
		"colour":    second(EncodeColor(make([]float32, 4), 6, 8)),
		"mantissa":  second(EncodeExponential(make([]float32, 4), 4, 25, Separate)),
		"number":    second(EncodeExponential([]float32{float32(math.Inf(1))}, 1, 8, Separate)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second(_ []byte, err error) error { return err }

// FuzzEncode decodes what is encoded.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("some bytes, and some more, so that there are elements"), 4)
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 100), 8)
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0}, 12)
	f.Fuzz(func(t *testing.T, data []byte, stride int) {
		stride = 4 + 4*int(uint(stride)%64)
		data = data[:len(data)/stride*stride]
		for version := range 2 {
			stream, err := EncodeAttributes(data, stride, version)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := Attributes(len(data)/stride, stride, stream); err != nil || !bytes.Equal(out, data) {
				t.Fatalf("version %d: %v", version, err)
			}
		}
		indices := numbers(data[:len(data)/12*12], 4)
		for i := range indices {
			indices[i] %= 1 << 29 // two of them differ by what fits
			if len(data)%3 > 0 {
				indices[i] %= 20
			}
		}
		stream, err := EncodeIndices(indices)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := Indices(len(indices), stream); err != nil || !slices.Equal(out, indices) {
			t.Fatalf("indices: %v", err)
		}
		if stream, err = EncodeTriangles(indices); err != nil {
			t.Fatal(err)
		}
		if out, err := Triangles(len(indices), stream); err != nil || !slices.Equal(turned(out), turned(indices)) {
			t.Fatalf("triangles: %v", err)
		}
	})
}

func BenchmarkEncodeAttributes(b *testing.B) {
	data := wave()
	for version := range 2 {
		b.Run(fmt.Sprint("version", version), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := EncodeAttributes(data, 16, version); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
