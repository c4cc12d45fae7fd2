package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// bytesPipeline is a small real pipeline over any file: it upper-cases and
// reverses the source side by side, joins both, and publishes a file and a
// folder. Every run of a stage is noted in ran.
type bytesPipeline struct {
	mu   sync.Mutex
	ran  []string
	hook map[string]func(ctx context.Context, s *pipeline.Context) error // before a stage's work
}

func (b *bytesPipeline) stage(name string, inputs []string, work func(s *pipeline.Context) error) pipeline.Stage {
	run := func(ctx context.Context, s *pipeline.Context) error {
		b.mu.Lock()
		b.ran = append(b.ran, name)
		hook := b.hook[name]
		b.mu.Unlock()
		if hook != nil {
			if err := hook(ctx, s); err != nil {
				return err
			}
		}
		return work(s)
	}
	return pipeline.Stage{
		Name: name, Title: "Stage " + name, Inputs: inputs, Outputs: []string{name + ".bin"},
		Depends: func(o job.Options) any { return nil },
		Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}},
	}
}

func transform(in func(s *pipeline.Context) string, out string, fn func([]byte) []byte) func(s *pipeline.Context) error {
	return func(s *pipeline.Context) error {
		data, err := os.ReadFile(in(s))
		if err != nil {
			return err
		}
		s.Progress(1, 2)
		return os.WriteFile(s.Product(out), fn(data), 0o666)
	}
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}

func (b *bytesPipeline) definition() pipeline.Definition {
	source := func(s *pipeline.Context) string { return s.Source() }
	upper := b.stage("upper", nil, transform(source, "upper.bin", bytes.ToUpper))
	reverse := b.stage("reverse", nil, transform(source, "reverse.bin", reversed))
	reverse.Depends = func(o job.Options) any { return o.Filters.Outlier }
	reverse.Enabled = func(o job.Options) bool { return !o.Filters.Outlier.Off }
	join := b.stage("join", []string{"upper.bin", "reverse.bin"}, func(s *pipeline.Context) error {
		joined, err := os.ReadFile(s.Product("upper.bin"))
		if err != nil {
			return err
		}
		if s.Has("reverse.bin") {
			more, err := os.ReadFile(s.Product("reverse.bin"))
			if err != nil {
				return err
			}
			joined = append(joined, more...)
		}
		s.SetAnalysis("bytes", len(joined))
		return os.WriteFile(s.Product("join.bin"), joined, 0o666)
	})
	publish := b.stage("publish", []string{"join.bin"}, func(s *pipeline.Context) error {
		data, err := os.ReadFile(s.Product("join.bin"))
		if err != nil {
			return err
		}
		s.Warn("%d bytes are few", len(data))
		s.Warn("%d bytes are few", len(data))
		files := map[string][]byte{"copc/" + s.Name() + ".txt": data, "ept/ept.json": []byte("{}"), "ept/data/0.bin": data}
		for rel, content := range files {
			if err := os.WriteFile(s.OutputPath(rel), content, 0o666); err != nil {
				return err
			}
		}
		s.Publish(job.Output{Type: job.TypeCOPC, Path: "copc/" + s.Name() + ".txt"})
		s.Publish(job.Output{Type: job.TypeEPT, Path: "ept/ept.json", Points: 3})
		return os.Mkdir(s.Product("publish.bin"), 0o777)
	})
	return pipeline.Definition{Name: "bytes", Stages: []pipeline.Stage{publish, join, reverse, upper}}
}

// at calls fn before the work of a stage.
func (b *bytesPipeline) at(stage string, fn func(ctx context.Context, s *pipeline.Context) error) {
	b.hook = map[string]func(context.Context, *pipeline.Context) error{stage: fn}
}

// taken returns which stages ran since the last call, sorted.
func (b *bytesPipeline) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	ran := slices.Sorted(slices.Values(b.ran))
	b.ran = nil
	return ran
}

const sourceText = "the quick brown fox"

func request(t *testing.T) pipeline.Request {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "fox.txt")
	if err := os.WriteFile(source, []byte(sourceText), 0o666); err != nil {
		t.Fatal(err)
	}
	return pipeline.Request{
		Source: source, Format: "txt", OutDir: filepath.Join(dir, "out"),
		Options: job.DefaultOptions(), Build: "1", Workers: 2,
	}
}

func mustRun(t *testing.T, def pipeline.Definition, req pipeline.Request) job.Result {
	t.Helper()
	result, err := pipeline.Run(t.Context(), def, req)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return result
}

var errBroken = errors.New("broken on purpose")

