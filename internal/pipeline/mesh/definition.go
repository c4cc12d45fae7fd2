// Package mesh is the pipeline that turns a model (glTF, OBJ, PLY, STL …) into
// web-ready outputs: GLB with Draco at several levels of detail, 3D Tiles,
// thumbnail, analysis.
//
// The import stage reads the source once into a plain GLB that later stages map
// into memory. Simplification goes down once, from the full model to the smallest
// level, and writes which vertices and triangles each level keeps; the glb stage
// compresses them. DESIGN.md, section 2.
package mesh

import (
	"context"
	"os"
	"slices"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Products of the stages.
const (
	productScene    = "scene.glb"
	productMeta     = "scene.json"
	productLevels   = "levels"
	productTextures = "textures"
)

// Definition is the pipeline.
func Definition() pipeline.Definition {
	scene := []string{productScene, productMeta}
	return pipeline.Definition{
		Name: "mesh",
		Stages: []pipeline.Stage{
			{
				Name: "import", Status: job.StatusAnalyzing, Title: "Reading model", Weight: 2, Version: 2,
				Outputs: scene, Memory: importMemory, Depends: func(o job.Options) any { return o.UpAxis }, Engines: importers(),
			},
			{
				Name: "simplify", Title: "Simplifying", Weight: 6, Version: 1,
				Inputs: scene, Outputs: []string{productLevels}, Memory: simplifyMemory, Enabled: wantsLevels,
				Depends: func(o job.Options) any { return []any{levelsOf(o), o.UpAxis} }, Engines: native(runSimplify),
			},
			{
				Name: "textures", Status: job.StatusOptimizing, Title: "Compressing textures", Weight: 3, Version: 1,
				Inputs: scene, Outputs: []string{productTextures}, Memory: textureMemory, Enabled: wantsGLB,
				Depends: func(o job.Options) any { return []any{levelsOf(o), o.Quality} }, Engines: native(runTextures),
			},
			{
				Name: "draco", Status: job.StatusOptimizing, Title: "Compressing geometry", Weight: 2, Version: 1,
				Inputs: append([]string{productTextures}, scene...), Memory: glbMemory, Enabled: wants(job.TypeGLBDraco),
				Depends: func(o job.Options) any { return []any{o.Quality, o.DracoCompression, o.UpAxis} },
				Engines: external(runFull, map[string]func(ctx context.Context, s *pipeline.Context) error{gltfPipeline: runPipelineFull, gltfTransform: runTransformFull}),
			},
			{
				Name: "lods", Status: job.StatusOptimizing, Title: "Compressing levels of detail", Weight: 3, Version: 1,
				Inputs: append([]string{productLevels, productTextures}, scene...), Memory: glbMemory, Enabled: wantsLevels,
				Depends: func(o job.Options) any { return []any{levelsOf(o), o.Quality, o.DracoCompression, o.UpAxis} },
				Engines: external(runLODs, map[string]func(ctx context.Context, s *pipeline.Context) error{gltfTransform: runTransformLODs}),
			},
			{
				Name: "tiles", Status: job.StatusGeneratingTiles, Title: "Writing 3D Tiles", Weight: 5, Version: 2,
				Inputs: scene, Memory: simplifyMemory, Enabled: wants(job.TypeTiles3D),
				Depends: func(o job.Options) any { return []any{o.UpAxis, o.Origin, o.Quality, o.DracoCompression} }, Engines: native(runTiles),
			},
			{
				Name: "thumbnail", Title: "Drawing thumbnail", Weight: 1, Version: 2,
				Inputs: scene, Enabled: wants(job.TypeThumbnail), Memory: thumbnailMemory,
				Depends: func(o job.Options) any { return []any{o.UpAxis, o.Turntable} }, Engines: native(runThumbnail),
			},
			{
				Name: "analysis", Status: job.StatusAnalyzing, Title: "Summing up", Weight: 0.5, Version: 1,
				Inputs: scene, Memory: importMemory, Depends: func(o job.Options) any { return o.UpAxis }, Engines: native(runAnalysis),
			},
		},
	}
}

func native(run func(ctx context.Context, s *pipeline.Context) error) []pipeline.Engine {
	return []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}}
}

func wants(types ...string) func(job.Options) bool {
	return func(o job.Options) bool { return o.Wants(types...) }
}

func wantsGLB(o job.Options) bool { return len(levelsOf(o)) > 0 }

func wantsLevels(o job.Options) bool {
	return slices.ContainsFunc(levelsOf(o), func(l levelSpec) bool { return l.Kind != levelFull })
}

// Bytes that stages take at their peak, beyond mapped files, in parts of the size
// of the plain scene: measured with bench/, rounded up.
const (
	importShare   = 3
	simplifyShare = 9
	glbShare      = 6
	// unpacked is how much larger a plain scene may be than a compressed source.
	unpacked = 10
)

// sceneSize is that of the plain scene, or an estimate of it.
func sceneSize(s *pipeline.Context) int64 {
	if info, err := os.Stat(s.Product(productScene)); err == nil {
		return info.Size()
	}
	info, err := os.Stat(s.Source())
	if err != nil {
		return 0
	}
	if s.Format() == "glb" {
		return unpacked * info.Size()
	}
	return info.Size()
}

func importMemory(s *pipeline.Context) int64    { return importShare * sceneSize(s) }
func simplifyMemory(s *pipeline.Context) int64  { return simplifyShare * sceneSize(s) }
func glbMemory(s *pipeline.Context) int64       { return glbShare * sceneSize(s) }
func thumbnailMemory(s *pipeline.Context) int64 { return 2*sceneSize(s) + 256<<20 }
func textureMemory(*pipeline.Context) int64     { return 512 << 20 }
