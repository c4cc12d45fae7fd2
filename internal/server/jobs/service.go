package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// ErrNotFound says that neither records nor queue know the job.
var ErrNotFound = errors.New("there is no such job")

// Options of a Service.
type Options struct {
	Queue   queue.Queue
	Records record.Store
	Storage storage.Store
	// Kind names the pipeline of a source format; empty where it is not known yet.
	Kind func(format string) string
	// Stages are those of the pipeline of a source format, pending, with titles.
	Stages func(format string) []job.Stage
	// Mirror makes records of jobs that others put on the queue: where records are
	// embedded, nobody else does.
	Mirror bool
	// Price is what an hour of one job on a machine costs; nil or 0 where it is not known.
	Price  func() float64
	Logger *slog.Logger
}

// Service is the view of jobs. Observe and Line are what a worker of this process
// tells it.
type Service struct {
	o    Options
	log  *slog.Logger
	ring *ring

	mu      sync.Mutex
	live    map[string]*running
	touched map[string]bool // jobs of which an event is to be made
	owners  map[string]string
	remote  map[string]json.RawMessage // progress of jobs of other workers
	clients int
	joined  chan struct{} // closed when a client comes, where there was none
	ready   chan struct{} // closed once the queue is watched
}

// New returns a service; Run makes it tell events.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		o: o, log: o.Logger, ring: newRing(), live: map[string]*running{}, touched: map[string]bool{}, owners: map[string]string{},
		remote: map[string]json.RawMessage{}, joined: make(chan struct{}), ready: make(chan struct{}),
	}
}

// Summary is a job as lists and events show it: ErrNotFound.
func (s *Service) Summary(ctx context.Context, id string) (Job, error) {
	r, q, err := s.parts(ctx, id)
	if err != nil {
		return Job{}, err
	}
	return s.compose(r, q, s.liveOf(id)), nil
}

// parts reads what records and queue have of a job; the queue is asked only of
// jobs that are not at their end.
func (s *Service) parts(ctx context.Context, id string) (record.Record, *queue.Job, error) {
	r, err := s.o.Records.Get(ctx, id)
	known := err == nil
	if err != nil && !errors.Is(err, record.ErrNotFound) && !errors.Is(err, record.ErrPermanent) {
		return r, nil, err
	}
	if known && r.Status.Final() {
		return r, nil, nil
	}
	q, err := s.o.Queue.Get(ctx, id)
	switch {
	case errors.Is(err, queue.ErrNotFound) && !known:
		return r, nil, fmt.Errorf("job %s: %w", id, ErrNotFound)
	case errors.Is(err, queue.ErrNotFound):
		return r, nil, nil
	case err != nil:
		return r, nil, err
	case !known:
		r = recordOf(q)
	}
	return r, &q, nil
}

// Detail is a job with its stages, outputs and analysis, and the last lines of its log.
func (s *Service) Detail(ctx context.Context, id string, tail int) (Job, error) {
	r, q, err := s.parts(ctx, id)
	if err != nil {
		return Job{}, err
	}
	l := s.liveOf(id)
	j := s.compose(r, q, l)
	j.Analysis, j.Options = object(r.Analysis), object(r.Options)
	if q == nil {
		if got, err := s.o.Queue.Get(ctx, id); err == nil {
			q = &got
			j.AttemptsMade, j.MaxAttempts = q.AttemptsMade, q.MaxAttempts
		}
	}
	var lines []string
	if q != nil {
		if lines, err = s.o.Queue.Logs(ctx, id); err != nil {
			return j, err
		}
	}
	j.Log = Tail(lines, tail)
	if l != nil && !Final(j.Status) {
		return j, nil
	}
	if r.Status == job.StatusCompleted {
		result, err := s.result(ctx, id)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return j, err
		}
		if err == nil {
			j.Outputs = outputsOf(withURLs(result.Outputs, r.Outputs), func(rel string) string { return OutputURL(id, rel) })
			j.Warnings = append(j.Warnings, result.Warnings...)
			j.Stages = merge(s.o.Stages(j.SourceFormat), stagesOf(result.Stages), true)
			return j, nil
		}
	}
	j.Stages = merge(s.o.Stages(j.SourceFormat), stagesOfLog(lines), false)
	if Final(j.Status) {
		for i := range j.Stages {
			if j.Stages[i].State == job.StageRunning {
				j.Stages[i].State = job.StagePending // it did not come to its end
			}
		}
	}
	return j, nil
}

