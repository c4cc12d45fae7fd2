package job_test

import (
	"strings"
	"testing"

	"slate360.ai/worker/internal/job"
)

func TestStageLine(t *testing.T) {
	for _, p := range []job.Progress{
		{Event: job.EventStageStarted, Stage: "smrf", Engine: "native"},
		{Event: job.EventStageResumed, Stage: "index", Engine: "pdal"},
		{Event: job.EventStageFinished, Stage: "tiles-2", Engine: "native", Result: &job.StageResult{Seconds: 12.34}},
	} {
		for _, prefix := range []string{"", "2026-01-02T03:04:05Z ", "2026-01-02T03:04:05.123+02:00 "} {
			s, ok := job.ParseStageLine(prefix + job.StageLine(p))
			if !ok || s.Name != p.Stage || s.Engine != p.Engine {
				t.Errorf("%q: %+v, %v", prefix+job.StageLine(p), s, ok)
			}
			if p.Result != nil && (s.State != job.StageDone || s.Seconds != 12.3) {
				t.Errorf("%+v", s)
			}
		}
	}
	for _, line := range []string{"", "source: laz, 5 MB in 1 file(s)", "a (b): failed", "a (b): done in x s", "a b (c): started"} {
		if s, ok := job.ParseStageLine(line); ok {
			t.Errorf("%q is %+v", line, s)
		}
	}
}

// What is read of a line is in it.
func FuzzParseStageLine(f *testing.F) {
	f.Add("2026-01-02T03:04:05Z smrf (native): done in 1.5 s")
	f.Add("smrf (native): started")
	f.Add("a (b): finished by an earlier run")
	f.Fuzz(func(t *testing.T, line string) {
		s, ok := job.ParseStageLine(line)
		if ok && (!strings.Contains(line, s.Name) || !strings.Contains(line, s.Engine) || s.Seconds < 0 || s.Progress < 0) {
			t.Errorf("%q: %+v", line, s)
		}
	})
}
