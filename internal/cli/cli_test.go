//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slate360.ai/worker/internal/cli"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// The variable that makes the test binary the program, with testDefinition for
// LAS; its value says what the second stage does.
const behaviour = "CLI_TEST_BEHAVIOUR"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(behaviour); ok {
		os.Exit(program(how))
	}
	os.Exit(m.Run())
}

func program(how string) int {
	ctx, stop := cli.Interruptible(nil)
	defer stop()
	p := cli.Program{
		Build: cli.ReadBuild("1.0"), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Pipeline: func(f source.Format) (pipeline.Definition, bool) { return testDefinition(how), f == source.LAS },
		Informer: func(f source.Format) (cli.Informer, bool) { return inform, f == source.LAS },
	}
	return p.Run(ctx, os.Args[1:])
}

type fileInfo struct {
	Size  int64
	Stats bool
	CRS   string
}

func (i *fileInfo) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "size  %d\n", i.Size)
	return err
}

func inform(_ context.Context, req cli.InfoRequest) (cli.Info, error) {
	info, err := os.Stat(req.Path)
	if err != nil {
		return nil, err
	}
	return &fileInfo{Size: info.Size(), Stats: req.Stats, CRS: req.Options.CRS.Source}, nil
}

// testDefinition is two stages: copy, and publish, which does what how says
// before its work. A stage that waits writes "waiting" to standard error.
func testDefinition(how string) pipeline.Definition {
	engines := func(run func(ctx context.Context, s *pipeline.Context) error) []pipeline.Engine {
		return []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}}
	}
	return pipeline.Definition{Name: "test", Stages: []pipeline.Stage{
		{Name: "copy", Title: "Copying", Outputs: []string{"copy.bin"}, Engines: engines(func(_ context.Context, s *pipeline.Context) error {
			data, err := os.ReadFile(s.Source())
			if err != nil {
				return err
			}
			if bytes.Contains(data, []byte("broken")) {
				return pipeline.BadInput(fmt.Errorf("%s: broken at offset 4", s.Source()), "send it again")
			}
			return os.WriteFile(s.Product("copy.bin"), data, 0o666)
		})},
		{Name: "publish", Title: "Publishing", Inputs: []string{"copy.bin"}, Engines: engines(func(ctx context.Context, s *pipeline.Context) error {
			switch how {
			case "fail":
				return fmt.Errorf("failed on purpose")
			case "wait", "deaf":
				fmt.Fprintln(os.Stderr, "waiting")
				if how == "wait" {
					<-ctx.Done()
					return ctx.Err()
				}
				select {} // a defect: it does not heed its context
			}
			data, err := os.ReadFile(s.Product("copy.bin"))
			if err != nil {
				return err
			}
			rel := "copc/" + s.Name() + ".copc.laz"
			if err := os.WriteFile(s.OutputPath(rel), data, 0o666); err != nil {
				return err
			}
			s.Publish(job.Output{Type: job.TypeCOPC, Path: rel, Points: 12345})
			return nil
		})},
	}}
}

// command is a run of the program in dir.
func command(t *testing.T, dir, how string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), behaviour+"="+how, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func run(t *testing.T, dir, how string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, dir, how, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// folder returns a folder with sources: a.las, b.las and broken.las.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"a.las": "LASF a", "b.las": "LASF b", "broken.las": "LASF broken", "x.glb": "glTF", "page.laz": "<html>"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestExitCodes(t *testing.T) {
	dir := folder(t)
	for _, test := range []struct {
		how  string
		args string
		code int
		want string
	}{
		{"", "process a.las --out ok", 0, "12,345 points"},
		{"fail", "process a.las --out failed", 1, "stage publish: failed on purpose"},
		{"", "process a.las --out a.las", 1, "create workspace"},
		{"", "process a.las --nonsense", 2, "unknown flag"},
		{"", "process a.las --engine publish", 2, "want STAGE=NAME"},
		{"", "process a.las --engine publish=pdal", 2, `stage publish has no engine "pdal"`},
		{"", "process a.las --set quality=2", 2, "option quality: want a number"},
		{"", "process a.las --options [1]", 2, "not a JSON object"},
		{"", "process a.las --memory much", 2, "--memory: want a size"},
		{"", "process a.las a.las --out twice", 2, "would go to the same folder"},
		{"", "process broken.las --out broken", 3, "broken at offset 4: send it again"},
		{"", "process absent.las", 3, "no such file"},
		{"", "process page.laz", 3, "it is a web page"},
		{"", "process x.glb", 3, "cannot process"},
		{"", "info x.glb", 3, "can say no more"},
		{"", "info a.las", 0, "size  6"},
		{"", "view a.las", 3, "is not a folder"},
		{"", "view . --addr 203.0.113.1:1", 5, "choose another address"},
	} {
		code, out, errs := run(t, dir, test.how, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out+errs, test.want) {
			t.Errorf("%s: exit code %d, want %d with %q\n%s%s", test.args, code, test.code, test.want, out, errs)
		}
	}
}

func TestInfoJSON(t *testing.T) {
	code, out, errs := run(t, folder(t), "", "info", "a.las", "--json", "--stats", "--crs", "EPSG:25832")
	var info fileInfo
	if err := json.Unmarshal([]byte(out), &info); err != nil || code != 0 || info != (fileInfo{6, true, "EPSG:25832"}) {
		t.Errorf("info = %d %v %s%s", code, err, out, errs)
	}
}

