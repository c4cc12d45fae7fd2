package jobs

import (
	"math"
	"testing"
	"time"

	"slate360.ai/worker/internal/record"
)

func TestCost(t *testing.T) {
	start := time.Now().Add(-2 * time.Hour)
	s := &Service{o: Options{Price: func() float64 { return 0.5 }}}
	for _, test := range []struct {
		name string
		r    record.Record
		want float64
	}{
		{"waits", record.Record{QueuedAt: start}, 0},
		{"done", record.Record{StartedAt: start, CompletedAt: start.Add(30 * time.Minute)}, 0.25},
		{"runs", record.Record{StartedAt: start}, 1},
		{"clocks differ", record.Record{StartedAt: start, CompletedAt: start.Add(-time.Second)}, 0},
	} {
		if got := s.cost(test.r); math.Abs(got-test.want) > 1e-3 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
	}
	if got := (&Service{}).cost(record.Record{StartedAt: start}); got != 0 {
		t.Errorf("without a price: %g", got)
	}
}
