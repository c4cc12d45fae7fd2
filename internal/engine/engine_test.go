//go:build unix

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/engine"
)

func sh(script string) engine.Command {
	return engine.Command{Name: "sh", Args: []string{"-c", script}}
}

func TestRunLines(t *testing.T) {
	var lines []string
	c := sh(`printf 'one\n10%%\r20%%\rtwo\n\n' ; echo oops >&2; printf last`)
	c.OnLine = func(line string) { lines = append(lines, line) }
	report, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"one", "10%", "20%", "two", "oops", "last"}; !slices.Equal(lines, want) || !slices.Equal(report.Tail, want) {
		t.Errorf("lines = %q, tail = %q", lines, report.Tail)
	}
	if report.PeakBytes < 100<<10 || report.PeakBytes > 100<<20 {
		t.Errorf("peak of sh = %d bytes", report.PeakBytes)
	}
}

func TestRunKeepsTheTailOnly(t *testing.T) {
	c := sh(`i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; head -c 100000 /dev/zero | tr '\0' x; exit 3`)
	_, err := c.Run(t.Context())
	var exit *engine.ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || len(exit.Tail) != 100 {
		t.Fatalf("Run = %v", err)
	}
	if last := exit.Tail[99]; len(last) != 4096 {
		t.Errorf("a line of %d bytes was kept", len(last))
	}
	if exit.Tail[98] != "line 999" {
		t.Errorf("tail ends with %q", exit.Tail[98])
	}
}

func TestRunErrors(t *testing.T) {
	if _, err := sh("echo bad header >&2; exit 2").Run(t.Context()); err == nil || err.Error() != "sh failed: exit status 2: bad header" {
		t.Errorf("Run = %v", err)
	}
	_, err := engine.Command{Name: "no-such-program"}.Run(t.Context())
	var missing *engine.NotInstalledError
	if !errors.As(err, &missing) || missing.Program != "no-such-program" {
		t.Errorf("Run = %v", err)
	}
}

// The program and what it started are gone when Run returns.
func TestCancelKillsTheGroup(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	var pids []int
	c := sh(`sleep 1000 & echo $!; (trap '' TERM INT HUP; sleep 1001) & echo $!; echo $$; wait`)
	c.OnLine = func(line string) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Errorf("line %q", line)
		}
		if pids = append(pids, pid); len(pids) == 3 {
			cancel(cause)
		}
	}
	if _, err := c.Run(ctx); !errors.Is(err, cause) {
		t.Fatalf("Run = %v, want the cause of the context", err)
	}
	// They have closed the pipe; the system may still be taking them down.
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d still runs", pid)
			}
			runtime.Gosched()
		}
	}
}

// alive tells whether a process runs; a zombie that nobody has waited for does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func TestEnvironmentHasNoSecrets(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
	t.Setenv("MY_TOKEN", "s3cret")
	t.Setenv("SOME_URL", "redis://user:s3cret@host:6379/0")
	t.Setenv("HARMLESS", "https://example.com/a@b:c")
	var lines []string
	c := engine.Command{Name: "env", Env: []string{"ADDED=yes"}, OnLine: func(l string) { lines = append(lines, l) }}
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(lines, "\n")
	if strings.Contains(all, "s3cret") || !strings.Contains(all, "ADDED=yes") ||
		!strings.Contains(all, "HARMLESS=https") || !strings.Contains(all, "PATH=") {
		t.Errorf("environment of the program:\n%s", all)
	}
}

func TestLimits(t *testing.T) {
	var lines []string
	c := sh("ulimit -v; nice")
	c.Nice, c.MemoryLimit = 5, 1<<30
	c.OnLine = func(l string) { lines = append(lines, l) }
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(lines) < 1 || lines[0] != "1048576" {
		t.Errorf("address space = %q, want 1048576 KiB", lines)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	fake := filepath.Join(dir, "pdal")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho 'pdal 2.10.1 (git-version: abc)'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("SLATE360_ENGINE_PDAL", "")
	found, err := engine.Find("pdal")
	if err != nil || found.Path != fake {
		t.Fatalf("Find = %+v, %v", found, err)
	}
	if found, err = found.Probe(t.Context()); err != nil || found.Version != "2.10.1" {
		t.Errorf("version = %q, %v", found.Version, err)
	}
	t.Setenv("SLATE360_ENGINE_PDAL", filepath.Join(dir, "absent"))
	var missing *engine.NotInstalledError
	if _, err := engine.Find("pdal"); !errors.As(err, &missing) || !strings.Contains(err.Error(), "SLATE360_ENGINE_PDAL") {
		t.Errorf("Find = %v", err)
	}
}
