package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/pipeline/pointcloud"
	"slate360.ai/worker/internal/queue"
	queuefile "slate360.ai/worker/internal/queue/embedded"
	recordfile "slate360.ai/worker/internal/record/embedded"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/server/api"
	"slate360.ai/worker/internal/server/audit"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/share"
	"slate360.ai/worker/internal/server/upload"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/storage/disk"
	"slate360.ai/worker/internal/worker"
)

// patience is what a condition gets until the test fails.
const patience = 30 * time.Second

// rig is a server over embedded parts, with a worker where one is started.
type rig struct {
	t       testing.TB
	dir     string
	queue   *queuefile.Queue
	records *recordfile.Store
	storage *disk.Store
	uploads *upload.Store
	jobs    *jobs.Service
	server  *api.Server
	http    *httptest.Server
	url     string
	// block holds up the pipeline of text files ("xyz") until it is closed; nil does not.
	block  chan struct{}
	tracer trace.Tracer
}

// settings of a rig.
type settings struct {
	auth    auth.Options
	uploads func(o *upload.Options)
	api     func(o *api.Options)
}

func newRig(t testing.TB, set settings) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	path := filepath.Join(r.dir, "slate360.db")
	r.queue, err = queuefile.Open(t.Context(), path, queuefile.Options{})
	must(err)
	t.Cleanup(func() { r.queue.Close() })
	r.records, err = recordfile.Open(t.Context(), path)
	must(err)
	t.Cleanup(func() { r.records.Close() })
	r.storage, err = disk.Open(disk.Options{Dir: filepath.Join(r.dir, "outputs")})
	must(err)
	t.Cleanup(func() { r.storage.Close() })
	uo := upload.Options{
		Dir: filepath.Join(r.dir, "uploads"), MaxBytes: 1 << 30, MaxFiles: 1000, MaxPending: 1000, TTL: time.Hour, Storage: r.storage, Local: true,
	}
	if set.uploads != nil {
		set.uploads(&uo)
	}
	r.uploads, err = upload.Open(uo)
	must(err)
	log, err := audit.Open(filepath.Join(r.dir, "audit.log"), discard())
	must(err)
	t.Cleanup(func() { log.Close() })
	r.jobs = jobs.New(jobs.Options{Queue: r.queue, Records: r.records, Storage: r.storage, Kind: kindOf, Stages: stagesOf})
	if set.auth.Secret == "" && set.auth.Tokens == nil {
		set.auth.Open = true
	}
	o := api.Options{
		Build: "test", Jobs: r.jobs, Queue: r.queue, Records: r.records, Storage: r.storage, Uploads: r.uploads, Auth: auth.New(set.auth),
		Share: share.NewSigner([]byte("key")), Audit: log, Ops: http.NotFoundHandler(), Loopback: true,
		Submit: api.Submitter{
			Name: worker.QueueJobName, Attempts: 1, CheckID: worker.CheckJobID, Key: []byte("key"),
			CheckFormat: func(f string) error { _, err := source.ParseFormat(f); return err },
			Formats: func(kind string) []string {
				return map[string][]string{"": nil, "pointcloud": {"las", "laz"}}[kind]
			},
		},
		Worker: func() []api.WorkerInfo { return []api.WorkerInfo{{Name: "test", Local: true}} },
		System: func(context.Context) api.System {
			return api.System{GPUs: []api.GPU{}, Disk: []api.Disk{}, Engines: []api.Engine{}, Services: []api.Backend{}}
		},
	}
	if set.api != nil {
		set.api(&o)
	}
	r.server, err = api.New(o)
	must(err)
	r.http = httptest.NewServer(r.server)
	r.url = r.http.URL
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.jobs.Run(ctx) })
	t.Cleanup(func() {
		r.server.Close()
		r.http.CloseClientConnections()
		r.http.Close()
		cancel()
		wg.Wait()
	})
	return r
}

func kindOf(format string) string {
	switch format {
	case "las", "laz":
		return "pointcloud"
	case "xyz":
		return "copying"
	}
	return ""
}

func stagesOf(format string) []job.Stage {
	if kindOf(format) != "pointcloud" {
		return nil
	}
	var stages []job.Stage
	for _, s := range pointcloud.Definition().Stages {
		stages = append(stages, job.Stage{Name: s.Name, Title: s.Title, State: job.StagePending})
	}
	return stages
}

