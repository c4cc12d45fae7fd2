package collada

import (
	"math"
	"os"
	"strings"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

const square = `<?xml version="1.0"?><COLLADA version="1.4.1"><asset><unit meter="0.01"/><up_axis>Z_UP</up_axis></asset>
<library_images><image id="i"><init_from>file:///C:/x/a%20b.png</init_from></image></library_images>
<library_effects><effect id="e"><profile_COMMON><newparam sid="s"><surface type="2D"><init_from>i</init_from></surface></newparam>
<newparam sid="p"><sampler2D><source>s</source></sampler2D></newparam><technique sid="t"><phong><emission><color>0 0 0 1</color></emission>
<diffuse><texture texture="p" texcoord="c"/></diffuse><transparency><float>0.5</float></transparency></phong></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="m" name="paint"><instance_effect url="#e"/></material></library_materials>
<library_geometries><geometry id="g"><mesh>
<source id="v"><float_array count="12">0 0 0 100 0 0 100 100 0 0 100 0</float_array><technique_common><accessor count="4" stride="3"/></technique_common></source>
<source id="u"><float_array count="2">0.25 0.25</float_array><technique_common><accessor count="1" stride="2"/></technique_common></source>
<vertices id="vv"><input semantic="POSITION" source="#v"/></vertices>
<polylist material="sym" count="1"><input semantic="VERTEX" source="#vv" offset="0"/><input semantic="TEXCOORD" source="#u" offset="1"/><vcount>4</vcount><p>0 0 1 0 2 0 3 0</p></polylist>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="w"><node id="n" name="wall"><translate>0 0 500</translate><rotate>0 0 1 90</rotate>
<instance_geometry url="#g"><bind_material><technique_common><instance_material symbol="sym" target="#m"/></technique_common></bind_material></instance_geometry></node></visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#w"/></scene></COLLADA>`

func TestRead(t *testing.T) {
	var asked []string
	d, err := Read([]byte(square), Options{File: func(name string) ([]byte, error) {
		asked = append(asked, name)
		if name == "a b.png" {
			return []byte("\x89PNG\r\n\x1a\n"), nil
		}
		return nil, os.ErrNotExist
	}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := d.Instances()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	// A corner at (1 m, 0, 0), turned a quarter about z, 5 m up: y is up.
	q := list[0].World.Point([3]float64{100, 0, 0})
	for k, want := range [3]float64{0, 5, -1} {
		if math.Abs(q[k]-want) > 1e-9 {
			t.Errorf("the corner is at %v", q)
		}
	}
	p := d.Meshes[list[0].Mesh].Primitives[0]
	if d.Accessors[*p.Indices].Count != 6 || d.Accessors[p.Attributes["TEXCOORD_0"]].Count != 4 {
		t.Errorf("%+v", p)
	}
	m := d.Materials[*p.Material]
	if m.Name != "paint" || m.PBR.BaseColorTexture == nil || m.AlphaMode != "BLEND" || len(d.Images) != 1 {
		t.Errorf("%+v, asked for %q", m, asked)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"cut off":  {"</COLLADA>", "", "line"},
		"index":    {"<p>0 0 1 0 2 0 3 0</p>", "<p>0 0 1 0 2 0 9 0</p>", "vertex 9"},
		"number":   {"100 0 0 100 100", "100 x 0 100 100", `"x" is not a number`},
		"corners":  {"<vcount>4</vcount>", "<vcount>5</vcount>", "more corners"},
		"circle":   {"<translate>0 0 500</translate>", `<instance_node url="#n"/>`, "refer to each other"},
		"no scene": {"library_visual_scenes", "library_other", "no visual scene"},
	} {
		_, err := Read([]byte(strings.ReplaceAll(square, c.from, c.to)), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestReal(t *testing.T) {
	data, err := os.ReadFile(testdata.Path(t, "mesh/duck.dae"))
	if err != nil {
		t.Fatal(err)
	}
	var warnings []string
	d, err := Read(data, Options{Warn: func(m string) { warnings = append(warnings, m) }})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			n += d.Accessors[*p.Indices].Count / 3
		}
	}
	if n != 4212 || len(d.Materials) != 1 || len(warnings) != 1 {
		t.Errorf("%d triangles, %d materials, warnings %q", n, len(d.Materials), warnings)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(square))
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
