package autoscale_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/embedded"
)

// target is a group that tells what it is asked.
type target struct{ asked chan int }

func (target) State(context.Context) (autoscale.Group, error) { return autoscale.Group{Max: 9}, nil }

func (g target) Resize(_ context.Context, n int) error {
	g.asked <- n
	return nil
}

// Who does not lead decides nothing, and begins to once it does.
func TestFollowLead(t *testing.T) {
	q, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "db"), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Add(t.Context(), "process-model", map[string]string{"sourceUrl": "a.laz"}, queue.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	scaler, err := autoscale.New(autoscale.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	g := target{make(chan int, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	answers := []func() (bool, error){
		func() (bool, error) { return false, nil },
		func() (bool, error) { return true, errors.New("the queue is away") },
	}
	asked := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		autoscale.Follow(ctx, autoscale.FollowOptions{
			Reader: autoscale.Reader{Queue: q, Kind: func(string, string) string { return "pointcloud" }}, Target: g, Scaler: scaler,
			Every: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
			Lead: func(context.Context) (bool, error) {
				if asked++; asked <= len(answers) {
					if len(g.asked) > 0 {
						t.Error("it decided without the lead")
					}
					return answers[asked-1]()
				}
				return true, nil
			},
		})
	}()
	if n := <-g.asked; n != 1 {
		t.Errorf("%d machines for a job", n)
	}
	cancel()
	<-done
	if asked <= len(answers) {
		t.Errorf("it was asked %d times", asked)
	}
}
