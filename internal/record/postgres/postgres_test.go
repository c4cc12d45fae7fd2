package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/record/postgres"
	"slate360.ai/worker/internal/record/recordtest"
	"slate360.ai/worker/internal/record/schema"
	"slate360.ai/worker/internal/record/supabase"
	"slate360.ai/worker/internal/testservices"
)

// TestBackends holds PostgreSQL, PostgREST and the schema against one server.
func TestBackends(t *testing.T) {
	server := testservices.Postgres(t)
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	exec := func(t testing.TB, sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	direct := func(t testing.TB) *postgres.Store {
		t.Helper()
		s, err := postgres.Open(t.Context(), server.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	front := testservices.NewPostgREST(t, server.URL())
	leaktest.Check(t)
	t.Cleanup(front.Faults.CloseIdleConnections)
	rest := func(t testing.TB) *supabase.Store {
		t.Helper()
		s, err := supabase.Open(front.URL, front.Key)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}

	t.Run("WithoutTable", func(t *testing.T) {
		for name, s := range map[string]record.Store{"postgres": direct(t), "supabase": rest(t)} {
			_, err := s.Get(t.Context(), "00000000-0000-4000-8000-000000000001")
			if !errors.Is(err, record.ErrPermanent) || !strings.Contains(err.Error(), "install schema") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("Upgrade", func(t *testing.T) {
		exec(t, `CREATE TABLE model_processing_jobs (id UUID PRIMARY KEY, source_url TEXT, status TEXT CHECK (status IN ('queued', 'done')));
			INSERT INTO model_processing_jobs VALUES ('00000000-0000-4000-8000-000000000007', 'https://example.com/old', 'queued')`)
		exec(t, schema.SQL())
		exec(t, schema.SQL()) // again
		s := direct(t)
		r, err := s.Get(t.Context(), "00000000-0000-4000-8000-000000000007")
		if err != nil || r.SourceURL != "https://example.com/old" || r.Status != job.StatusQueued {
			t.Errorf("%+v, %v", r, err)
		}
		exec(t, `DROP TABLE model_processing_jobs`)
	})
	t.Run("Schema", func(t *testing.T) {
		// As on the platform: its roles, and who is asking.
		exec(t, `CREATE SCHEMA auth; CREATE ROLE authenticated; CREATE ROLE service_role; GRANT USAGE ON SCHEMA auth TO authenticated;
			CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS $$ SELECT nullif(current_setting('test.uid', true), '')::uuid $$`)
		exec(t, schema.SQL())
		const me, other = "00000000-0000-4000-8000-0000000000aa", "00000000-0000-4000-8000-0000000000bb"
		exec(t, `INSERT INTO model_processing_jobs (user_id) VALUES ('`+me+`'), ('`+other+`'), ('`+other+`')`)
		exec(t, `SET test.uid = '`+me+`'; SET ROLE authenticated`)
		var n int
		if err := conn.QueryRow(t.Context(), `SELECT COUNT(*) FROM model_processing_jobs`).Scan(&n); err != nil || n != 1 {
			t.Errorf("a user sees %d rows (%v), want their own", n, err)
		}
		if _, err := conn.Exec(t.Context(), `UPDATE model_processing_jobs SET progress = 5`); err == nil {
			t.Error("a user may write")
		}
		exec(t, `RESET ROLE; SET ROLE service_role`)
		if err := conn.QueryRow(t.Context(), `SELECT COUNT(*) FROM model_processing_jobs`).Scan(&n); err != nil || n != 3 {
			t.Errorf("the service role sees %d rows (%v)", n, err)
		}
		exec(t, `RESET ROLE`)
	})
	empty := func(t testing.TB) { exec(t, `TRUNCATE model_processing_jobs`) }
	t.Run("postgres", func(t *testing.T) {
		recordtest.Run(t, func(t testing.TB) record.Store { empty(t); return direct(t) })
	})
	t.Run("supabase", func(t *testing.T) {
		recordtest.Run(t, func(t testing.TB) record.Store { empty(t); return rest(t) })
	})
	t.Run("NoUUID", func(t *testing.T) {
		for name, s := range map[string]record.Store{"postgres": direct(t), "supabase": rest(t)} {
			if err := s.Create(t.Context(), record.Record{ID: "job-1", Status: job.StatusQueued}); !errors.Is(err, record.ErrPermanent) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("WrongKey", func(t *testing.T) {
		s, err := supabase.Open(front.URL, "not the key")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Ping(t.Context()); !errors.Is(err, record.ErrPermanent) || strings.Contains(err.Error(), "not the key") {
			t.Errorf("got %v", err)
		}
	})
	// The front itself is what supabase-js takes for PostgREST.
	t.Run("supabase-js", func(t *testing.T) {
		empty(t)
		out := testservices.Script(t, "testdata/supabase.cjs", "SUPABASE_URL="+front.URL, "SUPABASE_KEY="+front.Key)
		if !strings.Contains(out, "all as expected") {
			t.Errorf("supabase-js:\n%s", out)
		}
	})
}
