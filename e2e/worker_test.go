// Package e2e runs the built program with real services around it: Redis, an S3
// server, PostgreSQL behind a front that speaks PostgREST, the npm package bullmq
// as the platform, and a receiver of callbacks that verifies signatures.
package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/record/schema"
	"slate360.ai/worker/internal/record/supabase"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/storage/s3"
	"slate360.ai/worker/internal/testservices"
)

const secret = "key of the tests"

// program is the built program, made once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "slate360-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "slate360-worker")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/slate360-worker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// platform is all that the worker talks to.
type platform struct {
	t        *testing.T
	redis    *testservices.RedisServer
	s3       *testservices.S3Server
	rest     *testservices.PostgREST
	receiver *receiver
	records  record.Store
	storage  *s3.Store
	queue    *bullmq.Queue
	source   string // s3:// address of a small scan
}

// receiver takes callbacks, as the platform does.
type receiver struct {
	t      testing.TB
	server *httptest.Server

	mu     sync.Mutex
	away   bool
	events map[string][]callback.Event // by job; each event ID once
	seen   map[string]bool
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !callback.Verify(body, secret, req.Header.Get(callback.HeaderSignature)) || req.URL.Path != "/api/models/jobs/callback" {
		r.t.Errorf("callback to %s with a wrong signature", req.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var e callback.Event
	if err := json.Unmarshal(body, &e); err != nil {
		r.t.Error(err)
		return
	}
	if !r.seen[e.EventID] {
		r.seen[e.EventID] = true
		r.events[e.JobID] = append(r.events[e.JobID], e)
	}
}

func (r *receiver) setAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// ends returns the ends that were told of a job.
func (r *receiver) ends(id string) []callback.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ends []callback.Event
	for _, e := range r.events[id] {
		if e.Status != callback.StatusProgress {
			ends = append(ends, e)
		}
	}
	return ends
}

// needScripts skips the test, or fails it, where the program was built without
// BullMQ's scripts.
func needScripts(t *testing.T) {
	t.Helper()
	if bullmq.HasScripts() {
		return
	}
	if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
		t.Fatal(bullmq.ErrNoScripts)
	}
	t.Skip(bullmq.ErrNoScripts)
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	needScripts(t)
	p := &platform{t: t, redis: testservices.Redis(t), s3: testservices.S3(t)}
	p.receiver = &receiver{t: t, events: map[string][]callback.Event{}, seen: map[string]bool{}}
	p.receiver.server = httptest.NewServer(p.receiver)
	t.Cleanup(p.receiver.server.Close)
	database := testservices.Postgres(t).URL()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), schema.SQL()); err != nil {
		t.Fatal(err)
	}
	p.rest = testservices.NewPostgREST(t, database)
	if p.records, err = supabase.Open(p.rest.URL, p.rest.Key); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", p.s3.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", p.s3.SecretKey)
	if p.storage, err = s3.Open(t.Context(), s3.Options{Bucket: p.s3.Bucket, Region: "us-east-1", Endpoint: p.s3.Endpoint, PathStyle: true}); err != nil {
		t.Fatal(err)
	}
	rc, err := bullmq.DialRedis(t.Context(), p.redis.URL(), bullmq.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.queue, err = bullmq.New(rc, bullmq.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.queue.Close() })
	return p
}

// upload puts a sample scan into the bucket.
func (p *platform) upload(points int) {
	p.t.Helper()
	dir := p.t.TempDir()
	if _, err := sample.Pointcloud(p.t.Context(), dir, sample.Params{Points: points, Seed: 1, Workers: 2}); err != nil {
		p.t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "scan.laz"))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.storage.Put(p.t.Context(), "uploads/scan.laz", bytes.NewReader(data), int64(len(data)), attributes()); err != nil {
		p.t.Fatal(err)
	}
	p.source = "s3://" + p.s3.Bucket + "/uploads/scan.laz"
}

