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
	"fmt"
	"slices"
	"strings"

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
	// productSurface is the mesh, productTextured the same with textures, y up.
	productSurface  = "surface.ply"
	productTextured = "textured.glb"
	productCloud    = "dense.laz"
)

// The names of the parts: what their stages and analysis begin with.
const (
	partCloud = "cloud"
	partMesh  = "mesh"
)

// Definition is the pipeline; its cloud and its textured surface go on through the
// pipelines of clouds and meshes.
func Definition(cloud, mesh pipeline.Definition) pipeline.Definition {
	return stages().With(pipeline.Part{
		Name: partCloud, Definition: cloud, Source: productCloud, Format: "laz", Enabled: wantsCloud,
		// Thumbnail and 3dtiles/ are the mesh's.
		Without: []string{"thumbnail"}, Folders: map[string]string{"3dtiles": "pointcloud/3dtiles"},
		Types: map[string]string{job.TypeTiles3D: job.TypePointCloud},
		Options: func(o job.Options) job.Options {
			o.CRS, o.Origin = job.CRS{}, nil // the cloud says where it is
			return o
		},
	}).With(pipeline.Part{
		Name: partMesh, Definition: mesh, Source: productTextured, Format: "glb", Enabled: wantsSurface, Inputs: []string{productFrame},
		Options: func(o job.Options) job.Options {
			o.UpAxis = "y"
			return o
		},
		Place: placeMesh,
	})
}

func stages() pipeline.Definition {
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
			{
				Name: "dense", Title: "Finding depth", Weight: 20, Version: 1,
				Inputs: []string{productUndistorted}, Outputs: []string{productDense, productVisibility, productStereo}, Memory: denseMemory,
				Enabled: wantsDense, Depends: dependsOnQuality,
				// COLMAP's is the best where there is a GPU; OpenMVS on request, since it
				// is slower than ours on the same processors.
				Engines: slices.Concat([]pipeline.Engine{{Name: engineCOLMAP, Available: availableCUDA, Run: runDenseCOLMAP}},
					[]pipeline.Engine{{Name: pipeline.EngineNative, Resumes: true, Run: runDense}}, byOpenMVS(runDenseOpenMVS)),
			},
			{
				Name: "surface", Title: "Making the surface", Weight: 8, Version: 1,
				Inputs: []string{productUndistorted, productDense, productVisibility}, Outputs: []string{productSurface}, Memory: surfaceMemory,
				Enabled: wantsSurface, Depends: nothing,
				// On surveys from straight above a height field was measured to be quicker
				// and coarser than the surface by visibility (F-score 0.89 for 0.94).
				Engines: slices.Concat(native(runSurface), []pipeline.Engine{{Name: engineHeightField, Run: runHeightField}}, byOpenMVS(runSurfaceOpenMVS)),
			},
			{
				Name: "texture", Title: "Texturing", Weight: 5, Version: 1,
				Inputs: []string{productUndistorted, productSurface}, Outputs: []string{productTextured}, Memory: textureMemory,
				Enabled: wantsSurface, Depends: func(o job.Options) any { return []any{o.Quality, o.Wants(job.TypeOBJ)} },
				Engines: append(native(runTexture), byOpenMVS(runTextureOpenMVS)...),
			},
			{
				Name: "ortho", Title: "Drawing orthophoto", Weight: 2, Version: 1,
				Inputs: []string{productFrame, productUndistorted, productTextured}, Memory: orthoMemory,
				Enabled: wants(job.TypeOrthophoto), Depends: nothing, Engines: native(runOrtho),
			},
			{
				Name: "cloud", Title: "Writing the cloud", Weight: 0.5, Version: 1,
				Inputs: []string{productFrame, productDense, productVisibility}, Outputs: []string{productCloud}, Memory: cloudMemory,
				Enabled: wantsCloud, Depends: nothing, Engines: native(runCloud),
			},
			{
				Name: "report", Title: "Writing the report", Weight: 1, Version: 2,
				Inputs: append([]string{productMapping, productSparse, productFrame, productUndistorted, productDense, productVisibility, productTextured}, photos...),
				Memory: orthoMemory, Last: true, Enabled: wants(job.TypeReport, job.TypeCameras), Depends: nothing, Engines: native(runReport),
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

func wants(types ...string) func(job.Options) bool {
	return func(o job.Options) bool { return o.Wants(types...) }
}

// wantsCloud tells whether anything is wanted that is made of the dense cloud alone.
func wantsCloud(o job.Options) bool {
	return o.Wants(job.TypeLAZ, job.TypeCOPC, job.TypeEPT, job.TypePointCloud, job.TypeDSM, job.TypeDTM)
}

// wantsSurface tells whether anything is wanted that is made of the surface.
func wantsSurface(o job.Options) bool {
	return o.Wants(job.TypeGLBDraco, job.TypeGLBPreview, job.TypeTiles3D, job.TypeThumbnail, job.TypeOBJ, job.TypeOrthophoto) ||
		slices.ContainsFunc(o.Formats, func(f string) bool { return strings.HasPrefix(f, "lod_") })
}

func wantsDense(o job.Options) bool { return wantsCloud(o) || wantsSurface(o) }

// placeMesh tells the pipeline of meshes where the local frame lies on the globe. The
// model's front is the north of the grid, which is not quite that of the globe.
func placeMesh(o *job.Options, product func(name string) string) error {
	var frame Frame
	if err := readJSON(product(productFrame), &frame); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	if !frame.Georeferenced {
		return nil
	}
	heading, err := frame.gridNorth()
	if err != nil {
		return fmt.Errorf("place the model on the globe: %w", err)
	}
	o.Origin = &job.Origin{Lat: frame.Latitude, Lon: frame.Longitude, Height: frame.Height, Heading: heading}
	return nil
}

// byOpenMVS is the engine of a stage that OpenMVS can do.
func byOpenMVS(run func(ctx context.Context, s *pipeline.Context) error) []pipeline.Engine {
	return []pipeline.Engine{{Name: engineOpenMVS, Available: engine.Available(engineOpenMVS), Run: run}}
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
