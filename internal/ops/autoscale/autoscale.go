// Package autoscale decides how many workers there should be, from what waits in
// the queue, and keeps a group of machines at that.
//
// A group is sized so that a job that waits starts within a target delay: the work
// that waits, in seconds by the measured time of its kind, divided by what one
// machine does in that delay ("backlog per instance", Amazon EC2 Auto Scaling User
// Guide, "Scaling policy based on Amazon SQS"). It grows at once and shrinks late:
// a machine takes minutes to start and a spike is often followed by another.
package autoscale

import (
	"fmt"
	"math"
	"time"

	"slate360.ai/worker/internal/queue"
)

// Backlog is what is in the queue at one moment.
type Backlog struct {
	// Waiting jobs by kind and priority.
	Waiting []Waiting
	// Active jobs, over all workers.
	Active int
	// Oldest is how long the job that waits longest has.
	Oldest time.Duration
}

// Waiting is a number of jobs alike.
type Waiting struct {
	// Kind is that of the source: pointcloud, mesh, photogrammetry.
	Kind string
	// Priority is the queue's: 1 is the most urgent, 0 comes before all.
	Priority int
	Jobs     int
}

// Jobs is how many wait.
func (b Backlog) Jobs() (n int) {
	for _, w := range b.Waiting {
		n += w.Jobs
	}
	return n
}

// Group is a group of machines as it is.
type Group struct {
	// Desired is what was asked for; Running do work; Min and Max bound Desired.
	Desired, Running, Min, Max int
}

// Policy says how a group follows its queue. Zero fields of New's get the defaults.
type Policy struct {
	// TargetDelay is how long a job of normal priority may wait; default 5 minutes.
	// Urgent ones (priority 1 to 4, or 0) may wait half of it, low ones (11 and
	// above) four times.
	TargetDelay time.Duration
	// JobTime is how long a job of a kind takes, as measured; DefaultJobTime that
	// of kinds that were not: default 5 minutes.
	JobTime        map[string]time.Duration
	DefaultJobTime time.Duration
	// Concurrency is how many jobs a machine runs at once; default 2.
	Concurrency int
	// Boot is how long a machine takes from being asked for to its first job;
	// default 3 minutes. It is part of the delay where machines are missing.
	Boot time.Duration
	// CoolDown is how long fewer machines must have been enough before the group
	// shrinks; default 15 minutes.
	CoolDown time.Duration
	// PriceHour of a machine and CostCapHour of the group, in the same currency;
	// 0 is no cap.
	PriceHour, CostCapHour float64
}

// Decision is what a group should be, and why.
type Decision struct {
	Desired int
	// Need is what the work alone would ask for, without bounds and cool-down.
	Need    int
	Reasons []string
}

// Scaler remembers what was needed of late. It is used by one goroutine.
type Scaler struct {
	p    Policy
	need []need
}

// need is what was needed at a time.
type need struct {
	at time.Time
	n  int
}

// New returns a scaler.
func New(p Policy) (*Scaler, error) {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&p.TargetDelay, 5 * time.Minute}, {&p.DefaultJobTime, 5 * time.Minute}, {&p.Boot, 3 * time.Minute}, {&p.CoolDown, 15 * time.Minute}} {
		if *d.v < 0 {
			return nil, fmt.Errorf("autoscale: a duration of %v", *d.v)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if p.Concurrency == 0 {
		p.Concurrency = 2
	}
	if p.Concurrency < 0 || p.PriceHour < 0 || p.CostCapHour < 0 {
		return nil, fmt.Errorf("autoscale: concurrency %d, price %g, cap %g: none may be negative", p.Concurrency, p.PriceHour, p.CostCapHour)
	}
	if p.CostCapHour > 0 && p.PriceHour == 0 {
		return nil, fmt.Errorf("autoscale: a cost cap needs the price of a machine")
	}
	return &Scaler{p: p}, nil
}

// Decide tells how many machines there should be at a time. Times must not go back.
func (s *Scaler) Decide(at time.Time, b Backlog, g Group) Decision {
	d := Decision{Need: s.needed(b, g)}
	s.need = append(s.need, need{at, d.Need})
	// The first that is kept lies before the cool-down: what was needed at its start.
	for len(s.need) > 1 && at.Sub(s.need[1].at) >= s.p.CoolDown {
		s.need = s.need[1:]
	}
	d.Desired = d.Need
	say := func(format string, args ...any) { d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...)) }
	switch {
	case b.Jobs() == 0 && b.Active == 0:
		say("nothing waits or runs")
	case b.Jobs() == 0:
		say("nothing waits, %d jobs run", b.Active)
	default:
		say("%d jobs wait (the oldest for %s), %d run: about %s of work, to start within %s",
			b.Jobs(), b.Oldest.Round(time.Second), b.Active, s.work(b).Round(time.Second), s.p.TargetDelay)
	}
	if d.Desired < g.Desired {
		d.Desired = s.shrink(d, b, g, say)
	}
	if most := s.affordable(); most >= 0 && d.Desired > most {
		say("%d machines would cost %.2f an hour, the cap is %.2f: %d", d.Desired, float64(d.Desired)*s.p.PriceHour, s.p.CostCapHour, most)
		d.Desired = most
	}
	if d.Desired > g.Max {
		say("%d are needed, the group may have %d", d.Desired, g.Max)
		d.Desired = g.Max
	}
	if d.Desired < g.Min {
		say("the group keeps at least %d", g.Min)
		d.Desired = g.Min
	}
	return d
}