// process is a running program.
type process struct {
	p    *platform
	name string
	dir  string
	env  []string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// environment is what a worker with this data folder is configured by.
func (p *platform) environment(dir string) []string {
	return append([]string{
		"REDIS_URL=" + p.redis.URL(), "SUPABASE_URL=" + p.rest.URL, "SUPABASE_SERVICE_ROLE_KEY=" + p.rest.Key,
		"SLATE360_API_URL=" + p.receiver.server.URL, "GPU_WORKER_SECRET_KEY=" + secret, "SLATE360_DATA_DIR=" + dir,
		"SLATE360_LIMITER_MAX=0", "SLATE360_LOG_LEVEL=info", "SLATE360_LOG_FORMAT=json", "SLATE360_DISK_RESERVE=64M",
		"SLATE360_MEMORY=2G", "SLATE360_KEEP_COMPLETED=0", "SLATE360_KEEP_FAILED=0", "SLATE360_SOURCE_ALLOW=127.0.0.1",
	}, p.s3.Environment()...)
}

// start starts a worker with a data folder of its own.
func (p *platform) start(name string, env ...string) *process {
	p.t.Helper()
	w := &process{p: p, name: name, dir: p.t.TempDir()}
	w.env = append(p.environment(w.dir), env...)
	w.run()
	p.t.Cleanup(func() {
		w.kill()
		if p.t.Failed() {
			p.t.Logf("%s: %s", w.name, w.log())
		}
	})
	return w
}

func (w *process) run() {
	w.p.t.Helper()
	path, err := program()
	if err != nil {
		w.p.t.Fatal(err)
	}
	w.runProgram(path, "run", "--no-server", "--name", w.name)
}

// runProgram runs the program with other arguments.
func (w *process) runProgram(path string, args ...string) {
	w.p.t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = w.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}, w.env...)
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.p.t.Fatal(err)
	}
	defer log.Close() // the process has its own
	cmd.Stderr, cmd.Stdout = log, log
	if err := cmd.Start(); err != nil {
		w.p.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cmd = cmd
}

func (w *process) signal(s os.Signal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cmd != nil {
		_ = w.cmd.Process.Signal(s) // it may have ended
	}
}

// kill ends the process with SIGKILL.
func (w *process) kill() {
	w.signal(syscall.SIGKILL)
	w.wait()
}

func (w *process) wait() {
	w.mu.Lock()
	cmd := w.cmd
	w.cmd = nil
	w.mu.Unlock()
	if cmd != nil {
		_ = cmd.Wait() // how it ended is what the test is about
	}
}

// exitCode waits for its end.
func (w *process) exitCode() int {
	w.mu.Lock()
	cmd := w.cmd
	w.cmd = nil
	w.mu.Unlock()
	if cmd == nil {
		return -1
	}
	_ = cmd.Wait() // the code says it
	return cmd.ProcessState.ExitCode()
}

// stop drains it.
func (w *process) stop() {
	w.signal(syscall.SIGTERM)
	w.wait()
}

func (w *process) log() string {
	data, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil {
		return err.Error()
	}
	const tail = 20000
	return string(data[max(0, len(data)-tail):])
}

