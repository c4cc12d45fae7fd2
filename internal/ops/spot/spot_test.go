package spot_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/ops/spot"
)

// service is the instance metadata service, version 2: nothing without a token.
type service struct {
	mu     sync.Mutex
	values map[string]string
	fail   bool
	asked  chan struct{}
}

func (s *service) set(path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[path] = value
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/latest/api/token" {
		if r.Method != http.MethodPut || r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = w.Write([]byte("token")) // the client may have gone
		return
	}
	if s.fail {
		http.Error(w, "broken", http.StatusBadRequest)
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token" {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
	v, ok := s.values[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(v))
}

const (
	action    = "/latest/meta-data/spot/instance-action"
	lifecycle = "/latest/meta-data/autoscaling/target-lifecycle-state"
	rebalance = "/latest/meta-data/events/recommendations/rebalance"
)

func open(t *testing.T) (*service, *spot.Machine) {
	t.Helper()
	s := &service{values: map[string]string{"/latest/meta-data/instance-id": "i-0abc"}, asked: make(chan struct{}, 1)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_REGION", "us-east-1")
	m, err := spot.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func TestNotice(t *testing.T) {
	s, m := open(t)
	if id, err := m.ID(t.Context()); err != nil || id != "i-0abc" {
		t.Fatalf("ID = %q, %v", id, err)
	}
	s.set(lifecycle, "InService")
	if n, ok, err := m.Notice(t.Context()); ok || err != nil {
		t.Fatalf("without a notice: %+v, %v", n, err)
	}
	for _, step := range []struct {
		path, value string
		want        spot.Notice
	}{
		{rebalance, `{"noticeTime":"2026-03-01T08:22:00Z"}`, spot.Notice{Kind: spot.Rebalance, At: time.Date(2026, 3, 1, 8, 22, 0, 0, time.UTC)}},
		{lifecycle, "Terminated", spot.Notice{Kind: spot.Terminating, Action: "terminate"}},
		{action, `{"action":"stop","time":"2026-03-01T08:24:00Z"}`, spot.Notice{Kind: spot.Interruption, Action: "stop", At: time.Date(2026, 3, 1, 8, 24, 0, 0, time.UTC)}},
		{action, `garbage`, spot.Notice{Kind: spot.Interruption}},
	} {
		s.set(step.path, step.value)
		n, ok, err := m.Notice(t.Context())
		if err != nil || !ok || n != step.want {
			t.Errorf("%s = %s: %+v, %v, %v, want %+v", step.path, step.value, n, ok, err, step.want)
		}
	}
}

func TestWatch(t *testing.T) {
	s, m := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	told, failed := make(chan spot.Notice, 8), make(chan error, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Watch(ctx, time.Millisecond, func(n spot.Notice) { told <- n }, func(err error) { failed <- err })
	}()
	<-s.asked
	s.mu.Lock()
	s.fail = true
	s.mu.Unlock()
	if err := <-failed; err == nil {
		t.Error("a failure without an error")
	}
	s.mu.Lock()
	s.fail = false
	s.mu.Unlock()
	s.set(rebalance, "{}")
	if n := <-told; n.Kind != spot.Rebalance {
		t.Errorf("told of %+v", n)
	}
	s.set(action, `{"action":"terminate","time":"2026-03-01T08:24:00Z"}`)
	if n := <-told; n.Kind != spot.Interruption {
		t.Errorf("told of %+v", n)
	}
	cancel()
	<-done
	if len(told) > 0 {
		t.Errorf("told again of %+v", <-told)
	}
}
