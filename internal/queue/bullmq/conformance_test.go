package bullmq

import (
	"fmt"
	"sync/atomic"
	"testing"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/queuetest"
	"slate360.ai/worker/internal/testservices"
)

func openNamed(t testing.TB, s *testservices.RedisServer, name string) *Queue {
	t.Helper()
	conn, err := DialRedis(t.Context(), s.URL(), RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := New(conn, Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func TestConformance(t *testing.T) {
	s := testservices.Redis(t)
	var n atomic.Int32
	t.Run("suite", func(t *testing.T) {
		leaktest.Check(t)
		queuetest.Run(t, queuetest.Backend{
			Fresh: func(t testing.TB) queue.Queue { return openNamed(t, s, fmt.Sprintf("q%d", n.Add(1))) },
			Again: func(t testing.TB, q queue.Queue) queue.Queue { return openNamed(t, s, q.(*Queue).o.Name) },
			Lose: func(t testing.TB, q queue.Queue, id string) {
				b := q.(*Queue)
				for _, cmd := range [][]string{{"DEL", b.k.job(id) + ":lock"}, {"DEL", b.k.stalledCheck}, {"SADD", b.k.stalled, id}} {
					if _, err := b.conn.Do(t.Context(), cmd...); err != nil {
						t.Fatal(err)
					}
				}
			},
		})
	})
}
