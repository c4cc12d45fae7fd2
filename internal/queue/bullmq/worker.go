package bullmq

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"slate360.ai/worker/internal/queue"
)

// idleBlock is how long a worker blocks for a marker before it looks itself:
// delayed jobs whose marker was lost are promoted then.
const idleBlock = 10 * time.Second

// leastBlock is the shortest time that all servers block for.
const leastBlock = 2 * time.Millisecond

// blockMargin is how much later than the server a blocking command is given up:
// a connection that died without a word would hold it forever.
const blockMargin = 5 * time.Second

// runner is one Run.
type runner struct {
	q *Queue
	o queue.RunOptions
	h queue.Handler
	// taking is done when no new job is to be taken.
	taking context.Context
	// life is done when the last handler has ended.
	life  context.Context
	slots chan struct{}

	// drained says that the last look found no job: a marker will tell of the next.
	drained atomic.Bool
	// limitUntil and blockUntil are Unix milliseconds: no job may start before, the
	// next delayed job is due.
	limitUntil, blockUntil atomic.Int64
	polls                  poller

	mu       sync.Mutex
	tasks    map[string]*Task // by ID
	handlers sync.WaitGroup
	errMu    sync.Mutex
}

// Run is of queue.Queue.
func (q *Queue) Run(ctx context.Context, o queue.RunOptions, h queue.Handler) error {
	r := &runner{q: q, o: o.WithDefaults(), h: h, taking: ctx, tasks: map[string]*Task{}}
	r.slots = make(chan struct{}, r.o.Concurrency)
	r.polls.max = q.o.PollMax
	if err := r.connect(); err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	r.life = life
	var background sync.WaitGroup
	background.Go(r.renewLocks)
	background.Go(r.recoverStalled)
	background.Go(r.hearCancels)
	r.dispatch()
	r.handlers.Wait()
	end()
	background.Wait()
	return nil
}

// connect waits until the server can be used; its refusal is for good.
func (r *runner) connect() error {
	for {
		err := r.q.Ping(r.taking)
		if err == nil || r.taking.Err() != nil {
			return nil
		}
		if refused(err) {
			return err
		}
		r.report(fmt.Errorf("the queue cannot be reached: %w", err))
		r.sleep(r.taking, retryPause)
	}
}

// retryPause is the wait after a lost connection.
const retryPause = 500 * time.Millisecond

func (r *runner) report(err error) {
	if r.o.Error == nil || err == nil {
		return
	}
	r.errMu.Lock()
	defer r.errMu.Unlock()
	r.o.Error(err)
}

// sleep waits for d or until ctx is done.
func (r *runner) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// dispatch takes a job for each free slot until no more are to be taken. A busy
// slot fetches its next job itself, with the script that ends the last.
func (r *runner) dispatch() {
	for n := 0; ; n++ {
		select {
		case <-r.taking.Done():
			return
		case r.slots <- struct{}{}:
		}
		token := r.o.Name + ":" + newToken() + ":" + strconv.Itoa(n)
		j := r.next(token)
		if j == nil {
			<-r.slots
			if r.taking.Err() != nil {
				return
			}
			continue
		}
		r.handlers.Go(func() {
			defer func() { <-r.slots }()
			q, done := r.slotQueue()
			defer done()
			for j := j; j != nil; {
				j = r.process(q, j, token)
			}
		})
	}
}

// fewSlots is up to which concurrency slots have connections of their own.
const fewSlots = 4

// slotQueue is the queue as a slot uses it until the returned function is called.
func (r *runner) slotQueue() (*Queue, func()) {
	owner, ok := r.q.conn.(interface{ Own() Conn })
	if !ok || r.o.Concurrency > fewSlots {
		return r.q, func() {}
	}
	conn := owner.Own()
	return r.q.on(conn), func() { _ = conn.Close() } // gives it back
}

