package colmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/testdata"
)

func sample() *Model {
	return &Model{
		Cameras: []Camera{
			{ID: 1, Model: "PINHOLE", Width: 640, Height: 480, Params: []float64{500.25, 501.5, 320, 240}},
			{ID: 7, Model: "OPENCV", Width: 4000, Height: 3000, Params: []float64{3000, 3001, 2000, 1500, 0.1, -0.05, 1e-4, -2e-4}},
		},
		Images: []Image{
			{
				ID: 3, Rotation: [4]float64{0.5, 0.5, -0.5, 0.5}, Translation: [3]float64{1, -2, 3.5}, CameraID: 1, Name: "a b/c.jpg",
				Points: []ImagePoint{{10.5, 20.25, 11}, {30, 40, -1}, {1.5, 2.5, 12}},
			},
			{
				ID: 4, Rotation: [4]float64{1, 0, 0, 0}, Translation: [3]float64{-1, 0, 0.25}, CameraID: 7, Name: "d.jpg",
				Points: []ImagePoint{{100.5, 200.5, 12}, {7, 8, 11}},
			},
			{ID: 5, Rotation: [4]float64{0, 1, 0, 0}, CameraID: 7, Name: "no features.jpg"},
		},
		Points: []Point{
			{ID: 11, XYZ: [3]float64{1, 2, 3}, Color: [3]uint8{1, 2, 255}, Error: 0.5, Track: []Observation{{3, 0}, {4, 1}}},
			{ID: 12, XYZ: [3]float64{-1.0 / 3, 1e-9, 1e6}, Color: [3]uint8{9, 8, 7}, Error: 1.25, Track: []Observation{{4, 0}, {3, 2}}},
		},
	}
}

// normal makes empty and absent lists the same, which files do not tell apart.
func normal(m *Model) *Model {
	for i := range m.Images {
		if len(m.Images[i].Points) == 0 {
			m.Images[i].Points = nil
		}
	}
	return m
}

func TestBothFormsKeepAll(t *testing.T) {
	for name, write := range map[string]func(*Model, string) error{"binary": (*Model).WriteBinary, "text": (*Model).WriteText} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := write(sample(), dir); err != nil {
				t.Fatal(err)
			}
			got, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(normal(got), sample()) {
				t.Errorf("got  %+v\nwant %+v", got, sample())
			}
		})
	}
}

// convert lets COLMAP read a model and write it in the other form.
func convert(t *testing.T, from, to, form string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, testdata.Tool(t, "colmap"), "model_converter", "--input_path", from, "--output_path", to, "--output_type", form)
	c.Env = append(os.Environ(), "QT_QPA_PLATFORM=offscreen")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("colmap model_converter: %v\n%s", err, out)
	}
}

// COLMAP reads what we write, and we read what it writes: in both forms.
func TestCOLMAPReadsAndWritesTheSame(t *testing.T) {
	testdata.Tool(t, "colmap")
	for _, c := range []struct {
		name, form string
		write      func(*Model, string) error
		read       func(string) (*Model, error)
	}{
		{"from binary", "TXT", (*Model).WriteBinary, ReadText},
		{"from text", "BIN", (*Model).WriteText, ReadBinary},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := t.TempDir(), t.TempDir()
			want := sample()
			want.Images[0].Name, want.Images[2].Name = "a/b.jpg", "e.jpg" // COLMAP reads no spaces from text
			if err := c.write(want, ours); err != nil {
				t.Fatal(err)
			}
			convert(t, ours, theirs, c.form)
			got, err := c.read(theirs)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}
}

// same compares models in any order of their parts, with numbers as exact as COLMAP
// writes them.
func same(t *testing.T, got, want *Model) {
	t.Helper()
	if len(got.Cameras) != len(want.Cameras) || len(got.Images) != len(want.Images) || len(got.Points) != len(want.Points) {
		t.Fatalf("%d cameras, %d photos, %d points; want %d, %d, %d",
			len(got.Cameras), len(got.Images), len(got.Points), len(want.Cameras), len(want.Images), len(want.Points))
	}
	cameras, images, points := map[int]Camera{}, map[int]Image{}, map[int64]Point{}
	for _, c := range got.Cameras {
		cameras[c.ID] = c
	}
	for _, i := range got.Images {
		images[i.ID] = i
	}
	for _, p := range got.Points {
		points[p.ID] = p
	}
	for _, c := range want.Cameras {
		g := cameras[c.ID]
		equal(t, fmt.Sprintf("camera %d", c.ID), g.Params, c.Params)
		if g.Model != c.Model || g.Width != c.Width || g.Height != c.Height {
			t.Errorf("camera %+v, want %+v", g, c)
		}
	}
	for _, i := range want.Images {
		g := images[i.ID]
		equal(t, i.Name, append(g.Rotation[:], g.Translation[:]...), append(i.Rotation[:], i.Translation[:]...))
		if g.Name != i.Name || g.CameraID != i.CameraID || len(g.Points) != len(i.Points) {
			t.Errorf("photo %+v, want %+v", g, i)
			continue
		}
		for k, p := range i.Points {
			equal(t, "feature", []float64{g.Points[k].X, g.Points[k].Y, float64(g.Points[k].Point)}, []float64{p.X, p.Y, float64(p.Point)})
		}
	}
	for _, p := range want.Points {
		g := points[p.ID]
		equal(t, fmt.Sprintf("point %d", p.ID), append(g.XYZ[:], g.Error), append(p.XYZ[:], p.Error))
		if g.Color != p.Color || !reflect.DeepEqual(g.Track, p.Track) {
			t.Errorf("point %+v, want %+v", g, p)
		}
	}
}

