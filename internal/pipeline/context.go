package pipeline

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/internal/job"
)

// Context is what a running stage sees of its job. Its methods may be called by
// several goroutines at once.
type Context struct {
	run   *runner
	stage *Stage

	// before are the stages that had finished when this one started.
	before []job.StageResult

	done, total atomic.Uint64 // float64 bits
	peak        atomic.Int64

	mu        sync.Mutex
	outputs   []job.Output
	analysis  map[string]any
	warnings  []string
	outputErr error
}

// Options returns the options of the job.
func (s *Context) Options() job.Options {
	p := s.stage.part
	if p == nil {
		return s.run.req.Options
	}
	o := p.options(s.run.req.Options)
	if p.Place != nil {
		if err := p.Place(&o, s.run.product); err != nil {
			s.fail(err)
		}
	}
	return o
}

// Source returns the path of the local source: a file, or a folder of photos.
func (s *Context) Source() string {
	if p := s.stage.part; p != nil {
		return s.run.product(p.Source)
	}
	return s.run.req.Source
}

// Name returns the <name> in the names of outputs.
func (s *Context) Name() string { return s.run.req.Name }

// Format returns the format of the source as it was sniffed, such as "laz".
func (s *Context) Format() string {
	if p := s.stage.part; p != nil {
		return p.Format
	}
	return s.run.req.Format
}

// Product returns the path in the workspace of a product: its own output, which
// the stage writes as a file or a folder, or an input, which it reads only.
func (s *Context) Product(name string) string { return s.run.product(s.productName(name)) }

// product is the path of a product of the whole pipeline.
func (r *runner) product(name string) string { return filepath.Join(r.ws.products, name) }

// productName is what a product of the stage's own pipeline is called in the whole.
func (s *Context) productName(name string) string {
	if p := s.stage.part; p != nil {
		return p.prefixed(name)
	}
	return name
}

// Has tells whether the input product is there: it is not where the stage that
// makes it is not enabled.
func (s *Context) Has(product string) bool {
	if !slices.Contains(s.stage.Inputs, s.productName(product)) {
		return false
	}
	_, err := os.Stat(s.Product(product))
	return err == nil
}

// OutputPath returns where to write a file of the result, such as
// "copc/x.copc.laz"; its parent folders exist. The machinery moves it into the
// result folder when all stages are done. A path that would leave the result
// folder fails the stage.
func (s *Context) OutputPath(rel string) string {
	if p := s.stage.part; p != nil {
		rel = p.path(rel)
	}
	local := filepath.FromSlash(rel)
	if !filepath.IsLocal(local) {
		s.fail(fmt.Errorf("output path %q lies outside the result folder", rel))
		local = "invalid"
	}
	p := filepath.Join(s.run.ws.staging(s.stage.Name), local)
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		s.fail(fmt.Errorf("create output folder: %w", err))
	}
	return p
}

// TempDir returns a scratch folder of this stage that is emptied before and
// removed after it runs.
func (s *Context) TempDir() (string, error) {
	dir := s.run.ws.scratch(s.stage.Name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("create scratch folder: %w", err)
	}
	return dir, nil
}

// fail keeps the first error of a method that returns none; it becomes the
// stage's error when its engine returns.
func (s *Context) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outputErr == nil {
		s.outputErr = err
	}
}

// Publish registers an output that the stage wrote to OutputPath(o.Path). Size,
// SHA256 and ContentType are filled in by the machinery where they are zero; an
// entry file whose folder holds more files (ept/ept.json) stands for the folder
// and gets its size and number of files.
func (s *Context) Publish(o job.Output) {
	o.Path = path.Clean(strings.ReplaceAll(o.Path, "\\", "/"))
	if p := s.stage.part; p != nil {
		o = p.output(o)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outputs = append(s.outputs, o)
}

// SetAnalysis puts a value, encodable as JSON, into the analysis of the result.
// It is kept in the manifest with the stage.
func (s *Context) SetAnalysis(key string, v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.analysis == nil {
		s.analysis = map[string]any{}
	}
	s.analysis[key] = v
}

// Progress says how much of the stage is done, in any unit. It costs two atomic
// stores: call it often. Values that go back are shown as they are.
func (s *Context) Progress(done, total float64) {
	s.total.Store(math.Float64bits(total))
	s.done.Store(math.Float64bits(done))
}

// counts returns what Progress was last told.
func (s *Context) counts() (done, total float64) {
	return math.Float64frombits(s.done.Load()), math.Float64frombits(s.total.Load())
}

// fraction returns the done part of the stage, 0 to 1.
func (s *Context) fraction() float64 {
	done, total := s.counts()
	if !(total > 0) || !(done > 0) {
		return 0
	}
	return math.Min(1, done/total)
}

// Warn adds a warning for the user to the result. The same text counts once.
func (s *Context) Warn(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	s.mu.Lock()
	known := slices.Contains(s.warnings, msg)
	if !known {
		s.warnings = append(s.warnings, msg)
	}
	s.mu.Unlock()
	if !known {
		s.run.warn(s.stage, msg)
	}
}

// Logger returns a log that names the stage.
func (s *Context) Logger() *slog.Logger { return s.run.log.With("stage", s.stage.Name) }

// Workers returns how many goroutines the stage should use.
func (s *Context) Workers() int { return s.run.req.Workers }

// MemoryBudget returns the bytes that the whole job may use.
func (s *Context) MemoryBudget() int64 { return s.run.req.MemoryBudget }

// RecordPeak notes the peak resident memory of an external program, in bytes.
func (s *Context) RecordPeak(bytes int64) { raise(&s.peak, bytes) }

func raise(v *atomic.Int64, to int64) {
	for {
		old := v.Load()
		if to <= old || v.CompareAndSwap(old, to) {
			return
		}
	}
}

// Before returns the stages that had finished when this one started, in the order of
// the pipeline: for a report of how the others went.
func (s *Context) Before() []job.StageResult { return s.before }

// Shared returns the handle that key stands for in this run, such as a mapped
// product, and opens it where no stage has yet; one call of open runs at a time
// for a key, and a failed one is tried again by the next caller. The machinery
// closes it after the last stage, before the workspace goes: do not close it.
func (s *Context) Shared(key string, open func() (io.Closer, error)) (io.Closer, error) {
	return s.run.shared.get(s.productName(key), open)
}
