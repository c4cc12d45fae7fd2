package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/server/api"
	"slate360.ai/worker/internal/server/audit"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/ops"
	"slate360.ai/worker/internal/server/share"
	"slate360.ai/worker/internal/server/upload"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/worker"
)

// httpServer is what `run` serves over HTTP.
type httpServer struct {
	p       *Program
	c       config.Config
	s       *services
	name    string // of the worker
	metrics *worker.Metrics
	beside  *operations
	tracer  trace.Tracer
	log     *slog.Logger

	jobs *jobs.Service
}

// observe lets the worker tell the server how its jobs stand.
func (h *httpServer) observe(o *worker.Options) {
	h.jobs = jobs.New(jobs.Options{
		Queue: h.s.queue, Records: h.s.records, Storage: h.s.storage, Kind: h.kind, Stages: h.stages,
		Mirror: h.c.EmbeddedRecords() && !h.c.EmbeddedQueue(), Price: h.priceOfJob, Logger: h.log,
	})
	o.Observe, o.Line = h.jobs.Observe, h.jobs.Line
}

// priceOfJob is what an hour of a job costs: the machine's, shared by the jobs that run
// at once.
func (h *httpServer) priceOfJob() float64 { return h.beside.priceHour() / float64(h.c.Concurrency) }

// kind names the pipeline of a source format.
func (h *httpServer) kind(format string) string {
	f, err := source.ParseFormat(format)
	if err != nil {
		return ""
	}
	def, ok := h.p.Pipeline(f)
	if !ok {
		return ""
	}
	return def.Name
}

// formats are the source formats of a pipeline.
func (h *httpServer) formats(kind string) []string {
	if kind == "" {
		return nil
	}
	formats := []string{}
	for _, f := range source.Formats() {
		if h.kind(string(f)) == kind {
			formats = append(formats, string(f))
		}
	}
	if len(formats) == 0 {
		formats = append(formats, "none") // a pipeline that this build has not got
	}
	return formats
}

// stages are those of the pipeline of a source format.
func (h *httpServer) stages(format string) []job.Stage {
	f, err := source.ParseFormat(format)
	if err != nil {
		return nil
	}
	def, ok := h.p.Pipeline(f)
	if !ok {
		return nil
	}
	var stages []job.Stage
	for _, s := range def.Stages {
		title := s.Title
		if title == "" {
			title = s.Name
		}
		stages = append(stages, job.Stage{Name: s.Name, Title: title, State: job.StagePending})
	}
	return stages
}

// serve serves until the returned function is called.
func (h *httpServer) serve(ctx context.Context, w *worker.Worker) (stop func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.c.Addr)
	if err != nil {
		return nil, &pipeline.ConfigError{Err: fmt.Errorf("listen: %w", err), Hint: "choose another SLATE360_ADDR, or --no-server"}
	}
	server, uploads, log, err := h.open(w, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	fmt.Fprintf(h.p.Stderr, "%s: http://%s/\n", Name, listener.Addr())
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { h.jobs.Run(background) })
	wg.Go(func() { uploads.Run(background, h.needed) })
	srv := &http.Server{
		Handler: server, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	return func() error {
		server.Close()
		last, end := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer end()
		if srv.Shutdown(last) != nil {
			_ = srv.Close() // what goes on can be taken up again
		}
		cancel()
		wg.Wait()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			h.log.Warn("server", "error", err)
		}
		return log.Close()
	}, nil
}

