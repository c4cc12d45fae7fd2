package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

type processFlags struct {
	optionFlags
	out, format, memory          string
	workers                      int
	asJSON, fresh, dryRun, quiet bool
}

func (p *Program) processCommand() *cobra.Command {
	f := &processFlags{}
	c := &cobra.Command{
		Use:   "process SOURCE...",
		Short: "Turn a source into web-ready outputs",
		Long: `Turns a source into web-ready outputs in a result folder; result.json there
names them all. Of an archive (zip, tar, 7z) the one file in it that can be processed
is; files that it refers to are found beside it. A run that was stopped or killed goes on from its last finished
stage when the same command is given again. A folder of photos is one source, and so are
several photos; other sources are processed one after the other, each into a folder
of its name.

Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, 4 interrupted (can be
resumed), 5 configuration.`,
		Example: "  " + Name + ` process survey.laz --out out/
  ` + Name + ` process photos/ --out out/
  ` + Name + ` process survey.laz --out out/ --outputs copc,tiles_3d --crs EPSG:25832
  ` + Name + ` process survey.laz --set filters.smrf.cell=2 --set filters.outlier=false
  ` + Name + ` process survey.laz --options @options.json --json
  ` + Name + ` process survey.laz --dry-run`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.process(cmd.Context(), f, args) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.out, "out", "o", "", "result folder (default NAME-web beside where you are)")
	flags.StringVar(&f.format, "format", "auto", "format of the source, instead of what its content says")
	flags.StringVar(&f.json, "options", "", "options of the job: JSON, @FILE, or @- for standard input")
	flags.StringArrayVar(&f.set, "set", nil, "one option, OPTION=VALUE; may be given several times")
	flags.StringSliceVar(&f.outputs, "outputs", nil, "output types to make, separated by commas (default all)")
	flags.StringVar(&f.crs, "crs", "", "coordinate reference system of the source: EPSG:n or WKT")
	flags.StringArrayVar(&f.engines, "engine", nil, "engine of a stage, STAGE=NAME; may be given several times")
	flags.StringVar(&f.memory, "memory", "", "memory the job may use, such as 8G (default SLATE360_MEMORY)")
	flags.IntVar(&f.workers, "workers", 0, "goroutines of a stage (default SLATE360_WORKERS, or all processors)")
	flags.BoolVar(&f.fresh, "fresh", false, "do not go on from what an earlier run left")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be done, and do nothing")
	flags.BoolVar(&f.asJSON, "json", false, "JSON lines of events and the result on standard output")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print warnings and errors only")
	registerCompletions(c)
	return c
}

// registerCompletions completes flags with fixed values. An error is one of this
// program: the flag does not exist.
func registerCompletions(c *cobra.Command) {
	formats := []string{string(source.Auto)}
	for _, f := range source.Formats() {
		formats = append(formats, string(f))
	}
	for flag, values := range map[string][]string{"format": formats, "outputs": job.OutputTypes()} {
		if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err)
		}
	}
}

func (p *Program) process(ctx context.Context, f *processFlags, sources []string) error {
	c, err := load()
	if err != nil {
		return err
	}
	if f.memory != "" {
		if c.Memory, err = config.ParseSize(f.memory); err != nil {
			return usagef("--memory: %w", err)
		}
	}
	if f.workers < 0 {
		return usagef("--workers: want a number from 1 up, got %d", f.workers)
	}
	if f.workers > 0 {
		c.Workers = f.workers
	}
	if c.Memory == 0 {
		c.Memory = host.DefaultMemoryBudget()
	}
	debug.SetMemoryLimit(c.Memory)
	wanted, err := source.ParseFormat(f.format)
	if err != nil {
		return usagef("--format: %w", err)
	}
	var photos []string
	if arePhotos(sources, wanted) {
		photos, sources = sources, []string{photosName(sources)}
	} else if err := distinctNames(sources); err != nil {
		return err
	}
	options, err := f.text(p.Stdin)
	if err != nil {
		return err
	}
	var first error
	for _, src := range sources {
		j := &processJob{flags: f, config: c, options: options, source: src, photos: photos, wanted: wanted, several: len(sources) > 1, ctx: ctx}
		err := p.processOne(ctx, j)
		if first == nil {
			first = err
		}
		// What is wrong with one source need not be with the next.
		if code := exitCode(ctx, err); err != nil && code != ExitFailed && code != ExitBadInput {
			break
		}
	}
	return first
}

