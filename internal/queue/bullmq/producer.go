package bullmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"slate360.ai/worker/internal/queue"
)

// Deduplication of jobs (docs.bullmq.io, guide/jobs/deduplication): a job is not
// added while another with the same ID of this kind is there.
type Deduplication struct {
	ID string
	// TTL ends it after a time instead of with the job.
	TTL time.Duration
	// Extend begins the time anew with each job refused, Replace lets the new job
	// take the place of a delayed one, KeepLast keeps the last refused while one
	// is active, and adds it afterwards.
	Extend, Replace, KeepLast bool
}

// JobOptions are the options of a new job that only BullMQ has.
type JobOptions struct {
	queue.AddOptions
	LIFO          bool
	Deduplication Deduplication
	// KeepLogs bounds the lines of the job's log; 0 is no bound.
	KeepLogs int
	// What happens to the parent in a flow when the job fails; at most one.
	FailParentOnFailure, ContinueParentOnFailure, IgnoreDependencyOnFailure, RemoveDependencyOnFailure bool
}

// NewJob is one job of AddBulk.
type NewJob struct {
	Name    string
	Data    any
	Options JobOptions
}

// maximalPriority is BullMQ's.
const maximalPriority = 1<<21 - 1

var numeric = regexp.MustCompile(`^-?[0-9]+$`)

// check refuses what BullMQ refuses.
func (o JobOptions) check() error {
	switch {
	case numeric.MatchString(o.ID):
		return fmt.Errorf("the ID of a job is no number, those are the queue's own; got %q", o.ID)
	case strings.Contains(o.ID, ":") && strings.Count(o.ID, ":") != 2:
		return fmt.Errorf("the ID of a job has no colon; got %q", o.ID)
	case o.Priority < 0 || o.Priority > maximalPriority:
		return fmt.Errorf("the priority of a job is from 0 to %d, got %d", maximalPriority, o.Priority)
	case o.Delay < 0:
		return fmt.Errorf("the delay of a job is not negative, got %v", o.Delay)
	case o.Attempts < 0:
		return fmt.Errorf("the attempts of a job are not negative, got %d", o.Attempts)
	case o.Backoff.Jitter < 0 || o.Backoff.Jitter > 1:
		return fmt.Errorf("the jitter of a backoff is from 0 to 1, got %g", o.Backoff.Jitter)
	}
	return nil
}

// encode returns the options as BullMQ stores them, with its short names.
func (o JobOptions) encode() map[string]any {
	m := map[string]any{"attempts": o.Attempts}
	set := func(name string, v any, present bool) {
		if present {
			m[name] = v
		}
	}
	set("jobId", o.ID, o.ID != "")
	set("priority", o.Priority, o.Priority != 0)
	set("delay", o.Delay.Milliseconds(), o.Delay > 0)
	set("lifo", true, o.LIFO)
	if o.Backoff.Type != "" {
		b := map[string]any{"type": o.Backoff.Type, "delay": o.Backoff.Delay.Milliseconds()}
		if o.Backoff.Jitter > 0 {
			b["jitter"] = o.Backoff.Jitter
		}
		m["backoff"] = b
	}
	set("removeOnComplete", keep(nil, o.KeepCompleted), o.KeepCompleted != queue.Keep{})
	set("removeOnFail", keep(nil, o.KeepFailed), o.KeepFailed != queue.Keep{})
	set("removeOnComplete", true, o.RemoveOnComplete)
	set("removeOnFail", true, o.RemoveOnFail)
	set("kl", o.KeepLogs, o.KeepLogs > 0)
	set("tm", o.Telemetry, o.Telemetry != "")
	set("fpof", true, o.FailParentOnFailure)
	set("cpof", true, o.ContinueParentOnFailure)
	set("idof", true, o.IgnoreDependencyOnFailure)
	set("rdof", true, o.RemoveDependencyOnFailure)
	if d := o.Deduplication; d.ID != "" {
		de := map[string]any{"id": d.ID}
		if d.TTL > 0 {
			de["ttl"] = d.TTL.Milliseconds()
		}
		maps.Copy(de, flags(map[string]bool{"extend": d.Extend, "replace": d.Replace, "keepLastIfActive": d.KeepLast}))
		m["de"] = de
	}
	return m
}

func flags(set map[string]bool) map[string]any {
	m := map[string]any{}
	for name, v := range set {
		if v {
			m[name] = true
		}
	}
	return m
}

// place says where in a flow a new job stands; the zero value is nowhere.
type place struct {
	parentKey, parentID, parentQueue string // of its parent
	waits                            bool   // it has children
	deferRelease                     bool
}

