package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/testservices"
)

// terminal is where a person types commands.
type terminal struct {
	t     *testing.T
	dir   string
	env   []string
	redis bool
	web   *httptest.Server

	ctx  context.Context // of the commands: done with the test, or when a worker is lost
	lost context.CancelFunc
	mu   sync.Mutex
	held map[string]chan struct{} // paths whose answer waits, with what ends the wait
	seen chan string              // those of them that were asked for
}

// eachQueue runs a test on the embedded queue and on Redis.
func eachQueue(t *testing.T, test func(t *testing.T, term *terminal)) {
	for _, kind := range []string{"embedded", "redis"} {
		t.Run(kind, func(t *testing.T) {
			term := &terminal{t: t, dir: t.TempDir(), redis: kind == "redis", held: map[string]chan struct{}{}, seen: make(chan string, 10)}
			term.ctx, term.lost = context.WithCancel(context.WithoutCancel(t.Context()))
			t.Cleanup(term.lost)
			term.env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + term.dir, "SLATE360_DATA_DIR=" + filepath.Join(term.dir, "data"), "SLATE360_SOURCE_ALLOW=127.0.0.1",
				"SLATE360_LIMITER_MAX=0", "SLATE360_DISK_RESERVE=64M", "SLATE360_MEMORY=2G", "SLATE360_BACKOFF=1ms",
			}
			if term.redis {
				needScripts(t)
				term.env = append(term.env, "REDIS_URL="+testservices.Redis(t).URL())
			}
			if _, err := sample.Pointcloud(t.Context(), term.dir, sample.Params{Points: 20_000, Seed: 1, Workers: 2}); err != nil {
				t.Fatal(err)
			}
			term.write("broken.las", "LASF and no more")
			term.web = httptest.NewServer(http.HandlerFunc(term.serve))
			t.Cleanup(term.web.Close)
			t.Cleanup(term.release)
			test(t, term)
		})
	}
}

func (term *terminal) write(name, text string) {
	if err := os.WriteFile(filepath.Join(term.dir, name), []byte(text), 0o600); err != nil {
		term.t.Fatal(err)
	}
}

// hold lets requests for a path wait until release.
func (term *terminal) hold(path string) {
	term.mu.Lock()
	defer term.mu.Unlock()
	term.held[path] = make(chan struct{})
}

func (term *terminal) release() {
	term.mu.Lock()
	defer term.mu.Unlock()
	for path, ch := range term.held {
		close(ch)
		delete(term.held, path)
	}
}

// asked waits until the worker has asked for a held path.
func (term *terminal) asked() {
	term.t.Helper()
	select {
	case <-term.seen:
	case <-time.After(30 * time.Second):
		term.t.Fatal("the source was not asked for")
	}
}

func (term *terminal) serve(w http.ResponseWriter, r *http.Request) {
	term.mu.Lock()
	ch, held := term.held[r.URL.Path]
	term.mu.Unlock()
	if held {
		select {
		case term.seen <- r.URL.Path:
		default:
		}
		select {
		case <-ch:
		case <-r.Context().Done():
		}
	}
	http.FileServer(http.Dir(term.dir)).ServeHTTP(w, r)
}

// url is the address of a file that the worker can fetch.
func (term *terminal) url(name string) string { return term.web.URL + "/" + name }

func (term *terminal) command(args ...string) *exec.Cmd {
	term.t.Helper()
	path, err := program()
	if err != nil {
		term.t.Fatal(err)
	}
	cmd := exec.CommandContext(term.ctx, path, args...)
	cmd.Dir, cmd.Env = term.dir, term.env
	return cmd
}

// run types a command and returns how it ended.
func (term *terminal) run(args ...string) (code int, out, errs string) {
	term.t.Helper()
	cmd := term.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		term.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// want types a command that ends with code, and has text in what it prints. It
// returns what went to standard output, without the last line break.
func (term *terminal) want(code int, text string, args ...string) string {
	term.t.Helper()
	got, out, errs := term.run(args...)
	if got != code || !strings.Contains(out+errs, text) {
		term.t.Errorf("%v: exit code %d, want %d with %q\n%s%s", args, got, code, text, out, errs)
	}
	return strings.TrimSuffix(out, "\n")
}

// worker starts one, which runs until stop, or the end of the test.
func (term *terminal) worker(env ...string) (stop func()) {
	term.t.Helper()
	cmd := term.command("run", "--no-server", "--concurrency", "1")
	cmd.Env = append(slices.Clone(cmd.Env), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		term.t.Fatal(err)
	}
	var stopping atomic.Bool
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		if !stopping.Load() {
			term.lost() // nothing is to wait for it
		}
		ended <- err
	}()
	stop = sync.OnceFunc(func() {
		lost := term.ctx.Err() != nil
		stopping.Store(true)
		term.release()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := <-ended
		if lost {
			term.t.Errorf("the worker ended by itself: %v", err)
		}
		if err != nil || term.t.Failed() {
			term.t.Logf("worker: %v\n%s", err, log.String())
		}
	})
	term.t.Cleanup(stop)
	return stop
}

