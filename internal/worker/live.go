package worker

import (
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// observe changes what is known of the running job and tells it.
func (r *run) observe(change func(l *job.Live)) {
	r.observing.Lock()
	defer r.observing.Unlock()
	r.mu.Lock()
	change(&r.live)
	l := r.live.Clone()
	r.mu.Unlock()
	if l.JobID != "" {
		r.w.o.Observe(l)
	}
}

// observePlan tells which stages there will be.
func (r *run) observePlan(plan pipeline.Plan) {
	r.observe(func(l *job.Live) {
		l.Stages = make([]job.Stage, 0, len(plan.Stages))
		for _, p := range plan.Stages {
			s := job.Stage{Name: p.Name, Title: p.Title, Engine: p.Engine, State: job.StagePending}
			if p.State == pipeline.PlanOff {
				s.State = job.StageOff
			}
			l.Stages = append(l.Stages, s)
		}
	})
}

// observeStage tells how a stage stands.
func (r *run) observeStage(p job.Progress) {
	r.observe(func(l *job.Live) {
		s := l.Stage(p.Stage)
		s.Title, s.Engine, s.Progress = p.Title, p.Engine, p.StagePercent
		switch p.Event {
		case job.EventStageFinished:
			s.State = job.StageDone
		case job.EventStageResumed:
			s.State = job.StageResumed
		default:
			s.State = job.StageRunning
		}
		if p.Result != nil {
			s.Seconds, s.PeakBytes = p.Result.Seconds, p.Result.PeakBytes
		}
		l.Remaining = p.Remaining
		if p.Event == job.EventStageProgress {
			l.Rate = r.rates.of(p.Stage, p.Done, p.Time)
		}
	})
}

// observeBytes tells how fast bytes of a step come or go.
func (r *run) observeBytes(step string, done int64) {
	r.observe(func(l *job.Live) { l.Rate = r.rates.of(step, float64(done), time.Now()) })
}

// rates are measured over the last rateWindow of a step.
type rates struct {
	step       string
	at, middle time.Time
	from, half float64
	rate       float64
}

// rateWindow is long enough for a rate that can be read, and short enough to follow.
const rateWindow = 2 * time.Second

// of returns how much a step does a second, now that it has done so much.
func (r *rates) of(step string, done float64, now time.Time) float64 {
	if r.step != step || done < r.half || done < r.from {
		*r = rates{step: step, at: now, middle: now, from: done, half: done}
		return 0
	}
	if now.Sub(r.middle) > rateWindow {
		r.at, r.from, r.middle, r.half = r.middle, r.half, now, done
	}
	if d := now.Sub(r.at).Seconds(); d > 0.1 {
		r.rate = (done - r.from) / d
	}
	return r.rate
}
