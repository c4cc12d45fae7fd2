package pipeline_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

func nothing(context.Context, *pipeline.Context) error { return nil }

func native(run func(context.Context, *pipeline.Context) error) []pipeline.Engine {
	return []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}}
}

func TestValidate(t *testing.T) {
	stage := func(name string, inputs, outputs []string) pipeline.Stage {
		return pipeline.Stage{Name: name, Inputs: inputs, Outputs: outputs, Engines: native(nothing)}
	}
	for _, test := range []struct {
		name   string
		stages []pipeline.Stage
		want   string
	}{
		{"good", []pipeline.Stage{stage("b", []string{"a"}, nil), stage("a", nil, []string{"a"})}, ""},
		{"circle", []pipeline.Stage{stage("x", []string{"z"}, []string{"x"}), stage("y", []string{"x"}, []string{"y"}), stage("z", []string{"y"}, []string{"z"})}, "in a circle: x → z → y → x"},
		{"needs itself", []pipeline.Stage{stage("x", []string{"x"}, []string{"x"})}, "x → x"},
		{"nobody makes it", []pipeline.Stage{stage("x", []string{"y"}, nil)}, `needs product "y", which no stage makes`},
		{"made twice", []pipeline.Stage{stage("x", nil, []string{"p"}), stage("y", nil, []string{"p"})}, `made by stage "x" and by stage "y"`},
		{"named twice", []pipeline.Stage{stage("x", nil, nil), stage("x", nil, nil)}, `two stages are named "x"`},
		{"path as product", []pipeline.Stage{stage("x", nil, []string{"../p"})}, `product name "../p"`},
		{"no name", []pipeline.Stage{stage("", nil, nil)}, "stage name"},
		{"no engine", []pipeline.Stage{{Name: "x"}}, "no engine"},
		{"engine auto", []pipeline.Stage{{Name: "x", Engines: []pipeline.Engine{{Name: "auto", Run: nothing}}}}, `engine "auto"`},
	} {
		err := pipeline.Definition{Name: "p", Stages: test.stages}.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

var errAbsent = errors.New("pdal is not installed: conda install pdal")

// engines returns a pipeline of one stage whose engines note that they ran.
func engines(available map[string]error, ran *string) pipeline.Definition {
	s := pipeline.Stage{Name: "filter"}
	for _, name := range []string{"pdal", pipeline.EngineNative} {
		e := pipeline.Engine{Name: name, Run: func(context.Context, *pipeline.Context) error { *ran = name; return nil }}
		if err, ok := available[name]; ok {
			e.Available = func(context.Context) error { return err }
		}
		s.Engines = append(s.Engines, e)
	}
	return pipeline.Definition{Name: "p", Stages: []pipeline.Stage{s}}
}

func TestEngineChoice(t *testing.T) {
	absent := map[string]error{"pdal": errAbsent}
	var usage *pipeline.UsageError
	var config *pipeline.ConfigError
	for _, test := range []struct {
		name          string
		available     map[string]error
		stage, choice string
		want          string // engine, or part of the error
		target        any
	}{
		{"auto takes the first", nil, "", "", "pdal", nil},
		{"auto passes over the absent", absent, "filter", "auto", "native", nil},
		{"by name", nil, "filter", "native", "native", nil},
		{"absent by name", absent, "filter", "pdal", "engine pdal of stage filter: pdal is not installed: conda install pdal", &config},
		{"unknown engine", nil, "filter", "pdla", `stage filter has no engine "pdla"; it has pdal, native, auto`, &usage},
		{"unknown stage", nil, "fliter", "native", `has no stage "fliter"; its stages are filter`, &usage},
	} {
		t.Run(test.name, func(t *testing.T) {
			var ran string
			req := request(t)
			if test.stage != "" {
				req.Options.Engines = map[string]string{test.stage: test.choice}
			}
			result, err := pipeline.Run(t.Context(), engines(test.available, &ran), req)
			if test.target != nil {
				if !errors.As(err, test.target) || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("Run = %v", err)
				}
				if _, err := os.Stat(req.OutDir); !errors.Is(err, fs.ErrNotExist) {
					t.Error("a request that cannot run has made the result folder")
				}
				return
			}
			if err != nil || ran != test.want || result.Stages[0].Engine != test.want {
				t.Fatalf("engine %q ran, %v", ran, err)
			}
		})
	}
}

// Two stages that need each other to run at the same time to get done.
func TestIndependentStagesRunSideBySide(t *testing.T) {
	meet := make(chan struct{})
	arrive := func(ctx context.Context, _ *pipeline.Context) error {
		select {
		case meet <- struct{}{}:
		case <-meet:
		case <-ctx.Done():
		}
		return nil
	}
	b := &bytesPipeline{hook: map[string]func(context.Context, *pipeline.Context) error{"upper": arrive, "reverse": arrive}}
	mustRun(t, b.definition(), request(t))
}

func TestMemoryBudget(t *testing.T) {
	for _, test := range []struct {
		name    string
		memory  int64 // of each of four stages
		budget  int64
		beside  int32 // at most this many at once
		warning string
	}{
		{"all fit", 10, 100, 4, ""},
		{"two fit", 40, 100, 2, ""},
		{"larger than the budget runs alone", 200, 100, 1, "needs about 200 B of memory, the budget is 100 B: it runs alone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var running, most atomic.Int32
			run := func(context.Context, *pipeline.Context) error {
				n := running.Add(1)
				defer running.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				return nil
			}
			def := pipeline.Definition{Name: "p"}
			for _, name := range []string{"a", "b", "c", "d"} {
				def.Stages = append(def.Stages, pipeline.Stage{
					Name: name, Engines: native(run), Memory: func(*pipeline.Context) int64 { return test.memory },
				})
			}
			req := request(t)
			req.MemoryBudget, req.Workers = test.budget, 8
			result := mustRun(t, def, req)
			if most.Load() > test.beside {
				t.Errorf("%d stages ran at once, at most %d fit", most.Load(), test.beside)
			}
			if got := strings.Join(result.Warnings, "\n"); !strings.Contains(got, test.warning) || (test.warning == "") != (got == "") {
				t.Errorf("warnings = %q", got)
			}
		})
	}
}

