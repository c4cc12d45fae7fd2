package pipeline

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
)

// Request is one job for Run.
type Request struct {
	// JobID goes into the result; empty means that of the workspace that is
	// resumed, or a new random UUID.
	JobID string
	// Source is the path of the local source, a file or a folder of files; Format
	// what it was sniffed as.
	Source string
	Format string
	// Name is the <name> in the names of outputs; empty means the base name of
	// the source without its extension.
	Name string
	// OutDir is the result folder; it is made where it does not exist.
	OutDir string
	// Workspace is the folder of intermediate products, on the file system of
	// OutDir; empty means OutDir/.slate360-work.
	Workspace string
	// Options as ParseOptions returned them.
	Options job.Options
	// Warnings are put into the result before those of the stages.
	Warnings []string
	// Fresh discards what earlier runs left in the workspace.
	Fresh bool
	// Build identifies the program; products of another build are not taken up.
	Build string
	// MemoryBudget in bytes and Workers in goroutines; 0 is what the machine gives.
	MemoryBudget int64
	Workers      int
	// Sink gets the events of the job, one call at a time; it must be quick.
	// nil is none.
	Sink func(job.Progress)
	// Logger gets what a developer wants to know; nil is none.
	Logger *slog.Logger
}

// workspaceName is the folder of intermediate products in the result folder.
const workspaceName = ".slate360-work"

// complete fills in defaults and makes paths absolute.
func (r Request) complete() (Request, error) {
	if r.Source == "" {
		return r, ErrNoSource
	}
	if r.OutDir == "" {
		return r, &UsageError{Msg: "no result folder"}
	}
	var err error
	if r.Source, err = filepath.Abs(r.Source); err != nil {
		return r, fmt.Errorf("source path: %w", err)
	}
	if r.OutDir, err = filepath.Abs(r.OutDir); err != nil {
		return r, fmt.Errorf("result folder: %w", err)
	}
	if r.Workspace == "" {
		r.Workspace = filepath.Join(r.OutDir, workspaceName)
	}
	if r.Name == "" {
		r.Name = NameOf(r.Source)
	}
	if r.Workers <= 0 {
		r.Workers = runtime.GOMAXPROCS(0)
	}
	if r.MemoryBudget <= 0 {
		r.MemoryBudget = host.DefaultMemoryBudget()
	}
	if r.Sink == nil {
		r.Sink = func(job.Progress) {}
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	info, err := os.Stat(r.Source)
	if err != nil {
		return r, BadInput(fmt.Errorf("open source: %w", err), "")
	}
	if info.IsDir() && inside(r.OutDir, r.Source) {
		return r, &UsageError{Msg: fmt.Sprintf("the result folder %s lies in the source folder %s, whose files are the source: choose another with --out", r.OutDir, r.Source)}
	}
	return r, nil
}

// inside tells whether a path is that of a folder or lies below it.
func inside(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// NameOf returns the <name> of the outputs of a source: its base name without
// extensions that name a format ("scan.copc.laz" is "scan"), in characters that
// are safe in file names and URLs.
func NameOf(source string) string {
	base := filepath.Base(source)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if ext := filepath.Ext(base); strings.EqualFold(ext, ".copc") || strings.EqualFold(ext, ".tar") {
		base = strings.TrimSuffix(base, filepath.Ext(base))
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, base)
	if name = strings.TrimLeft(name, "."); name == "" {
		return "output"
	}
	return name
}