// jobs returns what a command lists as JSON lines.
func (term *terminal) jobs(args ...string) (list []queue.Job) {
	term.t.Helper()
	for line := range strings.Lines(term.want(0, "", append([]string{"jobs", "list", "--json"}, args...)...)) {
		var j queue.Job
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			term.t.Fatalf("%v: %s", err, line)
		}
		list = append(list, j)
	}
	return list
}

func (term *terminal) show(id string) (j queue.Job) {
	term.t.Helper()
	if err := json.Unmarshal([]byte(term.want(0, "", "jobs", "show", id, "--json")), &j); err != nil {
		term.t.Fatal(err)
	}
	return j
}

// events decodes JSON lines of --json.
func events(t *testing.T, out string) (names []string, all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("not a JSON line: %q", line)
		}
		name, _ := v["event"].(string)
		if name == "" || v["jobId"] == "" {
			t.Errorf("a line without event or job: %s", line)
		}
		names, all = append(names, name), append(all, v)
	}
	return names, all
}

// What is typed wrong puts nothing on the queue, and says what is wrong.
func TestSubmitErrors(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		good := term.url("scan.laz")
		for _, test := range []struct {
			args []string
			code int
			want string
		}{
			{nil, 2, "at least 1 arg"},
			{[]string{good, "--priority", "soon"}, 2, "--priority: want low, normal, high or urgent"},
			{[]string{good, good, "--id", "one"}, 2, "--id: it names one job"},
			{[]string{good, "--id", "a/b"}, 2, "--id: want letters, digits"},
			{[]string{good, "--format", "docx"}, 2, `no source format "docx"`},
			{[]string{good, "--options", "[1]"}, 2, "JSON object"},
			{[]string{good, "--options", "{"}, 2, "JSON"},
			{[]string{good, "--options", "@absent.json"}, 2, "absent.json"},
			{[]string{good, "--set", "quality=2"}, 2, "option quality: want a number"},
			{[]string{good, "--outputs", "glb_nonsense"}, 2, "glb_nonsense"},
			{[]string{good, "--nonsense"}, 2, "unknown flag"},
			{[]string{"ftp://example.com/scan.laz"}, 2, "want https://, s3:// or a file"},
			{[]string{"absent.laz"}, map[bool]int{false: 3, true: 2}[term.redis], "absent.laz"},
		} {
			term.want(test.code, test.want, append([]string{"submit"}, test.args...)...)
		}
		if term.redis {
			term.want(2, "a file of this machine, which workers elsewhere do not see", "submit", "scan.laz")
		}
		if list := term.jobs(); len(list) > 0 {
			t.Errorf("there are jobs: %+v", list)
		}
		term.env = append(term.env, "SLATE360_ATTEMPTS=many")
		term.want(5, "SLATE360_ATTEMPTS: want a whole number", "submit", good)
		term.want(5, "SLATE360_ATTEMPTS: want a whole number", "jobs", "list")
		term.env[len(term.env)-1] = fmt.Sprintf("REDIS_URL=redis://127.0.0.1:%d", testservices.FreePort(t))
		term.want(5, "check REDIS_URL", "submit", good)
		term.want(5, "check REDIS_URL", "jobs", "list")
	})
}

