package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// checkStep is a line of self-check --json.
type checkStep struct {
	Step, State, Detail, Problem, Hint string
}

// selfCheck runs the command with the environment of a worker of the platform.
func (p *platform) selfCheck(args ...string) (int, map[string]checkStep) {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	dir := p.t.TempDir()
	cmd := exec.CommandContext(p.t.Context(), path, append([]string{"self-check", "--json"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, p.environment(dir)...)
	cmd.Stderr = p.t.Output()
	out, err := cmd.Output()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.t.Fatal(err)
	}
	steps := map[string]checkStep{}
	for lines := json.NewDecoder(strings.NewReader(string(out))); ; {
		var s checkStep
		if err := lines.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			p.t.Fatalf("%v: %s", err, out)
		}
		steps[s.Step] = s
	}
	return cmd.ProcessState.ExitCode(), steps
}

// nothingLeft holds that a check has removed what it made.
func (p *platform) nothingLeft() {
	p.t.Helper()
	err := p.storage.List(p.t.Context(), "", func(i storage.Info) error {
		p.t.Errorf("object %s is left", i.Key)
		return nil
	})
	if err != nil {
		p.t.Error(err)
	}
	if n, err := p.records.Count(p.t.Context(), record.Filter{}); err != nil || n != 0 {
		p.t.Errorf("%d records are left (%v)", n, err)
	}
	counts, err := p.queue.Counts(p.t.Context())
	for state, n := range counts {
		if n != 0 {
			p.t.Errorf("%d jobs are %s (%v)", n, state, err)
		}
	}
}

// A check goes the way of a job: through queue, storage, records and callbacks of
// a real worker; it says what is wrong where something is, and leaves nothing.
func TestSelfCheck(t *testing.T) {
	p := newPlatform(t)
	code, steps := p.selfCheck("--timeout", "1s")
	if code != 1 || steps["job"].State != "failed" || !strings.Contains(steps["job"].Problem, "no worker took the job") || steps["job"].Hint == "" {
		t.Errorf("without a worker: exit code %d, %+v", code, steps["job"])
	}
	p.nothingLeft()

	p.receiver.setAway(true)
	code, steps = p.selfCheck()
	if code != 5 || steps["callback"].State != "failed" || !strings.Contains(steps["callback"].Problem, "503") {
		t.Errorf("the platform is away: exit code %d, %+v", code, steps["callback"])
	}
	p.receiver.setAway(false)
	p.nothingLeft()

	p.start("w1")
	code, steps = p.selfCheck()
	for _, name := range []string{"queue", "records", "storage", "source", "record", "callback", "job", "outputs", "record done", "clean up"} {
		if steps[name].State != "ok" {
			t.Errorf("%s: %+v", name, steps[name])
		}
	}
	if code != 0 || !strings.Contains(steps["job"].Detail, "by w1") {
		t.Errorf("exit code %d, %+v", code, steps["job"])
	}
	// The bucket is private: a browser cannot read it, which is worth a word.
	if s := steps["address"]; s.State != "warning" || !strings.Contains(s.Detail, "SLATE360_SIGNED_URLS") {
		t.Errorf("address: %+v", s)
	}
	id := steps["record"].Detail
	p.eventually("the platform is told of the end", 30*time.Second, func() bool { return len(p.receiver.ends(id)) == 1 })
	if e := p.receiver.ends(id)[0]; e.Status != callback.StatusCompleted {
		t.Errorf("callback: %+v", e)
	}
	p.nothingLeft()

	code, steps = p.selfCheck("--keep")
	id = steps["record"].Detail
	if j := p.job(id); code != 0 || j.State != queue.StateCompleted {
		t.Errorf("exit code %d, the job is %s", code, j.State)
	}
	p.check(id)
}

// With a worker inside, nothing else has to run, and its callbacks are sent.
func TestSelfCheckWithWorker(t *testing.T) {
	p := newPlatform(t)
	code, steps := p.selfCheck("--with-worker")
	if code != 0 || steps["outputs"].State != "ok" || steps["outbox"].State != "ok" {
		t.Errorf("exit code %d, %+v", code, steps)
	}
	if ends := p.receiver.ends(steps["record"].Detail); len(ends) != 1 {
		t.Errorf("callbacks of the end: %+v", ends)
	}
	p.nothingLeft()
}