// object is raw where it is a JSON object, else nothing.
func object(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return raw
}

// Tail returns the last n of lines, not nil.
func Tail(lines []string, n int) []string {
	return append([]string{}, lines[max(0, len(lines)-n):]...)
}

// stagesOfLog reads from a job's log how its stages stand.
func stagesOfLog(lines []string) []job.Stage {
	var l job.Live
	for _, line := range lines {
		if s, ok := job.ParseStageLine(line); ok {
			*l.Stage(s.Name) = s
		}
	}
	return l.Stages
}

// merge puts what is known of stages over those of the definition; stages that a
// completed job did not have are off.
func merge(defined, known []job.Stage, completed bool) []job.Stage {
	merged := slices.Clone(defined)
	for i := range merged {
		at := slices.IndexFunc(known, func(k job.Stage) bool { return k.Name == merged[i].Name })
		switch {
		case at >= 0:
			title := merged[i].Title
			merged[i] = known[at]
			merged[i].Title = title
		case completed:
			merged[i].State = job.StageOff
		}
	}
	for _, k := range known {
		if !slices.ContainsFunc(merged, func(m job.Stage) bool { return m.Name == k.Name }) {
			merged = append(merged, k)
		}
	}
	if merged == nil {
		merged = []job.Stage{}
	}
	return merged
}

// withURLs gives outputs of result.json, which have paths, the addresses that the
// record has of them.
func withURLs(outputs []job.Output, recorded json.RawMessage) []job.Output {
	var rows []record.Output
	if json.Unmarshal(recorded, &rows) != nil {
		return outputs
	}
	for i := range outputs {
		for _, row := range rows {
			if row.Format == outputs[i].Type && row.SHA256 == outputs[i].SHA256 && row.Size == outputs[i].Size {
				outputs[i].URL = row.URL
				break
			}
		}
	}
	return outputs
}

// maxResult bounds the result.json that is read, in bytes.
const maxResult = 32 << 20

// result reads the result.json of a job.
func (s *Service) result(ctx context.Context, id string) (job.Result, error) {
	var r job.Result
	in, _, err := s.o.Storage.Open(ctx, OutputPrefix(id)+"/result.json")
	if err != nil {
		return r, err
	}
	defer in.Close()
	if err := json.NewDecoder(io.LimitReader(in, maxResult)).Decode(&r); err != nil {
		return r, fmt.Errorf("read the result of job %s: %w", id, err)
	}
	return r, nil
}

// Result is what the viewer gets of a completed job; address gives the address of
// a file. ErrNotFound where there is no result.
func (s *Service) Result(ctx context.Context, id string, address func(rel string) string) (Result, error) {
	r, _, err := s.parts(ctx, id)
	if err != nil {
		return Result{}, err
	}
	result, err := s.result(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return Result{}, fmt.Errorf("job %s has no result: %w", id, ErrNotFound)
	}
	if err != nil {
		return Result{}, err
	}
	return ResultOf(result, nameOf(r), s.o.Kind(result.SourceFormat), address), nil
}

// Page is one page of a list.
type Page struct {
	Jobs []Job
	// Next is where the next page begins; its zero value is that there is none.
	Next record.Position
	// Total counts all pages.
	Total int64
}

// asked bounds how many jobs of a page the queue is asked of at once.
const asked = 8

