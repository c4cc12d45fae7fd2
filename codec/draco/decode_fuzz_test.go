package draco_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"slate360.ai/worker/codec/draco"
)

// soup is triangles that meet anyhow: edges of many, bow ties, both sides.
func soup(seed uint64, points, triangles int) *draco.Mesh {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &draco.Mesh{Points: points}
	p := draco.Attribute{Type: draco.Position, DataType: draco.Float32, Components: 3}
	uv := draco.Attribute{Type: draco.TexCoord, DataType: draco.Float32, Components: 2, UniqueID: 1}
	for range points {
		p.Floats = append(p.Floats, float32(r.IntN(6)), float32(r.IntN(6)), r.Float32())
		uv.Floats = append(uv.Floats, r.Float32(), r.Float32())
	}
	for range 3 * triangles {
		m.Indices = append(m.Indices, r.Uint32N(uint32(points)))
	}
	m.Attributes = []draco.Attribute{p, uv}
	return m
}

// torus has handles, so that loops split and meet again.
func torus(n int) *draco.Mesh {
	m := &draco.Mesh{Points: n * n}
	p := draco.Attribute{Type: draco.Position, DataType: draco.Float32, Components: 3}
	for i := range n * n {
		u, v := 2*math.Pi*float64(i/n)/float64(n), 2*math.Pi*float64(i%n)/float64(n)
		p.Floats = append(p.Floats, float32((3+math.Cos(v))*math.Cos(u)), float32(math.Sin(v)), float32((3+math.Cos(v))*math.Sin(u)))
	}
	for i := range n {
		for j := range n {
			if i%5 == 2 && j%7 == 3 { // holes
				continue
			}
			a, b, c, d := uint32(i*n+j), uint32(i*n+(j+1)%n), uint32((i+1)%n*n+j), uint32((i+1)%n*n+(j+1)%n)
			m.Indices = append(m.Indices, a, b, c, b, d, c)
		}
	}
	m.Attributes = []draco.Attribute{p}
	return m
}

// FuzzDecode: no bitstream makes the decoder fail otherwise than by an error.
func FuzzDecode(f *testing.F) {
	for level := range 11 {
		for _, m := range []*draco.Mesh{soup(1, 12, 20), torus(7)} {
			e, err := draco.Encode(nil, m, draco.Options{Level: level})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(e.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := draco.DecodeLimited(data, draco.Limits{Points: 1 << 16, Triangles: 1 << 16})
		if err != nil {
			return
		}
		for _, i := range m.Indices {
			if int(i) >= m.Points {
				t.Fatalf("index %d of %d points", i, m.Points)
			}
		}
	})
}