func equal(t *testing.T, what string, got, want []float64) {
	t.Helper()
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = math.Abs(got[i]-want[i]) <= 1e-12*math.Abs(want[i])
	}
	if !ok {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"cameras.txt", "1 PINHOLE 640\n", "cameras.txt: line 1 has too few fields"},
		{"cameras.txt", "1 PINHOLE 640 x 1 1 1 1\n", `line 1: "x" is not a whole number`},
		{"cameras.txt", "1 MAGIC 640 480 1\n", `camera 1 has model "MAGIC"`},
		{"cameras.txt", "1 PINHOLE 640 480 1\n", "camera 1 has model \"PINHOLE\" with 1 parameters"},
		{"images.txt", "1 1 0 0 0 0 0\n", "images.txt: line 1 has too few fields"},
		{"images.txt", "1 1 0 0 0 0 0 0 1 a.jpg\n1 2\n", "images.txt: line 2 has too few fields"},
		{"points3D.txt", "1 2 3 4 300 0 0 0\n", "points3D.txt: line 1: a colour of 300"},
	} {
		dir := t.TempDir()
		for _, name := range []string{"cameras.txt", "images.txt", "points3D.txt"} {
			text := ""
			if name == c.file {
				text = c.text
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Read(dir); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
}

// Files that claim more than they hold are refused, without room for what they claim.
func TestClaims(t *testing.T) {
	dir := t.TempDir()
	if err := sample().WriteBinary(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cameras.bin", "images.bin", "points3D.bin"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		huge := bytes.Clone(data)
		copy(huge, "\xff\xff\xff\xff\xff\xff\xff\x7f")
		for what, bad := range map[string][]byte{"huge": huge, "cut": data[:len(data)-3], "empty": nil} {
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(dir); !errors.Is(err, ErrFormat) {
				t.Errorf("%s %s: got %v, want ErrFormat", what, name, err)
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	want := &Map{Width: 3, Height: 2, Channels: 3}
	for i := range 18 {
		want.Data = append(want.Data, float32(i)/7)
	}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadMap(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if head := "3&2&3&\x00\x00\x00\x00"; !strings.HasPrefix(string(data), head) {
		t.Errorf("it begins with %q, want %q", data[:len(head)], head)
	}
	for _, bad := range []string{"", "3&2&", "3&2&3&", "-3&2&1&", "99999999999999999999&1&1&", "2&1&1&1234567", "65536&65536&1&", "3;2;1;"} {
		if _, err := DecodeMap(strings.NewReader(bad), "bad", int64(len(bad))); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: got %v, want ErrFormat", bad, err)
		}
	}
}

func cloud() []FusedPoint {
	return []FusedPoint{
		{XYZ: [3]float32{1, 2, 3}, Normal: [3]float32{0, 0, 1}, Color: [3]uint8{1, 2, 3}, Views: []uint32{0, 2}},
		{XYZ: [3]float32{-1, 0.5, 1e6}, Normal: [3]float32{0, 1, 0}, Color: [3]uint8{255, 0, 9}, Views: []uint32{}},
		{XYZ: [3]float32{0, 0, -7}, Normal: [3]float32{1, 0, 0}, Color: [3]uint8{0, 0, 0}, Views: []uint32{5, 1, 4, 3}},
	}
}

func writeCloud(t testing.TB, path string) {
	t.Helper()
	w, err := CreateFused(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range cloud() {
		if err := w.Write(&p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func readCloud(path string) (list []FusedPoint, err error) {
	r, err := OpenFused(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.all()
}

func (r *FusedReader) all() (list []FusedPoint, err error) {
	for {
		var p FusedPoint
		if err := r.Read(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
}

func TestFused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fused.ply")
	writeCloud(t, path)
	got, err := readCloud(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got {
		if len(p.Views) == 0 {
			got[i].Views = []uint32{}
		}
	}
	if !reflect.DeepEqual(got, cloud()) {
		t.Errorf("got %v", got)
	}
	views, offsets, err := ReadVisibility(path + ".vis")
	if err != nil || !reflect.DeepEqual(views, []uint32{0, 2, 5, 1, 4, 3}) || !reflect.DeepEqual(offsets, []uint32{0, 2, 2, 6}) {
		t.Errorf("visibility %v %v, %v", views, offsets, err)
	}
}

func TestFusedRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fused.ply")
	writeCloud(t, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	vis, err := os.ReadFile(path + ".vis")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2][]byte{
		"short":            {data[:len(data)-1], vis},
		"many points":      {bytes.Replace(data, []byte("vertex 3 "), []byte("vertex 9 "), 1), vis},
		"no header":        {[]byte("plx\n"), vis},
		"ascii":            {bytes.Replace(data, []byte("binary_little_endian"), []byte("ascii"), 1), vis},
		"endless line":     {bytes.Repeat([]byte("x"), 1<<20), vis},
		"visibility short": {data, vis[:len(vis)-1]},
		"visibility off":   {data, append([]byte{9}, vis[1:]...)},
		"visibility huge":  {data, append(append([]byte{}, vis[:8]...), 0xff, 0xff, 0xff, 0xff)},
	} {
		if err := os.WriteFile(path, c[0], 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".vis", c[1], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readCloud(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}
