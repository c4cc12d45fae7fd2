package colmap

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// seeds are the three files of the sample.
func seeds(f *testing.F, suffix string, write func(*Model, string) error) {
	dir := f.TempDir()
	if err := write(sample(), dir); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"cameras", "images", "points3D"} {
		data, err := os.ReadFile(filepath.Join(dir, name+suffix))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
}

// What is read takes no more room than the bytes it was read from allow.
func bounded(t *testing.T, m *Model, bytes int) {
	n := 4*len(m.Cameras) + 8*len(m.Images) + 4*len(m.Points)
	for _, i := range m.Images {
		n += 2 * len(i.Points)
	}
	for _, p := range m.Points {
		n += 2 * len(p.Track)
	}
	if n > 8*bytes {
		t.Fatalf("%d numbers in %d bytes", n, bytes)
	}
}

func FuzzBinary(f *testing.F) {
	seeds(f, ".bin", (*Model).WriteBinary)
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func() *reader { return &reader{r: bufio.NewReader(bytes.NewReader(data)), name: "fuzz"} }
		bounded(t, &Model{Cameras: readCameras(read())}, len(data))
		bounded(t, &Model{Images: readImages(read())}, len(data))
		bounded(t, &Model{Points: readPoints(read())}, len(data))
	})
}

func FuzzText(f *testing.F) {
	seeds(f, ".txt", (*Model).WriteText)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &Model{}
		for _, read := range []func(*fields) error{m.readCamera, m.readImage, m.readPoint} {
			_ = scan(bytes.NewReader(data), "fuzz", read) // errors are what most data gives
		}
		if len(m.Images) > 0 {
			_ = scan(bytes.NewReader(data), "fuzz", m.readFeatures)
		}
		bounded(t, m, 4*len(data))
	})
}

func FuzzMap(f *testing.F) {
	f.Add([]byte("2&1&1&\x00\x00\x80\x3f\x00\x00\x00\x40"))
	f.Add([]byte("9&9&3&"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMap(bytes.NewReader(data), "fuzz", int64(len(data)))
		if err == nil && len(m.Data) != m.Width*m.Height*m.Channels {
			t.Fatalf("%d × %d × %d numbers are %d", m.Width, m.Height, m.Channels, len(m.Data))
		}
	})
}

func FuzzFused(f *testing.F) {
	path := filepath.Join(f.TempDir(), "fused.ply")
	writeCloud(f, path)
	ply, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	vis, err := os.ReadFile(path + VisibilitySuffix)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ply, vis)
	f.Add(ply[:len(ply)-5], vis[:9])
	f.Fuzz(func(t *testing.T, ply, vis []byte) {
		r, err := newFusedReader(bytes.NewReader(ply), int64(len(ply)), bytes.NewReader(vis), "fuzz")
		if err != nil {
			return
		}
		list, err := r.all()
		if err == nil && len(list)*fusedBytes > len(ply) {
			t.Fatalf("%d points in %d bytes", len(list), len(ply))
		}
	})
}