// next waits for a job. nil where none is to be taken any more.
func (r *runner) next(token string) *rawJob {
	for r.taking.Err() == nil {
		if wait := time.Until(time.UnixMilli(r.limitUntil.Load())); wait > 0 {
			// Not for longer: delayed jobs are promoted while the queue is limited.
			r.sleep(r.taking, min(wait, 30*time.Second))
			r.drained.Store(false)
			continue
		}
		if r.drained.Load() && !r.await() {
			continue
		}
		j, err := r.moveToActive(token)
		if err != nil {
			if r.taking.Err() == nil {
				r.report(fmt.Errorf("take a job: %w", err))
				r.sleep(r.taking, retryPause)
			}
			continue
		}
		if j != nil {
			r.polls.found()
			return j
		}
	}
	return nil
}

// await blocks until there may be a job, and tells whether it is worth a look.
func (r *runner) await() bool {
	block := idleBlock
	if until := r.blockUntil.Load(); until > 0 {
		block = min(max(time.Until(time.UnixMilli(until)), 0), idleBlock)
		if block == 0 {
			r.blockUntil.Store(0)
			return true
		}
	}
	block = max(block, leastBlock)
	ctx, cancel := context.WithTimeout(r.taking, block+blockMargin)
	defer cancel()
	reply, err := r.q.conn.Block(ctx, "BZPOPMIN", r.q.k.marker, strconv.FormatFloat(block.Seconds(), 'f', 3, 64))
	if errors.Is(err, ErrNoBlocking) {
		r.polls.wait(r.taking, block)
		return r.taking.Err() == nil
	}
	if r.taking.Err() != nil {
		return false
	}
	if err != nil {
		r.report(fmt.Errorf("wait for jobs: %w", err))
		r.sleep(r.taking, retryPause)
		return true
	}
	popped, _ := reply.([]any)
	if len(popped) < 3 { // nothing came: a look, to be sure
		r.blockUntil.Store(0)
		return true
	}
	// The score of a marker is 0, or the time when the next delayed job is due.
	due := integer(popped[2])
	if due > 0 && time.Until(time.UnixMilli(due)) > time.Millisecond {
		if until := r.blockUntil.Load(); until == 0 || due < until {
			r.blockUntil.Store(due)
		}
		return false
	}
	return true
}

// moveToActive takes the next job, if there is one.
func (r *runner) moveToActive(token string) (*rawJob, error) {
	k := &r.q.k
	reply, err := r.q.eval(r.life, "moveToActive", []string{
		k.wait, k.active, k.prioritized, k.events, k.stalled, k.limiter, k.delayed, k.paused, k.meta, k.pc, k.marker,
	}, k.base, now(), string(r.takeOptions(make(packer, 0, 192), token)))
	if err != nil {
		return nil, err
	}
	return r.taken(reply), nil
}

// takeOptions packs what the scripts need that take a job.
func (r *runner) takeOptions(p packer, token string) packer {
	n := 3
	if r.o.LimiterMax > 0 {
		n++
	}
	return r.takeFields(p.dictionary(n), token)
}

func (r *runner) takeFields(p packer, token string) packer {
	p = p.text("token").text(token)
	p = p.text("lockDuration").integer(r.o.LockDuration.Milliseconds())
	p = p.text("name").text(r.o.Name)
	if r.o.LimiterMax > 0 {
		p = p.text("limiter").dictionary(2)
		p = p.text("max").integer(int64(r.o.LimiterMax))
		p = p.text("duration").integer(r.o.LimiterDuration.Milliseconds())
	}
	return p
}

// taken reads {job, id, limit (ms), next delayed job (ms)}.
func (r *runner) taken(reply any) *rawJob {
	v, ok := reply.([]any)
	if !ok || len(v) < 4 {
		r.drained.Store(true)
		return nil
	}
	limit, due := integer(v[2]), integer(v[3])
	until := int64(0)
	if limit > 0 {
		until = time.Now().UnixMilli() + limit
	}
	r.limitUntil.Store(until)
	r.blockUntil.Store(max(due, 0))
	fields, ok := v[0].([]any)
	id, isText := v[1].(string)
	if !ok || !isText {
		r.drained.Store(limit <= 0)
		return nil
	}
	r.drained.Store(false)
	j := parseJob(id, fields)
	return &j
}

// renewLocks extends the locks of running jobs until life is done, and ends
// those that are lost or canceled.
func (r *runner) renewLocks() {
	tick := time.NewTicker(max(r.o.LockDuration/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-tick.C:
			if err := r.renewOnce(); err != nil && r.life.Err() == nil {
				r.report(fmt.Errorf("renew locks: %w", err))
			}
		}
	}
}

