// Package embedded keeps records in the embedded SQLite database, which several
// processes may share. IDs are any text; times are whole microseconds since 1970.
package embedded

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/sqlite"
)

// component is the name under which the version of the tables is kept.
const component = "record"

func migrations() []string {
	return []string{`CREATE TABLE ` + record.Table + ` (
		id TEXT PRIMARY KEY, project_id TEXT, org_id TEXT, user_id TEXT,
		source_url TEXT, source_format TEXT, source_size INTEGER, source_file_count INTEGER,
		status TEXT NOT NULL DEFAULT 'queued', progress INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
		current_step TEXT, options TEXT DEFAULT '{}', analysis TEXT, outputs TEXT DEFAULT '[]', thumbnail_url TEXT,
		error_message TEXT, error_details TEXT, queued_at INTEGER, started_at INTEGER, completed_at INTEGER,
		worker_id TEXT, credits_used REAL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX ` + record.Table + `_created ON ` + record.Table + ` (created_at DESC, id);
	CREATE INDEX ` + record.Table + `_status ON ` + record.Table + ` (status, created_at DESC);`}
}

// Store is the table in one database file.
type Store struct {
	db *sql.DB
}

var _ record.Store = (*Store)(nil)

// Open opens or makes the database file at path.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := sqlite.Migrate(ctx, db, component, migrations()); err != nil {
		db.Close()
		return nil, err
	}
	return &Store{db: db}, nil
}

// Create implements record.Store.
func (s *Store) Create(ctx context.Context, r record.Record) error {
	if record.CleanText(r.ID) == "" {
		return fmt.Errorf("%w: it has no ID", record.ErrPermanent)
	}
	var names []string
	var args []any
	for _, c := range r.Columns(time.Now()) {
		names = append(names, c.Name)
		args = append(args, value(c.Value))
	}
	_, err := s.db.ExecContext(ctx, "INSERT INTO "+record.Table+" ("+strings.Join(names, ", ")+") VALUES (?"+
		strings.Repeat(", ?", len(names)-1)+") ON CONFLICT (id) DO NOTHING", args...)
	return wrap(err, "write the record of job "+r.ID)
}

// Update implements record.Store.
func (s *Store) Update(ctx context.Context, id string, u record.Update, c record.Condition) error {
	sets, args := []string{"updated_at = ?"}, []any{time.Now().UnixMicro()}
	for _, col := range u.Columns() {
		sets, args = append(sets, col.Name+" = ?"), append(args, value(col.Value))
	}
	where := "id = ?"
	args = append(args, id)
	if c.Owner != "" {
		owner := "worker_id = ?"
		if c.OrUnowned {
			owner = "(worker_id = ? OR worker_id IS NULL)"
		}
		where, args = where+" AND "+owner, append(args, c.Owner)
	}
	if c.Unfinished {
		where += " AND status NOT IN ('completed', 'failed')"
	}
	res, err := s.db.ExecContext(ctx, "UPDATE "+record.Table+" SET "+strings.Join(sets, ", ")+" WHERE "+where, args...)
	if err != nil {
		return wrap(err, "update the record of job "+id)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return wrap(err, "update the record of job "+id)
	}
	var one int
	switch err := s.db.QueryRowContext(ctx, "SELECT 1 FROM "+record.Table+" WHERE id = ?", id).Scan(&one); {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("job %s: %w", id, record.ErrNotFound)
	case err != nil:
		return wrap(err, "update the record of job "+id)
	}
	return fmt.Errorf("job %s: %w", id, record.ErrCondition)
}

// Get implements record.Store.
func (s *Store) Get(ctx context.Context, id string) (record.Record, error) {
	rows, err := s.read(ctx, "WHERE id = ?", id)
	if err != nil {
		return record.Record{}, wrap(err, "read the record of job "+id)
	}
	if len(rows) == 0 {
		return record.Record{}, fmt.Errorf("job %s: %w", id, record.ErrNotFound)
	}
	return rows[0], nil
}

