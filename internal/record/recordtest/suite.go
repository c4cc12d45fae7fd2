// Package recordtest is the suite that every backend of package record passes.
package recordtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
)

// Run runs the suite. open returns a store over an empty table.
func Run(t *testing.T, open func(t testing.TB) record.Store) {
	for name, test := range map[string]func(t *testing.T, s record.Store){
		"CreateAndGet": testCreateAndGet, "Update": testUpdate, "Conditions": testConditions, "List": testList,
		"Absent": testAbsent, "Texts": testTexts, "Writer": testWriter, "WriterFenced": testWriterFenced, "WriterWithoutRow": testWithoutRow,
		"Concurrent": testConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// id returns a UUID for a number.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func ptr[T any](v T) *T { return &v }

func create(t testing.TB, s record.Store, r record.Record) record.Record {
	t.Helper()
	if r.Status == "" {
		r.Status = job.StatusQueued
	}
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return get(t, s, r.ID)
}

func get(t testing.TB, s record.Store, id string) record.Record {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	var v, w any
	if json.Unmarshal(a, &v) != nil || json.Unmarshal(b, &w) != nil {
		return bytes.Equal(a, b)
	}
	return json.NewEncoder(&x).Encode(v) == nil && json.NewEncoder(&y).Encode(w) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func testCreateAndGet(t *testing.T, s record.Store) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	want := record.Record{
		ID: id(1), ProjectID: id(2), OrgID: id(3), UserID: id(4), SourceURL: "https://example.com/a.laz", SourceFormat: "laz",
		SourceSize: 1 << 40, SourceFileCount: 3, Status: job.StatusQueued, Options: json.RawMessage(`{"quality":0.5}`), QueuedAt: at,
	}
	got := create(t, s, want)
	if got.ID != want.ID || got.ProjectID != want.ProjectID || got.OrgID != want.OrgID || got.UserID != want.UserID || got.SourceURL != want.SourceURL ||
		got.SourceSize != want.SourceSize || got.SourceFileCount != 3 || got.Status != job.StatusQueued || !got.QueuedAt.Equal(at) || !sameJSON(got.Options, want.Options) {
		t.Errorf("got %+v", got)
	}
	if got.CreatedAt.IsZero() || got.UpdatedAt.IsZero() {
		t.Errorf("times %v %v", got.CreatedAt, got.UpdatedAt)
	}
	want.SourceURL = "https://example.com/other"
	if again := create(t, s, want); again.SourceURL != "https://example.com/a.laz" {
		t.Errorf("a second Create changed the row: %+v", again)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func testUpdate(t *testing.T, s record.Store) {
	create(t, s, record.Record{ID: id(1)})
	at := time.Now().UTC().Truncate(time.Millisecond)
	outputs := json.RawMessage(`[{"format":"laz","url":"https://example.com/ä.laz","size":12345678901}]`)
	err := s.Update(t.Context(), id(1), record.Update{
		Status: ptr(job.StatusCompleted), Progress: ptr(100), CurrentStep: ptr("completed"), SourceFormat: ptr("laz"), SourceSize: ptr(int64(5)),
		SourceFileCount: ptr(int64(1)), Analysis: ptr(json.RawMessage(`{"points":1}`)), Outputs: &outputs, ThumbnailURL: ptr("https://example.com/t.png"),
		StartedAt: &at, CompletedAt: &at, WorkerID: ptr("w1"),
	}, record.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, s, id(1))
	if r.Status != job.StatusCompleted || r.Progress != 100 || r.CurrentStep != "completed" || r.SourceFormat != "laz" || r.SourceSize != 5 ||
		!sameJSON(r.Outputs, outputs) || !sameJSON(r.Analysis, json.RawMessage(`{"points":1}`)) || r.ThumbnailURL == "" || !r.StartedAt.Equal(at) ||
		!r.CompletedAt.Equal(at) || r.WorkerID != "w1" {
		t.Errorf("got %+v", r)
	}
	if err := s.Update(t.Context(), id(1), record.Update{
		CompletedAt: &time.Time{}, ErrorMessage: ptr("why"), ErrorDetails: ptr(json.RawMessage(`{"stage":"smrf"}`)), ThumbnailURL: ptr(""),
		Analysis: ptr(json.RawMessage("null")),
	}, record.Condition{}); err != nil {
		t.Fatal(err)
	}
	r = get(t, s, id(1))
	if !r.CompletedAt.IsZero() || r.ErrorMessage != "why" || !sameJSON(r.ErrorDetails, json.RawMessage(`{"stage":"smrf"}`)) || r.ThumbnailURL != "" || r.Progress != 100 {
		t.Errorf("got %+v", r)
	}
	if len(r.Analysis) > 0 && string(r.Analysis) != "null" {
		t.Errorf("analysis %s", r.Analysis)
	}
}

func testConditions(t *testing.T, s record.Store) {
	create(t, s, record.Record{ID: id(1)})
	must := func(u record.Update, c record.Condition) {
		t.Helper()
		if err := s.Update(t.Context(), id(1), u, c); err != nil {
			t.Error(err)
		}
	}
	refuse := func(u record.Update, c record.Condition) {
		t.Helper()
		if err := s.Update(t.Context(), id(1), u, c); !errors.Is(err, record.ErrCondition) {
			t.Errorf("got %v", err)
		}
	}
	must(record.Update{WorkerID: ptr("w1/a,b(\"c\")")}, record.Condition{})
	must(record.Update{Progress: ptr(10)}, record.Condition{Owner: "w1/a,b(\"c\")", Unfinished: true})
	refuse(record.Update{Progress: ptr(20)}, record.Condition{Owner: "w2"})
	must(record.Update{Status: ptr(job.StatusFailed)}, record.Condition{Unfinished: true})
	refuse(record.Update{Progress: ptr(30)}, record.Condition{Unfinished: true})
	if r := get(t, s, id(1)); r.Progress != 10 || r.Status != job.StatusFailed {
		t.Errorf("got %+v", r)
	}
}

func testList(t *testing.T, s record.Store) {
	begin := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
	for i := range 5 {
		r := record.Record{ID: id(i), OrgID: id(100 + i%2), CreatedAt: begin.Add(time.Duration(i) * time.Minute), Status: job.StatusQueued}
		r.SourceURL, r.SourceFormat = "https://example.com/scan.laz", []string{"laz", "obj", "glb", "copc", "laz"}[i]
		if i%3 == 1 {
			r.SourceURL = "https://example.com/north_50%.laz"
		}
		if i == 4 {
			r.Status = job.StatusFailed
		}
		create(t, s, r)
	}
	ids := func(f record.Filter) string {
		t.Helper()
		rows, err := s.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, r := range rows {
			list = append(list, r.ID[len(r.ID)-1:])
		}
		return strings.Join(list, "")
	}
	for want, f := range map[string]record.Filter{
		"43210": {}, "4": {Status: []job.Status{job.StatusFailed}}, "31": {OrgID: id(101)}, "32": {Offset: 1, Limit: 2},
		"420":   {OrgID: id(100), Status: []job.Status{job.StatusFailed, job.StatusQueued}},
		"01234": {OldestFirst: true}, "430": {Formats: []string{"laz", "copc"}}, "41": {Search: "North_50%"},
		"1": {Search: "NORTH_50%", OrgID: id(101)}, "2": {Search: id(2)}, "": {Search: "no*h"}, "432": {Since: begin.Add(2 * time.Minute)},
		"210": {After: record.Position{CreatedAt: begin.Add(3 * time.Minute), ID: id(3)}},
		"34":  {After: record.Position{CreatedAt: begin.Add(2 * time.Minute), ID: id(2)}, OldestFirst: true},
		"20":  {After: record.Position{CreatedAt: begin.Add(4 * time.Minute), ID: id(4)}, OrgID: id(100), Limit: 2},
		"0":   {After: record.Position{CreatedAt: begin.Add(2 * time.Minute), ID: id(2)}, Search: "example", Formats: []string{"laz"}},
	} {
		if got := ids(f); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
		if f.After.IsZero() && f.Offset == 0 && f.Limit == 0 {
			if n, err := s.Count(t.Context(), f); err != nil || int(n) != len(want) {
				t.Errorf("%+v: counted %d, %v; want %d", f, n, err, len(want))
			}
		}
	}
	testPages(t, s)
}

// testPages goes through rows of one time, of which a page's end must lose none.
func testPages(t *testing.T, s record.Store) {
	t.Helper()
	at := time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond)
	for i := range 7 {
		create(t, s, record.Record{ID: id(200 + i), UserID: id(300), CreatedAt: at})
	}
	for _, oldest := range []bool{false, true} {
		f, seen := record.Filter{UserID: id(300), Limit: 3, OldestFirst: oldest}, map[string]bool{}
		for {
			rows, err := s.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				if seen[r.ID] {
					t.Errorf("%s twice", r.ID)
				}
				seen[r.ID] = true
			}
			if len(rows) < f.Limit {
				break
			}
			last := rows[len(rows)-1]
			f.After = record.Position{CreatedAt: last.CreatedAt, ID: last.ID}
		}
		if len(seen) != 7 {
			t.Errorf("%d rows on all pages, want 7", len(seen))
		}
	}
}

func testAbsent(t *testing.T, s record.Store) {
	if _, err := s.Get(t.Context(), id(9)); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Update(t.Context(), id(9), record.Update{Progress: ptr(1)}, record.Condition{}); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("Update: %v", err)
	}
	create(t, s, record.Record{ID: id(9)})
	for range 2 {
		if err := s.Delete(t.Context(), id(9)); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Get(t.Context(), id(9)); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

func testTexts(t *testing.T, s record.Store) {
	create(t, s, record.Record{ID: id(1)})
	long := strings.Repeat("ä€\"\\\n'; DROP TABLE x; --", 2000)
	if err := s.Update(t.Context(), id(1), record.Update{ErrorMessage: ptr("a\x00b" + long), CurrentStep: ptr("é,()\"")}, record.Condition{}); err != nil {
		t.Fatal(err)
	}
	if r := get(t, s, id(1)); !strings.HasSuffix(r.ErrorMessage, long) || strings.ContainsRune(r.ErrorMessage, 0) || r.CurrentStep != "é,()\"" {
		t.Errorf("the text came out differently: %q", r.CurrentStep)
	}
}

func testWriter(t *testing.T, s record.Store) {
	create(t, s, record.Record{ID: id(1), ErrorMessage: "of before"})
	w := record.NewWriter(s, id(1), "w1/x", record.WriterOptions{})
	if err := w.Start(t.Context(), record.Update{StartedAt: ptr(time.Now())}); err != nil {
		t.Fatal(err)
	}
	if r := get(t, s, id(1)); r.Status != job.StatusAnalyzing || r.WorkerID != "w1/x" || r.ErrorMessage != "" || r.StartedAt.IsZero() {
		t.Errorf("after Start: %+v", r)
	}
	for i := range 1000 {
		w.Progress(record.Update{Progress: ptr(i / 11), Status: ptr(job.StatusProcessing)})
	}
	if err := w.Finish(t.Context(), record.Update{Status: ptr(job.StatusCompleted), Progress: ptr(100)}); err != nil {
		t.Fatal(err)
	}
	w.Progress(record.Update{Progress: ptr(50), Status: ptr(job.StatusProcessing)})
	w.Close()
	if r := get(t, s, id(1)); r.Status != job.StatusCompleted || r.Progress != 100 {
		t.Errorf("after Finish: %+v", r)
	}
}

func testWriterFenced(t *testing.T, s record.Store) {
	create(t, s, record.Record{ID: id(1)})
	old := record.NewWriter(s, id(1), "old", record.WriterOptions{})
	if err := old.Start(t.Context(), record.Update{}); err != nil {
		t.Fatal(err)
	}
	fresh := record.NewWriter(s, id(1), "new", record.WriterOptions{})
	if err := fresh.Start(t.Context(), record.Update{}); err != nil {
		t.Fatal(err)
	}
	if err := old.Finish(t.Context(), record.Update{Status: ptr(job.StatusFailed)}); !errors.Is(err, record.ErrCondition) {
		t.Errorf("the old owner's Finish: %v", err)
	}
	if err := fresh.Finish(t.Context(), record.Update{Status: ptr(job.StatusCompleted)}); err != nil {
		t.Error(err)
	}
	if r := get(t, s, id(1)); r.Status != job.StatusCompleted || r.WorkerID != "new" {
		t.Errorf("got %+v", r)
	}
}

// A row that is not there, or not yet, fails nothing.
func testWithoutRow(t *testing.T, s record.Store) {
	w := record.NewWriter(s, id(1), "w1", record.WriterOptions{})
	if err := w.Start(t.Context(), record.Update{}); err != nil {
		t.Errorf("Start: %v", err)
	}
	w.Progress(record.Update{Progress: ptr(5)})
	create(t, s, record.Record{ID: id(1)}) // the producer was late
	if err := w.Finish(t.Context(), record.Update{Status: ptr(job.StatusCompleted)}); err != nil {
		t.Errorf("Finish: %v", err)
	}
	if r := get(t, s, id(1)); r.Status != job.StatusCompleted {
		t.Errorf("got %+v", r)
	}
	gone := record.NewWriter(s, id(2), "w1", record.WriterOptions{})
	if err := gone.Start(t.Context(), record.Update{}); err != nil {
		t.Errorf("Start: %v", err)
	}
	if err := gone.Finish(t.Context(), record.Update{Status: ptr(job.StatusCompleted)}); err != nil {
		t.Errorf("Finish: %v", err)
	}
}

func testConcurrent(t *testing.T, s record.Store) {
	create(t, s, record.Record{ID: id(1)})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := s.Update(t.Context(), id(1), record.Update{Progress: ptr(i)}, record.Condition{Unfinished: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
