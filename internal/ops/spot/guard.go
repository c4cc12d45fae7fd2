package spot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
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