// shrink is how far a group that is larger than needed may go down: to the most
// that was needed within the cool-down, once it has lasted.
func (s *Scaler) shrink(d Decision, b Backlog, g Group, say func(string, ...any)) int {
	most := 0
	for _, n := range s.need {
		most = max(most, n.n)
	}
	seen := s.need[len(s.need)-1].at.Sub(s.need[0].at)
	if seen < s.p.CoolDown {
		most = g.Desired
	}
	// A job can be on each of as many machines as there are jobs.
	to := min(max(most, min(b.Active, g.Running)), g.Desired)
	if to > d.Need {
		say("%d would do, but not for %s yet, or others are at work: %d", d.Need, s.p.CoolDown, to)
	}
	return to
}

// affordable is how many machines the cost cap allows; -1 is any number.
func (s *Scaler) affordable() int {
	if s.p.CostCapHour == 0 {
		return -1
	}
	return int(s.p.CostCapHour / s.p.PriceHour)
}

// needed is the number of machines that let all that waits start in time. Where
// those that run are too few, the others take a while to start, and more of them are
// needed to do the same in what is left.
func (s *Scaler) needed(b Backlog, g Group) int {
	if b.Jobs() == 0 {
		return s.busy(b)
	}
	n := s.within(b, 0)
	if n > g.Running {
		n = s.within(b, s.p.Boot)
	}
	// No more than give every job a place at once.
	places := int(math.Ceil(float64(b.Jobs()+b.Active) / float64(s.p.Concurrency)))
	return max(min(n, places), s.busy(b), 1)
}

// busy is the least number of machines that the running jobs are on.
func (s *Scaler) busy(b Backlog) int {
	return int(math.Ceil(float64(b.Active) / float64(s.p.Concurrency)))
}

// within is the number of machines that do what waits in time, where the first lost
// of it is lost.
func (s *Scaler) within(b Backlog, lost time.Duration) int {
	lost += b.Oldest
	load := 0.0
	for _, w := range b.Waiting {
		load += float64(w.Jobs) * s.jobTime(w.Kind).Seconds() / s.left(w.Priority, lost).Seconds()
	}
	// Half of their time is left of running jobs, on average; one that takes longer
	// than the delay has its place for all of it.
	load += float64(b.Active) * min(1, s.meanTime(b).Seconds()/2/s.left(normalPriority, lost).Seconds())
	return int(math.Ceil(load / float64(s.p.Concurrency)))
}

// normalPriority is that of a job that says nothing.
const normalPriority = 10

// left is how long a job of a priority may still wait after the first lost.
func (s *Scaler) left(priority int, lost time.Duration) time.Duration {
	d := s.p.TargetDelay
	switch {
	case priority < 5:
		d /= 2
	case priority > 10:
		d *= 4
	}
	// What is late already is not worth any number of machines.
	return max(d-lost, d/4)
}

func (s *Scaler) jobTime(kind string) time.Duration {
	if t := s.p.JobTime[kind]; t > 0 {
		return t
	}
	return s.p.DefaultJobTime
}

// work is the time that what waits takes on one place.
func (s *Scaler) work(b Backlog) (sum time.Duration) {
	for _, w := range b.Waiting {
		sum += time.Duration(w.Jobs) * s.jobTime(w.Kind)
	}
	return sum
}

func (s *Scaler) meanTime(b Backlog) time.Duration {
	return s.work(b) / time.Duration(max(b.Jobs(), 1))
}

// Measure replaces what jobs of each kind take.
func (s *Scaler) Measure(times map[string]time.Duration) { s.p.JobTime = times }

// Times are the mean times of finished jobs by kind, from when they were last
// started; kindOf names the kind of a job.
func Times(finished []queue.Job, kindOf func(queue.Job) string) map[string]time.Duration {
	sum, count := map[string]time.Duration{}, map[string]int{}
	for _, j := range finished {
		if j.Started.IsZero() || !j.Finished.After(j.Started) {
			continue
		}
		k := kindOf(j)
		sum[k] += j.Finished.Sub(j.Started)
		count[k]++
	}
	times := map[string]time.Duration{}
	for k, n := range count {
		times[k] = sum[k] / time.Duration(n)
	}
	return times
}
