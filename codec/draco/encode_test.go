package draco

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shapes are meshes with what connectivity can hold.
func shapes() map[string]*Mesh {
	r := rand.New(rand.NewPCG(1, 2))
	var one builder
	one.triangle(one.point(0, 0, 0), one.point(1, 0, 0), one.point(0, 1, 0))
	var bow builder
	c := bow.point(0, 0, 0)
	bow.triangle(c, bow.point(1, 0, 0), bow.point(1, 1, 0))
	bow.triangle(c, bow.point(-1, 0, 0), bow.point(-1, -1, 0))
	var fin builder
	p, q := fin.point(0, 0, 0), fin.point(0, 0, 1)
	for i := range 5 {
		fin.triangle(p, q, fin.point(math.Cos(float64(i)), math.Sin(float64(i)), 0))
	}
	var pillow builder
	p, q, s := pillow.point(0, 0, 0), pillow.point(1, 0, 0), pillow.point(0, 1, 0)
	pillow.triangle(p, q, s)
	pillow.triangle(q, p, s)
	pillow.triangle(p, p, s)
	torus := gridMesh(16, true, true, false)
	all := map[string]*Mesh{
		"one triangle": one.mesh(), "bow tie": bow.mesh(), "fin": fin.mesh(), "pillow": pillow.mesh(),
		"grid": gridMesh(40, false, false, false), "cylinder": gridMesh(12, true, false, false),
		"moebius": gridMesh(12, true, false, true), "torus": torus, "klein": gridMesh(10, true, true, true),
		"tetrahedra": tetrahedra(0), "tetrahedra at points": tetrahedra(1), "tetrahedra at edges": tetrahedra(2), "tetrahedra at faces": tetrahedra(3),
		"torus with holes": holes(r, torus, 0.1), "grid with holes": holes(r, gridMesh(40, false, false, false), 0.3),
	}
	for i := range 3 {
		all[fmt.Sprintf("voxels %d", i)] = voxels(r, 3+2*i)
	}
	for i := range 6 {
		all[fmt.Sprintf("soup %d", i)] = soup(r, 4+i*i*5, 3+i*i*40)
	}
	plain := maps.Clone(all)
	for name, m := range plain {
		all[name+", dressed"] = dress(r, m, false)
		all[name+", cut"] = dress(r, m, true)
	}
	return all
}

func TestEncodeDecodesWithLibdraco(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	all := shapes()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	var streams [][]byte
	type job struct {
		name    string
		mesh    *Mesh
		enc     Encoded
		options Options
		ordered bool
	}
	var jobs []job
	var e Encoder
	for _, name := range names {
		for level := range 12 {
			o := DefaultOptions()
			o.Level = level % 11
			o.Sequential = level == 11
			m := all[name]
			enc, err := e.Encode(nil, m, o)
			if err != nil {
				t.Fatalf("%s, level %d: %v", name, level, err)
			}
			own, err := Decode(enc.Data)
			if err != nil {
				t.Errorf("%s, level %d: our decoder: %v", name, level, err)
			} else {
				checkDecoded(t, fmt.Sprintf("%s, level %d, our decoder", name, level), m, own, enc, o, o.Sequential || o.Level == 0)
			}
			jobs = append(jobs, job{fmt.Sprintf("%s, level %d", name, level), m, enc, o, o.Sequential || o.Level == 0})
			streams = append(streams, enc.Data)
		}
	}
	for i, got := range libdraco(t, streams...) {
		j := jobs[i]
		checkDecoded(t, j.name, j.mesh, got, j.enc, j.options, j.ordered)
	}
}

func TestEncodeRealMeshes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	for _, name := range []string{"spot.obj", "stanford-bunny.obj"} {
		m := objMesh(t, name)
		for _, level := range []int{3, 7, 10} {
			o := DefaultOptions()
			o.Level = level
			enc, err := Encode(nil, m, o)
			if err != nil {
				t.Fatal(err)
			}
			checkDecoded(t, name, m, libdraco(t, enc.Data)[0], enc, o, false)
		}
	}
}

