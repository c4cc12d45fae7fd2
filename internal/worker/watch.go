package worker

import (
	"context"
	"time"
)

// watch reports stages in which nothing goes on, until ctx is done. It does not
// end them: some steps of external engines say nothing for long.
func (w *Worker) watch(ctx context.Context) {
	tick := time.NewTicker(min(w.o.StallTimeout/4+time.Millisecond, 10*time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.mu.Lock()
			runs := make([]*run, 0, len(w.running))
			for _, r := range w.running {
				runs = append(runs, r)
			}
			w.mu.Unlock()
			for _, r := range runs {
				if step, idle, ok := r.stalled(w.o.StallTimeout); ok {
					w.o.Metrics.Stuck.Inc()
					r.log.Warn("no progress", "stage", step, "for", idle.Round(time.Second))
					r.note("no progress in " + step + " for " + idle.Round(time.Second).String())
				}
			}
		}
	}
}

// Ager is a queue in which waiting jobs can go up in priority.
type Ager interface {
	// Age raises each prioritized job by one of the priorities of Priority for
	// each step that it has waited, and returns how many it raised.
	Age(ctx context.Context, step time.Duration) (int, error)
}

// agings is how often waiting jobs are looked at in Options.Ageing while there is
// work. Where there is none for a while nobody waits, and it is once.
const agings = 10

// age raises jobs that have waited long, until ctx is done, so that a stream of
// urgent ones does not starve the rest.
func (w *Worker) age(ctx context.Context) {
	ager, ok := w.o.Queue.(Ager)
	if !ok || w.o.Ageing <= 0 {
		return
	}
	tick := time.NewTicker(max(w.o.Ageing/agings, time.Second))
	defer tick.Stop()
	for idle := 1; ; idle++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !w.worked() && idle < agings {
				continue
			}
			idle = 0
			n, err := ager.Age(ctx, w.o.Ageing)
			if err != nil && ctx.Err() == nil {
				w.log.Warn("ageing of waiting jobs", "error", err)
			}
			if n > 0 {
				w.log.Info("waiting jobs raised in priority", "jobs", n)
			}
		}
	}
}
