package bullmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when a scheduler makes jobs (docs.bullmq.io, guide/job-schedulers):
// Every so often, or by a cron Pattern of five or six fields (seconds first).
type Schedule struct {
	Every   time.Duration
	Pattern string
	// Zone of the pattern, such as "Europe/Berlin"; empty is UTC.
	Zone  string
	Limit int // how many jobs; 0 is no limit
	Start time.Time
	End   time.Time
}

// repeatOption is the option repeat of a job, as BullMQ stores it.
type repeatOption struct {
	Every   int64  `json:"every,omitempty"` // ms
	Pattern string `json:"pattern,omitempty"`
	TZ      string `json:"tz,omitempty"`
	Limit   int    `json:"limit,omitempty"`
	Count   int    `json:"count,omitempty"`
	Offset  *int64 `json:"offset,omitempty"`
	Start   int64  `json:"startDate,omitempty"`
	End     int64  `json:"endDate,omitempty"`
}

func (s Schedule) option() repeatOption {
	r := repeatOption{Every: s.Every.Milliseconds(), Pattern: s.Pattern, TZ: s.Zone, Limit: s.Limit}
	if !s.Start.IsZero() {
		r.Start = s.Start.UnixMilli()
	}
	if !s.End.IsZero() {
		r.End = s.End.UnixMilli()
	}
	return r
}

// next returns when the pattern is next due after a time, in ms.
func (r repeatOption) next(after int64) (int64, error) {
	text := r.Pattern
	if r.TZ != "" {
		text = "CRON_TZ=" + r.TZ + " " + text
	} else {
		text = "CRON_TZ=UTC " + text
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	s, err := parser.Parse(text)
	if err != nil {
		return 0, fmt.Errorf("cron pattern %q: %w", r.Pattern, err)
	}
	at := s.Next(time.UnixMilli(max(after, r.Start)))
	if at.IsZero() {
		return 0, fmt.Errorf("cron pattern %q is never due", r.Pattern)
	}
	return at.UnixMilli(), nil
}

// UpsertScheduler makes or changes a scheduler and returns the ID of its next job.
func (q *Queue) UpsertScheduler(ctx context.Context, id string, s Schedule, j NewJob) (string, error) {
	if (s.Every > 0) == (s.Pattern != "") {
		return "", errors.New("a schedule has either every or a pattern")
	}
	if err := j.Options.check(); err != nil {
		return "", err
	}
	data, err := encodeData(j.Data)
	if err != nil {
		return "", err
	}
	r := s.option()
	at := time.Now().UnixMilli()
	var next int64
	if r.Pattern != "" {
		if next, err = r.next(at); err != nil {
			return "", err
		}
	}
	next = max(next, at)
	template := j.Options.encode()
	scheduler := map[string]any{"name": j.Name}
	for name, v := range map[string]any{"tz": r.TZ, "pattern": r.Pattern} {
		if v != "" {
			scheduler[name] = v
		}
	}
	for name, v := range map[string]int64{"every": r.Every, "limit": int64(r.Limit), "startDate": r.Start, "endDate": r.End} {
		if v != 0 {
			scheduler[name] = v
		}
	}
	k := &q.k
	v, err := q.call(ctx, "addJobScheduler", id,
		[]string{k.repeat, k.delayed, k.wait, k.paused, k.meta, k.prioritized, k.marker, k.id, k.events, k.pc, k.active},
		itoa(next), pack(scheduler), id, data, pack(template), pack(iteration(template, r, id, next, 1)), itoa(at), k.base, "")
	if err != nil {
		return "", err
	}
	if parts, ok := v.([]any); ok && len(parts) > 0 {
		return idOf(parts[0])
	}
	return idOf(v)
}

// iteration are the options of the job of a scheduler that is due at next.
func iteration(template map[string]any, r repeatOption, id string, next int64, count int) map[string]any {
	at := time.Now().UnixMilli()
	m := map[string]any{}
	for name, v := range template {
		m[name] = v
	}
	offset := int64(0)
	if r.Offset != nil {
		offset = *r.Offset
	}
	m["jobId"] = "repeat:" + id + ":" + itoa(next)
	m["delay"] = max(next+offset-at, 0)
	m["timestamp"] = at
	m["prevMillis"] = next
	m["repeatJobKey"] = id
	r.Count = count
	raw, err := json.Marshal(r)
	if err == nil {
		m["repeat"] = json.RawMessage(raw)
	}
	return m
}

// RemoveScheduler removes a scheduler and its next job; that there is none is no error.
func (q *Queue) RemoveScheduler(ctx context.Context, id string) error {
	_, err := q.eval(ctx, "removeJobScheduler", []string{q.k.repeat, q.k.delayed, q.k.events}, id, q.k.base)
	return err
}

// continueScheduler adds the next job of the scheduler that made j.
func (q *Queue) continueScheduler(ctx context.Context, j *rawJob) error {
	if strings.Count(j.scheduler, ":") >= 4 {
		// Keys of this shape are of repeatable jobs before version 6, unless there
		// is a scheduler of that name.
		v, err := q.conn.Do(ctx, "HEXISTS", q.k.repeat+":"+j.scheduler, "ic")
		if err != nil {
			return err
		}
		if integer(v) != 1 {
			return errors.New("it is a repeatable job of BullMQ before version 6: make it a job scheduler")
		}
	}
	var r repeatOption
	if err := json.Unmarshal(j.opts.Repeat, &r); err != nil {
		return fmt.Errorf("option repeat: %w", err)
	}
	count := 1
	if r.Count > 0 {
		count = r.Count + 1
	}
	at := time.Now().UnixMilli()
	if r.Limit > 0 && count > r.Limit || r.End > 0 && at > r.End {
		return nil
	}
	at = max(at, int64(j.opts.PrevMillis))
	next := int64(0)
	if r.Pattern != "" {
		var err error
		if next, err = r.next(at); err != nil {
			return err
		}
		next = max(next, at)
	}
	var template map[string]any
	if err := json.Unmarshal([]byte(j.opts.raw), &template); err != nil {
		return fmt.Errorf("options of the job: %w", err)
	}
	k := &q.k
	_, err := q.eval(ctx, "updateJobScheduler",
		[]string{k.repeat, k.delayed, k.wait, k.paused, k.meta, k.prioritized, k.marker, k.id, k.events, k.pc, k.job(j.ID), k.active},
		itoa(next), j.scheduler, string(j.Data), pack(iteration(template, r, j.scheduler, next, count)), now(), k.base, j.ID)
	return err
}
