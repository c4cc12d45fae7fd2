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
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/pipeline"
)

// densePoints is how many points the cloud has; an estimate before it is there.
func densePoints(s *pipeline.Context) int64 {
	r, err := colmap.OpenFused(s.Product(productDense))
	if err != nil {
		const usual = 2 << 20
		return usual
	}
	defer r.Close()
	return int64(r.Len())
}

// every is that only each so manieth point of the cloud is taken, so that the surface
// fits the memory.
func every(s *pipeline.Context) int64 {
	n, step := densePoints(s), int64(1)
	for pointMemory(n/step) > s.MemoryBudget() && n/step > fewestPoints {
		step++
	}
	return step
}

func surfaceMemory(s *pipeline.Context) int64 { return pointMemory(densePoints(s) / every(s)) }

// engineHeightField makes 2.5D surfaces, one height for each place.
const engineHeightField = "heightfield"

// runSurface makes a mesh of the cloud by what the cameras see through.
func runSurface(ctx context.Context, s *pipeline.Context) error {
	return reconstruct(ctx, s, surface.Volume)
}

// runHeightField makes a mesh with one height for each place.
func runHeightField(ctx context.Context, s *pipeline.Context) error {
	return reconstruct(ctx, s, surface.HeightField)
}

func reconstruct(ctx context.Context, s *pipeline.Context, mode surface.Mode) error {
	step := every(s)
	if step > 1 {
		s.Warn("the surface is made of one point in %d of the cloud: %s of memory may be used, and more (--memory) gives more detail", step, format.Bytes(s.MemoryBudget()))
	}
	cloud, err := readCloud(s.Product(productDense), step)
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
	m, err := surface.Reconstruct(ctx, *cloud, surface.Options{Mode: mode, Workers: s.Workers()}, func(done float64) { s.Progress(done, 1) })
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

// readCloud reads one in so many points of a fused cloud.
func readCloud(path string, step int64) (_ *surface.Cloud, err error) {
	r, err := colmap.OpenFused(path)
	if err != nil {
		return nil, fmt.Errorf("read dense cloud: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	n := int(int64(r.Len())/step) + 1
	c := &surface.Cloud{Points: make([]float32, 0, 3*n), Normals: make([]float32, 0, 3*n), Offsets: make([]uint32, 1, n+1)}
	var p colmap.FusedPoint
	for i := int64(0); ; i++ {
		err := r.Read(&p)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read dense cloud: %w", err)
		}
		if i%step != 0 {
			continue
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
