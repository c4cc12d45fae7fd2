package callback

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/sqlite"
)

const secret = "key of the tests"

// receiver is a platform that verifies what it gets.
type receiver struct {
	t      *testing.T
	server *httptest.Server
	got    chan Event

	mu      sync.Mutex
	answer  int
	refused int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, got: make(chan Event, 1000), answer: http.StatusOK}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	// The end of the server closes its connections: what else is left shows before.
	leaktest.Check(t)
	return r
}

func (r *receiver) setAnswer(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = code
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	if !Verify(body, secret, req.Header.Get(HeaderSignature)) {
		r.t.Errorf("wrong signature %q", req.Header.Get(HeaderSignature))
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		r.t.Error(err)
	}
	if req.Header.Get(HeaderEventID) != e.EventID || e.EventID == "" {
		r.t.Errorf("event ID %q in the header, %q in the body", req.Header.Get(HeaderEventID), e.EventID)
	}
	if age := time.Since(time.Unix(e.Timestamp, 0)); age < -time.Second || age > time.Minute {
		r.t.Errorf("timestamp is %v old", age)
	}
	r.mu.Lock()
	answer := r.answer
	if answer >= 300 {
		r.refused++
	}
	r.mu.Unlock()
	w.WriteHeader(answer)
	r.got <- e
}

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newSender(t *testing.T, db *sql.DB, url string, o Options) *Sender {
	t.Helper()
	o.URL, o.Secret = url, secret
	s, err := New(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// background runs f until the test ends.
func background(t *testing.T, f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f(ctx) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func receive(t *testing.T, r *receiver) Event {
	t.Helper()
	select {
	case e := <-r.got:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no callback came")
		return Event{}
	}
}

func TestFinishIsSentOnce(t *testing.T) {
	r := newReceiver(t)
	s := newSender(t, openDB(t, filepath.Join(t.TempDir(), "a.db")), r.server.URL, Options{})
	e := Event{
		JobID: "j1", Status: StatusCompleted, ProgressPct: 100, EventID: EventID("j1", "completed"),
		Outputs: []job.Output{{Type: job.TypeLAZ, URL: "https://example.com/a.laz", Size: 5}},
	}
	for range 3 { // before the first is sent: then it is in the outbox once
		if err := s.Finish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	stop := background(t, s.Run)
	got := receive(t, r)
	if got.JobID != "j1" || got.Status != StatusCompleted || len(got.Outputs) != 1 || got.Outputs[0].Size != 5 || got.OccurredAt.IsZero() {
		t.Errorf("got %+v", got)
	}
	stop()
	if n, err := s.Pending(t.Context()); n != 0 || err != nil {
		t.Errorf("%d events wait (%v)", n, err)
	}
	if n := len(r.got); n != 0 {
		t.Errorf("it was sent %d times more", n)
	}
}

// What the platform refused is sent again, by another process too, with the same
// event ID.
func TestOutboxSurvivesRestart(t *testing.T) {
	r := newReceiver(t)
	r.setAnswer(http.StatusServiceUnavailable)
	path := filepath.Join(t.TempDir(), "a.db")
	db := openDB(t, path)
	s := newSender(t, db, r.server.URL, Options{RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond})
	stop := background(t, s.Run)
	id := EventID("j1", "failed")
	if err := s.Finish(t.Context(), Event{JobID: "j1", Status: StatusFailed, Error: "no points", EventID: id}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if e := receive(t, r); e.EventID != id {
			t.Errorf("event ID %s, want %s", e.EventID, id)
		}
	}
	stop()
	db.Close()

	r.setAnswer(http.StatusNoContent)
	again := newSender(t, openDB(t, path), r.server.URL, Options{RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond})
	for len(r.got) > 0 {
		<-r.got
	}
	background(t, again.Run)
	if e := receive(t, r); e.EventID != id || e.Error != "no points" {
		t.Errorf("got %+v", e)
	}
}

func TestGoneIsDropped(t *testing.T) {
	r := newReceiver(t)
	r.setAnswer(http.StatusGone)
	s := newSender(t, openDB(t, filepath.Join(t.TempDir(), "a.db")), r.server.URL, Options{})
	if err := s.Finish(t.Context(), Event{JobID: "j1", Status: StatusFailed, EventID: "e"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Pending(t.Context()); n != 0 || err != nil {
		t.Errorf("%d events wait (%v)", n, err)
	}
}

// Progress is coalesced, the latest word wins, and nothing comes after Close.
func TestProgress(t *testing.T) {
	r := newReceiver(t)
	s := newSender(t, openDB(t, filepath.Join(t.TempDir(), "a.db")), r.server.URL, Options{ProgressInterval: time.Hour})
	p := s.Progress(t.Context(), "j1")
	p.Set(1, "index")
	if e := receive(t, r); e.Status != StatusProgress || e.ProgressPct < 1 {
		t.Errorf("got %+v", e)
	}
	for i := range 100 {
		p.Set(i, "octree")
	}
	p.Close()
	if n := len(r.got); n != 0 {
		t.Errorf("%d callbacks within the interval", n)
	}
}

func TestBackoffIsBounded(t *testing.T) {
	s := &Sender{o: Options{RetryMin: time.Second, RetryMax: 24 * time.Hour}}
	last := time.Duration(0)
	for tries := 1; tries < 100; tries++ {
		wait := s.backoff(tries)
		if wait > 24*time.Hour || wait < 18*time.Hour && tries > 20 || wait <= 0 {
			t.Fatalf("try %d waits %v", tries, wait)
		}
		if tries < 10 && wait < last/2 {
			t.Errorf("try %d waits %v after %v", tries, wait, last)
		}
		last = wait
	}
}

func TestSignature(t *testing.T) {
	// RFC 4231, test case 2.
	const want = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	body := []byte("what do ya want for nothing?")
	if got := Sign(body, "Jefe"); got != want {
		t.Errorf("got %s", got)
	}
	if !Verify(body, "Jefe", want) || Verify(body, "jefe", want) || Verify(body, "Jefe", "") {
		t.Error("Verify is wrong")
	}
}
