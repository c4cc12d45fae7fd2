package supabase

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
)

const selection = "id,project_id,org_id,user_id,source_url,source_format,source_size,source_file_count,status,progress," +
	"current_step,options,analysis,outputs,thumbnail_url,error_message,error_details,queued_at,started_at,completed_at," +
	"worker_id,credits_used,created_at,updated_at"

// identity is a row of which only its key was asked for.
type identity struct {
	ID string `json:"id"`
}

// row is a row as PostgREST gives it, where any column can be null.
type row struct {
	ID              string          `json:"id"`
	ProjectID       *string         `json:"project_id"`
	OrgID           *string         `json:"org_id"`
	UserID          *string         `json:"user_id"`
	SourceURL       *string         `json:"source_url"`
	SourceFormat    *string         `json:"source_format"`
	SourceSize      *int64          `json:"source_size"`
	SourceFileCount *int64          `json:"source_file_count"`
	Status          *string         `json:"status"`
	Progress        *float64        `json:"progress"`
	CurrentStep     *string         `json:"current_step"`
	Options         json.RawMessage `json:"options"`
	Analysis        json.RawMessage `json:"analysis"`
	Outputs         json.RawMessage `json:"outputs"`
	ThumbnailURL    *string         `json:"thumbnail_url"`
	ErrorMessage    *string         `json:"error_message"`
	ErrorDetails    json.RawMessage `json:"error_details"`
	QueuedAt        *timestamp      `json:"queued_at"`
	StartedAt       *timestamp      `json:"started_at"`
	CompletedAt     *timestamp      `json:"completed_at"`
	WorkerID        *string         `json:"worker_id"`
	CreditsUsed     *float64        `json:"credits_used"`
	CreatedAt       *timestamp      `json:"created_at"`
	UpdatedAt       *timestamp      `json:"updated_at"`
}

func (s *Store) read(ctx context.Context, query url.Values) ([]record.Record, error) {
	query.Set("select", selection)
	var rows []row
	if err := s.do(ctx, request{method: http.MethodGet, query: query}, &rows); err != nil {
		return nil, err
	}
	list := make([]record.Record, len(rows))
	for i, r := range rows {
		list[i] = r.record()
	}
	return list, nil
}

func (r row) record() record.Record {
	return record.Record{
		ID: r.ID, ProjectID: or(r.ProjectID), OrgID: or(r.OrgID), UserID: or(r.UserID),
		SourceURL: or(r.SourceURL), SourceFormat: or(r.SourceFormat), SourceSize: or(r.SourceSize),
		SourceFileCount: or(r.SourceFileCount), Status: job.Status(or(r.Status)), Progress: int(or(r.Progress)),
		CurrentStep: or(r.CurrentStep), Options: raw(r.Options), Analysis: raw(r.Analysis), Outputs: raw(r.Outputs),
		ThumbnailURL: or(r.ThumbnailURL), ErrorMessage: or(r.ErrorMessage), ErrorDetails: raw(r.ErrorDetails),
		QueuedAt: or(r.QueuedAt).Time, StartedAt: or(r.StartedAt).Time, CompletedAt: or(r.CompletedAt).Time,
		WorkerID: or(r.WorkerID), CreditsUsed: or(r.CreditsUsed), CreatedAt: or(r.CreatedAt).Time, UpdatedAt: or(r.UpdatedAt).Time,
	}
}

func or[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}

func raw(m json.RawMessage) json.RawMessage {
	if string(m) == "null" {
		return nil
	}
	return m
}

// timestamp reads a timestamptz, or a timestamp without zone, which is UTC.
type timestamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *timestamp) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if v, err := time.Parse(layout, s); err == nil {
			t.Time = v.UTC()
			return nil
		}
	}
	return fmt.Errorf("want a time such as 2026-01-02T15:04:05+00:00, got %.40q", s)
}
