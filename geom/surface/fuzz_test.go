package surface

import (
	"context"
	"testing"

	"slate360.ai/worker/geom/topology"
)

// FuzzReconstruct makes clouds of few, coarse numbers: points that coincide, lie in
// lines and planes, on common balls, and in cameras.
func FuzzReconstruct(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x01\x01\x01"), uint8(0))
	f.Add([]byte("a cloud of points that nobody has ever seen, but two cameras; 3.14159265358979"), uint8(7))
	f.Add([]byte("\x10\x20\x30\x11\x20\x30\x10\x21\x30\x10\x20\x31\x11\x21\x31\x12\x22\x33\x08\x07\x06"), uint8(29))
	f.Fuzz(func(t *testing.T, data []byte, how uint8) {
		c := Cloud{Centers: [][3]float32{{0, 0, 40}, {5, 5, 20}}}
		for i := 0; i+2 < min(len(data), 600); i += 3 {
			for _, b := range data[i : i+3] {
				c.Points = append(c.Points, float32(int8(b))/8)
				c.Normals = append(c.Normals, float32(b&7)-3)
			}
		}
		n := len(c.Points) / 3
		if how&1 != 0 {
			c.Offsets = make([]uint32, n+1)
			for i := range n {
				for v := range uint32(i % 3) {
					c.Views = append(c.Views, v)
				}
				c.Offsets[i+1] = uint32(len(c.Views))
			}
		}
		if how&2 != 0 {
			c.Normals = nil
		}
		o := Options{Mode: Mode(how >> 2 % 3), Merge: float64(how>>4) / 4, MinPart: 1, Workers: 1}
		m, err := Reconstruct(context.Background(), c, o, nil)
		if err != nil {
			return
		}
		for _, p := range m.Positions {
			if !finite(p) {
				t.Fatal("a coordinate is not finite")
			}
		}
		if r := topology.Analyze(m.Positions, m.Triangles); !r.Manifold {
			t.Errorf("%+v", r)
		}
	})
}
