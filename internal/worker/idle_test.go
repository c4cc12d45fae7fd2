package worker

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
	recordfile "slate360.ai/worker/internal/record/embedded"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/storage/disk"
	"slate360.ai/worker/internal/testservices"
)

// counted is a connection over Upstash's interface, in the process, that counts
// commands. Where it blocks it is one to Redis: a blocking command is answered as
// by a server that has nothing, once its time is over.
type counted struct {
	bullmq.Conn
	blocks bool

	mu   sync.Mutex
	sent map[string]int
}

func (c *counted) count(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[name]++
}

func (c *counted) Do(ctx context.Context, args ...string) (any, error) {
	c.count(args[0])
	return c.Conn.Do(ctx, args...)
}

func (c *counted) Eval(ctx context.Context, s *bullmq.Script, keys, args []string) (any, error) {
	c.count(s.Name)
	return c.Conn.Eval(ctx, s, keys, args)
}

func (c *counted) Batch(ctx context.Context, cmds [][]string) ([]any, error) {
	for _, cmd := range cmds {
		c.count(cmd[0])
	}
	return c.Conn.Batch(ctx, cmds)
}

func (c *counted) Block(ctx context.Context, args ...string) (any, error) {
	if !c.blocks {
		return c.Conn.Block(ctx, args...)
	}
	c.count(args[0])
	seconds, err := strconv.ParseFloat(args[len(args)-1], 64)
	if err != nil {
		return nil, fmt.Errorf("timeout of %q: %w", args, err)
	}
	t := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-t.C:
		return nil, nil
	}
}

func (c *counted) Subscribe(ctx context.Context, channel string, ready func(), f func(string)) error {
	if !c.blocks {
		return c.Conn.Subscribe(ctx, channel, ready, f)
	}
	c.count("SUBSCRIBE")
	<-ctx.Done()
	return context.Cause(ctx)
}

// inProcess calls a handler as a server would.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// needScripts skips the test, or fails it, where the program was built without
// BullMQ's scripts.
func needScripts(t *testing.T) {
	t.Helper()
	if bullmq.HasScripts() {
		return
	}
	if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
		t.Fatal(bullmq.ErrNoScripts)
	}
	t.Skip(bullmq.ErrNoScripts)
}

// idleDay runs a whole worker with the defaults of the program for 24 hours in
// which no job comes, and returns what it sent.
func idleDay(t *testing.T, blocks bool) map[string]int {
	t.Helper()
	needScripts(t)
	redis := testservices.Redis(t)
	front := testservices.NewUpstash(t, redis)
	records, err := recordfile.Open(t.Context(), t.TempDir()+"/r.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	outputs, err := disk.Open(disk.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outputs.Close() })
	rest, err := bullmq.DialREST(front.URL, front.Token, bullmq.RESTOptions{Client: &http.Client{Transport: inProcess{front}}})
	if err != nil {
		t.Fatal(err)
	}
	conn := &counted{Conn: rest, blocks: blocks, sent: map[string]int{}}
	work := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		q, err := bullmq.New(conn, bullmq.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := New(Options{
			Queue: q, Records: records, Storage: outputs, WorkDir: work, Memory: 1 << 30,
			Pipeline: func(source.Format) (pipeline.Definition, bool) { return pipeline.Definition{}, false },
			Run: queue.RunOptions{
				Concurrency: 2, LimiterMax: 10, LimiterDuration: time.Minute, StalledInterval: 30 * time.Second,
				Error: func(err error) { t.Error(err) },
			},
			DrainTimeout: 90 * time.Second, StallTimeout: 15 * time.Minute, Ageing: 15 * time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	checkScripts(t, redis, conn.sent)
	for _, name := range slices.Sorted(maps.Keys(conn.sent)) {
		t.Logf("%6d %s", conn.sent[name], name)
	}
	return conn.sent
}

// checkScripts holds the count of scripts against what the server itself counted.
func checkScripts(t *testing.T, redis *testservices.RedisServer, sent map[string]int) {
	t.Helper()
	scripts := 0
	for name, n := range sent {
		if name != strings.ToUpper(name) {
			scripts += n
		}
	}
	ran := 0
	for name, n := range commandStats(t, redis) {
		if name == "evalsha" {
			ran = n
		}
	}
	if scripts != ran || ran == 0 {
		t.Errorf("%d scripts were sent, and the server counted %d", scripts, ran)
	}
}

// commandStats returns how often the server ran each command.
func commandStats(t *testing.T, redis *testservices.RedisServer) map[string]int {
	t.Helper()
	conn, err := bullmq.DialRedis(t.Context(), redis.URL(), bullmq.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply, err := conn.Do(t.Context(), "INFO", "commandstats")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := reply.(string)
	stats := map[string]int{}
	for _, m := range regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`).FindAllStringSubmatch(text, -1) {
		if stats[m[1]], err = strconv.Atoi(m[2]); err != nil {
			t.Fatal(err)
		}
	}
	return stats
}

func sum(sent map[string]int) (n int) {
	for _, k := range sent {
		n += k
	}
	return n
}

// The bounds are those that docs/queue.md states.
func TestIdleDayOnUpstash(t *testing.T) {
	sent := idleDay(t, false)
	if n := sum(sent); n > 9_100 || n < 8_000 {
		t.Errorf("%d requests in an idle day", n)
	}
	// Each look costs one request: what else there is would show as another name.
	if n := len(sent); n > 3 {
		t.Errorf("%d kinds of requests: %v", n, sent)
	}
}

func TestIdleDayOnRedis(t *testing.T) {
	sent := idleDay(t, true)
	if n := sum(sent); n > 20_500 || n < 15_000 {
		t.Errorf("%d commands in an idle day", n)
	}
}

// What the client of Redis sends by itself, to know whether connections live, is
// bounded too: 5,760 a day on the connection that nothing else comes over.
func TestIdleConnectionsOfRedis(t *testing.T) {
	needScripts(t)
	redis := testservices.Redis(t)
	conn, err := bullmq.DialRedis(t.Context(), redis.URL(), bullmq.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := bullmq.New(conn, bullmq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	before := commandStats(t, redis)["ping"]
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // that nothing is sent shows only with time
	defer cancel()
	var log bytes.Buffer
	if err := q.Run(ctx, queue.RunOptions{Error: func(err error) { fmt.Fprintln(&log, err) }}, func(context.Context, queue.Task) (any, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	stats := commandStats(t, redis)
	const gap = 15 * time.Second
	// A connection begins with one; after it comes one a gap.
	if most, got := 2+2*int(time.Since(start)/gap), stats["ping"]-before; got > most || stats["subscribe"] != 1 || stats["bzpopmin"] > 1 {
		t.Errorf("%d pings in %v: %v\n%s", got, time.Since(start), stats, log.String())
	}
}
