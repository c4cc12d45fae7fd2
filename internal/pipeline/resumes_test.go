package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// pieces is a pipeline whose last stage writes two pieces; it is stopped after the
// first where stop is set.
type pieces struct {
	found, stop bool // whether the first was there when the stage began
	cancel      context.CancelCauseFunc
	fail        error
}

func (p *pieces) definition() pipeline.Definition {
	before := pipeline.Stage{
		Name: "before", Outputs: []string{"before.bin"}, Depends: func(o job.Options) any { return o.Filters.ELM },
		Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: func(_ context.Context, s *pipeline.Context) error {
			data, err := os.ReadFile(s.Source())
			if err != nil {
				return err
			}
			if s.Options().Filters.ELM.Off {
				data = append(data, '!')
			}
			return os.WriteFile(s.Product("before.bin"), data, 0o666)
		}}},
	}
	run := func(ctx context.Context, s *pipeline.Context) error {
		dir := s.Product("pieces")
		_, err := os.Stat(filepath.Join(dir, "1"))
		p.found = err == nil
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		for _, name := range []string{"1", "2"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
				return err
			}
			if p.fail != nil {
				return p.fail
			}
			if p.stop {
				p.cancel(errStop)
				<-ctx.Done()
				return ctx.Err()
			}
		}
		return nil
	}
	return pipeline.Definition{Name: "pieces", Stages: []pipeline.Stage{before, {
		Name: "pieces", Inputs: []string{"before.bin"}, Outputs: []string{"pieces"}, Depends: func(o job.Options) any { return o.Filters.SMRF },
		Engines: []pipeline.Engine{{Name: "whole", Run: run}, {Name: "resuming", Resumes: true, Run: run}},
	}}}
}

// stopped runs it until its first piece is there.
func (p *pieces) stopped(t *testing.T, req pipeline.Request) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	p.stop, p.cancel = true, cancel
	if _, err := pipeline.Run(ctx, p.definition(), req); !errors.Is(err, errStop) {
		t.Fatalf("Run = %v", err)
	}
	p.stop = false
}

// An engine that says so goes on with its pieces, unless they are of other options,
// inputs or of another engine, or it failed.
func TestResumesWithinAStage(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(p *pieces, req *pipeline.Request)
		want   bool
	}{
		{"the same", func(*pieces, *pipeline.Request) {}, true},
		{"other options", func(_ *pieces, req *pipeline.Request) { req.Options.Filters.SMRF.Off = true }, false},
		{"other inputs", func(_ *pieces, req *pipeline.Request) { req.Options.Filters.ELM.Off = true }, false},
		{"another engine", func(_ *pieces, req *pipeline.Request) { req.Options.Engines = map[string]string{"pieces": "whole"} }, false},
		{"another build", func(_ *pieces, req *pipeline.Request) { req.Build = "2" }, false},
		{"a failure between", func(p *pieces, req *pipeline.Request) {
			p.fail = errBroken
			if _, err := pipeline.Run(t.Context(), p.definition(), *req); !errors.Is(err, errBroken) {
				t.Errorf("Run = %v", err)
			}
			p.fail = nil
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, req := &pieces{}, request(t)
			req.Options.Engines = map[string]string{"pieces": "resuming"}
			p.stopped(t, req)
			p.stopped(t, req)
			if !p.found {
				t.Error("the second run does not find what the first left")
			}
			test.change(p, &req)
			mustRun(t, p.definition(), req)
			if p.found != test.want {
				t.Errorf("its first piece was there: %v", p.found)
			}
		})
	}
	t.Run("an engine that does not", func(t *testing.T) {
		p, req := &pieces{}, request(t)
		p.stopped(t, req)
		mustRun(t, p.definition(), req)
		if p.found {
			t.Error("it got half a product")
		}
	})
}
