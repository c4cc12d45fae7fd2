package stl

import (
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

func binaryFile(header string, attribute uint16, triangles ...[9]float32) []byte {
	b := make([]byte, 80)
	copy(b, header)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(triangles)))
	for _, t := range triangles {
		b = append(b, make([]byte, 12)...)
		for _, v := range t {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		b = binary.LittleEndian.AppendUint16(b, attribute)
	}
	return b
}

func TestRead(t *testing.T) {
	square := [][9]float32{{0, 0, 0, 1, 0, 0, 0, 1, 0}, {1, 0, 0, 1, 1, 0, 0, 1, 0}}
	for name, data := range map[string][]byte{
		"binary":       binaryFile("solid of a kind", 0, square...),
		"ascii":        []byte("solid a\n facet normal 0 0 1\n outer loop\n vertex 0 0 0\n vertex 1 0 0\n vertex 0 1 0\n endloop\n endfacet\nfacet normal 0 0 1\nouter loop\nvertex 1 0 0\nvertex 1 1 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid a\n"),
		"with colours": binaryFile("", 0x8000|31, square...),
	} {
		d, err := Read(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := d.Meshes[0].Primitives[0]
		n := d.Accessors[p.Attributes["POSITION"]].Count
		want := 4
		if name == "with colours" {
			want = 6
			c, err := d.Floats(p.Attributes["COLOR_0"])
			if err != nil || c[0] != 0 || c[2] != 1 {
				t.Errorf("colours %v %v: blue is lowest", c, err)
			}
		}
		if n != want || d.Accessors[*p.Indices].Count != 6 {
			t.Errorf("%s: %d vertices, want %d", name, n, want)
		}
	}
}

func TestRefused(t *testing.T) {
	short := binaryFile("", 0, [9]float32{0, 0, 0, 1, 0, 0, 0, 1, 0})
	short[80] = 9
	for want, data := range map[string][]byte{
		"upload complete": short,
		"no triangles":    binaryFile("", 0),
		"coordinate NaN":  binaryFile("", 0, [9]float32{float32(math.NaN())}),
		"line 2":          []byte("solid a\nvertex 1 2\n"),
		"within a facet":  []byte("solid a\nvertex 1 2 3\n"),
	} {
		_, err := Read(data)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestReal(t *testing.T) {
	data, err := os.ReadFile(testdata.Path(t, "mesh/Spider_binary.stl"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Accessors[*d.Meshes[0].Primitives[0].Indices].Count; n != 3*(len(data)-84)/50 {
		t.Errorf("%d indices of %d bytes", n, len(data))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(binaryFile("COLOR=abcd", 1, [9]float32{0, 0, 0, 1, 0, 0, 0, 1, 0}))
	f.Add([]byte("solid a\nfacet\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := Read(data); err == nil {
			if err := d.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
