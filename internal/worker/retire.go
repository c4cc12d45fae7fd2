package worker

import (
	"fmt"
	"time"
)

// Retire lets the worker take no more jobs. Those that run go back to the queue at
// until, with their finished stages kept; the zero time lets them end. Called again,
// the earlier end holds: a machine that was to go some time may have to go at once.
func (w *Worker) Retire(reason string, until time.Time) {
	w.setReady(false)
	w.retire()
	left := time.Until(until)
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.running)
	w.o.Metrics.Draining.Set(1)
	if until.IsZero() {
		w.log.Warn("no more jobs are taken", "reason", reason, "running", n)
		return
	}
	w.log.Warn("no more jobs are taken; those that run go back to the queue", "reason", reason, "running", n, "in", max(left, 0).Round(time.Millisecond))
	w.o.Status(fmt.Sprintf("draining, %d jobs are running: %s", n, reason))
	if w.ending != nil && !w.ending.Stop() {
		return // it has fired: they give up already
	}
	if w.ending == nil || until.Before(w.end) {
		w.end = until
	}
	w.ending = time.AfterFunc(max(time.Until(w.end), 0), func() { w.giveUp(errDrain) })
}

// stopEnding stops the timer of Retire.
func (w *Worker) stopEnding() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ending != nil {
		w.ending.Stop()
	}
}

// Changed has an element when the number of running jobs has changed since the last
// was taken from it. It is for one reader.
func (w *Worker) Changed() <-chan struct{} { return w.changed }

// tellChanged puts an element into Changed, where there is none.
func (w *Worker) tellChanged() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