// List implements record.Store.
func (s *Store) List(ctx context.Context, f record.Filter) ([]record.Record, error) {
	where, args := conditions(f)
	order, sign := "DESC", "<"
	if f.OldestFirst {
		order, sign = "ASC", ">"
	}
	if !f.After.IsZero() {
		at := f.After.CreatedAt.UnixMicro()
		where += " AND (created_at " + sign + " ? OR created_at = ? AND id > ?)"
		args = append(args, at, at, f.After.ID)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	rows, err := s.read(ctx, "WHERE "+where+" ORDER BY created_at "+order+", id LIMIT ? OFFSET ?",
		append(args, limit, max(f.Offset, 0))...)
	return rows, wrap(err, "list records")
}

// Count implements record.Store.
func (s *Store) Count(ctx context.Context, f record.Filter) (n int64, err error) {
	where, args := conditions(f)
	err = s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+record.Table+" WHERE "+where, args...).Scan(&n)
	return n, wrap(err, "count records")
}

// conditions of a filter, without its place in the order.
func conditions(f record.Filter) (string, []any) {
	where, args := []string{"1"}, []any{}
	among := func(column string, values []string) {
		if len(values) == 0 {
			return
		}
		where = append(where, column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")")
		for _, v := range values {
			args = append(args, v)
		}
	}
	among("status", f.Statuses())
	among("source_format", f.Formats)
	for _, c := range []record.Column{{Name: "org_id", Value: f.OrgID}, {Name: "user_id", Value: f.UserID}, {Name: "project_id", Value: f.ProjectID}} {
		if c.Value != "" {
			where, args = append(where, c.Name+" = ?"), append(args, c.Value)
		}
	}
	if f.Search != "" {
		pattern := f.Pattern()
		where = append(where, `(source_url LIKE ? ESCAPE '\' OR error_message LIKE ? ESCAPE '\' OR id = ?)`)
		args = append(args, pattern, pattern, f.Search)
	}
	if !f.Since.IsZero() {
		where, args = append(where, "created_at >= ?"), append(args, f.Since.UnixMicro())
	}
	return strings.Join(where, " AND "), args
}

// Delete implements record.Store.
func (s *Store) Delete(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM "+record.Table+" WHERE id = ?", id)
	return wrap(err, "delete the record of job "+id)
}

// Ping implements record.Store.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.read(ctx, "LIMIT 0")
	return wrap(err, "read the table "+record.Table)
}

// Close implements record.Store.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) read(ctx context.Context, rest string, args ...any) (list []record.Record, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, COALESCE(project_id, ''), COALESCE(org_id, ''), COALESCE(user_id, ''),
		COALESCE(source_url, ''), COALESCE(source_format, ''), COALESCE(source_size, 0), COALESCE(source_file_count, 0),
		status, progress, COALESCE(current_step, ''), options, analysis, outputs, COALESCE(thumbnail_url, ''),
		COALESCE(error_message, ''), error_details, queued_at, started_at, completed_at, COALESCE(worker_id, ''),
		COALESCE(credits_used, 0), created_at, updated_at FROM `+record.Table+" "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r record.Record
		var status string
		var options, analysis, outputs, details sql.NullString
		var queued, started, completed, created, updated sql.NullInt64
		if err := rows.Scan(&r.ID, &r.ProjectID, &r.OrgID, &r.UserID, &r.SourceURL, &r.SourceFormat, &r.SourceSize,
			&r.SourceFileCount, &status, &r.Progress, &r.CurrentStep, &options, &analysis, &outputs, &r.ThumbnailURL,
			&r.ErrorMessage, &details, &queued, &started, &completed, &r.WorkerID, &r.CreditsUsed, &created, &updated); err != nil {
			return nil, err
		}
		r.Status = job.Status(status)
		r.Options, r.Analysis, r.Outputs, r.ErrorDetails = raw(options), raw(analysis), raw(outputs), raw(details)
		r.QueuedAt, r.StartedAt, r.CompletedAt = moment(queued), moment(started), moment(completed)
		r.CreatedAt, r.UpdatedAt = moment(created), moment(updated)
		list = append(list, r)
	}
	return list, rows.Err()
}

// value returns what SQLite keeps of a column's value.
func value(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UnixMicro()
	case json.RawMessage:
		return string(v)
	}
	return v
}

func raw(s sql.NullString) json.RawMessage {
	if !s.Valid {
		return nil
	}
	return json.RawMessage(s.String)
}

func moment(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return time.UnixMicro(us.Int64).UTC()
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