// Jobs that wait are listed, shown and canceled.
func TestWaitingJobs(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		source := term.url("scan.laz")
		numbers := map[string]int{"urgent": 1, "high": 5, "normal": 10, "low": 20}
		for priority := range numbers {
			if out := term.want(0, priority, "submit", source, "--id", "job-"+priority, "--priority", priority); out != "job-"+priority {
				t.Errorf("submit printed %q", out)
			}
		}
		var order []string
		for _, j := range term.jobs("--state", "prioritized") {
			order = append(order, j.ID)
			if want := numbers[strings.TrimPrefix(j.ID, "job-")]; j.Priority != want || j.MaxAttempts != 3 || j.State != queue.StatePrioritized {
				t.Errorf("%+v, want priority %d", j, want)
			}
		}
		if want := []string{"job-urgent", "job-high", "job-normal", "job-low"}; !slices.Equal(order, want) {
			t.Errorf("they are listed as %v", order)
		}
		// The same ID again is the same job.
		term.want(0, "job-low", "submit", source, "--id", "job-low", "--priority", "urgent")
		if j := term.show("job-low"); j.Priority != 20 {
			t.Errorf("%+v", j)
		}
		out := term.want(0, `"submitted"`, "submit", source+"?X-Amz-Signature=abc", source, "--delay", "1h", "--attempts", "7", "--json", "--set", "quality=0.5")
		names, all := events(t, out)
		if !slices.Equal(names, []string{"submitted", "submitted"}) || all[1]["source"] != source {
			t.Errorf("submit --json:\n%s", out)
		}
		id, _ := all[0]["jobId"].(string)
		j := term.show(id)
		var payload struct {
			JobID, SourceURL, SourceFormat string
			Options                        map[string]any
		}
		if err := json.Unmarshal(j.Data, &payload); err != nil || j.State != queue.StateDelayed || j.MaxAttempts != 7 ||
			payload.JobID != id || payload.SourceFormat != "auto" || payload.Options["quality"] != 0.5 {
			t.Errorf("%+v, %+v, %v", j, payload, err)
		}
		text := term.want(0, "delayed", "jobs", "show", id)
		if !strings.Contains(text, "0 of 7") || strings.Contains(text, "Signature") {
			t.Errorf("jobs show:\n%s", text)
		}
		term.want(0, "… and 3 more that are prioritized", "jobs", "list", "--limit", "1")
		if out := term.want(0, "job-low", "jobs", "list", "--state", "prioritized", "--offset", "3"); strings.Contains(out, "urgent") || strings.Contains(out, "more") {
			t.Errorf("jobs list --offset:\n%s", out)
		}
		term.want(0, "", "jobs", "list", "--state", "failed,active")
		term.want(2, `no state "lost"`, "jobs", "list", "--state", "lost")
		if out := term.want(0, "", "jobs", "logs", id); out != "" {
			t.Errorf("a log of a job that never ran: %q", out)
		}

		term.want(3, "in another state", "jobs", "retry", "job-low")
		if out := term.want(3, "job absent: there is no such job", "jobs", "cancel", "job-high", "absent", "job-urgent"); out != "job-high canceled\njob-urgent canceled" {
			t.Errorf("jobs cancel: %q", out)
		}
		for _, verb := range []string{"show", "logs", "cancel", "retry", "watch"} {
			term.want(3, "job job-high: there is no such job", "jobs", verb, "job-high")
			if verb != "watch" {
				term.want(2, "arg", "jobs", verb)
			}
		}
		if list := term.jobs(); len(list) != 4 {
			t.Errorf("%d jobs are left", len(list))
		}
	})
}

// Jobs run; who waits for them sees how they go, and the exit code says how they ended.
func TestSubmitAndWait(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		term.worker()
		source := term.url("scan.laz")
		if !term.redis {
			source = "scan.laz"
		}
		code, out, errs := term.run("submit", source, "--id", "good", "--wait", "--json", "--outputs", "thumbnail")
		names, _ := events(t, out)
		if code != 0 || errs != "" || names[0] != "submitted" || names[len(names)-1] != "completed" || !slices.Contains(names, "active") || !slices.Contains(names, "progress") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		j := term.show("good")
		var value struct{ Outputs []struct{ Type, URL string } }
		if err := json.Unmarshal(j.ReturnValue, &value); err != nil || j.State != queue.StateCompleted || len(value.Outputs) == 0 || value.Outputs[0].Type != "thumbnail" {
			t.Errorf("%+v, %v", j, err)
		}
		if text := term.want(0, "completed", "jobs", "show", "good"); !strings.Contains(text, value.Outputs[0].URL) || !strings.Contains(text, "100 %") {
			t.Errorf("jobs show:\n%s", text)
		}
		term.want(0, "thumbnail (native): done", "jobs", "logs", "good")
		// What has ended is not waited for.
		term.want(0, "", "jobs", "watch", "good")
		term.want(3, "in another state", "jobs", "cancel", "good")
		term.want(3, "in another state", "jobs", "retry", "good")

		broken := term.url("broken.las")
		code, out, errs = term.run("submit", broken, "--id", "bad", "--wait")
		if code != 1 || out != "bad\n" || !strings.Contains(errs, "bad failed: ") || !strings.Contains(errs, "1 job(s) failed: bad") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		first := term.show("bad")
		if first.State != queue.StateFailed || first.FailedReason == "" || first.AttemptsStarted != 1 {
			t.Errorf("%+v", first)
		}
		term.want(0, first.FailedReason, "jobs", "show", "bad")
		term.want(1, "1 job(s) failed: bad", "jobs", "watch", "bad", "good")

		// A source that was mended meanwhile: the job is retried and completes.
		data, err := os.ReadFile(filepath.Join(term.dir, "scan.laz"))
		if err != nil {
			t.Fatal(err)
		}
		term.write("broken.las", string(data))
		term.hold("/broken.las")
		term.want(0, "bad waiting again", "jobs", "retry", "bad")
		term.asked()
		if list := term.jobs("--state", "active"); len(list) != 1 || list[0].ID != "bad" {
			t.Errorf("active: %+v", list)
		}
		term.release()
		term.want(0, "", "jobs", "watch", "bad")
		if j := term.show("bad"); j.State != queue.StateCompleted || j.FailedReason != "" {
			t.Errorf("%+v", j)
		}
	})
}

