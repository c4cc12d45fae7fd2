// Package pointcloud is the pipeline that turns a laser scan (LAS, LAZ, COPC) into
// web-ready outputs.
//
// The index stage decodes the source once into files that later stages map into
// memory: raw records in source order, coordinates in Morton order, and the order
// between both. Filters give each point a class; an octree is built once over the
// coordinates; its nodes are compressed once, and COPC and EPT are put together
// from the same chunks. DESIGN.md, section 2.
package pointcloud

import (
	"context"
	"os"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/thumbnail"
)

// Products of the stages.
const (
	productIndex   = "index.json"
	productRecords = "records.bin"
	productXYZ     = "xyz.bin"
	productOrder   = "order.bin"
	productTree    = "tree.json"
	productLevels  = "levels.bin"
	productOutlier = "outlier.class"
	productELM     = "elm.class"
	productSMRF    = "smrf.class"
	productChunks  = "chunks.bin"
	productNodes   = "nodes.json"
)

// Definition is the pipeline.
func Definition() pipeline.Definition {
	indexed := []string{productIndex, productRecords, productXYZ, productOrder}
	classified := append([]string{productOutlier, productELM, productSMRF}, indexed...)
	encoded := append([]string{productChunks, productNodes}, productIndex)
	return pipeline.Definition{
		Name: "pointcloud",
		Stages: []pipeline.Stage{
			{
				Name: "index", Status: job.StatusAnalyzing, Title: "Reading points", Weight: 3, Version: 1,
				Outputs: indexed, Memory: indexMemory, Depends: dependsOnCRS, Engines: native(runIndex),
			},
			{
				Name: "outlier", Title: "Finding outliers", Weight: 8, Version: 1,
				Inputs: indexed, Outputs: []string{productOutlier}, Memory: filterMemory,
				Enabled: func(o job.Options) bool { return !o.Filters.Outlier.Off },
				Depends: func(o job.Options) any { return []any{o.CRS, o.Filters.Outlier} },
				Engines: native(runOutlier),
			},
			{
				Name: "elm", Title: "Finding low noise", Weight: 1, Version: 1,
				Inputs: append([]string{productOutlier}, indexed...), Outputs: []string{productELM}, Memory: filterMemory,
				Enabled: func(o job.Options) bool { return !o.Filters.ELM.Off },
				Depends: func(o job.Options) any { return []any{o.CRS, o.Filters.Outlier, o.Filters.ELM} },
				Engines: native(runELM),
			},
			{
				Name: "smrf", Title: "Classifying ground", Weight: 2, Version: 1,
				Inputs: append([]string{productOutlier, productELM}, indexed...), Outputs: []string{productSMRF}, Memory: filterMemory,
				Enabled: func(o job.Options) bool { return !o.Filters.SMRF.Off },
				Depends: func(o job.Options) any { return []any{o.CRS, o.Filters} },
				Engines: native(runSMRF),
			},
			{
				Name: "octree", Title: "Building octree", Weight: 1, Version: 1,
				Inputs: indexed, Outputs: []string{productTree, productLevels}, Memory: treeMemory,
				Enabled: wants(job.TypeCOPC, job.TypeEPT, job.TypeTiles3D),
				Depends: dependsOnCRS, Engines: native(runOctree),
			},
			{
				Name: "encode", Status: job.StatusOptimizing, Title: "Compressing nodes", Weight: 3, Version: 1,
				Inputs: append([]string{productTree, productLevels}, classified...), Outputs: []string{productChunks, productNodes},
				Memory: encodeMemory, Enabled: wants(job.TypeCOPC, job.TypeEPT),
				Depends: dependsOnFilters, Engines: native(runEncode),
			},
			{
				Name: "laz", Status: job.StatusOptimizing, Title: "Writing filtered LAZ", Weight: 2, Version: 1,
				Inputs: classified, Memory: encodeMemory, Enabled: wants(job.TypeLAZ),
				Depends: dependsOnFilters, Engines: native(runLAZ),
			},
			{
				Name: "copc", Status: job.StatusGeneratingTiles, Title: "Writing COPC", Weight: 1, Version: 1,
				Inputs: encoded, Enabled: wants(job.TypeCOPC),
				Depends: dependsOnFilters, Engines: native(runCOPC),
			},
			{
				Name: "ept", Status: job.StatusGeneratingTiles, Title: "Writing Entwine Point Tiles", Weight: 1, Version: 1,
				Inputs: encoded, Enabled: wants(job.TypeEPT),
				Depends: dependsOnFilters, Engines: native(runEPT),
			},
			{
				Name: "tiles", Status: job.StatusGeneratingTiles, Title: "Writing 3D Tiles", Weight: 3, Version: 1,
				Inputs: append([]string{productTree, productLevels}, classified...), Memory: encodeMemory,
				Enabled: wants(job.TypeTiles3D), Depends: dependsOnFilters, Engines: native(runTiles),
			},
			{
				Name: "dem", Title: "Modelling heights", Weight: 1, Version: 1,
				Inputs: classified, Memory: demMemory, Enabled: wants(job.TypeDSM, job.TypeDTM),
				Depends: func(o job.Options) any { return []any{o.CRS, o.Filters, o.Wants(job.TypeDSM), o.Wants(job.TypeDTM)} },
				Engines: native(runDEM),
			},
			{
				Name: "thumbnail", Title: "Drawing thumbnail", Weight: 1, Version: 1,
				Inputs: classified, Memory: thumbnailMemory, Enabled: wants(job.TypeThumbnail),
				Depends: dependsOnFilters, Engines: native(runThumbnail),
			},
			{
				Name: "analysis", Status: job.StatusAnalyzing, Title: "Summing up", Weight: 0.5, Version: 1,
				Inputs: classified, Depends: dependsOnFilters, Engines: native(runAnalysis),
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

func dependsOnCRS(o job.Options) any { return o.CRS }

func dependsOnFilters(o job.Options) any { return []any{o.CRS, o.Filters} }

// Bytes a point that stages take at their peak, beyond mapped files: measured with
// bench/, rounded up.
const (
	indexBytes  = 56 // coordinates twice, keys with indices, and order
	filterBytes = 24
	treeBytes   = 16
	// lazRatio is the least compression that is expected of a LAZ file when its
	// points are estimated before it was opened.
	lazBytesPerPoint = 6
)

// points estimates the number of points: before the index is there, by the source.
func points(s *pipeline.Context) int64 {
	if m, err := readMeta(s); err == nil {
		return int64(m.Points)
	}
	info, err := os.Stat(s.Source())
	if err != nil {
		return 0
	}
	if n, err := headerPoints(s.Source()); err == nil {
		return n
	}
	return info.Size() / lazBytesPerPoint
}

func indexMemory(s *pipeline.Context) int64  { return points(s) * indexBytes }
func filterMemory(s *pipeline.Context) int64 { return points(s) * filterBytes }
func treeMemory(s *pipeline.Context) int64   { return points(s) * treeBytes }

// demMemory is that of a grid of about as many cells as there are points.
func demMemory(s *pipeline.Context) int64 { return points(s) * demCellBytes }

// thumbnailMemory is that of samples: depth, point and light, some of them twice.
func thumbnailMemory(*pipeline.Context) int64 { return thumbnail.Width * thumbnail.Height * 4 * 28 }

// encodeMemory is that of one node, of a source chunk, and of their compressed
// bytes for each worker.
func encodeMemory(s *pipeline.Context) int64 { return points(s) + int64(s.Workers())*(24<<20) }
