package bullmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/queuetest"
	"slate360.ai/worker/internal/testservices"
)

func openREST(t testing.TB, u *testservices.Upstash, name string) *Queue {
	t.Helper()
	conn, err := DialREST(u.URL, u.Token, RESTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := New(conn, Options{Name: name, PollMax: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// TestRESTConformance runs the suite over the REST transport.
func TestRESTConformance(t *testing.T) {
	s := testservices.Redis(t)
	u := testservices.NewUpstash(t, s)
	var n atomic.Int32
	t.Run("suite", func(t *testing.T) {
		leaktest.Check(t)
		queuetest.Run(t, queuetest.Backend{
			Fresh: func(t testing.TB) queue.Queue { return openREST(t, u, fmt.Sprintf("r%d", n.Add(1))) },
			Again: func(t testing.TB, q queue.Queue) queue.Queue { return openREST(t, u, q.(*Queue).o.Name) },
			Lose:  lose,
		})
	})
	t.Run("@upstash/redis", func(t *testing.T) {
		out := testservices.Script(t, "testdata/upstash.cjs", "UPSTASH_URL="+u.URL, "UPSTASH_TOKEN="+u.Token)
		if !strings.Contains(out, "all as expected") {
			t.Error(out)
		}
	})
	t.Run("WrongToken", func(t *testing.T) {
		conn, err := DialREST(u.URL, "secret-token", RESTOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Do(t.Context(), "PING")
		var refused *ReplyError
		if !errors.As(err, &refused) || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Flow", func(t *testing.T) {
		q := openREST(t, u, "flow")
		id, err := q.AddFlow(t.Context(), Node{Job: NewJob{Name: "p"}, Children: []Node{{Job: NewJob{Name: "c", Data: "ä"}}}})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := q.State(t.Context(), id); err != nil || s != queue.StateWaitingChildren {
			t.Errorf("%s, %v", s, err)
		}
	})
}

// An idle worker sends one request a poll, and polls ever more seldom.
func TestRESTIdle(t *testing.T) {
	u := testservices.NewUpstash(t, testservices.Redis(t))
	q := openREST(t, u, "idle")
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := q.Run(ctx, queue.RunOptions{}, func(context.Context, queue.Task) (any, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	// Ping, the first looks at 75, 112, … ms, then one each 200 ms; a look for
	// stalled jobs. Not more, however slow the machine is.
	if n := u.Requests.Load(); n > 16 {
		t.Errorf("%d requests in 1.5 s", n)
	}
}
