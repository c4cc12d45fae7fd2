package mesh

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// visibleError is the part of a model's extent from which on a person sees at a glance
// what simplification took. Below it, torn seams and borders are told by the analysis
// alone: on large terrains they compete with all other collapses, and are no harm.
const visibleError = 0.01

// runFull writes the GLB of the whole model.
func runFull(ctx context.Context, s *pipeline.Context) error {
	return writeLevels(ctx, s, []levelInfo{{Spec: levelSpec{Kind: levelFull}, Full: true}})
}

// runLODs writes the GLBs of all levels below.
func runLODs(ctx context.Context, s *pipeline.Context) error {
	levels, err := readLevels(s)
	if err != nil {
		return err
	}
	return writeLevels(ctx, s, levels)
}

func writeLevels(ctx context.Context, s *pipeline.Context, levels []levelInfo) error {
	textures, err := readTextures(s)
	if err != nil {
		return err
	}
	outputs := make([]job.Output, len(levels))
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.Workers()))
	for i := range levels {
		group.Go(func() error {
			var err error
			if outputs[i], err = writeLevel(ctx, s, levels, i, textures); err != nil {
				_, file := levels[i].Spec.output(s.Name())
				return fmt.Errorf("%s: %w", file, err)
			}
			s.Progress(float64(done.Add(1)), float64(len(levels)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, l := range levels {
		s.Publish(outputs[i])
		if l.Sloppy && l.Relative > visibleError {
			s.Warn("%s: seams, borders or small parts had to go to reach %d vertices; the error is %.3g units", outputs[i].Path, l.Vertices, l.Error)
		}
	}
	return nil
}

func writeLevel(ctx context.Context, s *pipeline.Context, levels []levelInfo, i int, textures *textureSet) (job.Output, error) {
	l := levels[i]
	kind, file := l.Spec.output(s.Name())
	out := job.Output{Type: kind, Path: file}
	d, err := openScene(s)
	if err != nil {
		return out, err
	}
	if !l.Full {
		m, err := partsOf(d)
		if err != nil {
			return out, err
		}
		if err := reduce(d, m, s, i); err != nil {
			return out, err
		}
	}
	if err := textures.put(d, s, l.Spec); err != nil {
		return out, err
	}
	o := s.Options()
	if o.DracoCompression > 0 {
		if err := compress(ctx, d, dracoOptions(o.DracoCompression, o.Quality), !l.Full, s.Workers()); err != nil {
			return out, err
		}
	}
	if err := d.Compact(); err != nil {
		return out, err
	}
	vertices, triangles := count(d)
	out.Vertices, out.Triangles = vertices, triangles
	d.Asset.Generator = generator
	return out, writeGLB(s.OutputPath(file), d)
}

// partsOf lists the parts of a document as newModel does, without their geometry.
func partsOf(d *gltf.Document) (*model, error) {
	m := &model{doc: d}
	list, err := d.Instances()
	if err != nil {
		return nil, err
	}
	base := 0
	for _, at := range firsts(list) {
		for j, p := range d.Meshes[at.Mesh].Primitives {
			a, ok := p.Attributes["POSITION"]
			if !ok || p.Mode < gltf.ModeTriangles {
				continue
			}
			n := d.Accessors[a].Count
			m.parts = append(m.parts, part{at.Mesh, j, p, base, n, at.World})
			base += n
		}
	}
	return m, nil
}

// count adds up the vertices and triangles of a document, each mesh once.
func count(d *gltf.Document) (vertices, triangles int64) {
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			a, ok := p.Attributes["POSITION"]
			if !ok {
				continue
			}
			n := d.Accessors[a].Count
			vertices += int64(n)
			if p.Indices != nil {
				n = d.Accessors[*p.Indices].Count
			}
			switch p.Mode {
			case gltf.ModeTriangles:
				triangles += int64(n / 3)
			case gltf.ModeTriangleStrip, gltf.ModeTriangleFan:
				triangles += int64(max(0, n-2))
			}
		}
	}
	return vertices, triangles
}
