package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/sqlite"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/worker"
)

// samplePoints of the scan that is sent through: a second of work.
const samplePoints = 20_000

func (s *selfCheck) openQueue(ctx context.Context) (_ outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if s.queue, err = s.p.openQueue(ctx, s.c); err != nil {
		return outcome{}, err
	}
	if err := s.queue.Ping(ctx); err != nil {
		return outcome{}, unreachable("queue", "check REDIS_URL", err)
	}
	if paused, err := s.queue.Paused(ctx); err == nil && paused {
		return warningf("%s is paused: no worker takes jobs", queueState(s.c).Where)
	}
	return okf("%s, %s", queueState(s.c).Kind, queueState(s.c).Where)
}

func (s *selfCheck) openRecords(ctx context.Context) (_ outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if s.records, err = s.p.openRecords(ctx, s.c); err != nil {
		return outcome{}, err
	}
	if s.recordsApart() {
		return skippedf("neither SUPABASE_URL nor DATABASE_URL is set: each worker keeps its own, which is not seen from here")
	}
	if err := s.records.Ping(ctx); err != nil {
		return outcome{}, unreachable("records", "check SUPABASE_URL or DATABASE_URL; '"+Name+" install schema' prints the table", err)
	}
	return okf("%s, %s", recordState(s.c).Kind, recordState(s.c).Where)
}

func (s *selfCheck) openStorage(ctx context.Context) (_ outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	const hint = "check AWS_S3_BUCKET and its credentials"
	if s.storage, err = s.p.Backends.Storage(ctx, s.c); err != nil {
		return outcome{}, unreachable("storage", hint, err)
	}
	if s.c.LocalStorage() && !s.c.EmbeddedQueue() {
		return outcome{}, unreachable("storage", "set AWS_S3_BUCKET",
			fmt.Errorf("%s is a folder of this machine, and workers of the queue may run on others", s.c.OutputDir()))
	}
	if err := s.storage.Ping(ctx); err != nil {
		return outcome{}, unreachable("storage", hint, err)
	}
	return okf("%s, %s", storageState(s.c).Kind, storageState(s.c).Where)
}

// upload puts a sample into the storage.
func (s *selfCheck) upload(ctx context.Context) (o outcome, err error) {
	s.began = true
	key := sourcePrefix(s.id) + "scan.laz"
	err = tempDir(func(dir string) error {
		truth, err := sample.Pointcloud(ctx, dir, sample.Params{Points: samplePoints, Seed: 1})
		if err != nil {
			return err
		}
		err = s.storage.PutFile(ctx, key, filepath.Join(dir, "scan.laz"), storage.Attributes{ContentType: "application/vnd.laszip"})
		if err != nil {
			return err
		}
		o.state, o.detail = stepOK, format.Count(int64(truth.Points))+" points at "
		return nil
	})
	if err != nil {
		return outcome{}, err
	}
	if signer, ok := s.storage.(storage.Presigner); ok {
		s.source = signer.Source(key)
	} else {
		s.source, err = sourceAddress(filepath.Join(s.c.OutputDir(), filepath.FromSlash(key)), s.c)
	}
	o.detail += s.source
	return o, err
}

func (s *selfCheck) createRecord(ctx context.Context) (outcome, error) {
	if s.recordsApart() {
		return skippedf("the worker writes its own")
	}
	now := time.Now().UTC()
	err := s.records.Create(ctx, record.Record{
		ID: s.id, SourceURL: s.source, SourceFormat: "auto", Status: job.StatusQueued, QueuedAt: now, CreatedAt: now,
	})
	if err != nil {
		return outcome{}, unreachable("write a record", "'"+Name+" install schema' prints the table that is wanted", err)
	}
	return okf("%s", s.id)
}

// lastAnswer notes what came of requests.
type lastAnswer struct {
	http.RoundTripper
	said string
}

func (l *lastAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	switch {
	case err != nil:
		l.said = err.Error()
	default:
		l.said = resp.Status
	}
	return resp, err
}