// Running jobs are canceled; who waits can go without ending them.
func TestCancelAndInterrupt(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		term.worker()
		term.hold("/scan.laz")
		watch := term.watching("jobs", "watch", "--json")
		term.hears(watch)
		waiting := term.watching("submit", term.url("scan.laz"), "--id", "endless", "--wait", "--json")
		term.asked()
		watch.until("active", "endless")
		waiting.until("active", "endless")
		term.want(0, "endless canceled", "jobs", "cancel", "endless")
		waiting.until("failed", "endless")
		if code := waiting.wait(); code != 1 {
			t.Errorf("submit --wait of a job that was canceled: exit code %d", code)
		}
		watch.until("failed", "endless")
		if j := term.show("endless"); j.State != queue.StateFailed || !strings.Contains(j.FailedReason, "canceled") {
			t.Errorf("%+v", j)
		}

		waiting = term.watching("submit", term.url("scan.laz"), "--id", "patient", "--wait", "--json")
		term.asked()
		waiting.until("active", "patient")
		waiting.interrupt()
		if code := waiting.wait(); code != 4 {
			t.Errorf("submit --wait that was interrupted: exit code %d", code)
		}
		if j := term.show("patient"); j.State != queue.StateActive {
			t.Errorf("%+v", j)
		}
		term.release()
		term.want(0, "", "jobs", "watch", "patient")
		watch.until("completed", "patient")
		watch.interrupt()
		if code := watch.wait(); code != 4 {
			t.Errorf("jobs watch that was interrupted: exit code %d", code)
		}
	})
}

// watching is a command that goes on, with the events that it prints.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	errs   bytes.Buffer
	events chan jobEvent // closed at the end of its output
}

type jobEvent struct{ Event, JobID string }

func (term *terminal) watching(args ...string) *watching {
	term.t.Helper()
	w := &watching{t: term.t, cmd: term.command(args...), events: make(chan jobEvent, 1000)}
	w.cmd.Stderr = &w.errs
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		term.t.Fatal(err)
	}
	go func() {
		defer close(w.events)
		for dec := json.NewDecoder(out); ; {
			var e jobEvent
			if dec.Decode(&e) != nil {
				return
			}
			w.events <- e
		}
	}()
	term.t.Cleanup(func() {
		_ = w.cmd.Process.Kill() // it has ended, if all went well
		w.wait()
	})
	return w
}

// hears waits until a command that watches all jobs misses none any more.
func (term *terminal) hears(w *watching) {
	term.t.Helper()
	for range 100 {
		term.want(0, "", "submit", term.url("scan.laz"), "--delay", "1h")
		select {
		case <-w.events:
			return
		case <-time.After(100 * time.Millisecond): // it has just begun
		}
	}
	term.t.Fatal("the command hears nothing")
}

// until reads events until one of a job comes.
func (w *watching) until(event, id string) {
	w.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				w.t.Fatalf("no event %s of %s\n%s", event, id, w.errs.String())
			}
			if e.Event == event && e.JobID == id {
				return
			}
		case <-late:
			w.t.Fatalf("no event %s of %s in time", event, id)
		}
	}
}

func (w *watching) interrupt() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
}

// wait reads to the end and returns the exit code.
func (w *watching) wait() int {
	w.t.Helper()
	late := time.AfterFunc(30*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer late.Stop()
	for range w.events {
		continue // until it is closed
	}
	_ = w.cmd.Wait() // the state says how it went
	return w.cmd.ProcessState.ExitCode()
}
