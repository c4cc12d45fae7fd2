package bullmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"slate360.ai/worker/internal/queue"
)

// types are the names of states in the scripts; waiting jobs of a paused queue
// of an older version lie in a list of their own.
func types(s queue.State) []string {
	if s == queue.StateWaiting {
		return []string{"wait", "paused"}
	}
	return []string{string(s)}
}

// Get is of queue.Queue.
func (q *Queue) Get(ctx context.Context, id string) (queue.Job, error) {
	// The state first: what the job was given when it came into it is there then.
	s, err := q.State(ctx, id)
	if err != nil {
		return queue.Job{}, err
	}
	j, err := q.get(ctx, id)
	j.State = s
	return j.Job, err
}

func (q *Queue) get(ctx context.Context, id string) (rawJob, error) {
	v, err := q.conn.Do(ctx, "HGETALL", q.k.job(id))
	if err != nil {
		return rawJob{}, fmt.Errorf("read job %s: %w", id, err)
	}
	fields, _ := v.([]any)
	if len(fields) == 0 {
		return rawJob{}, queue.ErrNotFound
	}
	return parseJob(id, fields), nil
}

// State returns the state of a job, StateUnknown where it is not there.
func (q *Queue) State(ctx context.Context, id string) (queue.State, error) {
	k := &q.k
	v, err := q.eval(ctx, "getStateV2", []string{k.completed, k.failed, k.delayed, k.active, k.wait, k.paused, k.waitingChildren, k.prioritized}, id)
	if err != nil {
		return "", err
	}
	s, _ := v.(string)
	switch s {
	case "wait", "paused":
		return queue.StateWaiting, nil
	case "":
		return queue.StateUnknown, nil
	}
	return queue.State(s), nil
}

// List is of queue.Queue.
func (q *Queue) List(ctx context.Context, s queue.State, offset, limit int) ([]queue.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	ascending := "1" // next first
	if s == queue.StateCompleted || s == queue.StateFailed {
		ascending = "0"
	}
	v, err := q.eval(ctx, "getRanges", []string{q.k.base},
		append([]string{itoa(offset), itoa(offset + limit - 1), ascending}, types(s)...)...)
	if err != nil {
		return nil, err
	}
	var ids []string
	lists, _ := v.([]any)
	for _, list := range lists {
		members, _ := list.([]any)
		if s == queue.StateWaiting || s == queue.StateActive {
			slices.Reverse(members) // lists have the next at their end
		}
		for _, m := range members {
			if id, ok := m.(string); ok && !strings.HasPrefix(id, "0:") { // a marker of old versions
				ids = append(ids, id)
			}
		}
	}
	if len(ids) > limit {
		ids = ids[:limit]
	}
	return q.read(ctx, ids, s)
}

