package fbx

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/testdata"
)

const square = `; FBX 7.4.0 project file
FBXHeaderExtension:  {
	FBXVersion: 7400
}
GlobalSettings:  {
	Properties70:  {
		P: "UpAxis", "int", "Integer", "",2
		P: "UpAxisSign", "int", "Integer", "",1
		P: "FrontAxis", "int", "Integer", "",1
		P: "FrontAxisSign", "int", "Integer", "",-1
		P: "CoordAxis", "int", "Integer", "",0
		P: "UnitScaleFactor", "double", "Number", "",100
	}
}
Objects:  {
	Geometry: 1, "Geometry::", "Mesh" {
		Vertices: *12 {
			a: 0,0,0,1,0,0,
1,1,0,0,1,0
		}
		PolygonVertexIndex: *4 {
			a: 0,1,2,-4
		}
		LayerElementUV: 0 {
			MappingInformationType: "ByPolygonVertex"
			ReferenceInformationType: "IndexToDirect"
			UV: *4 {
				a: 0,0,1,0.25
			}
			UVIndex: *4 {
				a: 0,0,1,1
			}
		}
		LayerElementMaterial: 0 {
			MappingInformationType: "AllSame"
			Materials: *1 {
				a: 0
			}
		}
	}
	Model: 2, "Model::wall", "Mesh" {
		Properties70:  {
			P: "Lcl Translation", "Lcl Translation", "", "A",0,0,5
			P: "Lcl Rotation", "Lcl Rotation", "", "A",0,0,90
		}
	}
	Material: 3, "Material::paint", "" {
		Properties70:  {
			P: "DiffuseColor", "Color", "", "A",1,0,0
			P: "Opacity", "double", "Number", "",0.5
		}
	}
	Texture: 4, "Texture::t", "" {
		RelativeFilename: "..\maps\a.png"
	}
}
Connections:  {
	C: "OO",2,0
	C: "OO",1,2
	C: "OO",3,2
	C: "OP",4,3, "DiffuseColor"
}
`

func check(t *testing.T, d *gltf.Document) {
	t.Helper()
	list, err := d.Instances()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	// z is up there: the corner (1, 0, 0), turned a quarter about z to (0, 1, 0), 5 m
	// up, is at y 5 and to the back.
	q := list[0].World.Point([3]float64{1, 0, 0})
	for k, want := range [3]float64{0, 5, -1} {
		if math.Abs(q[k]-want) > 1e-9 {
			t.Errorf("the corner is at %v", q)
			break
		}
	}
	p := d.Meshes[list[0].Mesh].Primitives[0]
	if d.Accessors[*p.Indices].Count != 6 {
		t.Errorf("%d indices", d.Accessors[*p.Indices].Count)
	}
	uv, err := d.Floats(p.Attributes["TEXCOORD_0"])
	if err != nil || len(uv) != 8 {
		t.Errorf("%v %v", uv, err)
	}
	if m := d.Materials[*p.Material]; m.Name != "paint" || m.AlphaMode != "BLEND" {
		t.Errorf("%+v", m)
	}
}

// TestForms reads the same model as text and as both kinds of binary records.
func TestForms(t *testing.T) {
	files := func(name string) ([]byte, error) {
		if name == "a.png" {
			return []byte("\x89PNG\r\n\x1a\n"), nil
		}
		return nil, os.ErrNotExist
	}
	d, err := Read([]byte(square), Options{File: files})
	if err != nil {
		t.Fatal(err)
	}
	check(t, d)
	if len(d.Images) != 1 {
		t.Errorf("%d images", len(d.Images))
	}
	root, err := parseText([]byte(square))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint32{7400, 7500} {
		d, err := Read(encode(root, version), Options{File: files})
		if err != nil {
			t.Errorf("version %d: %v", version, err)
			continue
		}
		check(t, d)
	}
}

