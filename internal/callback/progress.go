package callback

import (
	"context"
	"sync"
	"time"
)

// Progress sends the progress of one job. The latest word is sent, at most one
// each ProgressInterval, by a goroutine that Close waits for.
type Progress struct {
	s      *Sender
	jobID  string
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	last *Event
	wake chan struct{}
}

// Progress begins to send the progress of a job. After Close returns no progress
// of it is under way any more: the end of the job can be told.
func (s *Sender) Progress(ctx context.Context, jobID string) *Progress {
	ctx, cancel := context.WithCancel(ctx)
	p := &Progress{s: s, jobID: jobID, cancel: cancel, wake: make(chan struct{}, 1)}
	p.wg.Go(func() { p.run(ctx) })
	return p
}

// Set says how far the job is, in percent, and in what stage. It does not wait.
func (p *Progress) Set(percent int, stage string) {
	p.mu.Lock()
	p.last = &Event{
		JobID: p.jobID, Status: StatusProgress, ProgressPct: percent, Stage: stage, OccurredAt: time.Now().UTC(),
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Close ends the sending; what was not sent yet is dropped.
func (p *Progress) Close() {
	p.cancel()
	p.wg.Wait()
}

func (p *Progress) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		p.mu.Lock()
		e := *p.last
		p.mu.Unlock()
		e.EventID = EventID(e.JobID, e.Status, e.OccurredAt.Format(time.RFC3339Nano))
		if err := p.s.post(ctx, e); err != nil && ctx.Err() == nil {
			p.s.o.Logger.Debug("progress callback failed", "jobId", p.jobID, "error", err)
		}
		t := time.NewTimer(p.s.o.ProgressInterval)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}
