package ply_test

import (
	"bytes"
	"slices"
	"testing"

	"slate360.ai/worker/codec/ply"
)

func TestMeshRoundTrip(t *testing.T) {
	positions := []float32{0, 0, 0, 1.5, 0, -2, 1, 1, 0.25, 0, 1, 3e6}
	triangles := []uint32{0, 1, 2, 0, 2, 3}
	var b bytes.Buffer
	if err := ply.WriteMesh(&b, positions, triangles, "a comment"); err != nil {
		t.Fatal(err)
	}
	p, tri, err := ply.ReadMesh(b.Bytes())
	if err != nil || !slices.Equal(p, positions) || !slices.Equal(tri, triangles) {
		t.Errorf("got %v, %v, %v", p, tri, err)
	}
	d, err := ply.Read(b.Bytes(), ply.Options{})
	if err != nil || len(d.Meshes) != 1 {
		t.Errorf("as a model: %v", err)
	}
}

func TestMeshRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"index":   "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n3 0 0 1\n",
		"quad":    "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n4 0 0 0 0\n",
		"no z":    "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n0 0\n3 0 0 0\n",
		"no face": "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n0 0 0\n",
	} {
		if _, _, err := ply.ReadMesh([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := ply.WriteMesh(&bytes.Buffer{}, make([]float32, 9), []uint32{0, 1, 3}); err == nil {
		t.Error("an index beyond the vertices was written")
	}
}
