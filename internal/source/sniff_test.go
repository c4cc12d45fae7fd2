package source_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/testdata"
)

func TestSniffRealFiles(t *testing.T) {
	for rel, want := range map[string]source.Format{
		"pointcloud/autzen-small.laz":      source.LAZ,
		"pointcloud/autzen_trim.laz":       source.LAZ,
		"mesh/terrain-2m-draco.glb":        source.GLB,
		"mesh/spot.obj":                    source.OBJ,
		"mesh/stanford-bunny.obj":          source.OBJ,
		"mesh/duck.dae":                    source.DAE,
		"mesh/Wuson.ply":                   source.PLY,
		"mesh/Spider_binary.stl":           source.STL,
		"mesh/box.fbx":                     source.FBX,
		"mesh/animation_with_skeleton.fbx": source.FBX,
		"photos/sceaux":                    source.Photos,
	} {
		t.Run(rel, func(t *testing.T) {
			path := testdata.Path(t, rel)
			if got, err := source.Sniff(path); err != nil || got != want {
				t.Errorf("Sniff = %q, %v, want %q", got, err, want)
			}
			if info, err := os.Stat(path); err != nil || info.IsDir() {
				return
			}
			// The content decides, whatever the name says.
			misnamed := filepath.Join(t.TempDir(), "scan.xyz")
			if err := os.Symlink(path, misnamed); err != nil {
				t.Fatal(err)
			}
			if got, err := source.Sniff(misnamed); err != nil || got != want {
				t.Errorf("Sniff of the same with another name = %q, %v, want %q", got, err, want)
			}
		})
	}
}

// lasHeader is the start of a LAS 1.4 file with one VLR.
func lasHeader(format byte, user string) []byte {
	b := make([]byte, 375+54)
	copy(b, "LASF")
	b[24], b[25] = 1, 4
	binary.LittleEndian.PutUint16(b[94:], 375)
	b[104] = format
	copy(b[377:393], user)
	return b
}

func TestSniffBytes(t *testing.T) {
	stl := make([]byte, 84+2*50)
	copy(stl, "solid though binary")
	stl[80] = 2
	for _, test := range []struct {
		name      string
		head      []byte
		extension string
		want      source.Format
	}{
		{"las", lasHeader(7, ""), "", source.LAS},
		{"laz", lasHeader(7|0x80, "laszip encoded"), "las", source.LAZ},
		{"copc", lasHeader(7|0x80, "copc"), "laz", source.COPC},
		{"truncated las", []byte("LASF\x00"), "", source.LAS},
		{"binary stl that begins with solid", stl, "", source.STL},
		{"text stl", []byte("solid a\n facet normal 0 0 1\n"), "", source.STL},
		{"3ds", []byte{'M', 'M', 8, 0, 0, 0, 0, 0}, "", source.ThreeD},
		{"xyz", []byte("1.5 2 3 255 0 0\n2 3 4 1 1 1\n"), "", source.XYZ},
		{"csv with names", []byte("x,y,z\r\n1,2,3\r\n"), "", source.XYZ},
		{"gltf", []byte("\xef\xbb\xbf{\"asset\":{}}"), "", source.GLTF},
		{"ept", []byte(`{"bounds":[],"dataType":"laszip","hierarchyType":"json"}`), "", source.EPT},
		{"prose", []byte("Dear all,\nplease find the scan\nattached.\nYours\n"), "obj", ""},
		{"zeroes", make([]byte, 100), "laz", ""},
	} {
		if got := source.SniffBytes(test.head, int64(len(test.head)), test.extension); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestSniffErrors(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                             "file is empty",
		"<!DOCTYPE html><p>Sign in":    "web page",
		"\x1f\x8b\x08\x00":             "gzip",
		strings.Repeat("\x00", 70_000): "all zero",
		"version https://git-lfs.github.com/spec/v1\noid sha256:1\n": "git lfs pull",
		"\x01\x02\x03\x04": `begins with "\x01\x02\x03\x04"`,
	} {
		path := filepath.Join(dir, "scan.laz")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := source.Sniff(path)
		var unknown *source.UnknownFormatError
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &unknown) && !errors.Is(err, source.ErrEmpty) {
			t.Errorf("Sniff = %v, want %q", err, want)
		}
	}
	if _, err := source.Sniff(dir + "/absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Sniff of an absent file = %v", err)
	}
	if _, err := source.Sniff(t.TempDir()); err == nil {
		t.Error("Sniff of an empty folder = nil")
	}
}

func FuzzSniffBytes(f *testing.F) {
	f.Add(lasHeader(0x87, "copc"), int64(500), "laz")
	f.Add([]byte("v 1 2 3\nf 1 2 3\n"), int64(16), "obj")
	f.Add(bytes.Repeat([]byte{'M'}, 90), int64(90), "")
	f.Fuzz(func(t *testing.T, head []byte, size int64, extension string) {
		got := source.SniffBytes(head, size, extension)
		if got == "" {
			return
		}
		if parsed, err := source.ParseFormat(string(got)); err != nil || parsed != got {
			t.Errorf("format %q is not listed", got)
		}
	})
}
