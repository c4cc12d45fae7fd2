package meshopt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

type sample struct {
	Name          string
	Count, Stride int
	Mode, Filter  string
	Data, Want    []byte
}

// decode gives the bytes of a view.
func decode(s *sample) ([]byte, error) {
	var indices []uint32
	var err error
	switch s.Mode {
	case "ATTRIBUTES":
		out, err := Attributes(s.Count, s.Stride, s.Data)
		if err != nil {
			return nil, err
		}
		switch s.Filter {
		case "OCTAHEDRAL":
			err = Octahedral(out, s.Stride)
		case "QUATERNION":
			err = Quaternion(out, s.Stride)
		case "EXPONENTIAL":
			err = Exponential(out, s.Stride)
		case "COLOR":
			err = Color(out, s.Stride)
		}
		return out, err
	case "TRIANGLES":
		indices, err = Triangles(s.Count, s.Data)
	default:
		indices, err = Indices(s.Count, s.Data)
	}
	var out []byte
	for _, v := range indices {
		if s.Stride == 2 {
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		} else {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
	}
	return out, err
}

// node runs a script of testdata with meshoptimizer at hand.
func node(t *testing.T, script string, input []byte, into any) {
	t.Helper()
	cmd := exec.Command(testdata.Tool(t, "node"), filepath.Join("testdata", script))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func foreign(t *testing.T) (samples []sample) {
	t.Helper()
	node(t, "encode.cjs", nil, &samples)
	return samples
}

// TestForeign decodes what meshoptimizer encodes, to the bytes that it decodes.
func TestForeign(t *testing.T) {
	samples := foreign(t)
	if len(samples) < 150 {
		t.Fatalf("%d samples", len(samples))
	}
	for _, s := range samples {
		got, err := decode(&s)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if s.Filter != "NONE" && s.Stride == 8 {
			// The foreign decoder computes with other instructions where it can,
			// and rounds halves otherwise.
			near(t, s.Name, got, s.Want)
			continue
		}
		if !bytes.Equal(got, s.Want) {
			at := 0
			for at < len(got) && at < len(s.Want) && got[at] == s.Want[at] {
				at++
			}
			t.Errorf("%s: differs from byte %d of %d", s.Name, at, len(s.Want))
		}
		// Cut off anywhere, it is an error or other bytes, never a panic.
		for cut := range min(len(s.Data), 80) {
			short := s
			short.Data = s.Data[:cut]
			_, _ = decode(&short)
		}
	}
}

// near compares 16-bit numbers, which may differ by one.
func near(t *testing.T, name string, got, want []byte) {
	t.Helper()
	for i := 0; i+2 <= len(want); i += 2 {
		a, b := int16(binary.LittleEndian.Uint16(got[i:])), int16(binary.LittleEndian.Uint16(want[i:]))
		if d := int(a) - int(b); d < -1 || d > 1 {
			t.Errorf("%s: number %d is %d, want %d", name, i/2, a, b)
			return
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xa0\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 16, 4)
	f.Add([]byte("\xa1\x1baaaaaaaaaaaaaaaaaa\x00\x00\x00\x00aaaaaaaaaaaaaaaaaaaaaaaaaaa\x01"), 16, 4)
	f.Add([]byte("\xe1\xf0\xfe\xff\x10\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 9, 4)
	f.Add([]byte("\xd1\x00\x01\x02\x03\x04aaaaaaaa"), 4, 2)
	f.Fuzz(func(t *testing.T, data []byte, count, stride int) {
		count, stride = int(uint(count)%5000), int(uint(stride)%300)
		for _, s := range []sample{
			{Count: count, Stride: stride, Mode: "ATTRIBUTES", Filter: "OCTAHEDRAL", Data: data},
			{Count: count, Stride: stride, Mode: "ATTRIBUTES", Filter: "QUATERNION", Data: data},
			{Count: count, Stride: stride, Mode: "ATTRIBUTES", Filter: "EXPONENTIAL", Data: data},
			{Count: count, Stride: stride, Mode: "ATTRIBUTES", Filter: "COLOR", Data: data},
			{Count: count, Stride: stride, Mode: "TRIANGLES", Data: data},
			{Count: count, Stride: stride, Mode: "INDICES", Data: data},
		} {
			if out, err := decode(&s); err == nil && s.Mode == "ATTRIBUTES" && len(out) != count*stride {
				t.Fatalf("%d bytes of %d × %d", len(out), count, stride)
			}
		}
	})
}

func BenchmarkAttributes(b *testing.B) {
	data := wave()
	for version := range 2 {
		src, err := EncodeAttributes(data, 16, version)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("version", version), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Attributes(len(data)/16, 16, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// wave is a million bytes of vertices, four floats each.
func wave() []byte {
	data := make([]byte, 16*65536)
	for i := 0; i < len(data); i += 4 {
		binary.LittleEndian.PutUint32(data[i:], math.Float32bits(float32(math.Sin(float64(i)/5000))))
	}
	return data
}
