package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/sqlite"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/telemetry"
	"slate360.ai/worker/internal/worker"
)

func (p *Program) runCommand() *cobra.Command {
	var f struct {
		addr, name  string
		concurrency int
		noServer    bool
	}
	c := &cobra.Command{
		Use:   "run",
		Short: "Take jobs from the queue and run them",
		Long: `Takes jobs from the queue, runs them, publishes what they make and keeps their
records up to date. Where the environment names no service, the queue, the
records and the storage are embedded in SLATE360_DATA_DIR.

SIGTERM drains: no new job is taken, running ones get SLATE360_DRAIN_TIMEOUT, then
go back to the queue with their finished stages kept. A second SIGTERM ends at once.

On EC2 the notices of the machine are followed (SLATE360_SPOT): before an interruption
jobs go back to the queue with their finished stages in the storage, and whoever takes
them goes on from there. After a notice the worker takes no more jobs. While jobs run
the machine is protected from its Auto Scaling group.`,
		Example: "  " + Name + ` run
  REDIS_URL=redis://localhost:6379 AWS_S3_BUCKET=models ` + Name + ` run --concurrency 4`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if os.Getenv("SLATE360_LOG_LEVEL") == "" {
				c.LogLevel = "info" // who runs a service wants to see what it does
			}
			if f.addr != "" {
				c.Addr = f.addr
			}
			if f.noServer {
				c.Addr = ""
			}
			if f.concurrency < 0 {
				return usagef("--concurrency: want a number from 1 up, got %d", f.concurrency)
			}
			if f.concurrency > 0 {
				c.Concurrency = f.concurrency
			}
			return p.run(cmd.Context(), c, f.name)
		},
	}
	c.Flags().StringVar(&f.addr, "addr", "", "address and port of the API, the dashboard, /health, /ready and /metrics (default SLATE360_ADDR, 127.0.0.1:8360)")
	c.Flags().StringVar(&f.name, "name", "", "name of the worker (default host name and process ID)")
	c.Flags().IntVar(&f.concurrency, "concurrency", 0, "jobs at once (default SLATE360_CONCURRENCY, 2)")
	c.Flags().BoolVar(&f.noServer, "no-server", false, "serve nothing over HTTP")
	return c
}

// loopProcessors are what the loop has beside the stages.
const loopProcessors = 2

// checkpointReserve is what is left of the margin before an interruption once a
// checkpoint is saved: to tell queue and record.
const checkpointReserve = 5 * time.Second

// services are the opened parts of a worker.
type services struct {
	queue     queue.Queue
	records   record.Store
	storage   storage.Store
	callbacks *callback.Sender
	closers   []func() error
}

func (s *services) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

