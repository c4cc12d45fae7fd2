package spot_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slate360.ai/worker/internal/ops/spot"
	"slate360.ai/worker/internal/testservices"
)

// jobs stands for a worker.
type jobs struct {
	mu      sync.Mutex
	running int
	changed chan struct{}
	retired chan retirement
}

type retirement struct {
	reason string
	until  time.Time
}

func (j *jobs) Retire(reason string, until time.Time) { j.retired <- retirement{reason, until} }
func (j *jobs) Changed() <-chan struct{}              { return j.changed }

func (j *jobs) Running() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.running
}

func (j *jobs) set(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running = n
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

// scaling stands for the Auto Scaling group; what it is told comes out of calls.
type scaling struct{ calls chan string }

func (s scaling) Protect(_ context.Context, instance string, on bool) error {
	word := "free "
	if on {
		word = "protect "
	}
	s.calls <- word + instance
	return nil
}

func (s scaling) Hold(_ context.Context, instance string) error {
	s.calls <- "hold " + instance
	return nil
}

func (s scaling) Release(_ context.Context, instance string) error {
	s.calls <- "release " + instance
	return nil
}

// rig is a guard that runs.
type rig struct {
	t     *testing.T
	imds  *testservices.IMDS
	jobs  *jobs
	group scaling
	log   *logBuffer
	stop  func()
	set   *prometheus.Registry
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func guard(t *testing.T, change func(o *spot.Options)) *rig {
	t.Helper()
	s, m := open(t)
	r := &rig{
		t: t, imds: s, jobs: &jobs{changed: make(chan struct{}, 1), retired: make(chan retirement, 8)},
		group: scaling{make(chan string, 64)}, log: &logBuffer{}, set: prometheus.NewRegistry(),
	}
	o := spot.Options{
		Machine: m, Worker: r.jobs, Margin: 30 * time.Second, Patience: 10 * time.Minute, Rebalance: spot.RebalanceAuto, Every: time.Millisecond,
		Group:   func(context.Context, string, string) (spot.Group, error) { return r.group, nil },
		Metrics: spot.NewMetrics(), Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	r.set.MustRegister(o.Metrics.Collectors()...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		spot.NewGuard(o).Run(ctx)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(r.stop)
	return r
}

// patience is for what has to come.
const patience = 20 * time.Second

func (r *rig) want(call string) {
	r.t.Helper()
	select {
	case got := <-r.group.calls:
		if got != call {
			r.t.Fatalf("the group is told %q, want %q", got, call)
		}
	case <-time.After(patience):
		r.t.Fatalf("the group is not told %q\n%s", call, r.log)
	}
}

func (r *rig) retirement() retirement {
	r.t.Helper()
	select {
	case got := <-r.jobs.retired:
		return got
	case <-time.After(patience):
		r.t.Fatalf("the worker is not retired\n%s", r.log)
	}
	return retirement{}
}

// looks waits for so many looks.
func (r *rig) looks(n int) {
	r.t.Helper()
	for range n {
		select {
		case <-r.imds.Asked:
		case <-time.After(patience):
			r.t.Fatal("nobody looks")
		}
	}
}

func (r *rig) metric(name, label string) float64 {
	r.t.Helper()
	families, err := r.set.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name && (label == "" || m.Label[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	r.t.Fatalf("there is no metric %s", name)
	return 0
}

// A machine that works is protected at once, and freed some looks after it does not; one
// that a process before left protected is freed at the start.
func TestProtection(t *testing.T) {
	r := guard(t, nil)
	r.want("free i-0abc")
	r.jobs.set(1)
	r.want("protect i-0abc")
	r.jobs.set(0)
	r.want("free i-0abc")
	r.jobs.set(2)
	r.want("protect i-0abc")
	r.stop() // jobs have ended when a guard is stopped
	r.want("free i-0abc")
	if len(r.group.calls) > 0 {
		t.Errorf("and then %q", <-r.group.calls)
	}
}

// Jobs go back the margin before the machine is taken, and it is not protected then.
func TestInterruption(t *testing.T) {
	r := guard(t, nil)
	r.want("free i-0abc")
	r.jobs.set(1)
	r.want("protect i-0abc")
	at := time.Now().Add(2 * time.Minute).UTC().Truncate(time.Second)
	r.imds.Set(action, `{"action":"terminate","time":"`+at.Format(time.RFC3339)+`"}`)
	got := r.retirement()
	if !got.until.Equal(at.Add(-30*time.Second)) || !strings.Contains(got.reason, "terminate") {
		t.Errorf("retired until %s for %q, the machine is taken at %s", got.until, got.reason, at)
	}
	r.want("free i-0abc")
	r.looks(6)
	if len(r.jobs.retired) > 0 {
		t.Errorf("retired again: %+v", <-r.jobs.retired)
	}
	if n := r.metric("slate360_machine_notices_total", "interruption"); n != 1 {
		t.Errorf("%g interruptions are counted", n)
	}
}

// The lifecycle hook waits while a job runs, and no longer.
func TestTermination(t *testing.T) {
	r := guard(t, nil)
	r.want("free i-0abc")
	r.jobs.set(1)
	r.want("protect i-0abc")
	before := time.Now()
	r.imds.Set(lifecycle, "Terminated")
	if got := r.retirement(); got.until.Before(before.Add(10*time.Minute)) || got.until.After(time.Now().Add(10*time.Minute)) {
		t.Errorf("retired until %s", got.until)
	}
	r.want("free i-0abc")
	r.want("hold i-0abc")
	r.jobs.set(0)
	r.want("release i-0abc")
	r.looks(6)
	r.stop()
	if len(r.group.calls) > 0 {
		t.Errorf("and then %q", <-r.group.calls)
	}
}

// A recommendation is followed once another worker takes jobs, and jobs may end.
func TestRebalance(t *testing.T) {
	others := make(chan bool, 2)
	others <- false
	others <- true
	r := guard(t, func(o *spot.Options) {
		o.Others = func(context.Context) (bool, error) { return <-others, nil }
	})
	r.imds.Set(rebalance, `{"noticeTime":"2026-03-01T08:22:00Z"}`)
	if got := r.retirement(); !got.until.IsZero() || len(others) != 0 {
		t.Errorf("retired until %s, %d answers are left", got.until, len(others))
	}
	// A notice that presses more comes on top.
	r.imds.Set(action, `{"action":"stop","time":"2026-03-01T08:24:00Z"}`)
	if got := r.retirement(); got.until.IsZero() {
		t.Errorf("an interruption without an end: %+v", got)
	}
}

func TestRebalanceIgnored(t *testing.T) {
	r := guard(t, func(o *spot.Options) { o.Rebalance = spot.RebalanceIgnore })
	r.imds.Set(rebalance, "{}")
	r.looks(9)
	if len(r.jobs.retired) > 0 {
		t.Errorf("retired: %+v", <-r.jobs.retired)
	}
	if n := r.metric("slate360_machine_notices_total", "rebalance"); n != 1 {
		t.Errorf("%g recommendations are counted", n)
	}
}

// A group that does not answer, or a service that fails for a while, is no reason to
// miss a notice; it is logged once in a row.
func TestFailures(t *testing.T) {
	r := guard(t, func(o *spot.Options) {
		o.Group = func(context.Context, string, string) (spot.Group, error) { return nil, errors.New("not allowed") }
	})
	r.looks(9)
	r.imds.Fail(true)
	r.looks(3)
	r.imds.Fail(false)
	r.imds.Set(action, `{"action":"terminate","time":"2026-03-01T08:24:00Z"}`)
	r.retirement()
	// Once before the failure of the service, once with it, once after it.
	if n := strings.Count(r.log.String(), "not allowed"); n < 1 || n > 3 {
		t.Errorf("the refusal is logged %d times:\n%s", n, r.log)
	}
	if n := r.metric("slate360_machine_errors_total", ""); n < 2 {
		t.Errorf("%g failures are counted", n)
	}
}

// A group that hangs keeps no notice waiting.
func TestGroupHangs(t *testing.T) {
	hanging := make(chan struct{}, 1)
	r := guard(t, func(o *spot.Options) {
		o.Group = func(ctx context.Context, _, _ string) (spot.Group, error) {
			select {
			case hanging <- struct{}{}:
			default:
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	<-hanging
	r.imds.Set(action, `{"action":"terminate","time":"2026-03-01T08:24:00Z"}`)
	r.retirement()
}