// open opens the parts of the server.
func (h *httpServer) open(w *worker.Worker, listener net.Listener) (*api.Server, *upload.Store, *audit.Log, error) {
	key, err := serverKey(h.c)
	if err != nil {
		return nil, nil, nil, err
	}
	uploads, err := upload.Open(upload.Options{
		Dir: h.c.UploadDir(), MaxBytes: h.c.MaxUpload, MaxFiles: h.c.SourceMaxFiles, MaxPending: h.c.MaxUploads, TTL: h.c.UploadTTL,
		Reserve: h.c.DiskReserve, Storage: h.s.storage, Local: h.c.EmbeddedQueue(), Logger: h.log,
	})
	if err != nil {
		return nil, nil, nil, unreachable("uploads", "set SLATE360_DATA_DIR to a folder that can be written", err)
	}
	log, err := audit.Open(h.c.AuditFile(), h.log)
	if err != nil {
		return nil, nil, nil, unreachable("audit log", "set SLATE360_DATA_DIR to a folder that can be written", err)
	}
	tcp, _ := listener.Addr().(*net.TCPAddr)
	loopback := tcp != nil && tcp.IP.IsLoopback()
	authenticator := auth.New(auth.Options{Secret: h.c.WorkerSecret, Tokens: h.tokens(), Open: loopback})
	if !authenticator.Configured() {
		h.log.Warn("the API is closed: the server is reached from other machines and has no key; set GPU_WORKER_SECRET_KEY or SLATE360_TOKENS")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(h.metrics.Collectors()...)
	registry.MustRegister(h.beside.collectors()...)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &machineCollector{h: h})
	server, err := api.New(api.Options{
		Build: h.p.Build.identity(), Jobs: h.jobs, Queue: h.s.queue, Records: h.s.records, Storage: h.s.storage, Uploads: uploads,
		Auth: authenticator, Share: share.NewSigner(auth.Key(key, "share")), Audit: log, Origins: h.c.Origins,
		RatePerSecond: h.c.RateLimit, RateBurst: int(5 * h.c.RateLimit), Loopback: loopback, ConnectTo: h.connectTo(),
		Ops: ops.New(ops.Options{
			Build: h.p.Build.identity(), Taking: w.Ready, Metrics: registry,
			Checks: []ops.Check{{Name: "queue", Ping: h.s.queue.Ping}, {Name: "records", Ping: h.s.records.Ping}},
		}),
		Submit: api.Submitter{
			Name: worker.QueueJobName, Attempts: h.c.Attempts, Backoff: h.c.Backoff, CheckID: worker.CheckJobID,
			CheckFormat: func(f string) error { _, err := source.ParseFormat(f); return err },
			Formats:     h.formats, Key: auth.Key(key, "idempotency"),
		},
		Worker: func() []api.WorkerInfo {
			return []api.WorkerInfo{{Name: h.name, Local: true, Concurrency: h.c.Concurrency, Active: w.Running(), Taking: w.Ready(), Jobs: []string{}}}
		},
		System: h.system(), Features: h.features(), Tracer: h.tracer, Logger: h.log,
	})
	if err != nil {
		return nil, nil, nil, errors.Join(err, log.Close())
	}
	registry.MustRegister(server.Collectors()...)
	return server, uploads, log, nil
}

func (h *httpServer) tokens() []auth.Token {
	var tokens []auth.Token
	for _, t := range h.c.Tokens {
		tokens = append(tokens, auth.Token{
			Name: t.Name, SHA256: t.SHA256, Organisation: t.Organisation, Role: auth.Role(t.Role),
			Quota: auth.Quota{JobsPerDay: t.JobsPerDay, BytesPerDay: t.BytesPerDay, ConcurrentJobs: t.ConcurrentJobs},
		})
	}
	return tokens
}

// connectTo is the origin of the storage, from which pages may fetch.
func (h *httpServer) connectTo() []string {
	var origins []string
	for _, raw := range []string{h.c.PublicURL, h.c.S3Endpoint} {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			origins = append(origins, u.Scheme+"://"+u.Host)
		}
	}
	slices.Sort(origins)
	return slices.Compact(origins)
}

func (h *httpServer) features() map[string]bool {
	return map[string]bool{
		"uploads": h.c.EmbeddedQueue() || !h.c.LocalStorage(), "presign": !h.c.LocalStorage(), "share": true, "embedded": h.c.EmbeddedQueue(),
	}
}

// needed tells whether a job still needs what was uploaded for it.
func (h *httpServer) needed(ctx context.Context, id string) (upload.Need, error) {
	j, err := h.jobs.Summary(ctx, id)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return upload.Unknown, nil
	case err != nil:
		return upload.Needed, err
	case j.Status == job.StatusCompleted:
		return upload.Unneeded, nil
	case jobs.Final(j.Status):
		return upload.Perhaps, nil
	}
	return upload.Needed, nil
}

// serverKeyLen is the length of the key in bytes.
const serverKeyLen = 32

// serverKey is what signs links and the like: the platform's key, so that servers
// which share it take each other's, or one that is made and kept.
func serverKey(c config.Config) ([]byte, error) {
	if c.WorkerSecret != "" {
		return []byte(c.WorkerSecret), nil
	}
	path := c.ServerKey()
	key, err := os.ReadFile(path)
	if err == nil && len(key) == serverKeyLen {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, unreachable("key of the server", "set SLATE360_DATA_DIR to a folder that can be read", err)
	}
	key = make([]byte, serverKeyLen)
	_, _ = rand.Read(key) // never fails: crypto/rand
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
		err = os.WriteFile(path, key, 0o600)
		if err == nil {
			return key, nil
		}
	}
	return nil, unreachable("key of the server", "set SLATE360_DATA_DIR to a folder that can be written", err)
}
