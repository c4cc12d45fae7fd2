package ply

import (
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/testdata"
)

const head = "element vertex 4\nproperty double x\nproperty float y\nproperty float z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"

// TestForms reads the same model from all three forms.
func TestForms(t *testing.T) {
	files := map[string][]byte{"ascii": []byte("ply\nformat ascii 1.0\ncomment c\n" + head + "0 0 0 255 0 0\n1 0 0 0 255 0\n1 1 0 0 0 255\n0 1 0 0 0 0\n4 0 1 2 3\n")}
	for name, order := range map[string]binary.AppendByteOrder{"binary_little_endian": binary.LittleEndian, "binary_big_endian": binary.BigEndian} {
		b := []byte("ply\r\nformat " + name + " 1.0\r\n" + strings.ReplaceAll(head, "\n", "\r\n"))
		for i, p := range [][2]float64{{0, 0}, {1, 0}, {1, 1}, {0, 1}} {
			b = order.AppendUint64(b, math.Float64bits(p[0]))
			b = order.AppendUint32(b, math.Float32bits(float32(p[1])))
			b = order.AppendUint32(b, 0)
			c := [4]byte{}
			if i < 3 {
				c[i] = 255
			}
			b = append(b, c[:3]...)
		}
		b = append(b, 4)
		for i := range uint32(4) {
			b = order.AppendUint32(b, i)
		}
		files[name] = b
	}
	for name, data := range files {
		d, err := Read(data, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := d.Meshes[0].Primitives[0]
		in, err := d.Indices(*p.Indices)
		if err != nil || len(in) != 6 {
			t.Errorf("%s: %v %v", name, in, err)
		}
		xyz, err := d.Floats(p.Attributes["POSITION"])
		if err != nil || xyz[6] != 1 || xyz[7] != 1 {
			t.Errorf("%s: %v %v", name, xyz, err)
		}
		rgb, err := d.Floats(p.Attributes["COLOR_0"])
		if err != nil || rgb[0] != 1 || rgb[5] != 1 || rgb[3] != 1 {
			t.Errorf("%s: %v %v", name, rgb, err)
		}
	}
}

func TestStripsAndClouds(t *testing.T) {
	d, err := Read([]byte("ply\nformat ascii 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\nelement tristrips 1\nproperty list int int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 2 0\n9 0 1 2 3 4 -1 2 1 0\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.Indices(*d.Meshes[0].Primitives[0].Indices)
	if err != nil || len(in) != 12 || in[3] != 2 || in[4] != 1 {
		t.Errorf("strip: %v %v", in, err)
	}
	d, err = Read([]byte("ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n"), Options{})
	if err != nil || d.Meshes[0].Primitives[0].Mode != gltf.ModePoints {
		t.Errorf("cloud: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"plx\n":                   "begin with ply",
		"ply\nformat ascii 1.0\n": "no end_header",
		"ply\nend_header\n":       "no format",
		"ply\nformat ascii 1.0\nelement vertex 99999999\nproperty float x\nend_header\n1\n":                                                                                               "upload complete",
		"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list int int vertex_index\nend_header\n1 2 3\n3 0 1 2\n": "face 0 has vertex 1",
		"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 x\n":                                                              `"x" is not a number`,
		"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 nan\n":                                                            "coordinate NaN",
		"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nend_header\nabc":                                                                                       "ends too early",
		"ply\nformat ascii 1.0\nelement vertex 1\nproperty strange x\nend_header\n":                                                                                                       "not a type",
	} {
		_, err := Read([]byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestReal(t *testing.T) {
	data, err := os.ReadFile(testdata.Path(t, "mesh/Wuson.ply"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Accessors[*d.Meshes[0].Primitives[0].Indices].Count; n < 3000 {
		t.Errorf("%d indices", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("ply\nformat ascii 1.0\n" + head + "0 0 0 255 0 0\n1 0 0 0 255 0\n1 1 0 0 0 255\n0 1 0 0 0 0\n4 0 1 2 3\n"))
	f.Add([]byte("ply\nformat binary_big_endian 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nproperty list uchar float texcoord\nend_header\n0123456789ab\x01abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read(data, Options{})
		if err != nil {
			return
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
