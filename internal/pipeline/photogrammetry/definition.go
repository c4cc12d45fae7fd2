// Package photogrammetry is the pipeline that turns photos into a model: camera
// poses, dense cloud, textured mesh, orthophoto.
//
// Photos are looked at (inspect); COLMAP finds features, matches them, and works out
// poses (features, matching, mapping: J. L. Schönberger, J.-M. Frahm,
// "Structure-from-motion revisited", 2016); the model is put into metres and on the
// map (align), and photos are freed of lens distortion (undistort) into COLMAP's
// dense workspace, from which later stages work. All products from align on are in
// the local frame: metres, x east, y north, z up, origin near the middle of the
// scene; frame.json says where that lies.
package photogrammetry

import (
	"context"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// Products of the stages.
const (
	productPhotos    = "photos.json"
	productConverted = "converted"
	productMasks     = "masks"
	productFeatures  = "features.db"
	productMatches   = "matches.db"
	productMatchList = "matches.json"
	productSparseRaw = "sparse-raw"
	productMapping   = "mapping.json"
	productSparse    = "sparse"
	productFrame     = "frame.json"
	// productUndistorted is a dense workspace of COLMAP's: images/, sparse/, stereo/.
	productUndistorted = "undistorted"
)

// Definition is the pipeline.
func Definition() pipeline.Definition {
	photos := []string{productPhotos, productConverted, productMasks}
	return pipeline.Definition{
		Name: "photogrammetry",
		Stages: []pipeline.Stage{
			{
				Name: "inspect", Status: job.StatusAnalyzing, Title: "Looking at photos", Weight: 2, Version: 1,
				Outputs: photos, Memory: inspectMemory, Depends: nothing, Engines: native(runInspect),
			},
			{
				Name: "features", Title: "Finding features", Weight: 5, Version: 1,
				Inputs: photos, Outputs: []string{productFeatures}, Memory: featureMemory, Depends: dependsOnQuality,
				Engines: byCOLMAP(runFeatures),
			},
			{
				Name: "matching", Title: "Matching photos", Weight: 7, Version: 1,
				Inputs: []string{productPhotos, productFeatures}, Outputs: []string{productMatches, productMatchList},
				Memory: matchingMemory, Depends: dependsOnQuality, Engines: byCOLMAP(runMatching),
			},
			{
				Name: "mapping", Title: "Finding camera positions", Weight: 4, Version: 1,
				Inputs: append([]string{productMatches}, photos...), Outputs: []string{productSparseRaw, productMapping},
				Memory: mappingMemory, Depends: dependsOnQuality, Engines: byCOLMAP(runMapping),
			},
			{
				Name: "align", Title: "Placing the model on the map", Weight: 0.5, Version: 1,
				Inputs: []string{productPhotos, productSparseRaw}, Outputs: []string{productSparse, productFrame},
				Depends: func(o job.Options) any { return []any{o.CRS, o.Origin} }, Engines: native(runAlign),
			},
			{
				Name: "undistort", Title: "Removing lens distortion", Weight: 1, Version: 1,
				Inputs: append([]string{productSparse}, photos...), Outputs: []string{productUndistorted},
				Memory: undistortMemory, Depends: dependsOnQuality,
				Engines: append(native(runUndistort), byCOLMAP(runUndistortCOLMAP)...),
			},
		},
	}
}

func native(run func(ctx context.Context, s *pipeline.Context) error) []pipeline.Engine {
	return []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}}
}

// byCOLMAP are the engines of a stage that COLMAP does on any machine.
func byCOLMAP(run func(ctx context.Context, s *pipeline.Context) error) []pipeline.Engine {
	return []pipeline.Engine{{Name: engineCOLMAP, Available: engine.Available(engineCOLMAP), Run: run}}
}

func nothing(job.Options) any { return nil }

func dependsOnQuality(o job.Options) any { return o.Quality }

// inspectMemory is that of the largest photos that are decoded at once: of usual
// cameras, since it is asked before any was looked at.
func inspectMemory(s *pipeline.Context) int64 {
	const usual = 24 << 20 // pixels
	return min(s.MemoryBudget(), int64(s.Workers())*usual*pixelBytes)
}

// mappingMemory is that of a thousand points a photo, and of bundle adjustment.
func mappingMemory(s *pipeline.Context) int64 {
	const bytesPerPhoto = 8 << 20
	p, err := readPhotos(s)
	if err != nil {
		return 256 << 20
	}
	return 256<<20 + int64(len(p.used()))*bytesPerPhoto
}
