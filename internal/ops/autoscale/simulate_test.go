package autoscale_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"slate360.ai/worker/internal/ops/autoscale"
)

// arrival is a job of a simulated day.
type arrival struct {
	at, takes time.Duration
	kind      string
	priority  int
}

// day makes the arrivals of a working day: little at night, a peak in the morning
// and one in the afternoon, and a project of 60 scans dropped in at noon.
func day(seed uint64) []arrival {
	r := rand.New(rand.NewPCG(seed, 1))
	kinds := []struct {
		name  string
		takes time.Duration
	}{{"pointcloud", 40 * time.Second}, {"mesh", 20 * time.Second}, {"photogrammetry", 12 * time.Minute}}
	rate := func(h float64) float64 { // jobs an hour
		switch {
		case h < 6 || h > 21:
			return 0.3
		case h > 9 && h < 11.5, h > 14 && h < 17:
			return 30
		}
		return 8
	}
	var list []arrival
	for t := time.Duration(0); t < 24*time.Hour; t += time.Minute {
		if r.Float64() < rate(t.Hours())/60 {
			k := kinds[r.IntN(3)]
			list = append(list, arrival{t, time.Duration(float64(k.takes) * (0.5 + r.Float64())), k.name, []int{1, 5, 10, 10, 10, 20}[r.IntN(6)]})
		}
	}
	for range 60 {
		list = append(list, arrival{12 * time.Hour, time.Duration(float64(40*time.Second) * (0.5 + r.Float64())), "pointcloud", 10})
	}
	slices.SortStableFunc(list, func(a, b arrival) int { return int(a.at - b.at) })
	return list
}

// machine of the simulation: it does work from ready on.
type machine struct {
	ready time.Duration
	jobs  []time.Duration // when each that runs ends
}

type outcome struct {
	waits    map[int][]time.Duration // by priority
	hours    float64
	changes  int
	reversal int // growth within 5 minutes after shrinking
	most     int
	end      int
}

// simulate runs a day in steps of ten seconds; the scaler is asked every 30.
func simulate(t *testing.T, p autoscale.Policy, g autoscale.Group, arrivals []arrival) outcome {
	t.Helper()
	s, err := autoscale.New(p)
	if err != nil {
		t.Fatal(err)
	}
	const step = 10 * time.Second
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	out := outcome{waits: map[int][]time.Duration{}}
	var machines []*machine
	var queue []arrival
	shrunk := -time.Hour
	for now := time.Duration(0); now < 26*time.Hour; now += step {
		for len(arrivals) > 0 && arrivals[0].at <= now {
			queue = append(queue, arrivals[0])
			arrivals = arrivals[1:]
		}
		slices.SortStableFunc(queue, func(a, b arrival) int { return a.priority - b.priority })
		active, running := 0, 0
		for _, m := range machines {
			m.jobs = slices.DeleteFunc(m.jobs, func(end time.Duration) bool { return end <= now })
			if now < m.ready {
				continue
			}
			running++
			for len(m.jobs) < p.Concurrency && len(queue) > 0 {
				j := queue[0]
				queue = queue[1:]
				out.waits[j.priority] = append(out.waits[j.priority], now-j.at)
				m.jobs = append(m.jobs, now+j.takes)
			}
			active += len(m.jobs)
		}
		out.hours += float64(len(machines)) * step.Hours()
		out.most = max(out.most, len(machines))
		if now%(30*time.Second) != 0 {
			continue
		}
		b := autoscale.Backlog{Active: active}
		for _, j := range queue {
			b.Waiting = append(b.Waiting, autoscale.Waiting{Kind: j.kind, Priority: j.priority, Jobs: 1})
			b.Oldest = max(b.Oldest, now-j.at)
		}
		g.Desired, g.Running = len(machines), running
		d := s.Decide(start.Add(now), b, g)
		switch {
		case d.Desired > len(machines):
			out.changes++
			if now-shrunk < 5*time.Minute {
				out.reversal++
			}
			for len(machines) < d.Desired {
				machines = append(machines, &machine{ready: now + p.Boot})
			}
		case d.Desired < len(machines):
			out.changes++
			shrunk = now
			// Idle ones go first, as scale-in protection of busy ones has it.
			slices.SortStableFunc(machines, func(a, b *machine) int { return len(b.jobs) - len(a.jobs) })
			for _, m := range machines[d.Desired:] {
				if len(m.jobs) > 0 {
					t.Errorf("at %v a machine with %d jobs was taken away", now, len(m.jobs))
				}
			}
			machines = machines[:d.Desired]
		}
	}
	if len(queue) > 0 || len(arrivals) > 0 {
		t.Errorf("%d jobs were left", len(queue)+len(arrivals))
	}
	out.end = len(machines)
	return out
}

