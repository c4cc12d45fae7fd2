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
	return openWith(t, s, Options{Name: name})
}

func openWith(t testing.TB, s *testservices.RedisServer, o Options) *Queue {
	t.Helper()
	conn, err := DialRedis(t.Context(), s.URL(), RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := New(conn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// suite runs the suite on queues of a server; prefix is that of the nth one's keys.
func suite(t *testing.T, s *testservices.RedisServer, prefix func(n int) string) {
	leaktest.Check(t)
	var n atomic.Int64
	queuetest.Run(t, queuetest.Backend{
		Fresh: func(t testing.TB) queue.Queue {
			i := int(n.Add(1))
			return openWith(t, s, Options{Name: fmt.Sprintf("q%d", i), Prefix: prefix(i)})
		},
		Again: func(t testing.TB, q queue.Queue) queue.Queue { return openWith(t, s, q.(*Queue).o) },
		Lose:  lose,
	})
}

// lose takes the lock of a job away. That the next look for stalled jobs is due
// comes last: the first look of the job's own worker may be late, and would put the
// next one off.
func lose(t testing.TB, q queue.Queue, id string) {
	b := q.(*Queue)
	for _, cmd := range [][]string{{"SADD", b.k.stalled, id}, {"DEL", b.k.job(id) + ":lock"}, {"DEL", b.k.stalledCheck}} {
		if _, err := b.conn.Do(t.Context(), cmd...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConformance(t *testing.T) {
	s := testservices.Redis(t)
	t.Run("suite", func(t *testing.T) { suite(t, s, func(int) string { return "" }) })
}

func TestConformanceOnValkey(t *testing.T) {
	s := testservices.Valkey(t)
	t.Run("suite", func(t *testing.T) { suite(t, s, func(int) string { return "" }) })
}

// The queues of the suite lie on several nodes of the cluster.
func TestConformanceOnCluster(t *testing.T) {
	nodes := testservices.RedisCluster(t, 3)
	t.Run("suite", func(t *testing.T) { suite(t, nodes[0], func(n int) string { return fmt.Sprintf("{bull%d}", n) }) })
	used := 0
	for _, s := range nodes {
		conn, err := DialRedis(t.Context(), s.URL()+"?cluster=false", RedisOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		n, err := conn.Do(t.Context(), "DBSIZE")
		if err != nil {
			t.Fatal(err)
		}
		if integer(n) > 0 {
			used++
		}
	}
	if used < 2 {
		t.Errorf("%d nodes have keys", used)
	}
}