// breakAt makes a run fail in a stage.
func breakAt(t *testing.T, b *bytesPipeline, req pipeline.Request, stage string) {
	t.Helper()
	b.at(stage, func(context.Context, *pipeline.Context) error { return errBroken })
	result, err := pipeline.Run(t.Context(), b.definition(), req)
	if !errors.Is(err, errBroken) {
		t.Fatalf("Run = %v, want the error of stage %s", err, stage)
	}
	if result.Status != job.StatusFailed || result.Error != err.Error() {
		t.Fatalf("failed run has status %q, error %q", result.Status, result.Error)
	}
	b.hook = nil
}

func wantStages(t *testing.T, b *bytesPipeline, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := b.taken(); !slices.Equal(got, want) {
		t.Fatalf("stages %v ran, want %v", got, want)
	}
}

func TestRunDelivers(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	var events []job.Progress
	req.Sink = func(p job.Progress) { events = append(events, p) }
	result := mustRun(t, b.definition(), req)
	wantStages(t, b, "upper", "reverse", "join", "publish")

	want := strings.ToUpper(sourceText) + string(reversed([]byte(sourceText)))
	got, err := os.ReadFile(filepath.Join(req.OutDir, "copc", "fox.txt"))
	if err != nil || string(got) != want {
		t.Fatalf("output = %q, %v, want %q", got, err, want)
	}
	if len(result.Outputs) != 2 || result.Outputs[0].Size != int64(len(want)) || len(result.Outputs[0].SHA256) != 64 {
		t.Errorf("outputs = %+v", result.Outputs)
	}
	if o := result.Outputs[1]; o.Size != int64(len(want)+2) || o.Files != 2 || o.ContentType != "application/json" || o.Points != 3 {
		t.Errorf("folder output = %+v", o)
	}
	if !slices.Equal(result.Warnings, []string{"38 bytes are few"}) {
		t.Errorf("warnings = %q", result.Warnings)
	}
	var written job.Result
	data, err := os.ReadFile(filepath.Join(req.OutDir, pipeline.ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &written); err != nil {
		t.Fatal(err)
	}
	if written.Status != job.StatusCompleted || written.Analysis["bytes"] != 38.0 || len(written.Stages) != 4 || written.JobID == "" {
		t.Errorf("result.json = %s", data)
	}
	if !reflect.DeepEqual(written.Outputs, result.Outputs) {
		t.Error("result.json names other outputs than the result")
	}
	if _, err := os.Stat(filepath.Join(req.OutDir, ".slate360-work")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the workspace is still there: %v", err)
	}
	checkEvents(t, events)
}

func checkEvents(t *testing.T, events []job.Progress) {
	t.Helper()
	var warnings, finished int
	percent := 0.0
	for _, e := range events {
		if e.Percent < percent {
			t.Errorf("progress goes back from %g to %g", percent, e.Percent)
		}
		percent = e.Percent
		switch e.Event {
		case job.EventWarning:
			warnings++
		case job.EventStageFinished:
			finished++
			if e.Result == nil || e.Result.PeakBytes <= 0 {
				t.Errorf("finished stage %s without its peak: %+v", e.Stage, e.Result)
			}
		}
	}
	if warnings != 1 || finished != 4 || percent != 100 {
		t.Errorf("%d warnings, %d finished stages, %g %%", warnings, finished, percent)
	}
}

func TestResume(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, req *pipeline.Request)
		want   []string
	}{
		{"nothing changed", func(*testing.T, *pipeline.Request) {}, []string{"publish"}},
		{"source touched", func(t *testing.T, req *pipeline.Request) { writeSource(t, req, sourceText) }, []string{"publish"}},
		{"source changed", func(t *testing.T, req *pipeline.Request) { writeSource(t, req, "the quick brown cat") }, []string{"upper", "reverse", "join", "publish"}},
		{"fresh", func(_ *testing.T, req *pipeline.Request) { req.Fresh = true }, []string{"upper", "reverse", "join", "publish"}},
		{"other build", func(_ *testing.T, req *pipeline.Request) { req.Build = "2" }, []string{"upper", "reverse", "join", "publish"}},
		{"other name", func(_ *testing.T, req *pipeline.Request) { req.Name = "vixen" }, []string{"upper", "reverse", "join", "publish"}},
		// reverse depends on the filter, but makes the same bytes: join need not run.
		{"option of one stage", func(_ *testing.T, req *pipeline.Request) { req.Options.Filters.Outlier.MeanK = 9 }, []string{"reverse", "publish"}},
		{"stage switched off", func(_ *testing.T, req *pipeline.Request) { req.Options.Filters.Outlier.Off = true }, []string{"join", "publish"}},
		{"product corrupted", func(t *testing.T, req *pipeline.Request) { damage(t, req, "upper.bin") }, []string{"upper", "publish"}},
		{"product gone", func(t *testing.T, req *pipeline.Request) {
			if err := os.Remove(filepath.Join(req.OutDir, ".slate360-work", "products", "join.bin")); err != nil {
				t.Fatal(err)
			}
		}, []string{"join", "publish"}},
		{"manifest damaged", func(t *testing.T, req *pipeline.Request) {
			path := filepath.Join(req.OutDir, ".slate360-work", "manifest.json")
			if err := os.WriteFile(path, []byte("{"), 0o666); err != nil {
				t.Fatal(err)
			}
		}, []string{"upper", "reverse", "join", "publish"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &bytesPipeline{}
			req := request(t)
			breakAt(t, b, req, "publish")
			wantStages(t, b, "upper", "reverse", "join", "publish")
			test.change(t, &req)
			planned := plannedToRun(t, b, req)
			result := mustRun(t, b.definition(), req)
			ran := b.taken()
			slices.Sort(test.want)
			if !slices.Equal(ran, test.want) {
				t.Fatalf("stages %v ran, want %v", ran, test.want)
			}
			for _, s := range ran {
				if !slices.Contains(planned, s) {
					t.Errorf("stage %s ran but the plan was %v", s, planned)
				}
			}
			for _, s := range result.Stages {
				if s.Resumed == slices.Contains(test.want, s.Name) {
					t.Errorf("stage %s: resumed = %v", s.Name, s.Resumed)
				}
			}
		})
	}
}

