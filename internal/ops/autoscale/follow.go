package autoscale

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"slate360.ai/worker/internal/queue"
)

// Target is a group of machines that can be sized.
type Target interface {
	// State returns the group as it is.
	State(ctx context.Context) (Group, error)
	// Resize asks for n machines. It returns before they are there.
	Resize(ctx context.Context, n int) error
}

// looked is how many waiting and finished jobs are looked at; the kinds of more are
// taken to be alike.
const looked = 500

// Reader reads the backlog of a queue.
type Reader struct {
	Queue queue.Queue
	// Kind names the kind of a source by its format or, where that is "auto", its
	// URL.
	Kind func(format, url string) string
}

// Backlog is what is in the queue at a time.
func (r Reader) Backlog(ctx context.Context, at time.Time) (Backlog, error) {
	counts, err := r.Queue.Counts(ctx)
	if err != nil {
		return Backlog{}, fmt.Errorf("count jobs: %w", err)
	}
	b := Backlog{Active: int(counts[queue.StateActive])}
	for _, state := range []queue.State{queue.StateWaiting, queue.StatePrioritized} {
		if counts[state] == 0 {
			continue
		}
		jobs, err := r.Queue.List(ctx, state, 0, looked)
		if err != nil {
			return Backlog{}, fmt.Errorf("list jobs: %w", err)
		}
		b.add(jobs, int(counts[state]), at, r.KindOf)
	}
	return b, nil
}

// add counts jobs that wait, of which total there are.
func (b *Backlog) add(jobs []queue.Job, total int, at time.Time, kind func(queue.Job) string) {
	for _, j := range jobs {
		b.Oldest = max(b.Oldest, at.Sub(j.Added)-j.Delay)
		w := Waiting{Kind: kind(j), Priority: j.Priority}
		if w.Priority == 0 {
			w.Priority = normalPriority
		}
		i := slices.IndexFunc(b.Waiting, func(o Waiting) bool { return o.Kind == w.Kind && o.Priority == w.Priority })
		if i < 0 {
			i = len(b.Waiting)
			b.Waiting = append(b.Waiting, w)
		}
		b.Waiting[i].Jobs++
	}
	if rest := total - len(jobs); rest > 0 && len(jobs) > 0 {
		w := Waiting{Kind: kind(jobs[len(jobs)-1]), Priority: jobs[len(jobs)-1].Priority, Jobs: rest}
		b.Waiting = append(b.Waiting, w)
	}
}

// Times are the mean times of the jobs that finished last, by kind.
func (r Reader) Times(ctx context.Context) (map[string]time.Duration, error) {
	jobs, err := r.Queue.List(ctx, queue.StateCompleted, 0, looked)
	if err != nil {
		return nil, fmt.Errorf("list finished jobs: %w", err)
	}
	return Times(jobs, r.KindOf), nil
}

// KindOf names the kind of a job.
func (r Reader) KindOf(j queue.Job) string {
	var p struct {
		SourceURL    string   `json:"sourceUrl"`
		SourceURLs   []string `json:"sourceUrls"`
		SourceFormat string   `json:"sourceFormat"`
	}
	if json.Unmarshal(j.Data, &p) != nil {
		return "" // a job that will fail at once
	}
	if p.SourceURL == "" && len(p.SourceURLs) > 0 {
		p.SourceURL = p.SourceURLs[0]
	}
	return r.Kind(strings.ToLower(p.SourceFormat), p.SourceURL)
}

// FollowOptions say how Follow works.
type FollowOptions struct {
	Reader Reader
	Target Target
	Scaler *Scaler
	// Every is the time between two decisions.
	Every time.Duration
	// DryRun decides and says, but resizes nothing.
	DryRun bool
	// Decided is told of each decision; nil is nobody.
	Decided func(b Backlog, g Group, d Decision)
	Logger  *slog.Logger
	// Times are given rather than measured; nil measures.
	Times map[string]time.Duration
	// Lead tells whether the next decision is ours, of several programs that size one
	// group; nil is always.
	Lead func(ctx context.Context) (bool, error)
}

// Once decides one time.
func Once(ctx context.Context, o FollowOptions) (Decision, error) {
	at := time.Now()
	times := o.Times
	if times == nil {
		var err error
		if times, err = o.Reader.Times(ctx); err != nil {
			return Decision{}, err
		}
	}
	o.Scaler.Measure(times)
	b, err := o.Reader.Backlog(ctx, at)
	if err != nil {
		return Decision{}, err
	}
	g, err := o.Target.State(ctx)
	if err != nil {
		return Decision{}, fmt.Errorf("ask for the group: %w", err)
	}
	d := o.Scaler.Decide(at, b, g)
	if o.Decided != nil {
		o.Decided(b, g, d)
	}
	if d.Desired == g.Desired || o.DryRun {
		return d, nil
	}
	if err := o.Target.Resize(ctx, d.Desired); err != nil {
		return d, fmt.Errorf("resize the group from %d to %d: %w", g.Desired, d.Desired, err)
	}
	return d, nil
}

// Follow decides until ctx is done. What fails once (a service that is away) is
// logged and tried again the next time.
func Follow(ctx context.Context, o FollowOptions) {
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for {
		lead, err := true, error(nil)
		if o.Lead != nil {
			lead, err = o.Lead(ctx)
		}
		if lead && err == nil {
			_, err = Once(ctx, o)
		}
		if err != nil && ctx.Err() == nil {
			o.Logger.Warn("autoscale", "error", err, "again", o.Every)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
