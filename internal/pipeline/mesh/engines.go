package mesh

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Names of the external engines.
const (
	gltfPipeline  = "gltf-pipeline"
	gltfTransform = "gltf-transform"
)

// external are the engines of a stage: ours first, so that auto takes it.
func external(run func(ctx context.Context, s *pipeline.Context) error, others map[string]func(ctx context.Context, s *pipeline.Context) error) []pipeline.Engine {
	list := native(run)
	for _, name := range []string{gltfPipeline, gltfTransform} {
		if f, ok := others[name]; ok {
			list = append(list, pipeline.Engine{Name: name, Available: engine.Available(name), Run: f})
		}
	}
	return list
}

// tool runs an external program over files.
func tool(ctx context.Context, s *pipeline.Context, name string, args ...string) error {
	log := s.Logger()
	report, err := engine.Command{Name: name, Args: args, OnLine: func(line string) { log.Debug(line, "engine", name) }}.Run(ctx)
	s.RecordPeak(report.PeakBytes)
	return err
}

// dracoLevel is what options ask of a foreign encoder: it cannot leave Draco out.
func dracoLevel(o job.Options) string { return strconv.Itoa(max(o.DracoCompression, 1)) }

// runPipelineFull compresses the model with gltf-pipeline.
func runPipelineFull(ctx context.Context, s *pipeline.Context) error {
	kind, file := levelSpec{Kind: levelFull}.output(s.Name())
	if err := tool(ctx, s, gltfPipeline, pipelineArgs(s, s.Product(productScene), s.OutputPath(file))...); err != nil {
		return err
	}
	return publish(s, kind, file)
}

func pipelineArgs(s *pipeline.Context, in, out string) []string {
	o := dracoOptions(s.Options().DracoCompression, s.Options().Quality)
	return []string{
		"-i", in, "-o", out, "--draco.compressionLevel", dracoLevel(s.Options()),
		"--draco.quantizePositionBits", strconv.Itoa(o.PositionBits), "--draco.quantizeNormalBits", strconv.Itoa(o.NormalBits),
		"--draco.quantizeTexcoordBits", strconv.Itoa(o.TexCoordBits), "--draco.quantizeColorBits", strconv.Itoa(o.ColorBits),
		"--draco.quantizeGenericBits", strconv.Itoa(o.GenericBits),
	}
}

// runTransformFull compresses the model with gltf-transform.
func runTransformFull(ctx context.Context, s *pipeline.Context) error {
	kind, file := levelSpec{Kind: levelFull}.output(s.Name())
	if err := tool(ctx, s, gltfTransform, transformArgs(s, s.Product(productScene), s.OutputPath(file))...); err != nil {
		return err
	}
	return publish(s, kind, file)
}

func transformArgs(s *pipeline.Context, in, out string) []string {
	o := dracoOptions(s.Options().DracoCompression, s.Options().Quality)
	return []string{
		"draco", in, out, "--encode-speed", strconv.Itoa(10 - max(s.Options().DracoCompression, 1)),
		"--quantize-position", strconv.Itoa(o.PositionBits), "--quantize-normal", strconv.Itoa(o.NormalBits),
		"--quantize-texcoord", strconv.Itoa(o.TexCoordBits), "--quantize-color", strconv.Itoa(o.ColorBits), "--quantize-generic", strconv.Itoa(o.GenericBits),
	}
}

// runTransformLODs simplifies with gltf-transform. Its ratio is that of the level to
// the vertices of the model: the recipe that the platform's guide has divides by a
// million, whatever the model is.
func runTransformLODs(ctx context.Context, s *pipeline.Context) error {
	d, err := openScene(s)
	if err != nil {
		return err
	}
	vertices, _ := count(d)
	dir, err := s.TempDir()
	if err != nil {
		return err
	}
	levels := levelsOf(s.Options())
	for i, l := range levels {
		if l.Kind == levelFull {
			continue
		}
		kind, file := l.output(s.Name())
		in := s.Product(productScene)
		if target := l.target(int(vertices)); int64(target) < vertices {
			in = filepath.Join(dir, file)
			ratio := strconv.FormatFloat(float64(target)/float64(vertices), 'g', 6, 64)
			if err := tool(ctx, s, gltfTransform, "simplify", s.Product(productScene), in, "--ratio", ratio, "--error", "1"); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := tool(ctx, s, gltfTransform, transformArgs(s, in, s.OutputPath(file))...); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := publish(s, kind, file); err != nil {
			return err
		}
		s.Progress(float64(i+1), float64(len(levels)))
	}
	return nil
}

// publish reads what an external program wrote, and registers it.
func publish(s *pipeline.Context, kind, file string) error {
	data, err := os.ReadFile(s.OutputPath(file))
	if err != nil {
		return fmt.Errorf("the program wrote no output: %w", err)
	}
	d, err := read(s.OutputPath(file), "glb", data, s.Workers(), func(string) {})
	if err != nil {
		return fmt.Errorf("the output of the program cannot be read: %w", err)
	}
	out := job.Output{Type: kind, Path: file}
	out.Vertices, out.Triangles = count(d)
	s.Publish(out)
	return nil
}
