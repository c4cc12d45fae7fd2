package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
)

// running is a job that a worker of this process has.
type running struct {
	l job.Live
	// changed says that more than numbers has changed since the last event.
	changed, moved bool
	lines          []string
	ended          bool
}

// waitingLines bounds the lines of a log that wait for the next flush.
const waitingLines = 500

// Observe takes up how a running job stands.
func (s *Service) Observe(l job.Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.live[l.JobID]
	if r == nil {
		r = &running{changed: true}
		s.live[l.JobID] = r
	}
	if l.Ended {
		r.ended = true
		return
	}
	// A job may be taken again before its former end was told.
	r.ended = false
	r.changed = r.changed || differs(r.l, l)
	r.moved = true
	r.l = l
}

// differs tells whether more than numbers differ.
func differs(a, b job.Live) bool {
	return a.Status != b.Status || a.Step != b.Step || a.Kind != b.Kind || a.Format != b.Format || len(a.Warnings) != len(b.Warnings) ||
		!slices.EqualFunc(a.Stages, b.Stages, func(x, y job.Stage) bool { return x.Name == y.Name && x.State == y.State })
}

// Line takes up a line of a job's log.
func (s *Service) Line(id, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.live[id]
	if r == nil || s.clients == 0 || len(r.lines) >= waitingLines {
		return
	}
	r.lines = append(r.lines, line)
}

func (s *Service) liveOf(id string) *job.Live {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.live[id]
	if r == nil || r.ended {
		return nil
	}
	l := r.l.Clone()
	return &l
}

// Running returns the jobs that run in this process.
func (s *Service) Running() []job.Live {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []job.Live
	for _, r := range s.live {
		if !r.ended {
			list = append(list, r.l.Clone())
		}
	}
	return list
}

// Touch makes an event of how a job stands now.
func (s *Service) Touch(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients > 0 {
		s.touched[id] = true
	}
}

// Progress is the data of the event progress.
type Progress struct {
	JobID            string      `json:"jobId"`
	Status           job.Status  `json:"status,omitempty"`
	Progress         float64     `json:"progress"`
	CurrentStep      string      `json:"currentStep,omitempty"`
	Stages           []job.Stage `json:"stages,omitempty" nullable:"false" doc:"Those that run."`
	Rate             float64     `json:"rate,omitempty"`
	RemainingSeconds float64     `json:"remainingSeconds,omitempty"`
}

// LogLine is the data of the event log.
type LogLine struct {
	JobID string `json:"jobId"`
	Line  string `json:"line"`
}

// flushInterval is how often clients hear of what is new: often enough for a bar
// that moves, seldom enough for hundreds of clients.
const flushInterval = 250 * time.Millisecond

// Run tells events until ctx is done. It watches the queue while there are clients.
func (s *Service) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.watch(ctx)
	}()
	defer func() { <-done }()
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.flush(ctx)
		}
	}
}

// flush makes events of what has changed.
func (s *Service) flush(ctx context.Context) {
	todo := s.take()
	for _, id := range todo.jobs {
		s.publishJob(ctx, id)
	}
	for _, l := range todo.progress {
		s.publish(ctx, EventProgress, l.JobID, progressOf(l))
	}
	for id, raw := range todo.remote {
		var pct float64
		if json.Unmarshal(raw, &pct) == nil {
			s.publish(ctx, EventProgress, id, Progress{JobID: id, Progress: pct})
		}
	}
	for _, line := range todo.lines {
		s.publish(ctx, EventLog, line.JobID, line)
	}
	s.ring.flush()
}

// todo is what a flush makes events of.
type todo struct {
	jobs     []string
	progress []job.Live
	remote   map[string]json.RawMessage
	lines    []LogLine
}

// jobsAtOnce bounds the jobs that one flush reads from the records.
const jobsAtOnce = 200

// take takes what has changed. Where nobody listens, it is dropped.
func (s *Service) take() (t todo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.live {
		switch {
		case r.ended:
			s.touched[id] = true
			delete(s.live, id)
		case r.changed:
			s.touched[id] = true
		case r.moved:
			t.progress = append(t.progress, r.l.Clone())
		}
		r.changed, r.moved = false, false
		for _, line := range r.lines {
			t.lines = append(t.lines, LogLine{JobID: id, Line: line})
		}
		r.lines = nil
	}
	if s.clients == 0 {
		clear(s.touched)
		clear(s.remote)
		return todo{}
	}
	for id := range s.touched {
		if len(t.jobs) == jobsAtOnce {
			break
		}
		t.jobs = append(t.jobs, id)
		delete(s.touched, id)
	}
	t.remote, s.remote = s.remote, map[string]json.RawMessage{}
	return t
}

