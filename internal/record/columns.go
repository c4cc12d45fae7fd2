package record

import (
	"encoding/json"
	"fmt"
	"time"

	"slate360.ai/worker/internal/job"
)

// Column is the new value of one column: a string, int64, float64, time.Time
// (UTC, whole microseconds), json.RawMessage, or nil for NULL.
type Column struct {
	Name  string
	Value any
}

// Columns returns what the update writes, without updated_at, as every backend
// stores it: texts and JSON cleaned of what PostgreSQL cannot hold, times at its
// resolution.
func (u Update) Columns() []Column {
	var cs []Column
	if u.Status != nil {
		cs = append(cs, Column{"status", string(*u.Status)})
	}
	if u.Progress != nil {
		cs = append(cs, Column{"progress", int64(min(max(*u.Progress, 0), 100))})
	}
	text := func(name string, v *string) {
		if v != nil {
			cs = append(cs, Column{name, nullText(*v)})
		}
	}
	text("current_step", u.CurrentStep)
	text("source_format", u.SourceFormat)
	number := func(name string, v *int64) {
		if v != nil {
			cs = append(cs, Column{name, *v})
		}
	}
	number("source_size", u.SourceSize)
	number("source_file_count", u.SourceFileCount)
	raw := func(name string, v *json.RawMessage) {
		if v != nil {
			cs = append(cs, Column{name, nullJSON(*v)})
		}
	}
	raw("analysis", u.Analysis)
	raw("outputs", u.Outputs)
	text("thumbnail_url", u.ThumbnailURL)
	text("error_message", u.ErrorMessage)
	raw("error_details", u.ErrorDetails)
	moment := func(name string, v *time.Time) {
		if v != nil {
			cs = append(cs, Column{name, nullTime(*v)})
		}
	}
	moment("started_at", u.StartedAt)
	moment("completed_at", u.CompletedAt)
	text("worker_id", u.WorkerID)
	return cs
}

// Columns returns what a new row is written with; columns that are empty are
// left to their defaults. now stands for the times that the record does not say.
func (r Record) Columns(now time.Time) []Column {
	if r.Status == "" {
		r.Status = job.StatusQueued
	}
	for _, t := range []*time.Time{&r.QueuedAt, &r.CreatedAt, &r.UpdatedAt} {
		if t.IsZero() {
			*t = now
		}
	}
	all := []Column{
		{"id", nullText(r.ID)},
		{"project_id", nullText(r.ProjectID)},
		{"org_id", nullText(r.OrgID)},
		{"user_id", nullText(r.UserID)},
		{"source_url", nullText(r.SourceURL)},
		{"source_format", nullText(r.SourceFormat)},
		{"source_size", nullNumber(r.SourceSize)},
		{"source_file_count", nullNumber(r.SourceFileCount)},
		{"status", string(r.Status)},
		{"progress", int64(min(max(r.Progress, 0), 100))},
		{"current_step", nullText(r.CurrentStep)},
		{"options", nullJSON(r.Options)},
		{"analysis", nullJSON(r.Analysis)},
		{"outputs", nullJSON(r.Outputs)},
		{"thumbnail_url", nullText(r.ThumbnailURL)},
		{"error_message", nullText(r.ErrorMessage)},
		{"error_details", nullJSON(r.ErrorDetails)},
		{"queued_at", nullTime(r.QueuedAt)},
		{"started_at", nullTime(r.StartedAt)},
		{"completed_at", nullTime(r.CompletedAt)},
		{"worker_id", nullText(r.WorkerID)},
		{"credits_used", nullFloat(r.CreditsUsed)},
		{"created_at", nullTime(r.CreatedAt)},
		{"updated_at", nullTime(r.UpdatedAt)},
	}
	cs := all[:0]
	for _, c := range all {
		if c.Value != nil {
			cs = append(cs, c)
		}
	}
	return cs
}

// CheckUUID returns an error (ErrPermanent) where id is not a UUID in its usual
// form (RFC 9562, 8-4-4-4-12 hexadecimal digits): a column of type uuid cannot
// hold it.
func CheckUUID(id string) error {
	ok := len(id) == 36
	for i := 0; ok && i < len(id); i++ {
		c := id[i]
		switch i {
		case 8, 13, 18, 23:
			ok = c == '-'
		default:
			ok = '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
		}
	}
	if !ok {
		return fmt.Errorf("%w: the job ID %.64q is not a UUID, which the column id of %s demands", ErrPermanent, id, Table)
	}
	return nil
}

func nullText(s string) any {
	if s = CleanText(s); s == "" {
		return nil
	}
	return s
}

func nullNumber(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func nullFloat(f float64) any {
	if f == 0 {
		return nil
	}
	return f
}

func nullJSON(raw json.RawMessage) any {
	raw = CleanJSON(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}
