package worker

import (
	"errors"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// pick finds what there is a pipeline for in a folder of fetched or unpacked files.
func (r *run) pick(path string) (src fetched, err error) {
	got, err := source.Pick(path, r.req.format, func(f source.Format) bool {
		_, ok := r.w.o.Pipeline(f)
		return ok
	})
	var choice *source.ChoiceError
	if errors.As(err, &choice) {
		return src, pipeline.BadInput(err, choice.Hint)
	}
	if err != nil {
		return src, err
	}
	src = fetched{path: got.Path, format: got.Format}
	if got.Warning != "" {
		src.warnings = append(src.warnings, got.Warning)
	}
	return src, nil
}