func policy() autoscale.Policy {
	return autoscale.Policy{
		TargetDelay: 5 * time.Minute, Concurrency: 2, Boot: 2 * time.Minute, CoolDown: 15 * time.Minute,
		JobTime: map[string]time.Duration{"pointcloud": 40 * time.Second, "mesh": 20 * time.Second, "photogrammetry": 12 * time.Minute},
	}
}

// A day of work: jobs start in time, the group goes up and down a few times, not
// back and forth, ends at nothing, and costs a fraction of machines that are
// always on.
func TestDay(t *testing.T) {
	for seed := range uint64(5) {
		p := policy()
		out := simulate(t, p, autoscale.Group{Max: 20}, day(seed))
		var all []time.Duration
		for _, w := range out.waits {
			all = append(all, w...)
		}
		slices.Sort(all)
		late := 0
		for _, w := range all {
			if w > p.TargetDelay {
				late++
			}
		}
		t.Logf("seed %d: %d jobs, wait p50 %v p95 %v max %v, %d late; %.1f machine hours, at most %d machines (always on: %.0f hours), %d changes, %d reversals",
			seed, len(all), all[len(all)/2], all[len(all)*95/100], all[len(all)-1], late, out.hours, out.most, 24*float64(out.most), out.changes, out.reversal)
		if late*20 > len(all) {
			t.Errorf("seed %d: %d of %d jobs waited longer than %v", seed, late, len(all), p.TargetDelay)
		}
		if out.end != 0 {
			t.Errorf("seed %d: %d machines are left at the end", seed, out.end)
		}
		if out.hours > 24*float64(out.most)/5 {
			t.Errorf("seed %d: %.1f machine hours, more than a fifth of %d always on", seed, out.hours, out.most)
		}
		if out.reversal > 8 || out.changes > 80 {
			t.Errorf("seed %d: %d changes, %d of them soon after the other way", seed, out.changes, out.reversal)
		}
	}
}

// Urgent jobs wait less than low ones where both compete.
func TestPriorities(t *testing.T) {
	var list []arrival
	for i := range 120 {
		list = append(list, arrival{time.Hour + time.Duration(i)*time.Second, time.Minute, "pointcloud", []int{1, 20}[i%2]})
	}
	out := simulate(t, policy(), autoscale.Group{Max: 6}, list)
	mean := func(w []time.Duration) (sum time.Duration) {
		for _, d := range w {
			sum += d
		}
		return sum / time.Duration(len(w))
	}
	if u, l := mean(out.waits[1]), mean(out.waits[20]); u*2 > l {
		t.Errorf("urgent jobs waited %v, low ones %v", u, l)
	}
}

// However rarely it is asked, the group shrinks once the cool-down is over.
func TestShrinksWithFewLooks(t *testing.T) {
	p := policy()
	s, err := autoscale.New(p)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := autoscale.Group{Desired: 3, Running: 3, Max: 4}
	for i := range 3 {
		d := s.Decide(at.Add(time.Duration(i)*(p.CoolDown+time.Second)), autoscale.Backlog{}, g)
		if want := []int{3, 0, 0}[i]; d.Desired != want {
			t.Errorf("look %d: %+v, want %d", i, d, want)
		}
	}
}

func TestCostCap(t *testing.T) {
	p := policy()
	p.PriceHour, p.CostCapHour = 0.2, 0.7
	out := simulate(t, p, autoscale.Group{Max: 20}, day(1))
	if out.most != 3 {
		t.Errorf("%d machines at 0.20 an hour under a cap of 0.70", out.most)
	}
}

func TestBounds(t *testing.T) {
	s, err := autoscale.New(policy())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	many := autoscale.Backlog{Waiting: []autoscale.Waiting{{Kind: "photogrammetry", Priority: 10, Jobs: 500}}, Oldest: time.Minute}
	if d := s.Decide(at, many, autoscale.Group{Max: 4}); d.Desired != 4 || d.Need <= 4 || len(d.Reasons) < 2 {
		t.Errorf("500 jobs in a group of at most 4: %+v", d)
	}
	s, _ = autoscale.New(policy())
	if d := s.Decide(at, autoscale.Backlog{}, autoscale.Group{Min: 2, Max: 4}); d.Desired != 2 {
		t.Errorf("an empty queue with at least 2: %+v", d)
	}
	// One job needs one machine, at once.
	s, _ = autoscale.New(policy())
	one := autoscale.Backlog{Waiting: []autoscale.Waiting{{Kind: "mesh", Priority: 20, Jobs: 1}}}
	if d := s.Decide(at, one, autoscale.Group{Max: 4}); d.Desired != 1 {
		t.Errorf("one job: %+v", d)
	}
	for _, p := range []autoscale.Policy{{CostCapHour: 1}, {Concurrency: -1}, {Boot: -1}} {
		if _, err := autoscale.New(p); err == nil {
			t.Errorf("policy %+v was taken", p)
		}
	}
}
