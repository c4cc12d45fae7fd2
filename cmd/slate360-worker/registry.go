package main

import (
	"context"
	"slices"

	"slate360.ai/worker/internal/cli"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/mesh"
	"slate360.ai/worker/internal/pipeline/photogrammetry"
	"slate360.ai/worker/internal/pipeline/pointcloud"
	"slate360.ai/worker/internal/source"
)

// registration says what this build can do with sources of some formats.
type registration struct {
	formats []source.Format
	// pipeline is what `process` runs, info what `info` calls; nil where there is none.
	pipeline func() pipeline.Definition
	info     cli.Informer
}

// registry lists all that this build can do; a format is that of the first
// registration which names it. A new pipeline is one more line.
func registry() []registration {
	return []registration{
		{[]source.Format{source.LAS, source.LAZ, source.COPC}, pointcloud.Definition, pointcloudInfo},
		{[]source.Format{source.GLB, source.GLTF, source.OBJ, source.PLY, source.STL, source.DAE, source.FBX, source.ThreeD}, mesh.Definition, meshInfo},
		{[]source.Format{source.Photos}, photos, photosInfo},
	}
}

func registered(f source.Format) (registration, bool) {
	all := registry()
	i := slices.IndexFunc(all, func(r registration) bool { return slices.Contains(r.formats, f) })
	if i < 0 {
		return registration{}, false
	}
	return all[i], true
}

// pipelineFor picks the pipeline of a source format.
func pipelineFor(f source.Format) (pipeline.Definition, bool) {
	r, ok := registered(f)
	if !ok || r.pipeline == nil {
		return pipeline.Definition{}, false
	}
	return r.pipeline(), true
}

// informerFor picks what `info` says of a format.
func informerFor(f source.Format) (cli.Informer, bool) {
	r, ok := registered(f)
	return r.info, ok && r.info != nil
}

func pointcloudInfo(ctx context.Context, r cli.InfoRequest) (cli.Info, error) {
	info, err := pointcloud.Info(ctx, r.Path, pointcloud.InfoParams{Stats: r.Stats, CRS: r.Options.CRS.Source, Workers: r.Workers})
	if err != nil {
		return nil, err
	}
	return info, nil
}

func meshInfo(ctx context.Context, r cli.InfoRequest) (cli.Info, error) {
	f, err := source.Sniff(r.Path)
	if err != nil {
		return nil, err
	}
	info, err := mesh.ReadInfo(ctx, r.Path, string(f), r.Workers)
	if err != nil {
		return nil, err
	}
	return info, nil
}

func photosInfo(ctx context.Context, r cli.InfoRequest) (cli.Info, error) {
	info, err := photogrammetry.ReadInfo(ctx, r.Path, r.Workers, r.MemoryBudget)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// photos is the pipeline of photos, whose products go on as clouds and meshes.
func photos() pipeline.Definition {
	return photogrammetry.Definition(pointcloud.Definition(), mesh.Definition())
}
