package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/codec/ply"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/geom/surface"
	"slate360.ai/worker/internal/pipeline"
)

// densePoints is how many points the cloud has; an estimate before it is there.
func densePoints(s *pipeline.Context) int64 {
	r, err := colmap.OpenFused(s.Product(productDense))
	if err != nil {
		return viewPixels(s)
	}
	defer r.Close()
	return int64(r.Len())
}

func surfaceMemory(s *pipeline.Context) int64 {
	n := densePoints(s)
	return n*fusedBytes + surface.Bytes(int(n))
}

// runSurface makes a mesh of the cloud.
func runSurface(ctx context.Context, s *pipeline.Context) error {
	cloud, err := readCloud(s.Product(productDense))
	if err != nil {
		return err
	}
	model, err := colmap.ReadBinary(filepath.Join(s.Product(productUndistorted), denseSparse))
	if err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	for _, i := range model.Images {
		c := camera.FromQuaternion(i.Rotation, i.Translation).Center()
		cloud.Centers = append(cloud.Centers, [3]float32{float32(c[0]), float32(c[1]), float32(c[2])})
	}
	m, err := surface.Reconstruct(ctx, *cloud, surface.Options{Workers: s.Workers()}, func(done float64) { s.Progress(done, 1) })
	if errors.Is(err, surface.ErrTooFew) {
		return pipeline.BadInput(err, "photograph with more overlap, in focus, and surfaces with some texture")
	}
	if err != nil {
		return err
	}
	s.SetAnalysis("surfaceTriangles", len(m.Triangles)/3)
	return writeFile(s.Product(productSurface), func(f *os.File) error {
		return ply.WriteMesh(f, m.Positions, m.Triangles, "local frame, metres: see frame.json")
	})
}

// readCloud reads a fused cloud, all of it.
func readCloud(path string) (_ *surface.Cloud, err error) {
	r, err := colmap.OpenFused(path)
	if err != nil {
		return nil, fmt.Errorf("read dense cloud: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	n := int(r.Len())
	c := &surface.Cloud{Points: make([]float32, 0, 3*n), Normals: make([]float32, 0, 3*n), Offsets: make([]uint32, 1, n+1)}
	var p colmap.FusedPoint
	for {
		err := r.Read(&p)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read dense cloud: %w", err)
		}
		c.Points = append(c.Points, p.XYZ[:]...)
		c.Normals = append(c.Normals, p.Normal[:]...)
		c.Views = append(c.Views, p.Views...)
		c.Offsets = append(c.Offsets, uint32(len(c.Views)))
	}
}

// readSurface reads the mesh.
func readSurface(s *pipeline.Context) (positions []float32, triangles []uint32, err error) {
	data, err := os.ReadFile(s.Product(productSurface))
	if err != nil {
		return nil, nil, err
	}
	if positions, triangles, err = ply.ReadMesh(data); err != nil {
		return nil, nil, fmt.Errorf("read surface: %w", err)
	}
	return positions, triangles, nil
}