func TestMoreMemoryThanTheMachineHas(t *testing.T) {
	def := pipeline.Definition{Name: "p", Stages: []pipeline.Stage{{
		Name: "huge", Engines: native(nothing), Memory: func(*pipeline.Context) int64 { return 2 * host.TotalMemory() },
	}}}
	req := request(t)
	_, err := pipeline.Run(t.Context(), def, req)
	var config *pipeline.ConfigError
	if !errors.As(err, &config) || !strings.Contains(err.Error(), "try all the same with --memory") {
		t.Fatalf("Run = %v", err)
	}
	req.MemoryBudget = 3 * host.TotalMemory() // the user insists
	mustRun(t, def, req)
}

func TestPanicOfAnEstimate(t *testing.T) {
	def := pipeline.Definition{Name: "p", Stages: []pipeline.Stage{{
		Name: "x", Engines: native(nothing), Memory: func(*pipeline.Context) int64 { panic("no header") },
	}}}
	_, err := pipeline.Run(t.Context(), def, request(t))
	var p *pipeline.PanicError
	if !errors.As(err, &p) {
		t.Fatalf("Run = %v", err)
	}
}

var errStop = errors.New("stop asked for")

func TestCancelKeepsFinishedStages(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	b.at("join", func(ctx context.Context, _ *pipeline.Context) error {
		cancel(errStop)
		<-ctx.Done()
		return ctx.Err()
	})
	_, err := pipeline.Run(ctx, b.definition(), req)
	if !errors.Is(err, errStop) {
		t.Fatalf("Run = %v", err)
	}
	var stage *pipeline.StageError
	if errors.As(err, &stage) {
		t.Errorf("an interruption is blamed on stage %s", stage.Stage)
	}
	wantStages(t, b, "upper", "reverse", "join")
	b.hook = nil
	mustRun(t, b.definition(), req)
	wantStages(t, b, "join", "publish")
}

// A stage that fails stops the others.
func TestFailureStopsTheOthers(t *testing.T) {
	b := &bytesPipeline{hook: map[string]func(context.Context, *pipeline.Context) error{
		"upper":   func(context.Context, *pipeline.Context) error { return errBroken },
		"reverse": func(ctx context.Context, _ *pipeline.Context) error { <-ctx.Done(); return ctx.Err() },
	}}
	_, err := pipeline.Run(t.Context(), b.definition(), request(t))
	var stage *pipeline.StageError
	if !errors.As(err, &stage) || stage.Stage != "upper" || !errors.Is(err, errBroken) {
		t.Fatalf("Run = %v", err)
	}
}

func TestLock(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	b.at("join", func(ctx context.Context, _ *pipeline.Context) error {
		_, err := pipeline.Run(ctx, (&bytesPipeline{}).definition(), req)
		var locked *pipeline.LockedError
		if !errors.As(err, &locked) || locked.PID != os.Getpid() {
			t.Errorf("second Run in the workspace = %v", err)
		}
		return nil
	})
	mustRun(t, b.definition(), req)
}

func TestPlanWritesNothing(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	req.Options.Filters.Outlier.Off = true
	plan, err := pipeline.MakePlan(t.Context(), b.definition(), req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range plan.Stages {
		got = append(got, s.Name+":"+s.State)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"join:run", "publish:run", "reverse:off", "upper:run"}) {
		t.Errorf("plan = %v", got)
	}
	if _, err := os.Stat(req.OutDir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a plan has made the result folder")
	}
}

func TestBadSources(t *testing.T) {
	for _, source := range []string{filepath.Join(t.TempDir(), "absent"), os.DevNull} {
		req := request(t)
		req.Source = source
		_, err := pipeline.Run(t.Context(), (&bytesPipeline{}).definition(), req)
		var bad *pipeline.BadInputError
		if !errors.As(err, &bad) {
			t.Errorf("%s: Run = %v", source, err)
		}
	}
}

func TestUnwritableResultFolder(t *testing.T) {
	req := request(t)
	if err := os.WriteFile(req.OutDir, nil, 0o666); err != nil { // a file where the folder should go
		t.Fatal(err)
	}
	_, err := pipeline.Run(t.Context(), (&bytesPipeline{}).definition(), req)
	if err == nil || !strings.Contains(err.Error(), "create workspace") {
		t.Fatalf("Run = %v", err)
	}
}

func TestNameOf(t *testing.T) {
	for source, want := range map[string]string{
		"/a/survey.laz": "survey", "b/scan.copc.laz": "scan", "Grüße 1.las": "Gr__e_1", ".laz": "output", "../..laz": "output", "x": "x",
		"a.b.c.laz": "a.b.c",
	} {
		if got := pipeline.NameOf(source); got != want {
			t.Errorf("NameOf(%q) = %q, want %q", source, got, want)
		}
	}
}

func TestDefaultOptionsOfResult(t *testing.T) {
	result := mustRun(t, pipeline.Definition{Name: "empty"}, request(t))
	if result.Outputs == nil || result.Stages == nil || result.Warnings == nil || result.Status != job.StatusCompleted {
		t.Errorf("result of nothing = %+v", result)
	}
}
