package spot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Worker is what runs jobs on the machine.
type Worker interface {
	// Retire lets it take no more jobs. Those that run go back to the queue at until;
	// the zero time lets them end.
	Retire(reason string, until time.Time)
	// Running is how many jobs run.
	Running() int
	// Changed has an element when that number has changed.
	Changed() <-chan struct{}
}

// Group is the Auto Scaling group of the machine.
type Group interface {
	// Protect keeps the machine from being taken when the group shrinks, or no longer.
	Protect(ctx context.Context, instance string, on bool) error
	// Hold lets the lifecycle hooks of the termination wait longer.
	Hold(ctx context.Context, instance string) error
	// Release lets them wait no longer.
	Release(ctx context.Context, instance string) error
}

// What to do on a rebalance recommendation.
const (
	// RebalanceAuto stops taking jobs once another worker takes them.
	RebalanceAuto = "auto"
	// RebalanceDrain stops taking jobs at once.
	RebalanceDrain = "drain"
	// RebalanceIgnore does nothing.
	RebalanceIgnore = "ignore"
)

// noticeAhead is how long before an interruption its notice comes.
const noticeAhead = 2 * time.Minute

// holdEvery is the time between two heartbeats of a lifecycle hook, whose shortest
// timeout is 30 s.
const holdEvery = 10 * time.Second

// idleLooks is for how many looks no job must have run before the machine is free to
// be taken: short jobs in a row do not change its protection each time.
const idleLooks = 3

// Options of a Guard. Group and Others may be nil.
type Options struct {
	Machine *Machine
	Worker  Worker
	// Group opens the group that a machine is in: a nil Group where it is in none.
	Group func(ctx context.Context, instance, region string) (Group, error)
	// Others tells whether other workers take jobs.
	Others func(ctx context.Context) (bool, error)
	// Margin is the time before an interruption in which jobs go back to the queue
	// with what they have finished, Patience what running jobs get where the group
	// takes the machine.
	Margin, Patience time.Duration
	// Rebalance is one of RebalanceAuto, RebalanceDrain and RebalanceIgnore.
	Rebalance string
	// Every is the time between two looks; AWS recommends 5 s.
	Every   time.Duration
	Metrics *Metrics
	Logger  *slog.Logger
}

// Metrics are what a guard counts.
type Metrics struct {
	notices   *prometheus.CounterVec
	protected prometheus.Gauge
	failures  prometheus.Counter

	interruptions atomic.Int64
}

// Interruptions is how many notices of an interruption there were.
func (m *Metrics) Interruptions() int64 { return m.interruptions.Load() }

// NewMetrics returns a set; it counts without being registered.
func NewMetrics() *Metrics {
	m := &Metrics{
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slate360_machine_notices_total", Help: "Notices that the machine will go, by kind (interruption, terminating, rebalance).",
		}, []string{"kind"}),
		protected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "slate360_machine_protected", Help: "1 while the group may not take the machine when it shrinks.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "slate360_machine_errors_total", Help: "Failures to ask for notices, or to tell the Auto Scaling group.",
		}),
	}
	for _, k := range []Kind{Interruption, Terminating, Rebalance} {
		m.notices.WithLabelValues(string(k)) // there from the start: a rate needs a first value
	}
	return m
}

// Collectors returns all, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.notices, m.protected, m.failures}
}

// Guard follows the notices of a machine.
type Guard struct {
	o        Options
	instance string
	joined   bool          // it is known what group the machine is in
	group    Group         // nil is none
	seen     map[Kind]bool // notices that there were
	followed map[Kind]bool // those for which the worker was retired

	told      bool      // the group was told, so that protected is as it has it
	protected bool      // as the group was told last
	idle      int       // looks for which no job ran
	held      time.Time // when hooks were told last to wait
	released  bool      // hooks need not wait any more
	broken    string    // what failed last, so that it is said once in a row
}

// NewGuard returns a guard. It does nothing until Run.
func NewGuard(o Options) *Guard {
	return &Guard{o: o, seen: map[Kind]bool{}, followed: map[Kind]bool{}}
}

// Run looks for notices every so often, and whenever the number of running jobs
// changes, until ctx is done. What fails is logged once in a row and tried again.
func (g *Guard) Run(ctx context.Context) {
	tick := time.NewTicker(g.o.Every)
	defer tick.Stop()
	looked := true
	for {
		g.say(g.look(ctx, looked))
		select {
		case <-ctx.Done():
			g.leave(ctx)
			return
		case <-tick.C:
			looked = true
		case <-g.o.Worker.Changed():
			looked = false
		}
	}
}

// say logs an error that is not that of the look before.
func (g *Guard) say(err error) {
	text := ""
	if err != nil {
		text = err.Error()
		g.o.Metrics.failures.Inc()
	}
	if text != "" && text != g.broken {
		g.o.Logger.Warn("notices of the machine", "error", err, "again", g.o.Every)
	}
	g.broken = text
}

// look does all that is to be done now. Notices are asked for only where ask says so.
// What the group refuses is no reason not to follow notices.
func (g *Guard) look(ctx context.Context, ask bool) error {
	if g.instance == "" {
		id, err := g.o.Machine.ID(ctx)
		if err == nil && id == "" {
			err = errors.New("the instance metadata service knows no instance")
		}
		if err != nil {
			return err
		}
		g.instance = id
		g.o.Logger.Info("notices of the machine are followed", "instance", id)
	}
	var err error
	if ask {
		err = g.ask(ctx)
	}
	return errors.Join(err, g.tell(ctx, g.o.Worker.Running() > 0, ask))
}

