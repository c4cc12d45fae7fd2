package e2e

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/worker"
)

// bigScan takes some seconds to process.
const bigScan = 1_500_000

// submit records a job of the uploaded scan and puts it on the queue.
func (p *platform) submit(n int) string {
	p.t.Helper()
	id := jobID(n)
	if err := p.records.Create(p.t.Context(), record.Record{ID: id, SourceURL: p.source, Status: "queued"}); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.queue.AddJob(p.t.Context(), bullmq.NewJob{
		Name: worker.QueueJobName, Data: map[string]any{"jobId": id, "sourceUrl": p.source, "sourceFormat": "laz"},
		Options: bullmq.JobOptions{AddOptions: queue.AddOptions{ID: id, Attempts: 1}},
	}); err != nil {
		p.t.Fatal(err)
	}
	return id
}

func (p *platform) job(id string) queue.Job {
	j, err := p.queue.Get(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return j
}

func (p *platform) jobLog(id string) string {
	lines, err := p.queue.Logs(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// A worker that is stopped gives its job back without an attempt lost; another,
// with another disk, goes on from the checkpoint.
func TestDrainAndResume(t *testing.T) {
	p := newPlatform(t)
	p.upload(bigScan)
	first := p.start("first", "SLATE360_DRAIN_TIMEOUT=50ms", "SLATE360_WORKERS=1")
	id := p.submit(1)
	p.eventually("a stage is finished", time.Minute, func() bool { return strings.Contains(p.jobLog(id), "outlier (native): done") })
	first.stop()
	if j := p.job(id); j.State != queue.StateWaiting || j.AttemptsMade != 0 {
		t.Fatalf("after the drain: %+v\n%s", j, first.log())
	}
	if r, err := p.records.Get(t.Context(), id); err != nil || r.Status != "queued" {
		t.Errorf("record after the drain: %+v (%v)", r, err)
	}
	if left := first.workspaces(); len(left) > 0 {
		t.Errorf("the first worker keeps %v", left)
	}
	second := p.start("second")
	p.eventually("it is completed", time.Minute, func() bool { return p.job(id).State == queue.StateCompleted })
	p.eventually("its end is told", 20*time.Second, func() bool { return len(p.receiver.ends(id)) == 1 })
	p.check(id)
	if log := p.jobLog(id); !strings.Contains(log, "going on from a checkpoint") || !strings.Contains(log, "outlier (native): finished by an earlier run") {
		t.Errorf("it did not go on from the checkpoint:\n%s", log)
	}
	second.stop()
	err := p.storage.List(t.Context(), "checkpoints/", func(i storage.Info) error {
		t.Errorf("%s is left", i.Key)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A worker that is paused for longer than its lock holds is fenced: what it says
// afterwards is refused.
func TestPausedWorkerIsFenced(t *testing.T) {
	p := newPlatform(t)
	p.upload(bigScan)
	const lock = "SLATE360_LOCK_DURATION=2s"
	first := p.start("first", lock, "SLATE360_WORKERS=1")
	id := p.submit(1)
	p.eventually("it runs", time.Minute, func() bool { return strings.Contains(p.jobLog(id), "index (native): done") })
	first.signal(syscall.SIGSTOP)
	second := p.start("second", lock)
	p.eventually("the second worker completes it", 2*time.Minute, func() bool { return p.job(id).State == queue.StateCompleted })
	first.signal(syscall.SIGCONT)
	p.eventually("the first worker sees that it lost the job", time.Minute, func() bool {
		return strings.Contains(first.log(), "the job is lost to another worker")
	})
	p.eventually("its end is told", 20*time.Second, func() bool { return len(p.receiver.ends(id)) == 1 })
	p.check(id)
	if j := p.job(id); j.Worker != "second" || j.Stalled != 1 {
		t.Errorf("%+v", j)
	}
	if r, err := p.records.Get(t.Context(), id); err != nil || !strings.HasPrefix(r.WorkerID, "second/") {
		t.Errorf("record: %+v (%v)", r, err)
	}
	first.stop()
	second.stop()
}

// Locks hold while every core is busy for longer than they last.
func TestLocksUnderLoad(t *testing.T) {
	p := newPlatform(t)
	p.upload(bigScan)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 4 {
		go func() {
			for x := 0; ctx.Err() == nil; x++ {
				_ = x
			}
		}()
	}
	w := p.start("w1", "SLATE360_LOCK_DURATION=1s", "SLATE360_CONCURRENCY=2")
	other := p.start("w2", "SLATE360_LOCK_DURATION=1s")
	begin := time.Now()
	var ids []string
	for i := range 3 {
		ids = append(ids, p.submit(i))
	}
	for _, id := range ids {
		p.eventually("it is completed", 3*time.Minute, func() bool { return p.job(id).State == queue.StateCompleted })
		if j := p.job(id); j.Stalled != 0 || j.AttemptsStarted != 1 || j.Finished.Sub(j.Started) < time.Second {
			t.Errorf("%+v", j)
		}
	}
	t.Logf("three jobs in %v", time.Since(begin).Round(time.Millisecond))
	w.stop()
	other.stop()
}

// A worker that starts before its services waits for them.
func TestStartsBeforeRedis(t *testing.T) {
	p := newPlatform(t)
	p.upload(3000)
	p.redis.Kill()
	w := p.start("early")
	p.eventually("it says that it waits", time.Minute, func() bool { return strings.Contains(w.log(), "queue cannot be reached yet") })
	p.redis.Start()
	id := p.submit(1)
	p.eventually("the job is completed", time.Minute, func() bool { return p.job(id).State == queue.StateCompleted })
	if j := p.job(id); string(j.Progress) != "100" {
		t.Errorf("progress %s", j.Progress)
	}
	w.stop()
}
