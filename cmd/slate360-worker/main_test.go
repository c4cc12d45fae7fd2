package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/source"
)

// Every registered pipeline is sound, and every registration says something.
func TestRegistry(t *testing.T) {
	for _, r := range registry() {
		if len(r.formats) == 0 || r.pipeline == nil && r.info == nil {
			t.Errorf("registration of %v does nothing", r.formats)
		}
		if r.pipeline != nil {
			if err := r.pipeline().Validate(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, ok := pipelineFor(source.Auto); ok {
		t.Error("a pipeline takes the format auto")
	}
}

func TestBuiltProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "slate360-worker")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.version=1.2.3", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	empty := filepath.Join(t.TempDir(), "empty.laz")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		env  string
		code int
		want string // in what it prints
	}{
		{[]string{"--version"}, "", 0, "slate360-worker 1.2.3"},
		{[]string{"--help"}, "", 0, "process"},
		{[]string{"completion", "bash"}, "", 0, "__start_slate360-worker"},
		{[]string{"doctor"}, "", 0, "The configuration is in order."},
		{[]string{"doctor"}, "SLATE360_MEMORY=much", 5, "SLATE360_MEMORY: want a size"},
		{[]string{"launch"}, "", 2, "unknown command"},
		{[]string{"process"}, "", 2, "--help"},
		{[]string{"process", empty}, "", 3, "file is empty"},
		{[]string{"info", "absent.laz"}, "", 3, "no such file"},
		{[]string{"view", "absent"}, "", 3, "no such file"},
	} {
		cmd := exec.CommandContext(t.Context(), program, test.args...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), test.env)
		out, _ := cmd.CombinedOutput() // the exit code says how it went
		if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.want) {
			t.Errorf("%v: exit code %d, want %d\n%s", test.args, code, test.code, out)
		}
	}
}