func plannedToRun(t *testing.T, b *bytesPipeline, req pipeline.Request) []string {
	t.Helper()
	plan, err := pipeline.MakePlan(t.Context(), b.definition(), req)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range plan.Stages {
		if s.State == pipeline.PlanRun {
			names = append(names, s.Name)
		}
	}
	return names
}

func writeSource(t *testing.T, req *pipeline.Request, text string) {
	t.Helper()
	if err := os.WriteFile(req.Source, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func damage(t *testing.T, req *pipeline.Request, product string) {
	t.Helper()
	path := filepath.Join(req.OutDir, ".slate360-work", "products", product)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestOutputsReplaceTheirFormerVersionOnly(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	mine := map[string]bool{ // path → still there afterwards
		"copc/other.txt": true, "notes.txt": true, "ept/ept.json": true, "ept/data/stale.bin": false, "ept/data/0.bin": true,
	}
	for rel := range mine {
		p := filepath.Join(req.OutDir, rel)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, b.definition(), req)
	for rel, there := range mine {
		_, err := os.Stat(filepath.Join(req.OutDir, rel))
		if (err == nil) != there {
			t.Errorf("%s: %v, want there = %v", rel, err, there)
		}
	}
}

func TestStageErrors(t *testing.T) {
	cause := errors.New("header is wrong")
	tests := []struct {
		name string
		hook func(ctx context.Context, s *pipeline.Context) error
		ok   func(err error) bool
	}{
		{"bad input", func(context.Context, *pipeline.Context) error { return pipeline.BadInput(cause, "send another") }, func(err error) bool {
			var bad *pipeline.BadInputError
			return errors.As(err, &bad) && errors.Is(err, cause) && strings.Contains(err.Error(), "stage join: header is wrong: send another")
		}},
		{"panic", func(context.Context, *pipeline.Context) error { var p []int; _ = p[3]; return nil }, func(err error) bool {
			var p *pipeline.PanicError
			return errors.As(err, &p) && strings.Contains(string(p.Stack), "pipeline_test.go")
		}},
		{"outside", func(_ context.Context, s *pipeline.Context) error { s.OutputPath("../x"); return nil }, func(err error) bool {
			return strings.Contains(err.Error(), "outside the result folder")
		}},
		{"unwritten output", func(_ context.Context, s *pipeline.Context) error {
			s.Publish(job.Output{Type: "laz", Path: "x.laz"})
			return nil
		}, func(err error) bool { return strings.Contains(err.Error(), "x.laz was published but not written") }},
		{"link as output", func(_ context.Context, s *pipeline.Context) error {
			return os.Symlink("/etc/hostname", s.OutputPath("hostname"))
		}, func(err error) bool { return strings.Contains(err.Error(), "neither a file nor a folder") }},
		{"analysis without JSON", func(_ context.Context, s *pipeline.Context) error {
			s.SetAnalysis("f", func() {})
			return nil
		}, func(err error) bool { return strings.Contains(err.Error(), "encode analysis f") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &bytesPipeline{}
			req := request(t)
			b.at("join", test.hook)
			_, err := pipeline.Run(t.Context(), b.definition(), req)
			var stage *pipeline.StageError
			if err == nil || !errors.As(err, &stage) || stage.Stage != "join" || !test.ok(err) {
				t.Fatalf("Run = %v", err)
			}
			if _, err := os.Stat(filepath.Join(req.OutDir, pipeline.ResultFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Error("a failed run wrote a result")
			}
			b.taken()
			b.hook = nil
			mustRun(t, b.definition(), req)
			wantStages(t, b, "join", "publish")
		})
	}
}

func TestMissingProduct(t *testing.T) {
	def := pipeline.Definition{Name: "p", Stages: []pipeline.Stage{{
		Name: "lazy", Outputs: []string{"nothing"},
		Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: func(context.Context, *pipeline.Context) error { return nil }}},
	}}}
	_, err := pipeline.Run(t.Context(), def, request(t))
	if err == nil || !strings.Contains(err.Error(), `did not make product "nothing"`) {
		t.Fatalf("Run = %v", err)
	}
}

type closeLog struct {
	name string
	log  *[]string
}

func (c closeLog) Close() error {
	*c.log = append(*c.log, c.name)
	return nil
}

func TestSharedHandles(t *testing.T) {
	var opened, closed []string
	var mu sync.Mutex
	get := func(s *pipeline.Context, key string) error {
		_, err := s.Shared(key, func() (io.Closer, error) {
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, key)
			if len(opened) == 1 {
				return nil, errBroken
			}
			return closeLog{key, &closed}, nil
		})
		return err
	}
	b := &bytesPipeline{}
	b.hook = map[string]func(context.Context, *pipeline.Context) error{
		"join": func(_ context.Context, s *pipeline.Context) error {
			if err := get(s, "a"); !errors.Is(err, errBroken) {
				return fmt.Errorf("first open = %w", err)
			}
			return errors.Join(get(s, "a"), get(s, "b"), get(s, "a"))
		},
		"publish": func(_ context.Context, s *pipeline.Context) error {
			if len(closed) > 0 {
				return errors.New("closed too early")
			}
			return get(s, "a")
		},
	}
	mustRun(t, b.definition(), request(t))
	if !slices.Equal(opened, []string{"a", "a", "b"}) || !slices.Equal(closed, []string{"b", "a"}) {
		t.Errorf("opened %v, closed %v", opened, closed)
	}
}

// A folder is known by its files: names, content, which are there.
func TestResumeFolder(t *testing.T) {
	tests := []struct {
		name   string
		change func(dir string) error
		resume bool
	}{
		{"nothing changed", func(string) error { return nil }, true},
		{"hidden file", func(dir string) error { return os.WriteFile(filepath.Join(dir, ".note"), nil, 0o666) }, true},
		{"file added", func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub", "c"), nil, 0o666) }, false},
		{"file renamed", func(dir string) error { return os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "bb")) }, false},
		{"file changed", func(dir string) error { return os.WriteFile(filepath.Join(dir, "b"), []byte("B"), 0o666) }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := request(t)
			req.Source = filepath.Join(t.TempDir(), "files")
			if err := os.MkdirAll(filepath.Join(req.Source, "sub"), 0o777); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "b"} {
				if err := os.WriteFile(filepath.Join(req.Source, name), []byte(name), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			ran, broken := 0, true
			def := pipeline.Definition{Name: "folder", Stages: []pipeline.Stage{
				{Name: "list", Outputs: []string{"list.bin"}, Engines: native(func(_ context.Context, s *pipeline.Context) error {
					ran++
					return os.WriteFile(s.Product("list.bin"), nil, 0o666)
				})},
				{Name: "end", Inputs: []string{"list.bin"}, Engines: native(func(context.Context, *pipeline.Context) error {
					if broken {
						return errBroken
					}
					return nil
				})},
			}}
			if _, err := pipeline.Run(t.Context(), def, req); !errors.Is(err, errBroken) {
				t.Fatalf("Run = %v", err)
			}
			if err := test.change(req.Source); err != nil {
				t.Fatal(err)
			}
			broken = false
			result := mustRun(t, def, req)
			if resumed := ran == 1; resumed != test.resume {
				t.Errorf("resumed = %v, want %v", resumed, test.resume)
			}
			if len(result.Warnings) > 0 {
				t.Errorf("warnings: %q", result.Warnings)
			}
		})
	}
}

func TestResultInsideSource(t *testing.T) {
	req := request(t)
	req.Source = filepath.Dir(req.Source)
	_, err := pipeline.Run(t.Context(), (&bytesPipeline{}).definition(), req)
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) {
		t.Errorf("Run = %v", err)
	}
}