func (r *runner) renewOnce() error {
	r.mu.Lock()
	ids, tokens := make([]string, 0, len(r.tasks)), make([]string, 0, len(r.tasks))
	for id, t := range r.tasks {
		// What was taken just now has its whole time yet.
		if time.Since(t.since) > r.o.LockDuration/8 {
			ids, tokens = append(ids, id), append(tokens, t.token)
		}
	}
	r.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.life, r.o.LockDuration)
	defer cancel()
	reply, err := r.q.eval(ctx, "extendLocks", []string{r.q.k.stalled},
		r.q.k.base, string(packer(nil).texts(tokens)), string(packer(nil).texts(ids)), itoa(r.o.LockDuration.Milliseconds()))
	if err != nil {
		return err
	}
	lost, _ := reply.([]any)
	for _, id := range lost {
		if s, ok := id.(string); ok {
			r.end(s, queue.ErrLost)
		}
	}
	return r.readCancels(ctx, ids)
}

// readCancels looks for what a message of the channel may have missed.
func (r *runner) readCancels(ctx context.Context, ids []string) error {
	args := []string{"MGET"}
	for _, id := range ids {
		args = append(args, r.q.k.canceled(id))
	}
	reply, err := r.q.conn.Do(ctx, args...)
	if err != nil {
		return err
	}
	values, _ := reply.([]any)
	for i, v := range values {
		if v != nil && i < len(ids) {
			r.end(ids[i], queue.ErrCanceled)
		}
	}
	return nil
}

// end cancels the handler of a job, unless it has ended already.
func (r *runner) end(id string, why error) {
	r.mu.Lock()
	t := r.tasks[id]
	r.mu.Unlock()
	if t != nil && !t.finishing.Load() {
		t.cancel(why)
	}
}

// hearCancels listens to the channel of canceled jobs until life is done.
func (r *runner) hearCancels() {
	for r.life.Err() == nil {
		err := r.q.conn.Subscribe(r.life, r.q.k.cancel, nil, func(id string) { r.end(id, queue.ErrCanceled) })
		if errors.Is(err, ErrNoBlocking) || r.life.Err() != nil {
			return
		}
		r.report(fmt.Errorf("hear of canceled jobs: %w", err))
		r.sleep(r.life, retryPause)
	}
}

// recoverStalled gives jobs of lost workers back to the queue, until no more are taken.
func (r *runner) recoverStalled() {
	k := &r.q.k
	keys := []string{k.stalled, k.wait, k.active, k.stalledCheck, k.meta, k.paused, k.marker, k.events, k.repeat}
	for {
		interval := r.o.StalledInterval
		_, err := r.q.eval(r.taking, "moveStalledJobsToWait", keys,
			itoa(r.o.MaxStalled), k.base, now(), itoa(interval.Milliseconds()))
		if err != nil && r.taking.Err() == nil {
			r.report(fmt.Errorf("look for stalled jobs: %w", err))
		}
		if r.polls.idle() { // each command costs money where there is polling
			interval = max(interval, stalledIdle)
		}
		r.sleep(r.taking, interval)
		if r.taking.Err() != nil {
			return
		}
	}
}

// stalledIdle is how often a worker that polls looks for stalled jobs when it
// has had no job for long.
const stalledIdle = 5 * time.Minute

// poller paces the looks at a queue over a transport that cannot block: quick
// after a job, then ever slower.
type poller struct {
	max time.Duration

	mu    sync.Mutex
	pause time.Duration
}

const firstPoll = 50 * time.Millisecond

func (p *poller) found() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause = 0
}

func (p *poller) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause > 0 && p.pause >= p.max
}

// wait waits for the next look, at most until something is due after limit.
func (p *poller) wait(ctx context.Context, limit time.Duration) {
	p.mu.Lock()
	p.pause = min(max(firstPoll, time.Duration(math.Round(float64(p.pause)*1.5))), p.max)
	d := p.pause
	if limit < idleBlock {
		d = min(d, limit)
	}
	p.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
