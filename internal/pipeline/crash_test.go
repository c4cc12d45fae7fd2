//go:build linux

package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// The variables that make the test binary a child which runs bytesPipeline on
// SOURCE into OUT and meets its fate in stage FATE_STAGE.
const (
	childSource = "PIPELINE_TEST_SOURCE"
	childOut    = "PIPELINE_TEST_OUT"
	childFate   = "PIPELINE_TEST_FATE"
)

func TestMain(m *testing.M) {
	if source := os.Getenv(childSource); source != "" {
		os.Exit(child(source, os.Getenv(childOut), os.Getenv(childFate)))
	}
	os.Exit(m.Run())
}

func child(source, out, fate string) int {
	b := &bytesPipeline{}
	how, stage, _ := strings.Cut(fate, ":")
	b.at(stage, func(_ context.Context, s *pipeline.Context) error {
		switch how {
		case "kill":
			// In the midst of its work: with half a product on the disk.
			if err := os.WriteFile(s.Product(stage+".bin"), []byte("half"), 0o666); err != nil {
				return err
			}
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "manifest":
			// In the midst of writing the manifest: the new one lies there unfinished.
			ws := filepath.Join(out, ".slate360-work")
			if err := os.WriteFile(filepath.Join(ws, ".manifest.json-1"), []byte("{"), 0o666); err != nil {
				return err
			}
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "limit": // files may not grow beyond 64 KiB from here on
			limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
				return err
			}
			return fill(s)
		}
		return nil
	})
	req := pipeline.Request{Source: source, Format: "txt", OutDir: out, Options: job.DefaultOptions(), Build: "1", Workers: 2}
	if _, err := pipeline.Run(context.Background(), b.definition(), req); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("done")
	return 0
}

// fill writes a product until that is no longer possible.
func fill(s *pipeline.Context) error {
	f, err := os.Create(s.Product("join.bin"))
	if err != nil {
		return err
	}
	block := make([]byte, 32<<10)
	for range 1 << 12 {
		if _, err = f.Write(block); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close())
}

func runChild(t *testing.T, req pipeline.Request, fate string) (string, *os.ProcessState) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childSource+"="+req.Source, childOut+"="+req.OutDir, childFate+"="+fate)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState
}

func TestResumeAfterKill(t *testing.T) {
	for stage, want := range map[string][]string{
		"join":    {"join", "publish"},
		"publish": {"publish"},
	} {
		t.Run(stage, func(t *testing.T) {
			req := request(t)
			out, state := runChild(t, req, "kill:"+stage)
			if ws, ok := state.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
				t.Fatalf("child: %v %s", state, out)
			}
			b := &bytesPipeline{}
			result := mustRun(t, b.definition(), req)
			wantStages(t, b, want...)
			if len(result.Outputs) != 2 || result.Analysis["bytes"] == nil {
				t.Errorf("result after resume = %+v", result)
			}
			// The same as of a run that was never disturbed.
			fresh := request(t)
			undisturbed := mustRun(t, (&bytesPipeline{}).definition(), fresh)
			if result.Outputs[0].SHA256 != undisturbed.Outputs[0].SHA256 {
				t.Error("a resumed run makes another output")
			}
		})
	}
}

func TestResumeAfterKillAmidManifest(t *testing.T) {
	req := request(t)
	out, state := runChild(t, req, "manifest:join")
	if ws, ok := state.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("child: %v %s", state, out)
	}
	b := &bytesPipeline{}
	mustRun(t, b.definition(), req)
	wantStages(t, b, "join", "publish")
	if _, err := os.Stat(filepath.Join(req.OutDir, ".slate360-work")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the workspace stays after success: %v", err)
	}
}

// A run that was killed while it moved its outputs finds those that arrived.
func TestResumeAfterKillAmidDelivery(t *testing.T) {
	b := &bytesPipeline{}
	req := request(t)
	out := filepath.Join(req.OutDir, "result.json")
	if err := os.MkdirAll(filepath.Join(out, "in the way"), 0o777); err != nil { // the last step fails
		t.Fatal(err)
	}
	if _, err := pipeline.Run(t.Context(), b.definition(), req); err == nil {
		t.Fatal("Run wrote over a folder")
	}
	b.taken()
	staged := filepath.Join(req.OutDir, ".slate360-work", "outputs", "publish")
	for _, rel := range []string{"ept", "copc"} { // as deliver does, before it is killed
		if err := os.Rename(filepath.Join(staged, rel), filepath.Join(req.OutDir, rel)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	mustRun(t, b.definition(), req)
	wantStages(t, b)
	for _, rel := range []string{"ept/ept.json", "ept/data/0.bin", "copc/fox.txt", "result.json"} {
		if _, err := os.Stat(filepath.Join(req.OutDir, rel)); err != nil {
			t.Error(err)
		}
	}
}

// wholeManifest checks that the manifest of a failed run names the finished stages.
func wholeManifest(t *testing.T, req pipeline.Request) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(req.OutDir, ".slate360-work", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Stages map[string]any }
	if err := json.Unmarshal(data, &m); err != nil || m.Stages["upper"] == nil || m.Stages["reverse"] == nil || m.Stages["join"] != nil {
		t.Fatalf("manifest after a full disk: %v %s", err, data)
	}
}

func TestFileSizeLimit(t *testing.T) {
	req := request(t)
	out, state := runChild(t, req, "limit:join")
	if state.ExitCode() != 1 || !strings.Contains(out, "stage join") || !strings.Contains(out, "make room and run again") {
		t.Fatalf("child: %v %s", state, out)
	}
	wholeManifest(t, req)
	b := &bytesPipeline{}
	mustRun(t, b.definition(), req)
	wantStages(t, b, "join", "publish")
}

func TestDiskFull(t *testing.T) {
	req := request(t)
	if err := os.Mkdir(req.OutDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", req.OutDir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(req.OutDir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b := &bytesPipeline{}
	b.at("join", func(_ context.Context, s *pipeline.Context) error { return fill(s) })
	_, err := pipeline.Run(t.Context(), b.definition(), req)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "is full") {
		t.Fatalf("Run = %v", err)
	}
	wholeManifest(t, req)
	b.taken()

	// As a run leaves it that was killed when the disk had become full.
	block := make([]byte, 1<<20)
	if err := os.WriteFile(filepath.Join(req.OutDir, ".slate360-work", "products", "join.bin"), block, 0o666); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the small file system takes more than it should: %v", err)
	}
	b.hook = nil
	mustRun(t, b.definition(), req)
	wantStages(t, b, "join", "publish")
}