// workspaces returns what lies in the folder of workspaces.
func (w *process) workspaces() []string {
	entries, err := os.ReadDir(filepath.Join(w.dir, "work"))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (p *platform) eventually(what string, patience time.Duration, condition func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			p.t.Fatalf("it did not come about: %s", what)
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

func jobID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// check holds everything that a completed job must have left.
func (p *platform) check(id string) {
	t := p.t
	t.Helper()
	j, err := p.queue.Get(t.Context(), id)
	if err != nil || j.State != queue.StateCompleted {
		t.Errorf("job %s: %s %s (%v)", id, j.State, j.FailedReason, err)
		return
	}
	var value struct {
		JobID   string `json:"jobId"`
		Outputs []struct {
			Type, Path, URL string
			Size            int64
		} `json:"outputs"`
	}
	if err := json.Unmarshal(j.ReturnValue, &value); err != nil || value.JobID != id || len(value.Outputs) == 0 {
		t.Errorf("job %s returned %s (%v)", id, j.ReturnValue, err)
	}
	r, err := p.records.Get(t.Context(), id)
	if err != nil || r.Status != "completed" || r.Progress != 100 || r.CompletedAt.IsZero() || r.ErrorMessage != "" {
		t.Errorf("record %s: %+v (%v)", id, r, err)
	}
	var outputs []record.Output
	if err := json.Unmarshal(r.Outputs, &outputs); err != nil || len(outputs) != len(value.Outputs) {
		t.Errorf("record %s: outputs %s (%v)", id, r.Outputs, err)
	}
	for i, o := range value.Outputs {
		if i < len(outputs) && outputs[i].URL != o.URL {
			t.Errorf("job %s: output %s is at %s and at %s", id, o.Type, o.URL, outputs[i].URL)
		}
	}
	p.checkObjects(id)
	ends := p.receiver.ends(id)
	if len(ends) != 1 || ends[0].Status != callback.StatusCompleted || len(ends[0].Outputs) != len(value.Outputs) {
		t.Errorf("job %s: callbacks of its end: %+v", id, ends)
	}
}

// checkObjects reads result.json from storage and compares each output with it.
func (p *platform) checkObjects(id string) {
	t := p.t
	t.Helper()
	body, _, err := p.storage.Open(t.Context(), "processed/"+id+"/result.json")
	if err != nil {
		t.Errorf("job %s: %v", id, err)
		return
	}
	defer body.Close()
	var result struct {
		Status  string `json:"status"`
		Outputs []struct {
			Path, SHA256 string
			Size, Files  int64
		} `json:"outputs"`
	}
	if err := json.NewDecoder(body).Decode(&result); err != nil || result.Status != "completed" || len(result.Outputs) == 0 {
		t.Errorf("job %s: result.json %+v (%v)", id, result, err)
	}
	for _, o := range result.Outputs {
		got, err := digest(t, p.storage, "processed/"+id+"/"+o.Path)
		if err != nil || got != o.SHA256 {
			t.Errorf("job %s: object %s has digest %s, want %s (%v)", id, o.Path, got, o.SHA256, err)
		}
	}
}

// TestPlatform: the platform adds jobs with the npm package and watches them;
// queue, record, objects and callback agree in the end.
func TestPlatform(t *testing.T) {
	p := newPlatform(t)
	p.upload(20_000)
	if err := p.records.Create(t.Context(), record.Record{ID: jobID(1), SourceURL: p.source, Status: "queued"}); err != nil {
		t.Fatal(err)
	}
	if err := p.records.Create(t.Context(), record.Record{ID: jobID(2), SourceURL: p.source, Status: "queued"}); err != nil {
		t.Fatal(err)
	}
	w := p.start("w1")
	out := testservices.Script(t, "testdata/platform.cjs", "REDIS_URL="+p.redis.URL(), "SOURCE="+p.source, "GOOD="+jobID(1), "BAD="+jobID(2))
	var got struct {
		Good   json.RawMessage `json:"good"`
		Bad    string          `json:"bad"`
		States []string        `json:"states"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, w.log())
	}
	if got.Bad == "" {
		t.Error("a job with a wrong option did not fail")
	}
	p.eventually("the callbacks are there", 10*time.Second, func() bool { return len(p.receiver.ends(jobID(1))) == 1 && len(p.receiver.ends(jobID(2))) == 1 })
	p.check(jobID(1))
	bad, err := p.records.Get(t.Context(), jobID(2))
	var details record.ErrorDetails
	if err != nil || bad.Status != "failed" || bad.ErrorMessage != got.Bad || json.Unmarshal(bad.ErrorDetails, &details) != nil || !details.Permanent || details.Hint == "" {
		t.Errorf("record of the failed job: %+v (%v)", bad, err)
	}
	if e := p.receiver.ends(jobID(2)); e[0].Status != callback.StatusFailed || e[0].Error != got.Bad {
		t.Errorf("callback of the failed job: %+v", e)
	}
	w.stop()
	if left := w.workspaces(); len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
}
