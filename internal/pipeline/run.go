package pipeline

import (
	"log/slog"

	"slate360.ai/worker/internal/job"
)

// runner is one Run.
type runner struct {
	req    Request
	log    *slog.Logger
	ws     *workspace
	shared sharedHandles
	meter  *meter
}

func (r *runner) warn(s *Stage, msg string) {
	r.log.Warn(msg, "stage", s.Name)
	r.meter.emit(job.Progress{Event: job.EventWarning, Stage: s.Name, Title: s.title(), Message: msg})
}
