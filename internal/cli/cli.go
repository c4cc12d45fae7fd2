// Package cli is the command line: one file a command, which turns flags into
// configuration, calls the packages that do the work, and writes what they
// return for people or as JSON (DESIGN.md, section 3, Commands).
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// Name of the program.
const Name = "slate360-worker"

// The exit codes of all commands.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitBadInput    = 3
	ExitInterrupted = 4
	ExitConfig      = 5
)

// Program is the command line with all that it can do; main fills it in.
type Program struct {
	Build BuildInfo
	// Stdin, Stdout and Stderr are those of the process.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Pipeline returns the pipeline for sources of a format, and whether there is one.
	Pipeline func(f source.Format) (pipeline.Definition, bool)
	// Informer returns what `info` calls for files of a format.
	Informer func(f source.Format) (Informer, bool)
	// Backends open queue, records and storage.
	Backends Backends
	// Samples are the kinds of input that `sample` can make.
	Samples []Sample
}

// InfoRequest is what `info` asks of an Informer.
type InfoRequest struct {
	Path string
	// Stats asks for statistics of every dimension, which reads the whole file.
	Stats   bool
	Options job.Options
	Workers int
	// MemoryBudget in bytes.
	MemoryBudget int64
}

// Info is what is known of a file. It encodes to JSON as `info --json` shows it.
type Info interface {
	// WriteText writes it for people, in aligned columns.
	WriteText(w io.Writer) error
}

// Informer reads a file and says what it is.
type Informer func(ctx context.Context, req InfoRequest) (Info, error)

// usageError marks errors of how the command was typed.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// ranError marks errors of a command that ran, as opposed to those of cobra,
// which are all of usage.
type ranError struct{ err error }

func (e *ranError) Error() string { return e.err.Error() }

func (e *ranError) Unwrap() error { return e.err }

// shownError was shown to the user already.
type shownError struct{ err error }

func (e *shownError) Error() string { return e.err.Error() }

func (e *shownError) Unwrap() error { return e.err }

// Run runs the command line and returns the exit code. Where ctx ends, commands
// stop and the code is that of an interruption.
func (p *Program) Run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	var shown *shownError
	if err != nil && !errors.As(err, &shown) {
		p.sayError(err, code)
	}
	return code
}

func (p *Program) sayError(err error, code int) {
	fmt.Fprintf(p.Stderr, "%s: %v\n", Name, err)
	if code == ExitUsage {
		fmt.Fprintf(p.Stderr, "Run '%s --help' or '%s COMMAND --help' for how to use it.\n", Name, Name)
	}
}

// exitCode maps an error to the contract.
func exitCode(ctx context.Context, err error) int {
	var (
		usage       *usageError
		stage       *pipeline.UsageError
		option      *job.OptionError
		bad         *pipeline.BadInputError
		unknown     *source.UnknownFormatError
		settings    *config.Error
		machine     *pipeline.ConfigError
		missing     *engine.NotInstalledError
		ran         *ranError
		interrupted = ctx.Err() != nil
	)
	switch {
	case err == nil:
		return ExitDone
	case interrupted, errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &usage), errors.As(err, &stage), errors.As(err, &option):
		return ExitUsage
	case errors.As(err, &bad), errors.As(err, &unknown), errors.Is(err, source.ErrEmpty):
		return ExitBadInput
	case errors.As(err, &settings), errors.As(err, &machine), errors.As(err, &missing):
		return ExitConfig
	case errors.As(err, &ran):
		return ExitFailed
	}
	return ExitUsage
}

func (p *Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   Name,
		Short: "Turn laser scans into web-ready 3D",
		Long: "Turns laser scans into streamable 3D: COPC, EPT, 3D Tiles, filtered LAZ,\n" +
			"terrain models and thumbnails. One program, nothing else needed.",
		Example: "  " + Name + " process survey.laz --out out/\n" +
			"  " + Name + " view out/\n" +
			"  " + Name + " info survey.laz --stats",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       p.Build.String(),
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.AddCommand(p.processCommand(), p.infoCommand(), p.viewCommand(), p.runCommand(), p.submitCommand(), p.jobsCommand(),
		p.installCommand(), p.uninstallCommand(), p.costCommand(), p.autoscaleCommand(), p.backupCommand(), p.restoreCommand(), p.doctorCommand(),
		p.selfCheckCommand(), p.healthCommand(), p.completionCommand(), p.versionCommand())
	if len(p.Samples) > 0 {
		root.AddCommand(p.sampleCommand())
	}
	for _, c := range append(root.Commands(), root) {
		mark(c)
	}
	return root
}

// mark wraps what a command returns, so that it can be told from cobra's own
// errors, and does so for its sub-commands.
func mark(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return &ranError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		if sub.Parent() == c && c.HasParent() {
			mark(sub)
		}
	}
}

// load reads the configuration.
func load() (config.Config, error) { return config.Load(".env") }

// logger writes to standard error what SLATE360_LOG_LEVEL asks for.
func (p *Program) logger(c config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(c.LogLevel))); err != nil {
		level = slog.LevelWarn
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, options))
}

// terminalOf returns the file behind a stream, or nil.
func terminalOf(w io.Writer) *os.File {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	return f
}
