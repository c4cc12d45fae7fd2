// Package postgres keeps records in a PostgreSQL database (13 or newer) that has
// the table model_processing_jobs; package record/schema makes it. The types of
// the columns with identities may be uuid or text. It uses no named prepared
// statements, so that it also works behind a pooler in transaction mode
// (PgBouncer, Supavisor).
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"slate360.ai/worker/internal/record"
)

const (
	// maxConns is enough for a worker's writes: one a second a job, some ms each.
	maxConns = 4
	// connectTimeout bounds a connection where the URL does not say.
	connectTimeout = 10 * time.Second
)

// Store is the table of one database.
type Store struct {
	pool *pgxpool.Pool
}

var _ record.Store = (*Store)(nil)

// Open prepares for the database at url (postgres://… or libpq's keywords). It
// does not connect yet: a database that is away is an error of the first call.
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's own words would show the URL.
		return nil, fmt.Errorf("%w: DATABASE_URL is no connection string of PostgreSQL, such as postgres://user:password@host:5432/database",
			record.ErrPermanent)
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if _, ok := cfg.ConnConfig.RuntimeParams["application_name"]; !ok {
		cfg.ConnConfig.RuntimeParams["application_name"] = "slate360-worker"
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database of records: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Create implements record.Store.
func (s *Store) Create(ctx context.Context, r record.Record) error {
	if err := record.CheckUUID(r.ID); err != nil {
		return err
	}
	var names, places []string
	var args arguments
	for _, c := range r.Columns(time.Now()) {
		names = append(names, c.Name)
		places = append(places, args.add(c.Value))
	}
	_, err := s.pool.Exec(ctx, "INSERT INTO "+record.Table+" ("+strings.Join(names, ", ")+") VALUES ("+
		strings.Join(places, ", ")+") ON CONFLICT (id) DO NOTHING", args...)
	return explain(err, "write the record of job "+r.ID)
}

// Update implements record.Store.
func (s *Store) Update(ctx context.Context, id string, u record.Update, c record.Condition) error {
	if err := record.CheckUUID(id); err != nil {
		return err
	}
	var args arguments
	sets := []string{"updated_at = now()"}
	for _, col := range u.Columns() {
		sets = append(sets, col.Name+" = "+args.add(col.Value))
	}
	key := "id = " + args.add(id)
	where := key
	if c.Owner != "" {
		owner := "worker_id = " + args.add(c.Owner)
		if c.OrUnowned {
			owner = "(" + owner + " OR worker_id IS NULL)"
		}
		where += " AND " + owner
	}
	if c.Unfinished {
		where += " AND status NOT IN ('completed', 'failed')"
	}
	var hit, there bool
	err := s.pool.QueryRow(ctx, "WITH hit AS (UPDATE "+record.Table+" SET "+strings.Join(sets, ", ")+" WHERE "+where+
		" RETURNING 1) SELECT EXISTS (SELECT FROM hit), EXISTS (SELECT FROM "+record.Table+" WHERE "+key+")", args...).Scan(&hit, &there)
	switch {
	case err != nil:
		return explain(err, "update the record of job "+id)
	case !there && !hit:
		return fmt.Errorf("job %s: %w", id, record.ErrNotFound)
	case !hit:
		return fmt.Errorf("job %s: %w", id, record.ErrCondition)
	}
	return nil
}

// Get implements record.Store.
func (s *Store) Get(ctx context.Context, id string) (record.Record, error) {
	if err := record.CheckUUID(id); err != nil {
		return record.Record{}, err
	}
	rows, err := s.read(ctx, "WHERE id = $1", id)
	if err != nil {
		return record.Record{}, explain(err, "read the record of job "+id)
	}
	if len(rows) == 0 {
		return record.Record{}, fmt.Errorf("job %s: %w", id, record.ErrNotFound)
	}
	return rows[0], nil
}

// List implements record.Store.
func (s *Store) List(ctx context.Context, f record.Filter) ([]record.Record, error) {
	var args arguments
	where := args.conditions(f)
	order, sign := "DESC", " < "
	if f.OldestFirst {
		order, sign = "ASC", " > "
	}
	if !f.After.IsZero() {
		at := args.add(f.After.CreatedAt)
		where += " AND (created_at" + sign + at + " OR created_at = " + at + " AND id > " + args.add(f.After.ID) + ")"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	rows, err := s.read(ctx, "WHERE "+where+" ORDER BY created_at "+order+", id LIMIT "+
		strconv.Itoa(limit)+" OFFSET "+strconv.Itoa(max(f.Offset, 0)), args...)
	if code(err) == "22P02" { // an ID that no row can have
		return nil, nil
	}
	return rows, explain(err, "list records")
}

// Count implements record.Store.
func (s *Store) Count(ctx context.Context, f record.Filter) (n int64, err error) {
	var args arguments
	where := args.conditions(f)
	err = s.pool.QueryRow(ctx, "SELECT COUNT(*) FROM "+record.Table+" WHERE "+where, args...).Scan(&n)
	if code(err) == "22P02" {
		return 0, nil
	}
	return n, explain(err, "count records")
}

// conditions of a filter, without its place in the order.
func (a *arguments) conditions(f record.Filter) string {
	where := []string{"true"}
	among := func(column string, values []string) {
		if len(values) == 0 {
			return
		}
		places := make([]string, len(values))
		for i, v := range values {
			places[i] = a.add(v)
		}
		where = append(where, column+" IN ("+strings.Join(places, ", ")+")")
	}
	among("status::text", f.Statuses())
	among("source_format::text", f.Formats)
	for _, c := range []record.Column{{Name: "org_id", Value: f.OrgID}, {Name: "user_id", Value: f.UserID}, {Name: "project_id", Value: f.ProjectID}} {
		if c.Value != "" {
			where = append(where, c.Name+" = "+a.add(c.Value))
		}
	}
	if f.Search != "" {
		pattern := a.add(f.Pattern())
		where = append(where, "(source_url ILIKE "+pattern+" OR error_message ILIKE "+pattern+" OR id::text = lower("+a.add(record.CleanText(f.Search))+"))")
	}
	if !f.Since.IsZero() {
		where = append(where, "created_at >= "+a.add(f.Since))
	}
	return strings.Join(where, " AND ")
}

// Delete implements record.Store.
func (s *Store) Delete(ctx context.Context, id string) error {
	if record.CheckUUID(id) != nil {
		return nil
	}
	_, err := s.pool.Exec(ctx, "DELETE FROM "+record.Table+" WHERE id = $1", id)
	return explain(err, "delete the record of job "+id)
}

// Ping implements record.Store: it also finds columns that are missing.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.read(ctx, "LIMIT 0")
	return explain(err, "read the table "+record.Table)
}

// Close implements record.Store.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// arguments are the parameters of a statement.
type arguments []any

// add returns the place of a new parameter.
func (a *arguments) add(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

// code returns the SQLSTATE of an error of the server.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
