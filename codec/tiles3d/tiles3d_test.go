package tiles3d

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestFrame holds the frame at places whose answer is plain.
func TestFrame(t *testing.T) {
	const a, b = 6378137.0, 6356752.314245179
	tests := []struct {
		name     string
		lon, lat float64
		origin   [3]float64
		up, east [3]float64
	}{
		{"equator", 0, 0, [3]float64{a, 0, 0}, [3]float64{1, 0, 0}, [3]float64{0, 1, 0}},
		{"90 east", 90, 0, [3]float64{0, a, 0}, [3]float64{0, 1, 0}, [3]float64{-1, 0, 0}},
		{"pole", 0, 90, [3]float64{0, 0, b}, [3]float64{0, 0, 1}, [3]float64{0, 1, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := NewFrame(test.lon, test.lat, test.origin)
			m := f.Matrix()
			for i := range 3 {
				if math.Abs(m[8+i]-test.up[i]) > 1e-12 || math.Abs(m[i]-test.east[i]) > 1e-12 || m[12+i] != test.origin[i] {
					t.Fatalf("matrix %v", m)
				}
			}
			// To the frame and back.
			p := []float64{test.origin[0] + 3, test.origin[1] - 4, test.origin[2] + 5}
			q := append([]float64(nil), p...)
			f.Local(q)
			for i := range 3 {
				v := m[12+i] + m[i]*q[0] + m[4+i]*q[1] + m[8+i]*q[2]
				if math.Abs(v-p[i]) > 1e-8 {
					t.Errorf("axis %d: %g, want %g", i, v, p[i])
				}
			}
		})
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tileset.json")
	root := &Tile{BoundingVolume: BoundingVolume{AxisBox([3]float64{-1, -2, 5}, [3]float64{3, 2, 5})}, Refine: "ADD", Content: &Content{"a.glb"}}
	if err := Write(path, &Tileset{GeometricError: 9, Root: root}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s Tileset
	if err := json.Unmarshal(b, &s); err != nil || s.Asset.Version != "1.1" || s.Root.BoundingVolume.Box != (Box{1, 0, 5, 2, 0, 0, 0, 2, 0, 0, 0, 0.0005}) {
		t.Errorf("%s, %v", b, err)
	}
	if Write(filepath.Join(path, "below-a-file"), &Tileset{Root: root}) == nil {
		t.Error("a path below a file is no error")
	}
}
