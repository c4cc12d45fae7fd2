package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/worker"
)

// TestChaos runs jobs over three workers while everything around them fails: 200
// jobs, or as many as SLATE360_TEST_CHAOS_JOBS says (2,000 take some minutes on two
// cores). What fails, and for how long, is decided by a seed.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	jobs := 200
	if n, err := strconv.Atoi(os.Getenv("SLATE360_TEST_CHAOS_JOBS")); err == nil {
		jobs = n
	}
	p := newPlatform(t)
	p.upload(3000)
	for i := range jobs {
		id := jobID(i)
		if err := p.records.Create(t.Context(), record.Record{ID: id, SourceURL: p.source, Status: "queued"}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.queue.AddJob(t.Context(), bullmq.NewJob{
			Name: worker.QueueJobName,
			Data: map[string]any{"jobId": id, "sourceUrl": p.source, "sourceFormat": "laz", "options": map[string]any{"formats": []string{"laz", "copc", "ept"}}},
			Options: bullmq.JobOptions{AddOptions: queue.AddOptions{
				ID: id, Attempts: 50, Backoff: queue.Backoff{Type: "fixed", Delay: 100 * time.Millisecond},
			}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	var workers []*process
	for i := range 3 {
		workers = append(workers, p.start(fmt.Sprintf("w%d", i), "SLATE360_LOCK_DURATION=3s", "SLATE360_MAX_STALLED=1000",
			"SLATE360_CONCURRENCY=2", "SLATE360_WORKERS=1"))
	}
	c := &chaos{p: p, workers: workers, random: rand.New(rand.NewPCG(360, 1))}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	start := time.Now()
	wg.Go(func() { c.run(ctx) })
	done := func() int64 {
		counts, err := p.queue.Counts(t.Context())
		if err != nil {
			return 0 // Redis is away
		}
		if counts[queue.StateFailed] > 0 {
			list, _ := p.queue.List(t.Context(), queue.StateFailed, 0, 1)
			t.Errorf("%d jobs failed, such as %+v", counts[queue.StateFailed], list)
			return int64(jobs)
		}
		return counts[queue.StateCompleted]
	}
	p.eventually("all jobs are completed", time.Duration(jobs)*2*time.Second+3*time.Minute, func() bool { return done() == int64(jobs) })
	cancel()
	wg.Wait()
	c.calm()
	t.Logf("%d jobs in %v: %s; %d requests to S3 and %d to PostgREST failed", jobs, time.Since(start).Round(time.Second), c,
		p.s3.Faults.Count(), p.rest.Faults.Count())
	p.eventually("all ends are told", time.Minute, func() bool {
		for i := range jobs {
			if len(p.receiver.ends(jobID(i))) == 0 {
				return false
			}
		}
		return true
	})
	for i := range jobs {
		p.check(jobID(i))
	}
	p.checkEvents(jobs)
	for _, w := range workers {
		w.stop()
		// What a killed worker left is cleared away at its next start.
		w.run()
		p.eventually("no workspace of "+w.name+" is left", 30*time.Second, func() bool { return len(w.workspaces()) == 0 })
		w.stop()
	}
}

// chaos lets things fail, one after the other.
type chaos struct {
	p       *platform
	workers []*process
	random  *rand.Rand

	kills, restarts, s3, rest, callbacks int
}

func (c *chaos) String() string {
	return fmt.Sprintf("workers killed %d times, Redis restarted %d times, S3 failing %d times, PostgREST away %d times, the receiver away %d times",
		c.kills, c.restarts, c.s3, c.rest, c.callbacks)
}

// pause waits; false where it is over.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (c *chaos) run(ctx context.Context) {
	for pause(ctx, time.Duration(100+c.random.IntN(400))*time.Millisecond) {
		length := time.Duration(200+c.random.IntN(800)) * time.Millisecond
		switch c.random.IntN(6) {
		case 0, 1:
			w := c.workers[c.random.IntN(len(c.workers))]
			w.kill()
			c.kills++
			pause(ctx, length/4)
			w.run()
		case 2:
			c.p.redis.Kill()
			c.restarts++
			pause(ctx, length)
			c.p.redis.Start()
		case 3:
			c.p.s3.Faults.Fail(0.15)
			c.s3++
			pause(ctx, length)
			c.p.s3.Faults.Fail(0)
		case 4:
			c.p.rest.Faults.Away(true)
			c.rest++
			pause(ctx, length)
			c.p.rest.Faults.Away(false)
		case 5:
			c.p.receiver.setAway(true)
			c.callbacks++
			pause(ctx, length)
			c.p.receiver.setAway(false)
		}
	}
}

// calm lets nothing fail any more.
func (c *chaos) calm() {
	c.p.s3.Faults.Fail(0)
	c.p.rest.Faults.Away(false)
	c.p.receiver.setAway(false)
}
