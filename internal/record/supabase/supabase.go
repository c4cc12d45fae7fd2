// Package supabase keeps records in the table model_processing_jobs of a Supabase
// project, through its REST interface: PostgREST
// (https://docs.postgrest.org/en/stable/references/api/tables_views.html) behind a
// gateway that wants the key in the header apikey and as bearer token. With the
// service-role key row-level security does not apply.
package supabase

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"slate360.ai/worker/internal/record"
)

const (
	// requestTimeout bounds one request with its answer, where the context has no
	// earlier deadline.
	requestTimeout = 30 * time.Second
	// maxAnswer in bytes is far above 100 rows with their logs.
	maxAnswer = 64 << 20
)

// Store is the table of one project.
type Store struct {
	table  string // URL of the table
	key    string
	client *http.Client
}

var _ record.Store = (*Store)(nil)

// Open prepares for the project at base, such as https://example.supabase.co, with
// its service-role key. It does not connect yet.
func Open(base, key string) (*Store, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%w: SUPABASE_URL is no address such as https://example.supabase.co", record.ErrPermanent)
	}
	if key == "" || strings.ContainsAny(key, "\r\n\x00") {
		return nil, fmt.Errorf("%w: SUPABASE_SERVICE_ROLE_KEY is empty or has a line break in it", record.ErrPermanent)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	return &Store{
		table: u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/") + "/rest/v1/" + record.Table,
		key:   key,
		client: &http.Client{
			Transport: transport, Timeout: requestTimeout,
			// The key must not go to wherever an answer points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Create implements record.Store.
func (s *Store) Create(ctx context.Context, r record.Record) error {
	if err := record.CheckUUID(r.ID); err != nil {
		return err
	}
	err := s.do(ctx, request{
		method: http.MethodPost, query: url.Values{"on_conflict": {"id"}},
		prefer: "resolution=ignore-duplicates,return=minimal", body: object(r.Columns(time.Now())),
	}, nil)
	return wrap(err, "write the record of job "+r.ID)
}

// Update implements record.Store.
func (s *Store) Update(ctx context.Context, id string, u record.Update, c record.Condition) error {
	if err := record.CheckUUID(id); err != nil {
		return err
	}
	query := url.Values{"id": {"eq." + id}, "select": {"id"}}
	switch {
	case c.Owner != "" && c.OrUnowned:
		query.Set("or", "(worker_id.is.null,worker_id.eq."+quote(c.Owner)+")")
	case c.Owner != "":
		query.Set("worker_id", "eq."+c.Owner)
	}
	if c.Unfinished {
		query.Set("status", "not.in.(completed,failed)")
	}
	columns := append(u.Columns(), record.Column{Name: "updated_at", Value: time.Now().UTC()})
	var rows []identity
	err := s.do(ctx, request{method: http.MethodPatch, query: query, prefer: "return=representation", body: object(columns)}, &rows)
	if err != nil {
		return wrap(err, "update the record of job "+id)
	}
	if len(rows) > 0 {
		return nil
	}
	query = url.Values{"id": {"eq." + id}, "select": {"id"}}
	if err := s.do(ctx, request{method: http.MethodGet, query: query}, &rows); err != nil {
		return wrap(err, "update the record of job "+id)
	}
	if len(rows) == 0 {
		return fmt.Errorf("job %s: %w", id, record.ErrNotFound)
	}
	return fmt.Errorf("job %s: %w", id, record.ErrCondition)
}

// Get implements record.Store.
func (s *Store) Get(ctx context.Context, id string) (record.Record, error) {
	if err := record.CheckUUID(id); err != nil {
		return record.Record{}, err
	}
	rows, err := s.read(ctx, url.Values{"id": {"eq." + id}})
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
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	query := conditions(f)
	order, operator := "desc", "lt"
	if f.OldestFirst {
		order, operator = "asc", "gt"
	}
	query.Set("order", "created_at."+order+",id.asc")
	query.Set("limit", strconv.Itoa(limit))
	query.Set("offset", strconv.Itoa(max(f.Offset, 0)))
	if !f.After.IsZero() {
		at := quote(f.After.CreatedAt.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
		query.Add("or", "(created_at."+operator+"."+at+",and(created_at.eq."+at+",id.gt."+quote(f.After.ID)+"))")
	}
	rows, err := s.read(ctx, query)
	if noSuchID(err) {
		return nil, nil
	}
	return rows, wrap(err, "list records")
}

// Count implements record.Store.
func (s *Store) Count(ctx context.Context, f record.Filter) (int64, error) {
	query := conditions(f)
	query.Set("select", "id")
	query.Set("limit", "1")
	var total int64
	err := s.do(ctx, request{method: http.MethodGet, query: query, prefer: "count=exact", total: &total}, nil)
	if noSuchID(err) {
		return 0, nil
	}
	return total, wrap(err, "count records")
}

// noSuchID tells whether the filter has an ID that no row can have.
func noSuchID(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) && refused.Code == "22P02"
}

// conditions of a filter, without its place in the order.
func conditions(f record.Filter) url.Values {
	query := url.Values{}
	among := func(column string, values []string) {
		if len(values) == 0 {
			return
		}
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = quote(v)
		}
		query.Set(column, "in.("+strings.Join(quoted, ",")+")")
	}
	among("status", f.Statuses())
	among("source_format", f.Formats)
	for name, v := range map[string]string{"org_id": f.OrgID, "user_id": f.UserID, "project_id": f.ProjectID} {
		if v != "" {
			query.Set(name, "eq."+v)
		}
	}
	if f.Search != "" {
		// PostgREST reads an asterisk as a percent sign, and has no escape for it.
		pattern := quote(strings.ReplaceAll(f.Pattern(), "*", "_"))
		any := "source_url.ilike." + pattern + ",error_message.ilike." + pattern
		if record.CheckUUID(f.Search) == nil {
			any += ",id.eq." + f.Search
		}
		query.Add("or", "("+any+")")
	}
	if !f.Since.IsZero() {
		query.Set("created_at", "gte."+f.Since.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
	}
	return query
}

// Delete implements record.Store.
func (s *Store) Delete(ctx context.Context, id string) error {
	if record.CheckUUID(id) != nil {
		return nil
	}
	err := s.do(ctx, request{method: http.MethodDelete, query: url.Values{"id": {"eq." + id}}, prefer: "return=minimal"}, nil)
	return wrap(err, "delete the record of job "+id)
}

// Ping implements record.Store: it also finds columns that are missing.
func (s *Store) Ping(ctx context.Context) error {
	var rows []row
	err := s.do(ctx, request{method: http.MethodGet, query: url.Values{"select": {selection}, "limit": {"1"}}}, &rows)
	return wrap(err, "read the table "+record.Table)
}

// Close implements record.Store.
func (s *Store) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// object returns the JSON object of columns.
func object(cs []record.Column) map[string]any {
	m := make(map[string]any, len(cs))
	for _, c := range cs {
		m[c.Name] = c.Value // times are RFC 3339 in JSON
	}
	return m
}

// quote returns a value for a list of PostgREST's filters: in double quotes,
// with backslashes before quotes and backslashes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
