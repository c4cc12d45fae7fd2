package spot_test

import (
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/ops/spot"
	"slate360.ai/worker/internal/testservices"
)

const (
	action    = "spot/instance-action"
	lifecycle = "autoscaling/target-lifecycle-state"
	rebalance = "events/recommendations/rebalance"
)

func open(t *testing.T) (*testservices.IMDS, *spot.Machine) {
	t.Helper()
	s := testservices.NewIMDS(t, "i-0abc")
	for _, kv := range s.Environment() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_REGION", "us-east-1")
	m, err := spot.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func TestNotices(t *testing.T) {
	s, m := open(t)
	if id, err := m.ID(t.Context()); err != nil || id != "i-0abc" {
		t.Fatalf("ID = %q, %v", id, err)
	}
	s.Set(lifecycle, "InService")
	if n, err := m.Notices(t.Context()); len(n) > 0 || err != nil {
		t.Fatalf("without a notice: %+v, %v", n, err)
	}
	for i, step := range []struct {
		path, value string
		want        spot.Notice
	}{
		{rebalance, `{"noticeTime":"2026-03-01T08:22:00Z"}`, spot.Notice{Kind: spot.Rebalance, At: time.Date(2026, 3, 1, 8, 22, 0, 0, time.UTC)}},
		{lifecycle, "Terminated", spot.Notice{Kind: spot.Terminating, Action: "terminate"}},
		{action, `{"action":"stop","time":"2026-03-01T08:24:00Z"}`, spot.Notice{Kind: spot.Interruption, Action: "stop", At: time.Date(2026, 3, 1, 8, 24, 0, 0, time.UTC)}},
		{action, `garbage`, spot.Notice{Kind: spot.Interruption}},
	} {
		s.Set(step.path, step.value)
		n, err := m.Notices(t.Context())
		if err != nil || len(n) != min(i+1, 3) || n[0] != step.want {
			t.Errorf("%s = %s: %+v, %v, want %+v first", step.path, step.value, n, err, step.want)
		}
	}
}

func TestMachine(t *testing.T) {
	s, m := open(t)
	s.Set("instance-type", "g4dn.xlarge")
	s.Set("instance-life-cycle", "spot")
	if name, isSpot, err := m.Type(t.Context()); name != "g4dn.xlarge" || !isSpot || err != nil {
		t.Errorf("Type = %q, %v, %v", name, isSpot, err)
	}
	if region, err := m.Region(t.Context()); region != "us-east-1" || err != nil {
		t.Errorf("Region = %q, %v", region, err)
	}
	s.Fail(true)
	if _, err := m.Notices(t.Context()); err == nil {
		t.Error("a failure without an error")
	}
}

// Where the environment says that there is no metadata service nothing is asked.
func TestLikely(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	if !spot.Likely() {
		t.Error("an endpoint is given")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if spot.Likely() {
		t.Error("it is disabled")
	}
}
