package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/pflag"

	"slate360.ai/worker/internal/cli"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/mesh"
	"slate360.ai/worker/internal/pipeline/photogrammetry"
	"slate360.ai/worker/internal/pipeline/pointcloud"
	"slate360.ai/worker/internal/sample"
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
		{[]source.Format{source.GLB, source.GLTF, source.OBJ, source.PLY, source.STL, source.DAE, source.FBX}, mesh.Definition, meshInfo},
		{[]source.Format{source.Photos}, photogrammetry.Definition, photosInfo},
	}
}

// samples are the synthetic inputs that `sample` can write.
func samples() []cli.Sample {
	return []cli.Sample{{
		Kind:  "pointcloud",
		Short: "An airborne laser scan of terrain, buildings and trees, with the class of every point",
		Flags: func(flags *pflag.FlagSet) func(ctx context.Context, dir string, w io.Writer) error {
			p := sample.Params{Workers: runtime.GOMAXPROCS(0)}
			flags.IntVar(&p.Points, "points", sample.DefaultPoints, "about how many points to make")
			flags.Uint64Var(&p.Seed, "seed", 1, "which scene to make; the same seed gives the same file")
			return func(ctx context.Context, dir string, w io.Writer) error {
				truth, err := sample.Pointcloud(ctx, dir, p)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(w, "%s: %s points in %d strips\n%s: the class of every kind, counted\n",
					filepath.Join(dir, "scan.laz"), format.Count(int64(truth.Points)), truth.Strips, filepath.Join(dir, "truth.json"))
				return err
			}
		},
	}}
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