// ask looks for notices and follows them.
func (g *Guard) ask(ctx context.Context) error {
	notices, err := g.o.Machine.Notices(ctx)
	errs := []error{err}
	for _, n := range notices {
		errs = append(errs, g.notice(ctx, n))
	}
	return errors.Join(errs...)
}

// tellTimeout bounds what is told to the group: one that cannot be reached does not
// keep notices waiting.
const tellTimeout = 3 * time.Second

// tell tells the group how the machine stands.
func (g *Guard) tell(ctx context.Context, running, looked bool) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if err := g.join(ctx); err != nil || g.group == nil {
		return err
	}
	return errors.Join(g.protect(ctx, running, looked), g.hook(ctx, running))
}

// join learns what group the machine is in.
func (g *Guard) join(ctx context.Context) error {
	if g.joined || g.o.Group == nil {
		return nil
	}
	region, err := g.o.Machine.Region(ctx)
	if err == nil {
		g.group, err = g.o.Group(ctx, g.instance, region)
	}
	if err != nil {
		return fmt.Errorf("the Auto Scaling group of %s: %w", g.instance, err)
	}
	g.joined = true
	return nil
}

// notice does what a notice asks for, once.
func (g *Guard) notice(ctx context.Context, n Notice) error {
	if !g.seen[n.Kind] {
		g.seen[n.Kind] = true
		g.o.Metrics.notices.WithLabelValues(string(n.Kind)).Inc()
		if n.Kind == Interruption {
			g.o.Metrics.interruptions.Add(1)
		}
		g.o.Logger.Warn("the machine will go", "instance", g.instance, "notice", n.Kind, "action", n.Action, "at", n.At)
	}
	if g.followed[n.Kind] {
		return nil
	}
	reason, until := "", time.Time{}
	switch n.Kind {
	case Interruption:
		if n.At.IsZero() {
			n.At = time.Now().Add(noticeAhead)
		}
		until = n.At.Add(-g.o.Margin)
		reason = fmt.Sprintf("EC2 will %s the machine at %s", cmp.Or(n.Action, "take"), n.At.UTC().Format(time.RFC3339))
	case Terminating:
		until = time.Now().Add(g.o.Patience)
		reason = "the Auto Scaling group takes the machine"
	case Rebalance:
		now, err := g.rebalances(ctx)
		if !now || err != nil {
			return err
		}
		reason = "EC2 says that the machine is likely to be taken"
	}
	g.followed[n.Kind] = true
	g.o.Worker.Retire(reason, until)
	return nil
}

// rebalances tells whether to follow a rebalance recommendation now. Where the group
// replaces the machine, the other worker comes some minutes later.
func (g *Guard) rebalances(ctx context.Context) (bool, error) {
	switch {
	case g.o.Rebalance == RebalanceIgnore:
		return false, nil
	case g.o.Rebalance == RebalanceDrain || g.o.Others == nil:
		return true, nil
	}
	others, err := g.o.Others(ctx)
	if err != nil {
		return false, fmt.Errorf("look for other workers: %w", err)
	}
	return others, nil
}

// protect keeps a machine that works from being taken, and one that does not free:
// at once where a job begins, after some looks where none runs.
func (g *Guard) protect(ctx context.Context, running, looked bool) error {
	if running {
		g.idle = 0
	} else if looked {
		g.idle++
	}
	on := running
	if g.protected && !running && g.idle < idleLooks {
		on = true
	}
	// A machine that goes anyway is not kept.
	if len(g.followed) > 0 {
		on = false
	}
	// At first it is not known: a process that died may have left the machine protected.
	if g.told && on == g.protected {
		return nil
	}
	if err := g.group.Protect(ctx, g.instance, on); err != nil {
		return fmt.Errorf("protect the machine: %w", err)
	}
	g.told, g.protected = true, on
	value := 0.0
	if on {
		value = 1
	}
	g.o.Metrics.protected.Set(value)
	return nil
}

// hook lets the hooks of a termination wait while jobs end, and no longer than that.
func (g *Guard) hook(ctx context.Context, running bool) error {
	if !g.seen[Terminating] || g.released {
		return nil
	}
	if !running {
		if err := g.group.Release(ctx, g.instance); err != nil {
			return fmt.Errorf("end the lifecycle hook: %w", err)
		}
		g.released = true
		g.o.Logger.Info("the Auto Scaling group need not wait any more", "instance", g.instance)
		return nil
	}
	if time.Since(g.held) < holdEvery {
		return nil
	}
	if err := g.group.Hold(ctx, g.instance); err != nil {
		return fmt.Errorf("let the lifecycle hook wait: %w", err)
	}
	g.held = time.Now()
	return nil
}

// leave frees the machine where the process is stopped: jobs have ended then.
func (g *Guard) leave(ctx context.Context) {
	if g.group == nil {
		return
	}
	g.idle = idleLooks
	g.say(g.tell(context.WithoutCancel(ctx), false, false))
}
