package mesh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slate360.ai/worker/codec/gltf"
	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/pipeline"
)

// Programs that read models.
const (
	assimp   = "assimp"
	fbx2gltf = "FBX2glTF"
)

// importers are the engines of the import stage: ours first, so that auto takes it.
func importers() []pipeline.Engine {
	list := native(runImport)
	for _, name := range []string{assimp, fbx2gltf} {
		list = append(list, pipeline.Engine{Name: name, Available: engine.Available(name), Run: func(ctx context.Context, s *pipeline.Context) error {
			d, err := readForeign(ctx, s, name)
			if err != nil {
				return err
			}
			return finishImport(ctx, s, d)
		}})
	}
	return list
}

// readForeign has a program turn the source into a GLB, and reads that. Textures
// that it refers to lie beside the source.
func readForeign(ctx context.Context, s *pipeline.Context, name string) (*gltf.Document, error) {
	if name == fbx2gltf && s.Format() != "fbx" {
		return nil, pipeline.BadInput(fmt.Errorf("%s reads FBX alone, and the source is %s", name, s.Format()), "leave the engine of import out, or take assimp")
	}
	dir, err := s.TempDir()
	if err != nil {
		return nil, err
	}
	source, err := filepath.Abs(s.Source())
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "foreign.glb")
	args := []string{"export", source, out, "-fglb2"}
	if name == fbx2gltf {
		args = []string{"--binary", "--input", source, "--output", out}
	}
	if err := tool(ctx, s, name, args...); err != nil {
		return nil, foreignError(ctx, err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return nil, pipeline.BadInput(fmt.Errorf("%s wrote no model: %w", name, err), "")
	}
	d, err := gltf.Read(data, gltf.ReadOptions{File: siblings(source), Warn: func(msg string) { s.Warn("%s", msg) }, Workers: s.Workers()})
	if err != nil {
		return nil, pipeline.BadInput(fmt.Errorf("what %s made of the source cannot be read: %w", name, err), "")
	}
	return d, nil
}

// foreignError takes a program that failed for one whose input was bad: it is there,
// and has nothing else to fail for.
func foreignError(ctx context.Context, err error) error {
	var failed *engine.ExitError
	if ctx.Err() == nil && errors.As(err, &failed) && failed.Code > 0 {
		return pipeline.BadInput(err, "does the file open in the program that made it?")
	}
	return err
}

// readAny reads a model of a format that is not ours with the program that can.
func readAny(ctx context.Context, s *pipeline.Context) (*gltf.Document, error) {
	if err := engine.Available(assimp)(ctx); err != nil {
		return nil, pipeline.BadInput(fmt.Errorf("models of format %s are read by assimp: %w", s.Format(), err), "or convert it to glTF")
	}
	return readForeign(ctx, s, assimp)
}