// lines decodes standard output of --json; anything else there fails the test.
func lines(t *testing.T, out string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("not a JSON line: %q", line)
		}
		if v["event"] == nil || v["source"] == nil {
			t.Fatalf("a line without event or source: %s", line)
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		t.Fatal("no JSON lines")
	}
	return all
}

func TestJSONLines(t *testing.T) {
	dir := folder(t)
	code, out, errs := run(t, dir, "", "process", "a.las", "--out", "out", "--json", "--set", "unheard=1")
	all := lines(t, out)
	last := all[len(all)-1]
	result, _ := last["result"].(map[string]any)
	if code != 0 || errs != "" || last["event"] != "result" || result["status"] != "completed" || !strings.Contains(out, "option unheard is unknown") {
		t.Errorf("process = %d %s%s", code, out, errs)
	}
	code, out, _ = run(t, dir, "fail", "process", "a.las", "--out", "failed", "--json")
	all = lines(t, out)
	last = all[len(all)-1]
	if code != 1 || last["event"] != "error" || last["exitCode"] != 1.0 || last["resumable"] != true {
		t.Errorf("process = %d %v", code, last)
	}
	code, out, _ = run(t, dir, "", "process", "a.las", "--json", "--dry-run")
	if all = lines(t, out); code != 0 || len(all) != 1 || all[0]["plan"] == nil {
		t.Errorf("dry run = %d %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "a-web")); !os.IsNotExist(err) {
		t.Error("a dry run has made the result folder")
	}
}

// One bad source does not keep the others from being done.
func TestSeveralSources(t *testing.T) {
	dir := folder(t)
	cmd := command(t, dir, "", "process", "a.las", "broken.las", "b.las", "--out", "all", "--options", "@-", "--quiet")
	cmd.Stdin = strings.NewReader(`{"priority": "high", "unheard": 1}`)
	out, _ := cmd.CombinedOutput() // the exit code says how it went
	if code := cmd.ProcessState.ExitCode(); code != cli.ExitBadInput {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if strings.Count(string(out), "unheard is unknown") != 3 {
		t.Errorf("the options of standard input are not those of each source\n%s", out)
	}
	for _, rel := range []string{"a/result.json", "a/copc/a.copc.laz", "b/copc/b.copc.laz"} {
		if _, err := os.Stat(filepath.Join(dir, "all", filepath.FromSlash(rel))); err != nil {
			t.Error(err)
		}
	}
}

// stoppedBy runs the program until its second stage waits, sends the signal and
// returns how it ended.
func stoppedBy(t *testing.T, dir, how string, signal syscall.Signal, args ...string) (*os.ProcessState, string) {
	t.Helper()
	cmd := command(t, dir, how, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buf := make([]byte, 4096)
	for signalled := false; ; {
		n, err := stderr.Read(buf)
		text.Write(buf[:n])
		if !signalled && strings.Contains(text.String(), "waiting\n") {
			signalled = true
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // the state says how it went
	return cmd.ProcessState, text.String()
}

// resumes checks that the next run goes on after the stage that was finished.
func resumes(t *testing.T, dir string, args ...string) {
	t.Helper()
	code, out, errs := run(t, dir, "", append(args, "--json")...)
	if code != 0 || !strings.Contains(out, `"event":"stage_resumed"`) || strings.Count(out, `"event":"stage_started"`) != 1 {
		t.Errorf("the run after it = %d %s%s", code, out, errs)
	}
}

func TestInterruptAndResume(t *testing.T) {
	args := []string{"process", "a.las", "--out", "out"}
	for _, test := range []struct {
		how    string
		signal syscall.Signal
		want   string
	}{
		{"wait", syscall.SIGINT, "1 stage(s) are finished"},
		{"wait", syscall.SIGTERM, "1 stage(s) are finished"},
		{"deaf", syscall.SIGINT, "stopped at once"},
	} {
		t.Run(test.how+" "+test.signal.String(), func(t *testing.T) {
			dir := folder(t)
			state, errs := stoppedBy(t, dir, test.how, test.signal, args...)
			if state.ExitCode() != cli.ExitInterrupted || !strings.Contains(errs, test.want) {
				t.Fatalf("%v\n%s", state, errs)
			}
			resumes(t, dir, args...)
		})
	}
}

func TestKillAndResume(t *testing.T) {
	dir := folder(t)
	args := []string{"process", "a.las", "--out", "out"}
	state, _ := stoppedBy(t, dir, "wait", syscall.SIGKILL, args...)
	if ws, ok := state.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("the program ended otherwise: %v", state)
	}
	code, out, _ := run(t, dir, "", append(args, "--dry-run")...)
	if code != 0 || !strings.Contains(out, "finished before") {
		t.Errorf("plan after a kill = %d %s", code, out)
	}
	resumes(t, dir, args...)
}

func TestFresh(t *testing.T) {
	dir := folder(t)
	args := []string{"process", "a.las", "--out", "out"}
	if code, _, errs := run(t, dir, "fail", args...); code != 1 {
		t.Fatal(errs)
	}
	code, out, errs := run(t, dir, "", append(args, "--json", "--fresh")...)
	if code != 0 || strings.Contains(out, "stage_resumed") {
		t.Errorf("process --fresh = %d %s%s", code, out, errs)
	}
}
