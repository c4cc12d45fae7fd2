package ply

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// WriteMesh writes a surface as binary PLY: xyz triples, and three indices of them a
// triangle. An index beyond the vertices is an error.
func WriteMesh(w io.Writer, positions []float32, triangles []uint32, comments ...string) error {
	if len(positions)%3 != 0 || len(triangles)%3 != 0 {
		return fmt.Errorf("ply: %d numbers of positions, %d indices: want triples", len(positions), len(triangles))
	}
	b := bufio.NewWriterSize(w, 1<<18)
	fmt.Fprint(b, "ply\nformat binary_little_endian 1.0\n")
	for _, c := range comments {
		fmt.Fprintf(b, "comment %s\n", c)
	}
	fmt.Fprintf(b, "element vertex %d\nproperty float x\nproperty float y\nproperty float z\n", len(positions)/3)
	fmt.Fprintf(b, "element face %d\nproperty list uchar uint vertex_indices\nend_header\n", len(triangles)/3)
	var rec [13]byte
	for _, v := range positions {
		binary.LittleEndian.PutUint32(rec[:], math.Float32bits(v))
		if _, err := b.Write(rec[:4]); err != nil {
			return err
		}
	}
	rec[0] = 3
	for i := 0; i < len(triangles); i += 3 {
		for k, v := range triangles[i : i+3] {
			if int(v) >= len(positions)/3 {
				return fmt.Errorf("ply: triangle %d refers to vertex %d of %d", i/3, v, len(positions)/3)
			}
			binary.LittleEndian.PutUint32(rec[1+4*k:], v)
		}
		if _, err := b.Write(rec[:]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadMesh returns the vertices and triangles of a file, as WriteMesh writes them; its
// polygons must be triangles.
func ReadMesh(data []byte) (positions []float32, triangles []uint32, err error) {
	f, err := Parse(data)
	if err != nil {
		return nil, nil, err
	}
	v, faces := f.Element("vertex"), f.Element("face")
	if v == nil || faces == nil {
		return nil, nil, errors.New("ply: the file has no vertices or no faces")
	}
	for _, name := range []string{"x", "y", "z"} {
		if p := v.Property(name); p == nil || p.Count != 0 {
			return nil, nil, fmt.Errorf("ply: vertices have no %s", name)
		}
	}
	positions = make([]float32, 3*v.Count)
	for a, name := range []string{"x", "y", "z"} {
		for i, x := range v.Property(name).Values {
			positions[3*i+a] = float32(x)
		}
	}
	list := faces.Property("vertex_indices", "vertex_index")
	if list == nil || list.Count == 0 {
		return nil, nil, errors.New("ply: faces have no list of vertices")
	}
	triangles = make([]uint32, 0, len(list.Values))
	for i := range faces.Count {
		face := list.List(i)
		if len(face) != 3 {
			return nil, nil, fmt.Errorf("ply: face %d has %d vertices, want triangles", i, len(face))
		}
		for _, x := range face {
			if !(x >= 0 && int(x) < v.Count) {
				return nil, nil, fmt.Errorf("ply: face %d refers to vertex %g of %d", i, x, v.Count)
			}
			triangles = append(triangles, uint32(x))
		}
	}
	return positions, triangles, nil
}