// command is the script that adds a job, with its keys and arguments.
func (q *Queue) command(j NewJob, p place) (script string, keys, args []string, err error) {
	o := j.Options
	if err := o.check(); err != nil {
		return "", nil, nil, err
	}
	if o.Attempts == 0 {
		o.Attempts = 1
	}
	data, err := encodeData(j.Data)
	if err != nil {
		return "", nil, nil, err
	}
	stored := o.encode()
	k := &q.k
	a := packer(nil).array(10)
	a = a.text(k.base).text(o.ID).text(j.Name).integer(time.Now().UnixMilli()).orNull(p.parentKey)
	if p.parentKey == "" {
		a = a.null().null()
	} else {
		stored["parent"] = map[string]any{"id": p.parentID, "queue": p.parentQueue}
		parent := map[string]any{"id": p.parentID, "queueKey": p.parentQueue}
		maps.Copy(parent, flags(map[string]bool{
			"fpof": o.FailParentOnFailure, "cpof": o.ContinueParentOnFailure, "idof": o.IgnoreDependencyOnFailure, "rdof": o.RemoveDependencyOnFailure,
		}))
		a = a.text(p.parentKey + ":dependencies").value(parent)
	}
	a = a.null() // not of a scheduler
	if o.Deduplication.ID != "" {
		a = a.text(k.de + ":" + o.Deduplication.ID)
	} else {
		a = a.null()
	}
	if p.deferRelease {
		a = a.integer(1)
	} else {
		a = a.null()
	}
	args = []string{string(a), data, pack(stored)}
	switch {
	case p.waits:
		return "addParentJob", []string{k.meta, k.id, k.delayed, k.waitingChildren, k.completed, k.events}, args, nil
	case o.Delay > 0:
		return "addDelayedJob", []string{k.marker, k.meta, k.id, k.delayed, k.completed, k.events}, args, nil
	case o.Priority > 0:
		return "addPrioritizedJob", []string{k.marker, k.meta, k.id, k.prioritized, k.delayed, k.completed, k.active, k.events, k.pc}, args, nil
	}
	return "addStandardJob", []string{k.wait, k.paused, k.meta, k.id, k.completed, k.delayed, k.active, k.events, k.marker}, args, nil
}

func encodeData(v any) (string, error) {
	if v == nil {
		return "{}", nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode the data of the job: %w", err)
	}
	return string(data), nil
}

// Add is of queue.Queue.
func (q *Queue) Add(ctx context.Context, name string, data any, o queue.AddOptions) (string, error) {
	return q.AddJob(ctx, NewJob{Name: name, Data: data, Options: JobOptions{AddOptions: o}})
}

// AddJob adds a job with all of BullMQ's options. The ID is that of another job
// where deduplication refused this one.
func (q *Queue) AddJob(ctx context.Context, j NewJob) (string, error) {
	script, keys, args, err := q.command(j, place{})
	if err != nil {
		return "", err
	}
	v, err := q.call(ctx, script, j.Options.ID, keys, args...)
	if err != nil {
		return "", err
	}
	return idOf(v)
}

func idOf(v any) (string, error) {
	switch id := v.(type) {
	case string:
		return id, nil
	case int64:
		return itoa(id), nil
	}
	return "", errors.New("the script that adds a job returned no ID")
}

// AddBulk adds jobs in one round trip, and returns their IDs in the same order.
// Each is added by itself: on an error some may be there.
func (q *Queue) AddBulk(ctx context.Context, jobs []NewJob) ([]string, error) {
	b := batch{q: q}
	for _, j := range jobs {
		script, keys, args, err := q.command(j, place{})
		if err != nil {
			return nil, err
		}
		if err := b.add(script, keys, args...); err != nil {
			return nil, err
		}
	}
	return b.ids(ctx, false)
}

// batch is several scripts in one round trip.
type batch struct {
	q    *Queue
	cmds [][]string
	used []*Script
}

func (b *batch) add(script string, keys []string, args ...string) error {
	s, err := b.q.scripts.load(script)
	if err != nil {
		return err
	}
	b.used = append(b.used, s)
	cmd := append([]string{"EVALSHA", s.SHA, itoa(len(keys))}, keys...)
	b.cmds = append(b.cmds, append(cmd, args...))
	return nil
}

// ids runs the batch and reads the ID that each script returned; in one
// transaction where whole is set. Scripts that the server lacks are loaded first.
func (b *batch) ids(ctx context.Context, whole bool) ([]string, error) {
	if len(b.cmds) == 0 {
		return nil, nil
	}
	loading := map[string][]string{}
	for _, s := range b.used {
		loading[s.SHA] = []string{"SCRIPT", "LOAD", s.Source}
	}
	var loads [][]string
	for _, cmd := range loading {
		loads = append(loads, cmd)
	}
	if _, err := b.q.conn.Batch(ctx, loads); err != nil {
		return nil, err
	}
	cmds := b.cmds
	if whole {
		cmds = append(append([][]string{{"MULTI"}}, cmds...), []string{"EXEC"})
	}
	replies, err := b.q.conn.Batch(ctx, cmds)
	if err != nil {
		return nil, err
	}
	if whole {
		last := replies[len(replies)-1]
		if failed, ok := last.(*ReplyError); ok {
			return nil, failed
		}
		replies, _ = last.([]any)
	}
	ids := make([]string, 0, len(replies))
	for i, v := range replies {
		if failed, ok := v.(*ReplyError); ok {
			return ids, failed
		}
		if err := code(b.used[i].Name, "", v); err != nil {
			return ids, err
		}
		id, err := idOf(v)
		if err != nil {
			id = "" // of a script that adds no job
		}
		ids = append(ids, id)
	}
	return ids, nil
}
