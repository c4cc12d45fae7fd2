package pipeline

import (
	"sync"
	"time"

	"slate360.ai/worker/internal/job"
)

// meter turns what the stages say of themselves into the progress of the job.
type meter struct {
	sink  func(job.Progress)
	start time.Time

	mu     sync.Mutex
	stages map[string]*metered
}

// metered is a stage that takes part in the progress of the job.
type metered struct {
	weight  float64
	context *Context // while it runs
	done    bool
	resumed bool
	shown   [2]float64 // counts of the last event
}

// emit completes an event with the state of the job and hands it on.
func (m *meter) emit(p job.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(&p)
	m.sink(p)
}

// fill must be called with mu held.
func (m *meter) fill(p *job.Progress) {
	now := time.Now()
	p.Time = now
	p.Elapsed = now.Sub(m.start).Seconds()
	var all, ahead, doneHere, toDo float64
	for _, s := range m.stages {
		f := 0.0
		switch {
		case s.done:
			f = 1
		case s.context != nil:
			f = s.context.fraction()
		}
		all += s.weight
		ahead += s.weight * f
		if !s.resumed {
			doneHere += s.weight * f
			toDo += s.weight * (1 - f)
		}
	}
	if all > 0 {
		p.Percent = 100 * ahead / all
	}
	// Before a fiftieth of the work is done the rate says nothing yet.
	if doneHere > 0.02*(doneHere+toDo) {
		p.Remaining = p.Elapsed * toDo / doneHere
	}
}
