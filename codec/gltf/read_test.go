package gltf_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/testdata"
)

// triangle is a document as text: one triangle with a data URI; spoil changes it.
func triangle(spoil func(d map[string]any)) []byte {
	var bin []byte
	for _, v := range []float32{0, 0, 0, 1, 0, 0, 0, 1, 0} {
		bin = binary.LittleEndian.AppendUint32(bin, math.Float32bits(v))
	}
	bin = append(bin, 0, 0, 1, 0, 2, 0)
	raw := fmt.Sprintf(`{"asset":{"version":"2.0","extras":{"a":1}},"scene":0,"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0,"name":"n"}],
	"meshes":[{"primitives":[{"attributes":{"POSITION":0},"indices":1,"extensions":{"EXT_unknown":{"accessor":0,"deep":[{"bufferView":1}]}}}]}],
	"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[0,0,0],"max":[1,1,0]},{"bufferView":1,"componentType":5123,"count":3,"type":"SCALAR"}],
	"bufferViews":[{"buffer":0,"byteLength":36},{"buffer":0,"byteOffset":36,"byteLength":6}],
	"buffers":[{"byteLength":42,"uri":"data:application/octet-stream;base64,%s"}]}`, base64.StdEncoding.EncodeToString(bin))
	var d map[string]any
	if err := json.Unmarshal([]byte(raw), &d); err != nil {
		panic(err)
	}
	if spoil != nil {
		spoil(d)
	}
	out, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return out
}

func item(d map[string]any, path ...any) map[string]any {
	var v any = d
	for _, k := range path {
		switch k := k.(type) {
		case string:
			v = v.(map[string]any)[k]
		case int:
			v = v.([]any)[k]
		}
	}
	return v.(map[string]any)
}

// TestRefused: each fault is told with its place.
func TestRefused(t *testing.T) {
	for want, spoil := range map[string]func(d map[string]any){
		"/accessors/0: its 300 elements":             func(d map[string]any) { item(d, "accessors", 0)["count"] = 300 },
		"/accessors/0/count":                         func(d map[string]any) { item(d, "accessors", 0)["count"] = 1 << 40 },
		"/accessors/1/componentType":                 func(d map[string]any) { item(d, "accessors", 1)["componentType"] = 1 },
		"/accessors/1/bufferView: is 7":              func(d map[string]any) { item(d, "accessors", 1)["bufferView"] = 7 },
		"/bufferViews/1: wants bytes":                func(d map[string]any) { item(d, "bufferViews", 1)["byteLength"] = 7 },
		"/nodes/0/mesh: is 3":                        func(d map[string]any) { item(d, "nodes", 0)["mesh"] = 3 },
		"/meshes/0/primitives/0/attributes/POSITION": func(d map[string]any) { item(d, "meshes", 0, "primitives", 0, "attributes")["POSITION"] = -1 },
		"is its own ancestor": func(d map[string]any) {
			d["nodes"] = []any{map[string]any{"children": []any{1}}, map[string]any{"children": []any{0}}}
			delete(d, "scenes")
			delete(d, "scene")
		},
		"is a child of node": func(d map[string]any) {
			d["nodes"] = []any{map[string]any{"children": []any{2}}, map[string]any{"children": []any{2}}, map[string]any{}}
		},
		"/asset/version":       func(d map[string]any) { item(d, "asset")["version"] = "1.0" },
		"leaves the folder":    func(d map[string]any) { item(d, "buffers", 0)["uri"] = "../../etc/passwd" },
		"is an absolute path":  func(d map[string]any) { item(d, "buffers", 0)["uri"] = "/etc/passwd" },
		"is an address":        func(d map[string]any) { item(d, "buffers", 0)["uri"] = "http://example.org/a.bin" },
		"%2e%2e":               func(d map[string]any) { item(d, "buffers", 0)["uri"] = "%2e%2e/a.bin" },
		"/nodes/0: is null":    func(d map[string]any) { d["nodes"] = []any{nil} },
		"is not there: upload": func(d map[string]any) { item(d, "buffers", 0)["uri"] = "a.bin" },
	} {
		_, err := gltf.Read(triangle(spoil), gltf.ReadOptions{})
		var typed *gltf.Error
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &typed) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, data := range []string{"", "{", "glTF\x02\x00\x00\x00\xff\xff\xff\xff", "glTF\x01\x00\x00\x00\x14\x00\x00\x00........", "[]"} {
		if _, err := gltf.Read([]byte(data), gltf.ReadOptions{}); err == nil {
			t.Errorf("%q is no error", data)
		}
	}
}

