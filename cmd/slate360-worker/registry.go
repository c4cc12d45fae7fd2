package main

import (
	"slate360.ai/worker/internal/cli"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// pipelineFor picks the pipeline of a source format.
func pipelineFor(source.Format) (pipeline.Definition, bool) {
	return pipeline.Definition{}, false
}

// informerFor picks what `info` says of a format.
func informerFor(source.Format) (cli.Informer, bool) {
	return nil, false
}

// samples are the synthetic inputs that can be made.
func samples() []cli.Sample { return nil }