func (p *Program) openServices(ctx context.Context, c config.Config, name string, log *slog.Logger) (_ *services, err error) {
	s := &services{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	err = untilReached(ctx, log, "queue", func() (err error) {
		s.queue, err = p.Backends.Queue(ctx, c, name, log)
		return err
	})
	if err != nil {
		return nil, unreachable("queue", "check REDIS_URL; '"+Name+" doctor' says what can be reached", err)
	}
	s.closers = append(s.closers, s.queue.Close)
	err = untilReached(ctx, log, "records", func() (err error) {
		s.records, err = p.openRecords(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.records.Close)
	if s.storage, err = p.Backends.Storage(ctx, c); err != nil {
		return nil, unreachable("storage", "check AWS_S3_BUCKET and its credentials", err)
	}
	s.closers = append(s.closers, s.storage.Close)
	if c.APIURL == "" {
		return s, nil
	}
	db, err := sqlite.Open(ctx, c.Database())
	if err != nil {
		return nil, unreachable("outbox of callbacks", "set SLATE360_DATA_DIR to a folder that can be written", err)
	}
	s.closers = append(s.closers, db.Close)
	s.callbacks, err = callback.New(ctx, db, callback.Options{URL: c.CallbackURL(), Secret: c.WorkerSecret, Logger: log})
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, s.callbacks.Close)
	return s, nil
}

// reachPause is the wait between two tries to reach a service at the start.
const reachPause = 2 * time.Second

// untilReached waits for a service that does not answer yet: it may start beside
// us. What it answers is for the caller, be it a refusal.
func untilReached(ctx context.Context, log *slog.Logger, what string, open func() error) error {
	for {
		err := open()
		var network *net.OpError
		if err == nil || !errors.As(err, &network) || ctx.Err() != nil {
			return err
		}
		log.Warn(what+" cannot be reached yet", "error", err, "again", reachPause)
		t := time.NewTimer(reachPause)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
	}
}

func (p *Program) run(ctx context.Context, c config.Config, name string) (err error) {
	if c.Memory == 0 {
		c.Memory = host.DefaultMemoryBudget()
	}
	debug.SetMemoryLimit(c.Memory)
	cores := runtime.GOMAXPROCS(0)
	if c.Workers == 0 {
		c.Workers = cores
	}
	// Stages keep all cores busy; the loop beside them (locks, jobs that come in)
	// has processors of the scheduler to itself, which the system runs at once.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores + loopProcessors))
	if name == "" {
		name = queue.WorkerName()
	}
	log := p.logger(c)
	s, err := p.openServices(ctx, c, name, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	fetch, err := p.fetchOptions(ctx, c)
	if err != nil {
		return err
	}
	metrics := worker.NewMetrics()
	o := worker.Options{
		Queue: s.queue, Records: s.records, Storage: s.storage, Callbacks: s.callbacks,
		Pipeline: p.Pipeline, Engines: c.Engines, Fetch: fetch, WorkDir: c.WorkDir(), CreateRecords: c.EmbeddedRecords(),
		Memory: c.Memory, Workers: c.Workers, DiskReserve: c.DiskReserve, DrainTimeout: c.DrainTimeout, JobTimeout: c.JobTimeout,
		StallTimeout: c.StallTimeout, WorkspaceTTL: c.WorkspaceTTL, Ageing: c.Ageing, Build: p.Build.identity(), Logger: log, Metrics: metrics,
		CheckpointTimeout: c.SpotMargin - checkpointReserve, CheckpointBytes: c.CheckpointBytes,
		Run: queue.RunOptions{
			Concurrency: c.Concurrency, Name: name, LockDuration: c.LockDuration, StalledInterval: c.LockDuration,
			MaxStalled: maxStalled(c.MaxStalled), LimiterMax: c.LimiterMax, LimiterDuration: c.LimiterDuration,
			KeepCompleted: queue.Keep{Count: c.KeepCompleted}, KeepFailed: queue.Keep{Count: c.KeepFailed},
		},
		Status: func(text string) { notify("STATUS=" + text) },
	}
	if !c.LocalStorage() {
		o.Checkpoints = s.storage
	}
	tracer, flush, err := telemetry.Start(ctx, telemetry.Options{Version: p.Build.identity(), Instance: name, Logger: log})
	if err != nil {
		return &pipeline.ConfigError{Err: err, Hint: "check OTEL_EXPORTER_OTLP_ENDPOINT"}
	}
	defer func() { flushTraces(ctx, flush, log) }()
	o.Tracer = tracer
	beside, err := p.operate(ctx, c, s, name, metrics, log)
	if err != nil {
		return err
	}
	server := &httpServer{p: p, c: c, s: s, name: name, metrics: metrics, beside: beside, tracer: tracer, log: log}
	if c.Addr != "" {
		server.observe(&o)
	}
	w, err := worker.New(o)
	if err != nil {
		return err
	}
	if c.Addr != "" {
		stop, err := server.serve(ctx, w)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	stopBeside, err := beside.start(ctx, w)
	if err != nil {
		return err
	}
	defer stopBeside()
	log.Info("worker started", "build", p.Build.identity(), "concurrency", c.Concurrency, "queue", queueState(c).Where,
		"records", recordState(c).Where, "storage", storageState(c).Where)
	stopWatchdog := watchdog()
	defer stopWatchdog()
	notify(daemon.SdNotifyReady)
	draining := context.AfterFunc(ctx, func() { notify(daemon.SdNotifyStopping) })
	defer draining()
	if err := w.Run(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("queue: %w", err)
	}
	if s.callbacks != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.callbacks.Flush(last); err != nil {
			log.Warn("callbacks wait in the outbox for the next start", "error", err)
		}
	}
	log.Info("worker stopped")
	return nil
}

// flushTimeout is what traces get to be sent at the end.
const flushTimeout = 3 * time.Second

func flushTraces(ctx context.Context, flush func(context.Context) error, log *slog.Logger) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := flush(last); err != nil {
		log.Warn("the last traces were not sent", "error", err)
	}
}

// maxStalled gives RunOptions' number for ours, where 0 is never.
func maxStalled(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// fetchOptions are those of the configuration.
func (p *Program) fetchOptions(ctx context.Context, c config.Config) (source.FetchOptions, error) {
	s3, err := p.Backends.S3Source(ctx, c)
	if err != nil {
		return source.FetchOptions{}, unreachable("S3 as a source", "check AWS_REGION and AWS_ENDPOINT_URL_S3", err)
	}
	return source.FetchOptions{
		Limits: sourceLimits(c),
		Allow:  c.SourceAllow, AllowFiles: c.EmbeddedQueue(), S3: s3,
	}, nil
}

// notify tells the service manager, where there is one (sd_notify(3)).
func notify(state string) {
	_, _ = daemon.SdNotify(false, state) // a manager that does not listen is not our trouble
}

// watchdog tells the service manager that the process lives, as often as it asks.
func watchdog() (stop func()) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval / 2)
		defer tick.Stop()
		for {
			notify(daemon.SdNotifyWatchdog)
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func sourceLimits(c config.Config) source.Limits {
	return source.Limits{
		Bytes: c.SourceMaxBytes, Files: c.SourceMaxFiles, Ratio: c.SourceMaxRatio, Nesting: c.SourceMaxNesting, Dictionary: c.SourceMaxDictionary, Time: c.SourceTimeout,
	}
}