// probeCallback tells the platform of progress of the job, as workers do.
func (s *selfCheck) probeCallback(ctx context.Context) (outcome, error) {
	if s.c.APIURL == "" {
		return skippedf("SLATE360_API_URL is not set")
	}
	answer := &lastAnswer{RoundTripper: http.DefaultTransport}
	var pending int64
	err := tempDir(func(dir string) error {
		// An outbox of our own: the sender is the one that workers have.
		db, err := sqlite.Open(ctx, filepath.Join(dir, "outbox.db"))
		if err != nil {
			return err
		}
		defer db.Close()
		client := &http.Client{
			Transport: answer, Timeout: connectTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		sender, err := callback.New(ctx, db, callback.Options{URL: s.c.CallbackURL(), Secret: s.c.WorkerSecret, Client: client, RetryMin: time.Hour})
		if err != nil {
			return err
		}
		defer sender.Close()
		event := callback.Event{JobID: s.id, Status: callback.StatusProgress, Stage: "self-check", EventID: callback.EventID(s.id, "self-check")}
		if err := errors.Join(sender.Finish(ctx, event), sender.Flush(ctx)); err != nil {
			return err
		}
		pending, err = sender.Pending(ctx)
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	if pending > 0 || !strings.HasPrefix(answer.said, "2") {
		return outcome{}, unreachable("callback to "+s.c.CallbackURL(), "check SLATE360_API_URL, SLATE360_CALLBACK_PATH and GPU_WORKER_SECRET_KEY",
			errors.New("the platform did not take it: "+answer.said))
	}
	return okf("%s answered %s", s.c.CallbackURL(), answer.said)
}

// runJob puts the job on the queue and waits for its end.
func (s *selfCheck) runJob(ctx context.Context) (outcome, error) {
	stopWorker := func() error { return nil }
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if s.f.withWorker {
		stopWorker = s.startWorker(ctx, stop)
	}
	taken, err := s.waitForJob(ctx)
	if err != nil {
		_ = s.queue.Cancel(context.WithoutCancel(ctx), s.id) // it may have ended meanwhile
		return outcome{}, errors.Join(err, stopWorker())
	}
	if err := stopWorker(); err != nil {
		return outcome{}, fmt.Errorf("worker: %w", err)
	}
	return okf("%s", taken)
}

// errWorkerEnded says that the worker inside ended before its job did.
var errWorkerEnded = errors.New("the worker inside ended")

// startWorker runs a worker until the function that it returns is called; stop is
// told where it ends before.
func (s *selfCheck) startWorker(ctx context.Context, stop context.CancelCauseFunc) func() error {
	running, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	c := s.c
	c.Addr, c.Concurrency = "", 1
	go func() {
		err := s.p.run(running, c, "self-check-"+s.id[:8])
		if running.Err() == nil {
			stop(errors.Join(errWorkerEnded, err))
		}
		done <- err
	}()
	return func() error {
		end()
		return <-done
	}
}

// waitForJob returns who took the job and what became of it.
func (s *selfCheck) waitForJob(ctx context.Context) (string, error) {
	timeout := fmt.Errorf("the job did not end within %s", s.f.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, s.f.timeout, timeout)
	defer cancel()
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var begin time.Time
	var waited time.Duration
	active := false
	err := s.queue.Watch(watching, func() {
		begin = time.Now()
		if err := s.add(watching); err != nil {
			stop(err)
		}
	}, func(e queue.Event) {
		switch {
		case e.JobID != s.id:
		case e.Name == "active":
			active, waited = true, time.Since(begin)
		case e.Name == "completed":
			stop(errDone)
		case e.Name == "failed":
			stop(fmt.Errorf("the job failed: %s", e.Reason))
		case e.Name == "removed":
			stop(errors.New("somebody removed the job"))
		}
	})
	switch {
	case errors.Is(err, timeout) && !active:
		return "", &hintedError{s.nobody(context.WithoutCancel(ctx)), "start one with '" + Name + " run', look at the autoscaler, or give more --timeout"}
	case !errors.Is(err, errDone):
		return "", err
	}
	return fmt.Sprintf("taken after %.1f s, done after %.1f s, by %s", waited.Seconds(), time.Since(begin).Seconds(), s.taker(ctx)), nil
}

// taker is the worker that had the job.
func (s *selfCheck) taker(ctx context.Context) string {
	j, err := s.queue.Get(ctx, s.id)
	if err != nil || j.Worker == "" {
		return "a worker"
	}
	return j.Worker
}

// nobody says why no worker took the job.
func (s *selfCheck) nobody(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	counts, err := s.queue.Counts(ctx)
	if err != nil {
		return err
	}
	known := "an unknown number of"
	if workers, err := s.queue.Workers(ctx); err == nil && workers != nil {
		known = fmt.Sprint(len(workers))
	}
	return fmt.Errorf("no worker took the job within %s: %s workers are connected, %d jobs run, %d wait", s.f.timeout, known,
		counts[queue.StateActive], counts[queue.StateWaiting]+counts[queue.StatePrioritized])
}

func (s *selfCheck) add(ctx context.Context) error {
	payload := worker.Payload{JobID: s.id, SourceURL: s.source, SourceFormat: "auto"}
	_, err := s.queue.Add(ctx, worker.QueueJobName, payload, queue.AddOptions{ID: s.id, Attempts: 1, Priority: job.PriorityUrgent.QueueNumber()})
	if err != nil {
		return unreachable("put the job on the queue", "", err)
	}
	return nil
}

// checkOutputs reads what the job published, all of it.
func (s *selfCheck) checkOutputs(ctx context.Context) (outcome, error) {
	prefix := "processed/" + s.id + "/"
	body, _, err := s.storage.Open(ctx, prefix+"result.json")
	if err != nil {
		return outcome{}, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&s.result); err != nil {
		return outcome{}, fmt.Errorf("result.json: %w", err)
	}
	if s.result.Status != job.StatusCompleted || len(s.result.Outputs) == 0 {
		return outcome{}, fmt.Errorf("result.json says %s with %d outputs", s.result.Status, len(s.result.Outputs))
	}
	var promised int64
	var names []string
	for _, out := range s.result.Outputs {
		if err := s.checkOutput(ctx, prefix+out.Path, out.SHA256); err != nil {
			return outcome{}, fmt.Errorf("output %s: %w", out.Type, err)
		}
		promised += out.Size
		names = append(names, out.Type)
	}
	// Outputs of many files have the digest of their first: of the others, the size tells.
	var stored int64
	err = s.storage.List(ctx, prefix, func(i storage.Info) error {
		if i.Key != prefix+"result.json" {
			stored += i.Size
		}
		return nil
	})
	if err != nil {
		return outcome{}, err
	}
	if stored != promised {
		return outcome{}, fmt.Errorf("%s has %d bytes, and the result names %d", prefix, stored, promised)
	}
	return okf("%s are there and right: %s", format.Bytes(stored), strings.Join(names, ", "))
}

func (s *selfCheck) checkOutput(ctx context.Context, key, want string) error {
	r, _, err := s.storage.Open(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s: %w", key, storage.ErrDamaged)
	}
	return nil
}

func (s *selfCheck) checkRecord(ctx context.Context) (outcome, error) {
	if s.recordsApart() {
		return skippedf("the worker has it")
	}
	r, err := s.records.Get(ctx, s.id)
	if err != nil {
		return outcome{}, err
	}
	var outputs []record.Output
	if err := json.Unmarshal(r.Outputs, &outputs); err != nil {
		return outcome{}, fmt.Errorf("outputs of the record: %w", err)
	}
	if r.Status != job.StatusCompleted || r.Progress != 100 || len(outputs) != len(s.result.Outputs) {
		return outcome{}, fmt.Errorf("the record is %s at %d %% with %d outputs, and the result has %d", r.Status, r.Progress, len(outputs), len(s.result.Outputs))
	}
	return okf("%s, %d outputs, by %s", r.Status, len(outputs), r.WorkerID)
}

// checkAddress gets the thumbnail as a browser would.
func (s *selfCheck) checkAddress(ctx context.Context) (outcome, error) {
	address := s.result.ThumbnailURL
	for _, out := range s.result.Outputs {
		if address == "" && out.Type == job.TypeThumbnail {
			key := "processed/" + s.id + "/" + out.Path
			var err error
			if address, err = s.storage.URL(ctx, key); err != nil {
				return outcome{}, err
			}
		}
	}
	if !strings.HasPrefix(address, "http") {
		return skippedf("outputs are files of this machine")
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return outcome{}, err
	}
	shown, _, _ := strings.Cut(address, "?") // a signature lets its reader in
	const hint = "where browsers are to read outputs, set SLATE360_PUBLIC_URL or SLATE360_SIGNED_URLS"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return warningf("%s cannot be read: %v; %s", shown, errors.Unwrap(err), hint)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return warningf("%s answers %s; %s", shown, resp.Status, hint)
	}
	return okf("%s", shown)
}

// checkOutbox looks whether the worker inside has sent the callback of the end.
func (s *selfCheck) checkOutbox(ctx context.Context) (outcome, error) {
	if s.c.APIURL == "" || !s.f.withWorker {
		return skippedf("only of a worker inside that has callbacks")
	}
	db, err := sqlite.Open(ctx, s.c.Database())
	if err != nil {
		return outcome{}, err
	}
	defer db.Close()
	sender, err := callback.New(ctx, db, callback.Options{URL: s.c.CallbackURL(), Secret: s.c.WorkerSecret})
	if err != nil {
		return outcome{}, err
	}
	defer sender.Close()
	n, err := sender.Pending(ctx)
	if err != nil {
		return outcome{}, err
	}
	if n > 0 {
		return warningf("%d callbacks wait to be sent", n)
	}
	return okf("all callbacks are sent")
}
