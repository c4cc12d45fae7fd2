package draco_test

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"slate360.ai/worker/codec/draco"
	"slate360.ai/worker/codec/ply"
	"slate360.ai/worker/internal/testdata"
)

// foreign finds a program of Debian's package draco.
func foreign(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SLATE360_REQUIRE_TOOLS") != "" {
			t.Fatalf("%s is not there: make setup-test installs it", name)
		}
		t.Skipf("%s is not there: make setup-test installs it", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// TestDecodeForeign decodes what draco_encoder makes, at all levels, and compares
// every point and triangle with what draco_decoder makes of it, bit by bit.
func TestDecodeForeign(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	encoder, decoder := foreign(t, "draco_encoder"), foreign(t, "draco_decoder")
	for _, model := range []string{"spot.obj", "stanford-bunny.obj", "Wuson.ply", "Spider_binary.stl"} {
		source := testdata.Path(t, "mesh/"+model)
		for _, args := range [][]string{
			{"-cl", "0"},
			{"-cl", "1"},
			{"-cl", "2"},
			{"-cl", "3"},
			{"-cl", "4"},
			{"-cl", "5"},
			{"-cl", "6"},
			{"-cl", "7"},
			{"-cl", "8"},
			{"-cl", "9"},
			{"-cl", "10"},
			{"-cl", "7", "-qp", "16", "-qt", "14", "-qn", "12"},
			{"-cl", "10", "-qp", "16", "-qt", "14", "-qn", "12"},
			{"-cl", "1", "-qp", "20"},
			{"-cl", "7", "-qp", "0", "-qt", "0", "-qn", "0"},
			{"-cl", "0", "-point_cloud"},
			{"-cl", "1", "-point_cloud"},
			{"-cl", "3", "-point_cloud"},
			{"-cl", "5", "-point_cloud", "-qp", "16"},
			{"-cl", "7", "-point_cloud"},
			{"-cl", "10", "-point_cloud"},
		} {
			if model == "Spider_binary.stl" && slices.Contains(args, "-point_cloud") {
				continue // draco_encoder crashes on it
			}
			dir := t.TempDir()
			drc, out := filepath.Join(dir, "m.drc"), filepath.Join(dir, "m.ply")
			run(t, encoder, append([]string{"-i", source, "-o", drc}, args...)...)
			run(t, decoder, "-i", drc, "-o", out)
			compare(t, model, args, drc, out)
		}
	}
}

func compare(t *testing.T, model string, args []string, drc, out string) {
	t.Helper()
	data, err := os.ReadFile(drc)
	if err != nil {
		t.Fatal(err)
	}
	m, err := draco.Decode(data)
	if err != nil {
		t.Errorf("%s %v: %v", model, args, err)
		return
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ply.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	vertices := want.Element("vertex")
	if m.Points != vertices.Count {
		t.Errorf("%s %v: %d points, want %d", model, args, m.Points, vertices.Count)
		return
	}
	names := map[draco.AttributeType][]string{draco.Position: {"x", "y", "z"}, draco.Normal: {"nx", "ny", "nz"}}
	for _, a := range m.Attributes {
		for k, name := range names[a.Type] {
			p := vertices.Property(name)
			if p == nil {
				t.Errorf("%s %v: the foreign decoder has no %s", model, args, name)
				continue
			}
			for i, v := range p.Values {
				if got := a.Floats[i*a.Components+k]; math.Float32bits(got) != math.Float32bits(float32(v)) && !(got == 0 && v == 0) {
					t.Errorf("%s %v: %s of point %d is %v, want %v", model, args, name, i, got, float32(v))
					break
				}
			}
		}
	}
	face := want.Element("face")
	if face == nil || face.Count == 0 {
		return
	}
	list := face.Property("vertex_indices")
	for i, v := range list.Values {
		if m.Indices[i] != uint32(v) {
			t.Errorf("%s %v: corner %d of triangle %d is %d, want %g", model, args, i%3, i/3, m.Indices[i], v)
			return
		}
	}
	uv := face.Property("texcoord")
	for _, a := range m.Attributes {
		if a.Type != draco.TexCoord || uv == nil {
			continue
		}
		for i, v := range uv.Values {
			corner := m.Indices[i/2]
			if got := a.Floats[int(corner)*2+i%2]; got != float32(v) {
				t.Errorf("%s %v: texture coordinate %d of corner %d is %v, want %v", model, args, i%2, i/2, got, float32(v))
				return
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("DRACO"), []byte("DRACO\x01\x01\x01\x01\x00\x00"), append([]byte("DRACO\x02\x02\x01\x01\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 64)...)} {
		if _, err := draco.Decode(b); err == nil {
			t.Errorf("%q is no error", b)
		}
	}
}