// TestEncodeEngine encodes all parts of a model of Khronos.
func TestEncodeEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	var e Encoder
	for _, level := range []int{0, 4, 7, 10} {
		o := DefaultOptions()
		o.Level = level
		var streams [][]byte
		var encoded []Encoded
		meshes := glbMeshes(t, "2CylinderEngine.glb")
		size := 0
		for i, m := range meshes {
			enc, err := e.Encode(nil, m, o)
			if err != nil {
				t.Fatalf("part %d: %v", i, err)
			}
			streams, encoded = append(streams, enc.Data), append(encoded, enc)
			size += len(enc.Data)
		}
		t.Logf("level %d: %d parts, %d bytes", level, len(meshes), size)
		for i, got := range libdraco(t, streams...) {
			name := fmt.Sprintf("part %d, level %d", i, level)
			checkDecoded(t, name, meshes[i], got, encoded[i], o, level == 0)
			checkDecoded(t, name+", our decoder", meshes[i], mustDecode(t, streams[i]), encoded[i], o, level == 0)
		}
	}
}

// TestEncodeSizes wants no more bytes than Google's encoder takes.
func TestEncodeSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes under the race detector; others run the same code in parallel")
	}
	program, err := exec.LookPath("draco_encoder")
	if err != nil {
		t.Skip("needs draco_encoder of the package draco")
	}
	for _, name := range []string{"spot.obj", "stanford-bunny.obj"} {
		m := objMesh(t, name)
		for _, level := range []int{1, 3, 5, 6, 7, 9, 10} {
			o := DefaultOptions()
			o.Level = level
			enc, err := Encode(nil, m, o)
			if err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "a.drc")
			text, err := exec.Command(program, "-i", filepath.Join(testDir(), "mesh", name), "-o", out,
				"-cl", strconv.Itoa(level), "-qp", "14", "-qt", "12", "-qn", "10").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			info, err := os.Stat(out)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, level %d: %d bytes, Google's encoder %d", name, level, len(enc.Data), info.Size())
			if int64(len(enc.Data)) > info.Size() {
				t.Errorf("%s, level %d: %d bytes, Google's encoder takes %d", name, level, len(enc.Data), info.Size())
			}
		}
	}
}