// read reads jobs in one round trip; those that are gone are left out.
func (q *Queue) read(ctx context.Context, ids []string, s queue.State) ([]queue.Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	cmds := make([][]string, len(ids))
	for i, id := range ids {
		cmds[i] = []string{"HGETALL", q.k.job(id)}
	}
	replies, err := q.conn.Batch(ctx, cmds)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	jobs := make([]queue.Job, 0, len(ids))
	for i, v := range replies {
		fields, _ := v.([]any)
		if len(fields) == 0 {
			continue
		}
		j := parseJob(ids[i], fields).Job
		j.State = s
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// Counts is of queue.Queue.
func (q *Queue) Counts(ctx context.Context) (map[queue.State]int64, error) {
	var names []string
	var states []queue.State
	for _, s := range queue.States() {
		for _, t := range types(s) {
			names, states = append(names, t), append(states, s)
		}
	}
	v, err := q.eval(ctx, "getCounts", []string{q.k.base}, names...)
	if err != nil {
		return nil, err
	}
	values, _ := v.([]any)
	counts := map[queue.State]int64{}
	for i, s := range states {
		if i < len(values) {
			counts[s] += integer(values[i])
		}
	}
	return counts, nil
}

// Logs is of queue.Queue.
func (q *Queue) Logs(ctx context.Context, id string) ([]string, error) {
	v, err := q.conn.Do(ctx, "LRANGE", q.k.job(id)+":logs", "0", "-1")
	if err != nil {
		return nil, fmt.Errorf("read log of job %s: %w", id, err)
	}
	list, _ := v.([]any)
	lines := make([]string, 0, len(list))
	for _, l := range list {
		if s, ok := l.(string); ok {
			lines = append(lines, s)
		}
	}
	return lines, nil
}

// cancelTTL is how long the word that a job is to end is kept.
const cancelTTL = time.Hour

// Cancel is of queue.Queue. Workers of other programs do not hear of it: their
// running jobs go on.
func (q *Queue) Cancel(ctx context.Context, id string) error {
	s, err := q.State(ctx, id)
	if err != nil {
		return err
	}
	switch s {
	case queue.StateUnknown:
		return queue.ErrNotFound
	case queue.StateCompleted, queue.StateFailed:
		return fmt.Errorf("%w: it is %s", queue.ErrState, s)
	case queue.StateActive:
	default:
		err := q.remove(ctx, id)
		var c *codeError
		if err == nil || !errors.As(err, &c) || c.code != -6 && c.code != 0 {
			return err
		}
		// It was taken meanwhile.
	}
	if _, err := q.conn.Do(ctx, "SET", q.k.canceled(id), "1", "EX", itoa(int(cancelTTL.Seconds()))); err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	if _, err := q.conn.Do(ctx, "PUBLISH", q.k.cancel, id); err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	return nil
}

// Retry is of queue.Queue.
func (q *Queue) Retry(ctx context.Context, id string) error {
	j, err := q.get(ctx, id)
	if err != nil {
		return err
	}
	push := "LPUSH"
	if j.opts.LIFO {
		push = "RPUSH"
	}
	k := &q.k
	if _, err := q.conn.Do(ctx, "DEL", k.canceled(id)); err != nil {
		return err
	}
	_, err = q.call(ctx, "reprocessJob", id,
		[]string{k.job(id), k.events, k.failed, k.wait, k.meta, k.active, k.marker, k.prioritized, k.pc},
		id, push, "failedReason", "failed", "1", "1")
	return err
}

// Remove is of queue.Queue.
func (q *Queue) Remove(ctx context.Context, id string) error {
	s, err := q.State(ctx, id)
	switch {
	case err != nil:
		return err
	case s == queue.StateUnknown:
		return queue.ErrNotFound
	case s == queue.StateActive:
		return fmt.Errorf("%w: it is active", queue.ErrState)
	}
	return q.remove(ctx, id)
}

func (q *Queue) remove(ctx context.Context, id string) error {
	v, err := q.call(ctx, "removeJob", id, []string{q.k.job(id), q.k.repeat}, id, "1", q.k.base)
	if err != nil {
		return err
	}
	if integer(v) == 0 {
		return fmt.Errorf("job %s: %w: a worker has its lock", id, queue.ErrState)
	}
	return nil
}

// Pause is of queue.Queue.
func (q *Queue) Pause(ctx context.Context) error {
	_, err := q.pause(ctx, true, true)
	return err
}

// Resume is of queue.Queue.
func (q *Queue) Resume(ctx context.Context) error {
	for event := true; ; event = false {
		left, err := q.pause(ctx, false, event)
		if err != nil || left <= 0 {
			return err
		}
	}
}

func (q *Queue) pause(ctx context.Context, pause, event bool) (left int64, err error) {
	k := &q.k
	from, to, word, tell := k.wait, k.paused, "paused", "0"
	if !pause {
		from, to, word = to, from, "resumed"
	}
	if event {
		tell = "1"
	}
	v, err := q.eval(ctx, "pause", []string{from, to, k.meta, k.prioritized, k.events, k.delayed, k.marker}, word, tell)
	return integer(v), err
}

// Paused is of queue.Queue.
func (q *Queue) Paused(ctx context.Context) (bool, error) {
	v, err := q.conn.Do(ctx, "HEXISTS", q.k.meta, "paused")
	if err != nil {
		return false, fmt.Errorf("ask whether the queue is paused: %w", err)
	}
	return integer(v) == 1, nil
}

// Workers is of queue.Queue: it finds workers as BullMQ's getWorkers does, by the
// names of their connections. Services without CLIENT LIST do not tell.
func (q *Queue) Workers(ctx context.Context) ([]queue.Worker, error) {
	v, err := q.conn.Do(ctx, "CLIENT", "LIST")
	var refused *ReplyError
	if errors.As(err, &refused) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	text, _ := v.(string)
	return parseClients(text, WorkerClientName(q.o.Prefix, q.o.Name, ""), time.Now()), nil
}

// parseClients reads the lines of CLIENT LIST ("id=1 addr=… name=… age=…"), and
// keeps those of the workers of one queue.
func parseClients(text, prefix string, now time.Time) []queue.Worker {
	workers := []queue.Worker{}
	for line := range strings.Lines(text) {
		w := queue.Worker{Active: -1}
		ours := false
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			switch name {
			case "name":
				rest, found := strings.CutPrefix(value, prefix)
				ours = found && (rest == "" || rest[0] == ':')
				w.Name = strings.TrimPrefix(strings.TrimPrefix(rest, ":"), "w:")
			case "addr":
				w.Address = value
			case "age":
				if age, err := strconv.ParseInt(value, 10, 64); err == nil {
					w.Since = now.Add(-time.Duration(age) * time.Second)
				}
			}
		}
		if ours {
			workers = append(workers, w)
		}
	}
	return workers
}

// Ping is of queue.Queue: it asks the server, and whether the scripts may run.
func (q *Queue) Ping(ctx context.Context) error {
	_, err := q.Counts(ctx)
	return err
}

// Close is of queue.Queue.
func (q *Queue) Close() error { return q.conn.Close() }

// watchBlock is how long a read of the events blocks, watchPoll how often they
// are read where it cannot.
const (
	watchBlock = 10 * time.Second
	watchPoll  = 2 * time.Second
	watchBatch = "200"
)

// Watch is of queue.Queue.
func (q *Queue) Watch(ctx context.Context, ready func(), f func(queue.Event)) error {
	last, err := q.lastEvent(ctx)
	if err != nil {
		return err
	}
	if ready != nil {
		ready()
	}
	blocks := true
	for ctx.Err() == nil {
		var v any
		if blocks {
			blocking, cancel := context.WithTimeout(ctx, watchBlock+blockMargin)
			v, err = q.conn.Block(blocking, "XREAD", "COUNT", watchBatch, "BLOCK", itoa(watchBlock.Milliseconds()), "STREAMS", q.k.events, last)
			cancel()
			blocks = !errors.Is(err, ErrNoBlocking)
		}
		if !blocks {
			v, err = q.conn.Do(ctx, "XREAD", "COUNT", watchBatch, "STREAMS", q.k.events, last)
		}
		if err != nil && (refused(err) || ctx.Err() != nil) {
			break
		}
		events := parseEvents(v)
		for _, e := range events {
			last = e.id
			f(e.Event)
		}
		if err != nil || !blocks && len(events) == 0 {
			t := time.NewTimer(watchPoll)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// lastEvent returns the ID of the newest event: those after it are to come.
func (q *Queue) lastEvent(ctx context.Context) (string, error) {
	v, err := q.conn.Do(ctx, "XREVRANGE", q.k.events, "+", "-", "COUNT", "1")
	if err != nil {
		return "", fmt.Errorf("watch the queue: %w", err)
	}
	if list, _ := v.([]any); len(list) > 0 {
		if entry, _ := list[0].([]any); len(entry) > 0 {
			if id, ok := entry[0].(string); ok {
				return id, nil
			}
		}
	}
	return "0-0", nil
}

type event struct {
	queue.Event
	id string
}

// parseEvents reads the reply of XREAD: [[stream, [[id, [field, value, …]], …]]],
// or in RESP3 a map of stream to entries, which Conn flattens.
func parseEvents(v any) []event {
	streams, _ := v.([]any)
	var entries []any
	if len(streams) > 0 {
		if pair, ok := streams[0].([]any); ok && len(pair) > 1 {
			entries, _ = pair[1].([]any)
		} else if len(streams) > 1 {
			entries, _ = streams[1].([]any)
		}
	}
	var events []event
	for _, entry := range entries {
		e, _ := entry.([]any)
		if len(e) < 2 {
			continue
		}
		var out event
		out.id, _ = e[0].(string)
		fields, _ := e[1].([]any)
		for i := 0; i+1 < len(fields); i += 2 {
			name, _ := fields[i].(string)
			value, _ := fields[i+1].(string)
			switch name {
			case "event":
				out.Name = value
			case "jobId":
				out.JobID = value
			case "data":
				out.Progress = jsonOrText(value)
			case "returnvalue":
				out.Result = jsonOrText(value)
			case "failedReason":
				out.Reason = value
			}
		}
		events = append(events, out)
	}
	return events
}

// UpdateData replaces the data of a job.
func (q *Queue) UpdateData(ctx context.Context, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the data of the job: %w", err)
	}
	_, err = q.call(ctx, "updateData", id, []string{q.k.job(id)}, string(text))
	return err
}
