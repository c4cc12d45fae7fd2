package obj

import (
	"errors"
	"os"
	"strings"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/testdata"
)

func read(t *testing.T, text string, files map[string]string) (*gltf.Document, []string) {
	t.Helper()
	var warnings []string
	d, err := Read([]byte(text), Options{
		File: func(name string) ([]byte, error) {
			if s, ok := files[name]; ok {
				return []byte(s), nil
			}
			return nil, errors.New("it is not there")
		},
		Warn: func(m string) { warnings = append(warnings, m) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, warnings
}

// TestFaces: polygons, negative indices, seams of UVs, lines joined by a backslash.
func TestFaces(t *testing.T) {
	d, _ := read(t, "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 2 2 0 1 0 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 2\n"+
		"o quad\nf 1/1/1 2/2/1 3/3/1 \\\n4/4/1\no tip\nf -1//1 -3//-1 -2//1\nl 1 2 3\n", nil)
	if len(d.Meshes) != 2 || d.Meshes[0].Name != "quad" || len(d.Meshes[1].Primitives) != 2 {
		t.Fatalf("%d meshes", len(d.Meshes))
	}
	quad := d.Meshes[0].Primitives[0]
	in, err := d.Indices(*quad.Indices)
	if err != nil || len(in) != 6 {
		t.Fatalf("%v %v", in, err)
	}
	uv, err := d.Floats(quad.Attributes["TEXCOORD_0"])
	if err != nil || len(uv) != 8 || uv[1] != 1 || uv[5] != 0 {
		t.Errorf("texture coordinates %v %v: v goes down", uv, err)
	}
	n, err := d.Floats(quad.Attributes["NORMAL"])
	if err != nil || n[2] != 1 {
		t.Errorf("normals %v %v: of length 1", n, err)
	}
	tip := d.Meshes[1].Primitives[0]
	p, err := d.Floats(tip.Attributes["POSITION"])
	if err != nil || p[0] != 2 || p[3] != 1 || p[6] != 0 {
		t.Errorf("positions %v %v", p, err)
	}
	if _, ok := tip.Attributes["TEXCOORD_0"]; ok {
		t.Error("texture coordinates of corners without")
	}
	c, err := d.Floats(tip.Attributes["COLOR_0"])
	if err != nil || c[0] != 1 || c[1] != 0 || c[5] != 1 {
		t.Errorf("colours %v %v", c, err)
	}
	if d.Meshes[1].Primitives[1].Mode != gltf.ModeLines {
		t.Error("the line is lost")
	}
}

func TestMaterials(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n…"
	d, warnings := read(t, "mtllib my materials.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl red\nf 1/1 2/1 3/1\nusemtl gone\nf 1 3 2\n", map[string]string{
		"my materials.mtl": "newmtl red\nKd 1 0 0\nKe 0 1 0\nNs 100\nd 0.5\nmap_Kd -s 1 1 1 -clamp on textures\\a b.png\nmap_Bump bump.png\n",
		"textures/a b.png": png,
	})
	if len(d.Materials) != 2 || len(d.Images) != 1 || d.Images[0].MimeType != "image/png" {
		t.Fatalf("%d materials, %d images", len(d.Materials), len(d.Images))
	}
	red := d.Materials[0]
	if red.PBR.BaseColorFactor[0] != 1 || red.PBR.BaseColorFactor[3] != 0.5 || red.AlphaMode != "BLEND" || red.EmissiveFactor[1] != 1 || *red.PBR.MetallicFactor != 0 {
		t.Errorf("%+v", red)
	}
	if s := d.Samplers[*d.Textures[0].Sampler]; s.WrapS != gltf.ClampToEdge {
		t.Errorf("%+v", s)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "bump") {
		t.Errorf("warnings %q", warnings)
	}
}

// TestMissing: what is not there is a warning, and a result.
func TestMissing(t *testing.T) {
	for _, name := range []string{"../secret.mtl", "/etc/passwd", "http://example.org/x.mtl", "C:\\x.mtl", "none.mtl"} {
		d, warnings := read(t, "mtllib "+name+"\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", nil)
		if len(d.Meshes) != 1 || len(warnings) != 1 {
			t.Errorf("%s: warnings %q", name, warnings)
		}
	}
}

// TestFar: coordinates of a map do not lose their decimals.
func TestFar(t *testing.T) {
	d, _ := read(t, "v 500000.125 5400000.25 100\nv 500001.125 5400000.25 100\nv 500000.125 5400001.5 100\nf 1 2 3\n", nil)
	p, err := d.Floats(d.Meshes[0].Primitives[0].Attributes["POSITION"])
	if err != nil || p[3]-p[0] != 1 || p[7]-p[1] != 1.25 {
		t.Errorf("%v %v", p, err)
	}
	root := d.Nodes[d.Scenes[0].Nodes[0]]
	if !strings.Contains(string(root.Extras), "500001") {
		t.Errorf("extras %s", root.Extras)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"v 0 0\n":                      "line 1: a vertex of 2 coordinates",
		"v 0 0 0\nf 1 2 3\n":           "line 2: vertex 2, there are 1",
		"v 0 0 0\nf 1/1 1/1 1/1\n":     "line 2: texture coordinate 1, there are 0",
		"v 0 0 x\n":                    `line 1: "x" is not a number`,
		"v 0 0 nan\n":                  "line 1",
		"v 0 0 0\nf -2 1 1\n":          "line 2: vertex -2",
		"# nothing\n":                  "no vertices",
		"v 0 0 0\nf //1 1 1\n":         "line 2: normal 1",
		"v 1 1 1\nf 99999999999 1 1\n": "line 2",
		"v 1 1 1\nf 1 0 1\n":           "line 2: vertex 0",
	} {
		_, err := Read([]byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestReal(t *testing.T) {
	for name, triangles := range map[string]int{"spot.obj": 5856, "stanford-bunny.obj": 69451} {
		data, err := os.ReadFile(testdata.Path(t, "mesh/"+name))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Read(data, Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range d.Meshes {
			for _, p := range m.Primitives {
				n += d.Accessors[*p.Indices].Count / 3
			}
		}
		if n != triangles {
			t.Errorf("%s: %d triangles, want %d", name, n, triangles)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1\nl 1 2\np 1\n", "o a\ng b\nusemtl c\nmtllib d e\nv 1 2 3 4 5 6\nf -1 -1 -1 -1 -1\n", "v 1e30 -.5 +2.\nf 1 1 1 \\\n1\n"} {
		f.Add([]byte(s))
	}
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