// processJob is one source of a `process`.
type processJob struct {
	flags   *processFlags
	config  config.Config
	options string // JSON of --options
	source  string
	wanted  source.Format
	several bool
	// photos are one source of several files; source is then their common name.
	photos []string

	ctx context.Context // of the whole command
	// unpacked is the folder of the files of an archive, or of links to photos; empty
	// where there is none.
	unpacked string
}

// distinctNames refuses sources whose results would overwrite each other.
func distinctNames(sources []string) error {
	seen := map[string]string{}
	for _, s := range sources {
		name := pipeline.NameOf(s)
		if other, ok := seen[name]; ok {
			return usagef("%s and %s would go to the same folder: process them one by one with --out", other, s)
		}
		seen[name] = s
	}
	return nil
}

func (p *Program) processOne(ctx context.Context, j *processJob) error {
	f := j.flags
	d := p.newDisplay(j)
	defer func() {
		if j.unpacked != "" {
			os.RemoveAll(j.unpacked)
		}
	}()
	req, def, warnings, err := p.request(j)
	if err != nil {
		return p.reportFailure(ctx, j, job.Result{Status: job.StatusFailed}, "", err)
	}
	req.Sink = d.event
	if f.dryRun {
		plan, err := pipeline.MakePlan(ctx, def, req)
		if err != nil {
			return p.reportFailure(ctx, j, job.Result{Status: job.StatusFailed}, "", err)
		}
		plan.Notes = append(append([]string{}, warnings...), plan.Notes...)
		return p.writePlan(plan, j)
	}
	req.Warnings = warnings
	start := time.Now()
	result, err := pipeline.Run(ctx, def, req)
	d.close()
	if err != nil {
		return p.reportFailure(ctx, j, result, req.OutDir, err)
	}
	switch {
	case f.asJSON:
		return json.NewEncoder(p.Stdout).Encode(finalEvent{Event: "result", Source: j.source, Result: &result, OutDir: req.OutDir})
	case f.quiet:
		return nil
	}
	return p.writeSummary(result, req.OutDir, time.Since(start))
}

// request puts together what pipeline.Run needs.
func (p *Program) request(j *processJob) (pipeline.Request, pipeline.Definition, []string, error) {
	var none pipeline.Definition
	f, c, src := j.flags, j.config, j.source
	out, name, err := j.result(f.out)
	if err != nil {
		return pipeline.Request{}, none, nil, err
	}
	var notes []string
	wanted := j.wanted
	if len(j.photos) > 0 {
		if src, err = j.linkPhotos(out); err != nil {
			return pipeline.Request{}, none, nil, err
		}
		wanted = source.Photos
	} else if archive, err := source.IsArchive(src); err == nil && archive {
		picked, err := p.unpack(j, out)
		if err != nil {
			return pipeline.Request{}, none, nil, err
		}
		src, wanted = picked.Path, picked.Format
		if picked.Warning != "" {
			notes = append(notes, picked.Warning)
		}
	}
	format, err := sniff(src, wanted)
	if err != nil {
		return pipeline.Request{}, none, nil, err
	}
	def, ok := p.Pipeline(format)
	if !ok {
		return pipeline.Request{}, none, nil, pipeline.BadInput(
			fmt.Errorf("%s is of format %s, which this version cannot process", src, format), "see 'process --help' and the documentation for what it can")
	}
	options, warnings, err := f.parse(j.options, c, def)
	if err != nil {
		return pipeline.Request{}, none, nil, err
	}
	return pipeline.Request{
		Source: src, Format: string(format), Name: name, OutDir: out, Options: options, Fresh: f.fresh,
		Build: p.Build.identity(), MemoryBudget: c.Memory, Workers: c.Workers, Logger: p.logger(c),
	}, def, append(notes, warnings...), nil
}

// result returns the folder of the result of a source, and the name in it.
func (j *processJob) result(out string) (dir, name string, err error) {
	name = pipeline.NameOf(j.source)
	switch {
	case out == "":
		out = name + "-web"
	case j.several:
		out = filepath.Join(out, name)
	}
	if out, err = filepath.Abs(out); err != nil {
		return "", "", fmt.Errorf("result folder: %w", err)
	}
	return out, name, nil
}

// unpackedSuffix names the folder beside that of the result that an archive is
// unpacked into; it is removed when the job is done.
const unpackedSuffix = ".unpacked"