// TestRoundTrip: what was read and written is the same document, with extensions and
// extras that nobody knows; what is not used goes, and numbers follow.
func TestRoundTrip(t *testing.T) {
	data := triangle(func(d map[string]any) {
		// An unused accessor and view in front of the others.
		a := item(d, "accessors", 0)
		d["accessors"] = append([]any{map[string]any{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}}, a, item(d, "accessors", 1))
		item(d, "meshes", 0, "primitives", 0, "attributes")["POSITION"] = 1
		item(d, "meshes", 0, "primitives", 0)["indices"] = 2
		item(d, "meshes", 0, "primitives", 0, "extensions")["EXT_unknown"] = map[string]any{"accessor": 1, "deep": []any{map[string]any{"bufferView": 1}}, "text": "kept"}
	})
	d, err := gltf.Read(data, gltf.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Compact(); err != nil {
		t.Fatal(err)
	}
	out, err := gltf.AppendGLB(nil, d)
	if err != nil {
		t.Fatal(err)
	}
	e, err := gltf.Read(out, gltf.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Accessors) != 2 || string(e.Asset.Extras) != `{"a":1}` || e.Nodes[0].Name != "n" {
		t.Errorf("%d accessors, extras %s", len(e.Accessors), e.Asset.Extras)
	}
	p := e.Meshes[0].Primitives[0]
	var unknown struct {
		Accessor int
		Text     string
		Deep     []struct{ BufferView int }
	}
	if ok, err := p.Extensions.Get("EXT_unknown", &unknown); !ok || err != nil || unknown.Accessor != 0 || unknown.Text != "kept" || unknown.Deep[0].BufferView != 1 {
		t.Errorf("%+v %v %v", unknown, ok, err)
	}
	xyz, err := e.Floats(p.Attributes["POSITION"])
	if err != nil || xyz[3] != 1 || xyz[7] != 1 || p.Mode != gltf.ModeTriangles {
		t.Errorf("%v %v", xyz, err)
	}
}

// TestAccessors: sparse ones, normalized integers, matrices of bytes, strides.
func TestAccessors(t *testing.T) {
	d := &gltf.Document{}
	view := d.AddView([]byte{0, 0, 128, 63, 1, 2, 0, 0, 0x81, 0x7f, 3, 4, 5, 6, 7, 8, 255, 0, 9, 9}, 0)
	add := func(a gltf.Accessor) int {
		d.Accessors = append(d.Accessors, &a)
		return len(d.Accessors) - 1
	}
	sparse := add(gltf.Accessor{ComponentType: gltf.UnsignedByte, Type: "VEC2", Count: 3, Sparse: &gltf.Sparse{
		Count: 1, Indices: gltf.SparseIndices{BufferView: view, ByteOffset: 4, ComponentType: gltf.UnsignedByte}, Values: gltf.SparseValues{BufferView: view, ByteOffset: 10},
	}})
	for name, c := range map[string]struct {
		accessor int
		want     []float32
	}{
		"float":      {add(gltf.Accessor{BufferView: gltf.Ref(view), ComponentType: gltf.Float, Type: "SCALAR", Count: 1}), []float32{1}},
		"normalized": {add(gltf.Accessor{BufferView: gltf.Ref(view), ByteOffset: 8, ComponentType: gltf.Byte, Normalized: true, Type: "SCALAR", Count: 2}), []float32{-1, 1}},
		"matrix":     {add(gltf.Accessor{BufferView: gltf.Ref(view), ByteOffset: 10, ComponentType: gltf.UnsignedByte, Type: "MAT2", Count: 1}), []float32{3, 4, 7, 8}},
		"sparse":     {sparse, []float32{0, 0, 3, 4, 0, 0}},
	} {
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		got, err := d.Floats(c.accessor)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
		}
	}
}

// TestReal reads the same model plain and with Draco.
func TestReal(t *testing.T) {
	sum := func(path string) (vertices, indices int) {
		data, err := os.ReadFile(testdata.Path(t, path))
		if err != nil {
			t.Fatal(err)
		}
		dir := path[:strings.LastIndex(path, "/")+1]
		d, err := gltf.Read(data, gltf.ReadOptions{Workers: 2, File: func(name string) ([]byte, error) { return os.ReadFile(testdata.Path(t, dir+name)) }})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range d.Meshes {
			for _, p := range m.Primitives {
				vertices += d.Accessors[p.Attributes["POSITION"]].Count
				indices += d.Accessors[*p.Indices].Count
			}
		}
		if len(d.ExtensionsRequired) != 0 {
			t.Errorf("%s still requires %v", path, d.ExtensionsRequired)
		}
		list, err := d.Instances()
		if err != nil || len(list) == 0 {
			t.Errorf("%s: %d instances, %v", path, len(list), err)
		}
		return vertices, indices
	}
	_, plain := sum("mesh/2CylinderEngine.glb")
	if _, packed := sum("mesh/draco/2CylinderEngine.gltf"); packed > plain || packed < plain*8/10 {
		t.Errorf("%d indices with Draco, %d without: it leaves out triangles without area, no more", packed, plain)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(triangle(nil))
	d, err := gltf.Read(triangle(nil), gltf.ReadOptions{})
	if err != nil {
		f.Fatal(err)
	}
	glb, err := gltf.AppendGLB(nil, d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(glb)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := gltf.Read(data, gltf.ReadOptions{MaxBytes: 1 << 24})
		if err != nil {
			return
		}
		for i := range d.Accessors {
			if d.Accessors[i].BufferView != nil || d.Accessors[i].Count < 1000 {
				_, _ = d.Floats(i)
				_, _ = d.Indices(i)
			}
		}
		if _, err := d.Instances(); err != nil {
			return
		}
		if err := d.Compact(); err != nil {
			return
		}
		var out bytes.Buffer
		if err := gltf.WriteGLB(&out, d); err != nil {
			t.Fatal(err)
		}
	})
}
