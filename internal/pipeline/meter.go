package pipeline

import (
	"sync"
	"time"

	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
)

// meterInterval is how often the progress of running stages is reported, and
// the memory of the process looked at.
const meterInterval = 100 * time.Millisecond

// meter turns what the stages say of themselves into the progress of the job.
type meter struct {
	sink  func(job.Progress)
	start time.Time

	mu     sync.Mutex
	stages []*metered
	high   int64 // peak of the process when last looked at
}

// metered is a stage that takes part in the progress of the job.
type metered struct {
	task    *task
	weight  float64
	running bool
	done    bool
	resumed bool
	shown   [2]float64 // counts of the last event
}

func newMeter(sink func(job.Progress)) *meter {
	return &meter{sink: sink, start: time.Now(), high: host.PeakMemory()}
}

func (m *meter) add(t *task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stages = append(m.stages, &metered{task: t, weight: t.stage.weight()})
}

func (m *meter) update(t *task, change func(s *metered)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.stages {
		if s.task == t {
			change(s)
		}
	}
}

func (m *meter) begin(t *task) {
	m.samplePeak() // what came before does not count for the new stage
	m.update(t, func(s *metered) { s.running = true })
	m.samplePeak()
}

func (m *meter) finish(t *task, resumed bool) {
	m.update(t, func(s *metered) { s.running, s.done, s.resumed = false, true, resumed })
}

func (m *meter) drop(t *task) { m.update(t, func(s *metered) { s.running = false }) }

// run reports progress until the function it returns is called.
func (m *meter) run() (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(meterInterval)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				m.samplePeak()
				m.report()
			}
		}
	})
	return func() {
		close(quit)
		wg.Wait()
	}
}

// samplePeak adds the memory of the process to the peaks of the running stages:
// exactly where the process has reached a new high, else as it is now.
func (m *meter) samplePeak() {
	now := host.ResidentMemory()
	high := host.PeakMemory()
	m.mu.Lock()
	defer m.mu.Unlock()
	if high > m.high {
		m.high = high
		now = max(now, high)
	}
	for _, s := range m.stages {
		if s.running {
			raise(&s.task.context.peak, now)
		}
	}
}

// report emits an event for each running stage that has gone on.
func (m *meter) report() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.stages {
		if !s.running {
			continue
		}
		done, total := s.task.context.counts()
		if s.shown == [2]float64{done, total} {
			continue
		}
		s.shown = [2]float64{done, total}
		p := job.Progress{
			Event: job.EventStageProgress, Stage: s.task.stage.Name, Title: s.task.stage.title(), Status: s.task.stage.status(),
			Engine: s.task.engine.Name, StagePercent: 100 * s.task.context.fraction(), Done: done, Total: total,
		}
		m.fill(&p)
		m.sink(p)
	}
}

// emit completes an event with the state of the job and hands it on.
func (m *meter) emit(p job.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(&p)
	m.sink(p)
}

// rateShown is the part of the work after which its rate says something.
const rateShown = 0.02

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
		case s.running:
			f = s.task.context.fraction()
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
	if doneHere > rateShown*(doneHere+toDo) {
		p.Remaining = p.Elapsed * toDo / doneHere
	}
}