// unpack unpacks an archive and picks what there is a pipeline for. Files have the
// time of the archive, so that a run which was stopped goes on.
func (p *Program) unpack(j *processJob, out string) (source.Picked, error) {
	dir := out + unpackedSuffix
	if err := os.RemoveAll(dir); err != nil {
		return source.Picked{}, fmt.Errorf("clear what an earlier run unpacked: %w", err)
	}
	j.unpacked = dir
	if _, err := source.Unpack(j.ctx, j.source, dir, sourceLimits(j.config)); err != nil {
		return source.Picked{}, pipeline.BadInput(err, "")
	}
	picked, err := source.Pick(dir, j.wanted, func(f source.Format) bool {
		_, ok := p.Pipeline(f)
		return ok
	})
	var choice *source.ChoiceError
	if errors.As(err, &choice) {
		return picked, pipeline.BadInput(err, choice.Hint)
	}
	return picked, err
}

// sniff returns the format of a source; one that cannot be opened is bad input.
func sniff(src string, wanted source.Format) (source.Format, error) {
	if _, err := os.Stat(src); err != nil {
		return "", pipeline.BadInput(err, "")
	}
	if wanted != source.Auto {
		return wanted, nil
	}
	f, err := source.Sniff(src)
	if errors.Is(err, os.ErrPermission) {
		err = pipeline.BadInput(err, "")
	}
	return f, err
}

// finalEvent is the last line of --json.
type finalEvent struct {
	Event     string      `json:"event"` // result or error
	Source    string      `json:"source"`
	OutDir    string      `json:"outDir,omitempty"`
	Result    *job.Result `json:"result,omitempty"`
	Error     string      `json:"error,omitempty"`
	ExitCode  int         `json:"exitCode"`
	Resumable bool        `json:"resumable,omitempty"`
}

// reportFailure says why a job failed and how it can go on; the error it
// returns keeps the exit code. outDir is empty where the job did not start.
func (p *Program) reportFailure(ctx context.Context, j *processJob, result job.Result, outDir string, err error) error {
	code := exitCode(ctx, &ranError{err})
	resumable := outDir != "" && (code == ExitInterrupted || code == ExitFailed)
	p.sayError(err, code)
	if code == ExitInterrupted && resumable {
		fmt.Fprintf(p.Stderr, "%s stage(s) are finished and kept in %s; give the same command again to go on, or add --fresh to start anew\n",
			format.Count(int64(len(result.Stages))), outDir)
	}
	if j.flags.asJSON {
		final := finalEvent{Event: "error", Source: j.source, OutDir: outDir, Error: err.Error(), ExitCode: code, Resumable: resumable}
		if outDir != "" {
			final.Result = &result
		}
		if encErr := json.NewEncoder(p.Stdout).Encode(final); encErr != nil {
			err = errors.Join(err, encErr)
		}
	}
	return &shownError{err}
}

func (p *Program) writeSummary(r job.Result, outDir string, took time.Duration) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, o := range r.Outputs {
		count := ""
		switch {
		case o.Tiles > 0:
			count = format.Count(o.Tiles) + " tiles"
		case o.Points > 0:
			count = format.Count(o.Points) + " points"
		case o.Triangles > 0:
			count = format.Count(o.Triangles) + " triangles"
		case o.Width > 0:
			count = fmt.Sprintf("%d × %d", o.Width, o.Height)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Type, o.Path, format.Bytes(o.Size), count)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	line := fmt.Sprintf("\ndone in %s", format.Seconds(took.Seconds()))
	if peak := host.PeakMemory(); peak > 0 {
		line += ", peak memory " + format.Bytes(peak)
	}
	shown := outDir
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, outDir); err == nil && !strings.HasPrefix(rel, "..") {
			shown = rel
		}
	}
	_, err := fmt.Fprintf(p.Stdout, "%s\nlook at it: %s view %s\n", line, Name, shown)
	return err
}

func (p *Program) writePlan(plan pipeline.Plan, j *processJob) error {
	if j.flags.asJSON {
		return json.NewEncoder(p.Stdout).Encode(struct {
			Event  string        `json:"event"`
			Source string        `json:"source"`
			Plan   pipeline.Plan `json:"plan"`
		}{"plan", j.source, plan})
	}
	for _, note := range plan.Notes {
		fmt.Fprintln(p.Stdout, "note: "+note)
	}
	fmt.Fprintf(p.Stdout, "pipeline %s, memory budget %s, %d worker(s)\n\n", plan.Pipeline, format.Bytes(plan.MemoryBudget), plan.Workers)
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STAGE\tDOES\tENGINE\tSTATE\tMEMORY\tAFTER")
	for _, s := range plan.Stages {
		state, memory := s.State, ""
		if s.State == pipeline.PlanResume {
			state = "finished before"
		}
		if s.Memory > 0 {
			memory = "≈ " + format.Bytes(s.Memory)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Title, s.Engine, state, memory, strings.Join(s.Needs, ", "))
	}
	return w.Flush()
}