// encode writes records in the binary form, arrays packed.
func encode(root *record, version uint32) []byte {
	out := append([]byte(binaryMagic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(out[23:], version)
	size := 13
	if version >= wideVersion {
		size = 25
	}
	var write func(n *record)
	write = func(n *record) {
		start := len(out)
		out = append(out, make([]byte, size)...)
		out[len(out)-1] = byte(len(n.name))
		out = append(out, n.name...)
		from := len(out)
		count := 0
		for i, v := range n.values {
			if i > 0 {
				if _, twice := n.values[0].([]int64); twice {
					break // an array of whole numbers is there in both forms
				}
			}
			count++
			switch v := v.(type) {
			case int64:
				out = binary.LittleEndian.AppendUint64(append(out, 'L'), uint64(v))
			case float64:
				out = binary.LittleEndian.AppendUint64(append(out, 'D'), math.Float64bits(v))
			case string:
				out = binary.LittleEndian.AppendUint32(append(out, 'S'), uint32(len(v)))
				out = append(out, v...)
			case []int64, []float64:
				var raw bytes.Buffer
				z := zlib.NewWriter(&raw)
				kind, n := byte('l'), 0
				if f, ok := v.([]float64); ok {
					kind, n = 'd', len(f)
				} else if l, ok := v.([]int64); ok {
					n = len(l)
				}
				if err := binary.Write(z, binary.LittleEndian, v); err != nil {
					panic(err)
				}
				if err := z.Close(); err != nil {
					panic(err)
				}
				out = append(out, kind)
				for _, x := range []int{n, 1, raw.Len()} {
					out = binary.LittleEndian.AppendUint32(out, uint32(x))
				}
				out = append(out, raw.Bytes()...)
			}
		}
		length := len(out) - from
		for _, c := range n.children {
			write(c)
		}
		if len(n.children) > 0 {
			out = append(out, make([]byte, size)...)
		}
		for i, x := range []int{len(out), count, length} {
			if size == 25 {
				binary.LittleEndian.PutUint64(out[start+8*i:], uint64(x))
			} else {
				binary.LittleEndian.PutUint32(out[start+4*i:], uint32(x))
			}
		}
	}
	for _, c := range root.children {
		write(c)
	}
	return append(out, make([]byte, size)...)
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"old":      {"7400", "6100", "version 6100"},
		"index":    {"0,1,2,-4", "0,1,2,-9", "vertex 8"},
		"brace":    {"Connections:  {\n", "Connections:\n", "closes nothing"},
		"cut off":  {"	C: \"OP\",4,3, \"DiffuseColor\"\n}\n", "", "too early"},
		"circle":   {`C: "OO",1,2`, `C: "OO",2,2`, "own ancestor"},
		"no mesh":  {`C: "OO",1,2`, ``, "no meshes"},
		"number":   {"0,1,2,-4", "0,1,x,-4", `"x" is not a number`},
		"no colon": {"FBXHeaderExtension:  {", "FBXHeaderExtension  {", "without a colon"},
	} {
		_, err := Read([]byte(strings.Replace(square, c.from, c.to, 1)), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestReal(t *testing.T) {
	for _, file := range []string{"box.fbx", "huesitos.fbx", "animation_with_skeleton.fbx"} {
		data, err := os.ReadFile(testdata.Path(t, "mesh/"+file))
		if err != nil {
			t.Fatal(err)
		}
		var warnings []string
		d, err := Read(data, Options{Warn: func(m string) { warnings = append(warnings, m) }})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		n := 0
		for _, m := range d.Meshes {
			for _, p := range m.Primitives {
				n += d.Accessors[*p.Indices].Count / 3
			}
		}
		if n < 12 {
			t.Errorf("%s: %d triangles", file, n)
		}
		t.Logf("%s: %d triangles, %d meshes, %d materials, %q", file, n, len(d.Meshes), len(d.Materials), warnings)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(square))
	root, err := parseText([]byte(square))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(root, 7400))
	f.Add(encode(root, 7500))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read(data, Options{File: func(string) ([]byte, error) { return data, nil }})
		if err != nil {
			return
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
