package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Command is one run of an external program.
type Command struct {
	// Name is looked up with Find unless Path is given.
	Name string
	Path string
	Args []string
	// Dir is the working directory; empty is that of this process.
	Dir string
	// Env adds NAME=value to the environment, which is otherwise that of this
	// process without what looks like a secret.
	Env []string
	// OnLine gets each line of standard output and standard error, without its
	// end; carriage returns end lines too, as progress bars use them. Calls do
	// not overlap. nil is none.
	OnLine func(line string)
	// Nice lowers the priority, 0 to 19; a system that refuses is ignored.
	Nice int
	// MemoryLimit bounds the address space of each process, in bytes, where the
	// system can; 0 is no limit. Programs that map large files need room.
	MemoryLimit int64
}

// Report is what a run of a program took.
type Report struct {
	Seconds float64
	// PeakBytes is the highest resident memory of the largest of its processes.
	PeakBytes int64
	// Tail is the last output.
	Tail []string
}

// ExitError says that a program failed, with the end of what it printed.
type ExitError struct {
	Name string
	// Code is the exit status, -1 where a signal ended it.
	Code int
	// State is the status in words: "exit status 2", "signal: killed".
	State string
	Tail  []string
}

func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s failed: %s", e.Name, e.State)
	if e.State == "signal: killed" {
		msg += " (by the system, for memory?)"
	}
	if len(e.Tail) > 0 {
		const shown = 5
		msg += ": " + strings.Join(e.Tail[max(0, len(e.Tail)-shown):], " | ")
	}
	return msg
}

const (
	// tailLines of a program's output are kept for errors and logs, each up to
	// lineLimit bytes; what a line has beyond is dropped.
	tailLines = 100
	lineLimit = 4096
	// drainTimeout is how long output is read after the program has ended: a
	// process it left behind may hold the pipe.
	drainTimeout = 2 * time.Second
)

// Run starts the program and waits for it. Where ctx ends, the whole process
// group is killed at once and the error is the cause of ctx. A program that
// fails is an *ExitError, one that is missing a *NotInstalledError.
func (c Command) Run(ctx context.Context) (Report, error) {
	if err := ctx.Err(); err != nil {
		return Report{}, context.Cause(ctx)
	}
	if c.Path == "" {
		found, err := Find(c.Name)
		if err != nil {
			return Report{}, err
		}
		c.Path = found.Path
	}
	if c.Name == "" {
		c.Name = c.Path
	}
	path, args := confine(c.Path, c.Args, c.Nice, c.MemoryLimit)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = c.Dir
	cmd.Env = append(ScrubEnvironment(os.Environ()), c.Env...)
	cmd.WaitDelay = drainTimeout
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	lines := &lineWriter{onLine: c.OnLine}
	cmd.Stdout, cmd.Stderr = lines, lines // one writer: os/exec does not call it twice at once

	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Report{}, fmt.Errorf("start %s: %w", c.Name, err)
	}
	err := cmd.Wait()
	// Whatever it left running in its group goes with it.
	_ = killGroup(cmd)
	lines.flush()
	report := Report{Seconds: time.Since(start).Seconds(), PeakBytes: peakOf(cmd.ProcessState), Tail: lines.tail}
	switch {
	case ctx.Err() != nil:
		return report, fmt.Errorf("%s stopped: %w", c.Name, context.Cause(ctx))
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return report, nil
	case cmd.ProcessState != nil && !cmd.ProcessState.Success():
		return report, &ExitError{Name: c.Name, Code: cmd.ProcessState.ExitCode(), State: cmd.ProcessState.String(), Tail: lines.tail}
	}
	return report, fmt.Errorf("run %s: %w", c.Name, err)
}

// lineWriter cuts a stream into lines and keeps the last.
type lineWriter struct {
	onLine func(string)

	mu   sync.Mutex
	part []byte
	tail []string
}

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			w.keep(p)
			return n, nil
		}
		w.keep(p[:i])
		w.end()
		p = p[i+1:]
	}
}

func (w *lineWriter) keep(p []byte) {
	w.part = append(w.part, p[:min(len(p), lineLimit-len(w.part))]...)
}

func (w *lineWriter) end() {
	line := strings.TrimRight(strings.ToValidUTF8(string(w.part), "\uFFFD"), " \t")
	w.part = w.part[:0]
	if line == "" {
		return
	}
	if len(w.tail) == tailLines {
		w.tail = append(w.tail[:0], w.tail[1:]...)
	}
	w.tail = append(w.tail, line)
	if w.onLine != nil {
		w.onLine(line)
	}
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end()
}

// ScrubEnvironment returns the variables without those whose name, or value,
// looks like a secret: external programs need none of ours.
func ScrubEnvironment(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		if !secretName(name) && !secretURL(value) {
			kept = append(kept, v)
		}
	}
	return kept
}

func secretName(name string) bool {
	name = strings.ToUpper(name)
	for _, prefix := range []string{"AWS_", "SUPABASE_", "UPSTASH_", "GPU_WORKER_", "REDIS_", "DATABASE_", "PG"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for _, part := range []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL", "PRIVATE", "API_KEY", "APIKEY", "ACCESS_KEY", "AUTH"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// secretURL tells whether a value is a URL with a password: scheme://user:password@host.
func secretURL(value string) bool {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	user, _, ok := strings.Cut(authority, "@")
	return ok && strings.Contains(user, ":")
}
