package gltf_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/codec/meshopt"
	"slate360.ai/worker/internal/testdata"
)

// TestMeshoptForeign reads what gltf-transform compresses: as many triangles, within
// the same bounds.
func TestMeshoptForeign(t *testing.T) {
	source := testdata.Path(t, "mesh/2CylinderEngine.glb")
	path := filepath.Join(t.TempDir(), "engine.glb")
	if out, err := exec.Command(testdata.Tool(t, "gltf-transform"), "meshopt", source, path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var triangles [2]int
	var bounds [2][6]float64
	for i, name := range []string{source, path} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := gltf.Read(data, gltf.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		triangles[i], bounds[i] = extent(t, d)
	}
	if triangles[0] != triangles[1] || triangles[0] == 0 {
		t.Errorf("%d triangles became %d", triangles[0], triangles[1])
	}
	for k := range bounds[0] {
		if size := bounds[0][k%3+3] - bounds[0][k%3]; math.Abs(bounds[0][k]-bounds[1][k]) > size/1000 {
			t.Errorf("bounds %v became %v", bounds[0], bounds[1])
			break
		}
	}
}

// extent counts triangles, and gives the least and greatest coordinates.
func extent(t *testing.T, d *gltf.Document) (triangles int, bounds [6]float64) {
	t.Helper()
	for k := range 3 {
		bounds[k], bounds[k+3] = math.Inf(1), math.Inf(-1)
	}
	list, err := d.Instances()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range list {
		for _, p := range d.Meshes[at.Mesh].Primitives {
			triangles += d.Accessors[*p.Indices].Count / 3
			v, err := d.Floats(p.Attributes["POSITION"])
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(v); i += 3 {
				q := at.World.Point([3]float64{float64(v[i]), float64(v[i+1]), float64(v[i+2])})
				for k := range 3 {
					bounds[k], bounds[k+3] = min(bounds[k], q[k]), max(bounds[k+3], q[k])
				}
			}
		}
	}
	return triangles, bounds
}

// TestMeshoptKHR reads KHR_meshopt_compression with version 1 of attributes and the
// filter of colours.
func TestMeshoptKHR(t *testing.T) {
	places := make([]byte, 0, 36)
	for _, v := range []float32{0, 0, 0, 1, 0, 0, 0, 1, 0} {
		places = binary.LittleEndian.AppendUint32(places, math.Float32bits(v))
	}
	colors, err := meshopt.EncodeColor([]float32{1, 0, 0, 1, 0, 1, 0, 1, 0.2, 0.4, 0.6, 0}, 4, 8)
	if err != nil {
		t.Fatal(err)
	}
	var buffer []byte
	var views [3]string
	for i, make := range []func() ([]byte, error){
		func() ([]byte, error) { return meshopt.EncodeAttributes(places, 12, 1) },
		func() ([]byte, error) { return meshopt.EncodeAttributes(colors, 4, 1) },
		func() ([]byte, error) { return meshopt.EncodeTriangles([]uint32{0, 1, 2}) },
	} {
		stream, err := make()
		if err != nil {
			t.Fatal(err)
		}
		size, mode := []int{12, 4, 2}[i], []string{`"ATTRIBUTES"`, `"ATTRIBUTES","filter":"COLOR"`, `"TRIANGLES"`}[i]
		views[i] = fmt.Sprintf(`{"buffer":1,"byteLength":%d,"extensions":{"KHR_meshopt_compression":{"buffer":0,"byteOffset":%d,"byteLength":%d,"byteStride":%d,"count":3,"mode":%s}}}`, 3*size, len(buffer), len(stream), size, mode)
		buffer = append(buffer, stream...)
	}
	text := fmt.Sprintf(`{"asset":{"version":"2.0"},"extensionsUsed":["KHR_meshopt_compression"],"extensionsRequired":["KHR_meshopt_compression"],
		"buffers":[{"byteLength":%d,"uri":"data:application/octet-stream;base64,%s"},{"byteLength":64,"extensions":{"KHR_meshopt_compression":{"fallback":true}}}],
		"bufferViews":[%s,%s,%s],
		"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[0,0,0],"max":[1,1,0]},
			{"bufferView":1,"componentType":5121,"normalized":true,"count":3,"type":"VEC4"},{"bufferView":2,"componentType":5123,"count":3,"type":"SCALAR"}],
		"meshes":[{"primitives":[{"attributes":{"POSITION":0,"COLOR_0":1},"indices":2}]}],"nodes":[{"mesh":0}],"scenes":[{"nodes":[0]}]}`,
		len(buffer), base64.StdEncoding.EncodeToString(buffer), views[0], views[1], views[2])
	d, err := gltf.Read([]byte(text), gltf.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Floats(1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{1, 0, 0, 1, 0, 1, 0, 1, 0.2, 0.4, 0.6, 0} {
		if math.Abs(float64(got[i]-want)) > 0.01 {
			t.Fatalf("colours %v", got)
		}
	}
	if n, bounds := extent(t, d); n != 1 || bounds != [6]float64{0, 0, 0, 1, 1, 0} {
		t.Errorf("%d triangles in %v", n, bounds)
	}
}
