package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
)

// selection reads columns of any of the types that platforms gave them.
const selection = `SELECT id::text, COALESCE(project_id::text, ''), COALESCE(org_id::text, ''), COALESCE(user_id::text, ''),
	COALESCE(source_url, ''), COALESCE(source_format::text, ''), COALESCE(source_size, 0)::bigint,
	COALESCE(source_file_count, 0)::bigint, COALESCE(status::text, ''), COALESCE(progress, 0)::int, COALESCE(current_step, ''),
	options::text, analysis::text, outputs::text, COALESCE(thumbnail_url, ''), COALESCE(error_message, ''), error_details::text,
	queued_at, started_at, completed_at, COALESCE(worker_id::text, ''), COALESCE(credits_used, 0)::float8, created_at, updated_at
	FROM ` + record.Table + ` `

func (s *Store) read(ctx context.Context, rest string, args ...any) ([]record.Record, error) {
	rows, err := s.pool.Query(ctx, selection+rest, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func scan(row pgx.CollectableRow) (record.Record, error) {
	var r record.Record
	var status string
	var options, analysis, outputs, details *string
	var queued, started, completed, created, updated *time.Time
	err := row.Scan(&r.ID, &r.ProjectID, &r.OrgID, &r.UserID, &r.SourceURL, &r.SourceFormat, &r.SourceSize,
		&r.SourceFileCount, &status, &r.Progress, &r.CurrentStep, &options, &analysis, &outputs, &r.ThumbnailURL,
		&r.ErrorMessage, &details, &queued, &started, &completed, &r.WorkerID, &r.CreditsUsed, &created, &updated)
	if err != nil {
		return r, err
	}
	r.Status = job.Status(status)
	r.Options, r.Analysis, r.Outputs, r.ErrorDetails = raw(options), raw(analysis), raw(outputs), raw(details)
	r.QueuedAt, r.StartedAt, r.CompletedAt = utc(queued), utc(started), utc(completed)
	r.CreatedAt, r.UpdatedAt = utc(created), utc(updated)
	return r, nil
}

func raw(s *string) json.RawMessage {
	if s == nil || *s == "null" {
		return nil
	}
	return json.RawMessage(*s)
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
