package leaktest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/sqlite"
)

// watched is a test that Check can fail.
type watched struct {
	testing.TB
	cleanups []func()
	failed   string
}

func (w *watched) Helper()           {}
func (w *watched) Cleanup(f func())  { w.cleanups = append(w.cleanups, f) }
func (w *watched) Error(args ...any) { w.failed = fmt.Sprint(args...) }

func (w *watched) end() string {
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		w.cleanups[i]()
	}
	return w.failed
}

// blocked waits for its channel to be closed.
func blocked(ch chan struct{}) { <-ch }

func TestEndedGoroutinesAreNone(t *testing.T) {
	w := &watched{TB: t}
	Check(w)
	ch := make(chan struct{})
	go blocked(ch)
	close(ch)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if failed := w.end(); failed != "" {
		t.Error(failed)
	}
}

func TestGoroutinesOfBeforeAreNone(t *testing.T) {
	ch := make(chan struct{})
	defer close(ch)
	go blocked(ch)
	w := &watched{TB: t}
	Check(w)
	if failed := w.end(); failed != "" {
		t.Error(failed)
	}
}

// What stays is named, with its stack.
func TestLeaksAreFound(t *testing.T) {
	ch := make(chan struct{})
	defer close(ch)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// A goroutine that has begun has its function on the stack.
	begun := make(chan struct{})
	go func() {
		close(begun)
		blocked(ch)
	}()
	<-begun
	text := message(settled(nil, 0))
	for _, want := range []string{"leaktest.TestLeaksAreFound", "database/sql.(*DB).connectionOpener"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

func TestCounts(t *testing.T) {
	for stack, want := range map[string]bool{
		"goroutine 1 [running]:\nslate360.ai/worker/internal/queue.f()\n\t/x.go:1":                                 true,
		"goroutine 1 [select]:\nx.f()\n\t/slate360.ai/worker/x.go:1":                                               false,
		"goroutine 1 [select]:\nx.f()\n\t/x.go:1\ncreated by github.com/redis/rueidis.f in goroutine 3\n\t/x.go:2": true,
		"goroutine 1 [select]:\nnet/http.(*persistConn).readLoop()\n":                                              true,
		"goroutine 1 [select]:\nnet/http.(*conn).serve()\n":                                                        false,
	} {
		if got := counts(stack); got != want {
			t.Errorf("%q: got %v", stack, got)
		}
	}
}
