package obj_test

import (
	"bytes"
	"strings"
	"testing"

	"slate360.ai/worker/codec/obj"
)

// What Write writes, Read reads: positions with their offset, texture coordinates,
// groups with their materials and textures.
func TestWriteRead(t *testing.T) {
	m := obj.Model{
		Positions: []float32{0, 0, 0, 1, 0, 0.5, 1, 1, 0.25, 0, 1, 0},
		UVs:       []float32{0, 0, 1, 0, 1, 1, 0, 0.75},
		Groups: []obj.Group{
			{Material: "page0", Triangles: []uint32{0, 1, 2}},
			{Material: "page1", Triangles: []uint32{0, 2, 3}},
		},
		Offset: [3]float64{500000.25, 4649776.5, 100}, Library: "a.mtl", Comment: "EPSG:32617",
	}
	var model, library bytes.Buffer
	if err := obj.Write(&model, m); err != nil {
		t.Fatal(err)
	}
	if err := obj.WriteMaterials(&library, []string{"page0", "page1"}, []string{"p0.jpg", "p1.jpg"}); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	d, err := obj.Read(model.Bytes(), obj.Options{
		File: func(name string) ([]byte, error) {
			asked[name] = true
			if name == "a.mtl" {
				return library.Bytes(), nil
			}
			return []byte("\xff\xd8\xff\xe0"), nil
		},
		Warn: func(msg string) { t.Error(msg) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !asked["a.mtl"] || !asked["p0.jpg"] || !asked["p1.jpg"] || len(d.Materials) != 2 {
		t.Errorf("asked for %v, %d materials", asked, len(d.Materials))
	}
	triangles := 0
	for _, p := range d.Meshes[0].Primitives {
		i, err := d.Indices(*p.Indices)
		if err != nil {
			t.Fatal(err)
		}
		triangles += len(i) / 3
		uv, err := d.Floats(p.Attributes["TEXCOORD_0"])
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range uv {
			if v < 0 || v > 1 {
				t.Errorf("texture coordinate %g", v)
			}
		}
	}
	if triangles != 2 {
		t.Errorf("%d triangles", triangles)
	}
	// The digits of large coordinates are all there in the text.
	if !strings.Contains(model.String(), "v 500001.2500 4649776.5000 100.5000\n") {
		t.Errorf("text:\n%s", model.String())
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, m := range map[string]obj.Model{
		"index":     {Positions: make([]float32, 9), Groups: []obj.Group{{Triangles: []uint32{0, 1, 3}}}},
		"indices":   {Positions: make([]float32, 9), Groups: []obj.Group{{Triangles: []uint32{0, 1}}}},
		"positions": {Positions: make([]float32, 8)},
		"uvs":       {Positions: make([]float32, 9), UVs: make([]float32, 4)},
	} {
		if err := obj.Write(&bytes.Buffer{}, m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
