package bullmq

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/testservices"
)

// obeyer does what the data of a job says.
type obeyer struct {
	counter, now atomic.Int64
}

func (o *obeyer) handle(ctx context.Context, t queue.Task) (any, error) {
	var data struct {
		Do    string `json:"do"`
		Value any    `json:"value"`
	}
	if err := json.Unmarshal(t.Job().Data, &data); err != nil {
		return nil, queue.Permanent(err)
	}
	switch data.Do {
	case "echo":
		for _, line := range []string{"one", "two"} {
			if err := t.Log(ctx, line); err != nil {
				return nil, err
			}
		}
		return data.Value, t.Progress(ctx, map[string]int{"pct": 50})
	case "fail":
		return nil, fmt.Errorf("fault %d", t.Job().AttemptsMade+1)
	case "permanent":
		return nil, queue.Permanent(errors.New("bad input"))
	case "order":
		return o.counter.Add(1), nil
	case "who":
		return "go", nil
	case "now":
		return time.Now().UnixMilli(), nil
	case "trace":
		return t.Job().Telemetry, nil
	case "peak":
		n := o.now.Add(1)
		defer o.now.Add(-1)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // the work of the job
		}
		return n, nil
	case "children":
		values, err := t.(*Task).ChildrenValues(ctx)
		sum := 0.0
		for _, v := range values {
			var x float64
			if err := json.Unmarshal(v, &x); err != nil {
				return nil, err
			}
			sum += x
		}
		return sum, err
	}
	return nil, queue.Permanent(fmt.Errorf("nobody knows how to %q", data.Do))
}

// TestInterop lets the npm package bullmq look at what we do.
func TestInterop(t *testing.T) {
	server := testservices.Redis(t)
	o := &obeyer{}
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	work := func(name string, ro queue.RunOptions) *Queue {
		conn, err := DialRedis(ctx, server.URL(), RedisOptions{ClientName: WorkerClientName("bull", name, "ours")})
		if err != nil {
			t.Fatal(err)
		}
		q, err := New(conn, Options{Name: name, MetricsPoints: 60})
		if err != nil {
			t.Fatal(err)
		}
		ro.Name = "ours"
		workers.Go(func() {
			defer q.Close()
			if err := q.Run(ctx, ro, o.handle); err != nil {
				t.Error(err)
			}
		})
		return q
	}
	work("go", queue.RunOptions{})
	work("keep", queue.RunOptions{Concurrency: 4})
	work("shared", queue.RunOptions{Concurrency: 2})
	work("limited", queue.RunOptions{Concurrency: 4, LimiterMax: 2, LimiterDuration: 400 * time.Millisecond})

	producer := openNamed(t, server, "fromgo")
	if _, err := producer.AddBulk(ctx, []NewJob{
		{Name: "a", Data: map[string]int{"n": 1}, Options: JobOptions{AddOptions: queue.AddOptions{
			Attempts: 4, Backoff: queue.Backoff{Type: "exponential", Delay: time.Second, Jitter: 0.5},
		}}},
		{Name: "b", Data: map[string]int{"n": 2}, Options: JobOptions{AddOptions: queue.AddOptions{Priority: 3}}},
		{Name: "c", Data: map[string]int{"n": 3}, Options: JobOptions{AddOptions: queue.AddOptions{Delay: 100 * time.Millisecond}}},
		{Name: "d", Data: map[string]int{"n": 4}, Options: JobOptions{AddOptions: queue.AddOptions{Telemetry: "trace-1"}}},
	}); err != nil {
		t.Fatal(err)
	}

	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	cmd := testservices.NodeCommand(t, "testdata/interop.cjs", "REDIS_PORT="+u.Port())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := &buffer{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line struct {
			Case, Error, Event string
			OK                 bool
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Logf("node: %s", lines.Text())
			continue
		}
		if line.Event == "left" {
			// Only now is there a worker of ours to take up what the other left.
			work("left", queue.RunOptions{StalledInterval: 100 * time.Millisecond})
			continue
		}
		cases++
		t.Run(line.Case, func(t *testing.T) {
			if !line.OK {
				t.Error(line.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil || cases < 15 {
		t.Errorf("node: %d cases, %v\n%s", cases, err, stderr)
	}
}

// buffer keeps what a process writes.
type buffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}