// work starts a worker; the pipeline of laser scans is the real one, that of text
// files copies its source.
func (r *rig) work() {
	r.t.Helper()
	w, err := worker.New(worker.Options{
		Queue: r.queue, Records: r.records, Storage: r.storage, WorkDir: filepath.Join(r.dir, "work"), CreateRecords: true,
		Pipeline: func(f source.Format) (pipeline.Definition, bool) {
			switch f {
			case source.LAS, source.LAZ:
				return pointcloud.Definition(), true
			case source.XYZ:
				return r.copying(), true
			}
			return pipeline.Definition{}, false
		},
		Fetch: source.FetchOptions{AllowFiles: true}, Memory: 2 << 30, Workers: 2, DrainTimeout: time.Millisecond,
		Run: queue.RunOptions{Name: "test"}, Observe: r.jobs.Observe, Line: r.jobs.Line, Tracer: r.tracer,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
}

// copying is a pipeline of one stage that copies its source.
func (r *rig) copying() pipeline.Definition {
	run := func(ctx context.Context, s *pipeline.Context) error {
		if r.block != nil {
			select {
			case <-r.block:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		data, err := os.ReadFile(s.Source())
		if err != nil {
			return err
		}
		s.Publish(job.Output{Type: job.TypePointCloud, Path: "copy.xyz"})
		return os.WriteFile(s.OutputPath("copy.xyz"), data, 0o600)
	}
	return pipeline.Definition{Name: "copying", Stages: []pipeline.Stage{{
		Name: "copy", Title: "Copying", Engines: []pipeline.Engine{{Name: pipeline.EngineNative, Run: run}},
	}}}
}

// answer is one answer of the server.
type answer struct {
	*http.Response
	body []byte
}

// do sends a request. body is nil, a reader, or a value that becomes JSON.
func (r *rig) do(method, path string, body any, headers ...string) answer {
	r.t.Helper()
	var in io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		in = b
	default:
		data, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in, contentType = bytes.NewReader(data), "application/json"
	}
	if !strings.HasPrefix(path, "http") {
		path = r.url + path
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.http.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp, data}
}

// want fails the test where the status is another, and reads the answer into v.
func (r *rig) want(a answer, status int, v any) {
	r.t.Helper()
	if a.StatusCode != status {
		r.t.Fatalf("%s %s answered %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		r.t.Fatalf("%s: %v", a.body, err)
	}
}

// refuse fails the test where the answer is no problem of a status.
func (r *rig) refuse(a answer, status int) (p struct {
	Status                    int
	Type, Detail, Field, Hint string
},
) {
	r.t.Helper()
	r.want(a, status, &p)
	if a.Header.Get("Content-Type") != "application/problem+json" || p.Status != status || p.Type == "" {
		r.t.Errorf("%s is no problem: %s", a.body, a.Header.Get("Content-Type"))
	}
	return p
}

// formOf makes a form: fields name, value, … then files name, content, …
func formOf(t testing.TB, fields []string, files ...string) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(files); i += 2 {
		part, err := w.CreateFormFile("file", files[i])
		if err == nil {
			_, err = io.WriteString(part, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, w.FormDataContentType()
}

// submitted is what is read of the answer to a submission.
type submitted struct {
	JobID string   `json:"jobId"`
	Job   jobs.Job `json:"job"`
}

// submitText submits a text file as a form.
func (r *rig) submitText(content string, headers ...string) submitted {
	r.t.Helper()
	form, contentType := formOf(r.t, []string{"sourceFormat", "xyz"}, "points.xyz", content)
	var s submitted
	r.want(r.do(http.MethodPost, "/api/models/process", form, append([]string{"Content-Type", contentType}, headers...)...), http.StatusAccepted, &s)
	return s
}

func (r *rig) job(id string, headers ...string) jobs.Job {
	r.t.Helper()
	var j jobs.Job
	r.want(r.do(http.MethodGet, "/api/models/jobs/"+id, nil, headers...), http.StatusOK, &j)
	return j
}

// until follows a job by its events until it is in a status.
func (r *rig) until(id string, s job.Status, headers ...string) jobs.Job {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	defer r.jobs.Join(ctx)()
	events := r.jobs.Follow(id, "", "", func(string) bool { return true })
	for {
		j := r.job(id, headers...)
		if j.Status == s {
			return j
		}
		if jobs.Final(j.Status) {
			r.t.Fatalf("job %s is %s: %+v", id, j.Status, j.Error)
		}
		if _, err := events.Next(ctx, time.Second); err != nil {
			r.t.Fatalf("job %s is %s, not %s: %v", id, j.Status, s, err)
		}
	}
}

// eventually is for what no event tells.
func (r *rig) eventually(what string, condition func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			r.t.Fatalf("it did not come about: %s", what)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// event is one event as a client reads it.
type event struct{ id, name, data string }

// follow reads events until f returns false, or patience is over.
func (r *rig) follow(path, lastID string, f func(e event) bool, headers ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.http.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		r.t.Fatalf("%s answered %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 8<<20)
	var e event
	for lines.Scan() {
		line := lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && e.name != "":
			if !f(e) {
				return
			}
			e = event{}
		case name == "id":
			e.id = value
		case name == "event":
			e.name = value
		case name == "data":
			e.data = value
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatalf("events of %s ended: %v", path, err)
	}
}

// cloud is a small laser scan, made once.
var cloud = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "slate360-api-test")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := sample.Pointcloud(context.Background(), dir, sample.Params{Points: 20_000, Seed: 1, Workers: 2}); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "scan.laz"))
})

func scan(t testing.TB) []byte {
	t.Helper()
	data, err := cloud()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func digest(data []byte) [32]byte { return sha256.Sum256(data) }