// List returns a page of jobs.
func (s *Service) List(ctx context.Context, f record.Filter) (Page, error) {
	if s.o.Mirror && f.After.IsZero() {
		if err := s.mirrorWaiting(ctx); err != nil {
			return Page{}, err
		}
	}
	want := f.Limit
	f.Limit++ // one more tells whether there is another page
	rows, err := s.o.Records.List(ctx, f)
	if err != nil {
		return Page{}, err
	}
	page := Page{Jobs: make([]Job, min(len(rows), want))}
	if len(rows) > want {
		rows = rows[:want]
		page.Next = record.Position{CreatedAt: rows[want-1].CreatedAt, ID: rows[want-1].ID}
	}
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(asked)
	for i, r := range rows {
		if r.Status.Final() {
			page.Jobs[i] = s.compose(r, nil, nil)
			continue
		}
		group.Go(func() error {
			q, err := s.o.Queue.Get(asking, r.ID)
			if err != nil && !errors.Is(err, queue.ErrNotFound) {
				return err
			}
			if err != nil {
				page.Jobs[i] = s.compose(r, nil, s.liveOf(r.ID))
				return nil
			}
			page.Jobs[i] = s.compose(r, &q, s.liveOf(r.ID))
			return nil
		})
	}
	group.Go(func() (err error) {
		page.Total, err = s.o.Records.Count(asking, f)
		return err
	})
	return page, group.Wait()
}

// mirrored bounds the waiting jobs that records are made of at once.
const mirrored = 200

// mirrorWaiting makes records of jobs that others put on the queue.
func (s *Service) mirrorWaiting(ctx context.Context) error {
	for _, state := range []queue.State{queue.StateActive, queue.StateWaiting, queue.StatePrioritized, queue.StateDelayed} {
		waiting, err := s.o.Queue.List(ctx, state, 0, mirrored)
		if err != nil {
			return err
		}
		for _, q := range waiting {
			r := recordOf(q)
			if !r.Status.Final() {
				r.Status = job.StatusQueued // the worker that has it says more
			}
			if err := s.o.Records.Create(ctx, r); err != nil && !errors.Is(err, record.ErrPermanent) {
				return err
			}
		}
	}
	return nil
}

// Log returns the last lines of a job's log.
func (s *Service) Log(ctx context.Context, id string, tail int) ([]string, error) {
	lines, err := s.o.Queue.Logs(ctx, id)
	if err != nil {
		return nil, err
	}
	return Tail(lines, tail), nil
}

// Owner returns the organisation of a job: ErrNotFound.
func (s *Service) Owner(ctx context.Context, id string) (string, error) {
	s.mu.Lock()
	org, ok := s.owners[id]
	s.mu.Unlock()
	if ok {
		return org, nil
	}
	r, _, err := s.parts(ctx, id)
	if err != nil {
		return "", err
	}
	s.remember(id, r.OrgID)
	return r.OrgID, nil
}

// rememberedOwners bounds the map: it is a cache.
const rememberedOwners = 20_000

func (s *Service) remember(id, org string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owners) >= rememberedOwners {
		clear(s.owners)
	}
	s.owners[id] = org
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owners, id)
	delete(s.remote, id)
}

// age of the oldest waiting job, 0 where none waits.
func age(jobs []queue.Job, now time.Time) time.Duration {
	var oldest time.Duration
	for _, j := range jobs {
		oldest = max(oldest, now.Sub(j.Added))
	}
	return oldest
}

// QueueState is how the queue stands.
type QueueState struct {
	Counts map[string]int64 `json:"counts" doc:"Jobs by their state in the queue."`
	Paused bool             `json:"paused" doc:"Whether the taking of jobs is stopped."`
	// OldestSeconds is the age of the oldest of the next jobs.
	OldestSeconds float64 `json:"oldestSeconds" doc:"How long the oldest of the jobs that come next has waited."`
}

// looked is how many of the next jobs are looked at for the oldest.
const looked = 50

// QueueState asks the queue how it stands.
func (s *Service) QueueState(ctx context.Context) (QueueState, error) {
	st := QueueState{Counts: map[string]int64{}}
	counts, err := s.o.Queue.Counts(ctx)
	if err != nil {
		return st, err
	}
	for state, n := range counts {
		st.Counts[string(state)] = n
	}
	if st.Paused, err = s.o.Queue.Paused(ctx); err != nil {
		return st, err
	}
	for _, state := range []queue.State{queue.StateWaiting, queue.StatePrioritized} {
		if counts[state] == 0 {
			continue
		}
		next, err := s.o.Queue.List(ctx, state, 0, looked)
		if err != nil {
			return st, err
		}
		st.OldestSeconds = max(st.OldestSeconds, age(next, time.Now()).Seconds())
	}
	return st, nil
}