func progressOf(l job.Live) Progress {
	p := Progress{JobID: l.JobID, Status: l.Status, Progress: tenth(l.Percent), CurrentStep: l.Step, Rate: l.Rate, RemainingSeconds: l.Remaining}
	for _, st := range l.Stages {
		if st.State == job.StageRunning {
			p.Stages = append(p.Stages, st)
		}
	}
	return p
}

// publishJob makes an event of how a job stands: its record first, so that the
// number of the event tells what it is newer than.
func (s *Service) publishJob(ctx context.Context, id string) {
	j, err := s.Summary(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		s.publish(ctx, EventRemoved, id, map[string]string{"jobId": id})
		s.forget(id)
	case err != nil:
		if ctx.Err() == nil {
			s.log.Warn("an event could not be made", "jobId", id, "error", err)
		}
	default:
		s.remember(id, j.Organisation)
		s.publish(ctx, EventJob, id, j)
	}
}

func (s *Service) publish(ctx context.Context, name, id string, data any) {
	org := ""
	if id != "" {
		var err error
		if org, err = s.Owner(ctx, id); err != nil && name != EventRemoved {
			return // it is gone, or its owner unknown: nobody may see it
		}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		s.log.Error("an event could not be encoded", "event", name, "error", err)
		return
	}
	s.ring.add(Event{Name: name, JobID: id, Organisation: org, Data: raw})
}

// linger is how long the queue is watched after the last client went: one that
// comes back goes on where it was.
const linger = time.Minute

// readyPatience is how long a client waits for the queue to be watched.
const readyPatience = 3 * time.Second

// Join lets events be made until leave is called. It returns once the queue is
// watched, or after some seconds.
func (s *Service) Join(ctx context.Context) (leave func()) {
	s.mu.Lock()
	s.clients++
	if s.clients == 1 {
		close(s.joined)
		s.joined = make(chan struct{})
	}
	ready := s.ready
	s.mu.Unlock()
	t := time.NewTimer(readyPatience)
	defer t.Stop()
	select {
	case <-ready:
	case <-ctx.Done():
	case <-t.C:
	}
	return func() {
		// Who left may come back: events go on for a while.
		time.AfterFunc(linger, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.clients--
		})
	}
}

// Clients tells whether anybody listens, or did until shortly.
func (s *Service) listened() (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients > 0, s.joined
}

// watch watches the queue while there are clients.
func (s *Service) watch(ctx context.Context) {
	for ctx.Err() == nil {
		listened, joined := s.listened()
		if !listened {
			select {
			case <-ctx.Done():
				return
			case <-joined:
			}
			continue
		}
		err := s.watchOnce(ctx)
		s.mu.Lock()
		s.ready = make(chan struct{})
		s.mu.Unlock()
		if err != nil && ctx.Err() == nil && !errors.Is(err, errNobody) {
			s.log.Warn("the queue could not be watched; it is tried again", "error", err)
			t := time.NewTimer(time.Second)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
	}
}

var errNobody = errors.New("nobody listens")

// watchOnce watches until the last client is gone, or the queue fails. What happened
// while nobody watched is unknown, so that clients begin anew.
func (s *Service) watchOnce(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if listened, _ := s.listened(); !listened {
					cancel(errNobody)
				}
			}
		}
	}()
	defer func() { cancel(nil); <-idle }()
	return s.o.Queue.Watch(ctx, func() {
		s.ring.breach()
		s.mu.Lock()
		close(s.ready)
		s.mu.Unlock()
	}, s.hear)
}

// hear takes up an event of the queue.
func (s *Service) hear(e queue.Event) {
	if e.Name == "paused" || e.Name == "resumed" {
		s.publish(context.Background(), EventQueue, "", map[string]bool{"paused": e.Name == "paused"})
		return
	}
	if e.JobID == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.live[e.JobID]; e.Name == "progress" {
		if r == nil {
			s.remote[e.JobID] = e.Progress
		}
		return
	}
	s.touched[e.JobID] = true
}