// TestEncodePoints has draco_decoder count the points, for Google's decoder for
// glTF does not know point clouds.
func TestEncodePoints(t *testing.T) {
	m := dress(rand.New(rand.NewPCG(5, 6)), gridMesh(20, false, false, false), false)
	m.Indices = nil
	for _, level := range []int{0, 7} {
		o := DefaultOptions()
		o.Level = level
		enc, err := Encode([]byte("before"), m, o)
		if err != nil {
			t.Fatal(err)
		}
		data := bytes.TrimPrefix(enc.Data, []byte("before"))
		got, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		checkDecoded(t, "points", m, got, enc, o, true)
		program, err := exec.LookPath("draco_decoder")
		if err != nil {
			t.Skip("needs draco_decoder of the package draco")
		}
		in, out := filepath.Join(t.TempDir(), "a.drc"), filepath.Join(t.TempDir(), "a.ply")
		if err := os.WriteFile(in, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := exec.Command(program, "-i", in, "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		ply, err := os.ReadFile(out)
		if err != nil || !bytes.Contains(ply, []byte("element vertex 441\n")) {
			t.Errorf("%v, %.200q", err, ply)
		}
	}
}

// TestEncodeFloatsAsTheyAre keeps every bit.
func TestEncodeFloatsAsTheyAre(t *testing.T) {
	m := dress(rand.New(rand.NewPCG(7, 8)), gridMesh(9, false, false, false), false)
	for level := range 11 {
		o := Options{Level: level, PositionBits: -1, NormalBits: -1, TexCoordBits: -1, GenericBits: -1}
		enc, err := Encode(nil, m, o)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range []*Mesh{libdraco(t, enc.Data)[0], mustDecode(t, enc.Data)} {
			if got == nil || got.Points != m.Points {
				t.Fatalf("level %d, decoder %d: %+v", level, i, got)
			}
			for a := range m.Attributes {
				want, have := m.Attributes[a], got.Attribute(m.Attributes[a].UniqueID)
				x, y := slices.Clone(want.Floats), slices.Clone(have.Floats)
				slices.Sort(x)
				slices.Sort(y)
				if !slices.Equal(x, y) {
					t.Errorf("level %d, decoder %d, attribute %d differs", level, i, a)
				}
			}
		}
	}
}

func mustDecode(t *testing.T, data []byte) *Mesh {
	t.Helper()
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// FuzzEncode makes triangles over points of few coordinates, so that they touch in
// all ways, and wants back what it gave.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1}, []byte{0, 1, 2, 1, 3, 2, 0, 2, 4}, uint8(7))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, []byte{0, 2, 1, 0, 1, 3, 1, 2, 3, 2, 0, 3}, uint8(10))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 9, 9, 9}, []byte{0, 1, 2, 1, 0, 2, 0, 1, 3, 0, 1, 2}, uint8(4))
	f.Fuzz(func(t *testing.T, points, triangles []byte, level uint8) {
		var b builder
		for i := 0; i+2 < len(points); i += 3 {
			b.point(float64(points[i]%4), float64(points[i+1]%4), float64(points[i+2]%3))
		}
		n := len(points) / 3
		for i := 0; n > 0 && i+2 < len(triangles); i += 3 {
			b.triangle(uint32(int(triangles[i])%n), uint32(int(triangles[i+1])%n), uint32(int(triangles[i+2])%n))
		}
		if len(b.indices) == 0 {
			return
		}
		m := b.mesh()
		uv := Attribute{Type: TexCoord, DataType: Float32, Components: 2, UniqueID: 1}
		for i := range m.Points {
			uv.Floats = append(uv.Floats, float32(points[3*i]>>4), float32(points[3*i+1]>>6))
		}
		m.Attributes = append(m.Attributes, uv)
		o := DefaultOptions()
		o.Level = int(level % 11)
		enc, err := Encode(nil, m, o)
		if errors.Is(err, ErrNoTriangles) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkDecoded(t, "fuzz", m, mustDecode(t, enc.Data), enc, o, o.Level == 0)
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, level := range []int{3, 7, 10} {
		b.Run(fmt.Sprintf("level %d", level), func(b *testing.B) {
			m := gridMesh(200, true, true, false)
			o := DefaultOptions()
			o.Level = level
			var e Encoder
			var out Encoded
			for b.Loop() {
				var err error
				if out, err = e.Encode(out.Data[:0], m, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(out.Triangles)/b.Elapsed().Seconds()/1e6, "Mtriangles/s")
			b.ReportMetric(8*float64(len(out.Data))/float64(out.Triangles), "bits/triangle")
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := func() *Mesh { return gridMesh(3, false, false, false) }
	for _, c := range []struct {
		name, want string
		spoil      func(m *Mesh, o *Options)
	}{
		{"NaN", "attribute 0 (unique ID 0) has NaN at point 2, component 1", func(m *Mesh, _ *Options) { m.Attributes[0].Floats[7] = float32(math.NaN()) }},
		{"infinity", "has -Inf at point 0", func(m *Mesh, _ *Options) { m.Attributes[0].Floats[0] = float32(math.Inf(-1)) }},
		{"index", "triangle 1 has point 16, the mesh has 16", func(m *Mesh, _ *Options) { m.Indices[4] = 16 }},
		{"count", "want three", func(m *Mesh, _ *Options) { m.Indices = m.Indices[:4] }},
		{"floats", "has 47 floats, want 48", func(m *Mesh, _ *Options) { m.Attributes[0].Floats = m.Attributes[0].Floats[:47] }},
		{"no position", "no attribute is the position", func(m *Mesh, _ *Options) { m.Attributes[0].Type = Generic }},
		{"level", "level 11", func(_ *Mesh, o *Options) { o.Level = 11 }},
		{"bits", "31 bits for a position", func(_ *Mesh, o *Options) { o.PositionBits = 31 }},
		{"extent", "beyond a float", func(m *Mesh, _ *Options) { m.Attributes[0].Floats[0], m.Attributes[0].Floats[3] = -3e38, 3e38 }},
	} {
		m, o := good(), DefaultOptions()
		c.spoil(m, &o)
		if _, err := Encode(nil, m, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	m := good()
	clear(m.Indices)
	if _, err := Encode(nil, m, DefaultOptions()); !errors.Is(err, ErrNoTriangles) {
		t.Errorf("degenerate: %v", err)
	}
}
