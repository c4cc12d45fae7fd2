package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/storage"
)

// publish brings the outputs to storage and returns what the job returns. In
// result.json outputs have paths, which hold wherever the folder lies; here they
// have addresses.
func (r *run) publish(ctx context.Context, result job.Result) (ReturnValue, error) {
	value := ReturnValue{JobID: r.req.jobID, Status: job.StatusCompleted, Outputs: []job.Output{}, Warnings: result.Warnings}
	if err := r.task.Verify(ctx); err != nil {
		return value, err
	}
	r.at(publishShare, job.StatusUploading, stepPublish)
	r.published = true
	prefix := outputPrefix(r.req.jobID)
	// The folder holds nothing but the outputs: locks and notes lie beside it.
	if err := os.RemoveAll(filepath.Join(r.dir.products())); err != nil {
		return value, fmt.Errorf("clear products: %w", err)
	}
	report, err := storage.Publish(ctx, r.w.o.Storage, r.dir.out(), prefix, storage.PublishOptions{
		Logger: r.log,
		Progress: func(done, total int64) {
			if total > 0 {
				r.at(publishShare+float64(done)/float64(total)*(100-publishShare-1), job.StatusUploading, stepPublish)
				r.observeBytes(stepPublish, done)
			}
		},
	})
	if err != nil {
		return value, err
	}
	r.w.o.Metrics.uploaded.Add(float64(report.Bytes))
	r.note(fmt.Sprintf("published: %d objects sent, %d were there already", report.Uploaded, report.Skipped))
	for _, o := range result.Outputs {
		if o.URL, err = r.w.o.Storage.URL(ctx, path.Join(prefix, o.Path)); err != nil {
			return value, err
		}
		if o.Type == job.TypeThumbnail && value.ThumbnailURL == "" {
			value.ThumbnailURL = o.URL
		}
		value.Outputs = append(value.Outputs, o)
	}
	if len(result.Analysis) > 0 {
		if value.Analysis, err = json.Marshal(result.Analysis); err != nil {
			return value, fmt.Errorf("encode analysis: %w", err)
		}
	}
	return value, nil
}
