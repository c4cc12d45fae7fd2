package cost_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/ops/cost"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func closeTo(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// Three jobs, two organisations: 2 h, 1 h, and 4 h of which 2 lie in the month.
func someJobs() []cost.Job {
	return []cost.Job{
		{ID: "a", Kind: "mesh", Organisation: "acme", Started: at("2026-11-09 10:00"), Ended: at("2026-11-09 12:00")},
		{ID: "b", Kind: "pointcloud", Organisation: "bolt", Started: at("2026-11-08 10:00"), Ended: at("2026-11-08 11:00")},
		{ID: "c", Kind: "mesh", Organisation: "bolt", Started: at("2026-10-31 22:00"), Ended: at("2026-11-01 02:00")},
	}
}

func TestShares(t *testing.T) {
	start := cost.MonthStart(at("2026-11-11 00:00"))
	kinds := cost.Shares(someJobs(), 0.5, start, func(j cost.Job) string { return j.Kind })
	if len(kinds) != 2 || kinds[0].Name != "mesh" || kinds[0].Jobs != 2 || !closeTo(kinds[0].Cost, 4*0.5) || !closeTo(kinds[1].Cost, 0.5) {
		t.Errorf("by kind: %+v", kinds)
	}
	organisations := cost.Shares(someJobs(), 0.5, start, func(j cost.Job) string { return j.Organisation })
	if len(organisations) != 2 || organisations[0].Name != "bolt" || !closeTo(organisations[0].Cost, 1.5) {
		t.Errorf("by organisation: %+v", organisations)
	}
	// Stages ran side by side for 3 h within the job's 2.
	stages := cost.Split(someJobs()[:1], 0.5, start, func(cost.Job) map[string]float64 { return map[string]float64{"lod": 3600, "draco": 7200} })
	if len(stages) != 2 || stages[0].Name != "draco" || !closeTo(stages[0].Cost, 2.0/3) || !closeTo(stages[0].Cost+stages[1].Cost, 1) {
		t.Errorf("by stage: %+v", stages)
	}
}

// By hand: 5 h are spent; within the last seven days 3 h; 20 days are left.
func TestOutlook(t *testing.T) {
	now := at("2026-11-11 00:00")
	if since := cost.OutlookSince(now); !since.Equal(at("2026-11-01 00:00")) {
		t.Errorf("jobs have to be known since %s", since)
	}
	if since := cost.OutlookSince(at("2026-11-03 00:00")); !since.Equal(at("2026-10-27 00:00")) {
		t.Errorf("jobs have to be known since %s", since)
	}
	o := cost.NewOutlook(someJobs(), 2, now)
	if !closeTo(o.Spent, 10) || !closeTo(o.PerDay, 6.0/7) || !closeTo(o.Forecast, 10+20*6.0/7) {
		t.Errorf("%+v", o)
	}
	// Two days old: the mean is of two days, not of seven.
	o = cost.NewOutlook([]cost.Job{{Started: at("2026-11-09 00:00"), Ended: at("2026-11-09 02:00")}}, 1, now)
	if !closeTo(o.PerDay, 1) || !closeTo(o.Forecast, 2+20) {
		t.Errorf("a new service: %+v", o)
	}
	if o := cost.NewOutlook(nil, 1, now); o.Spent != 0 || o.Forecast != 0 {
		t.Errorf("without jobs: %+v", o)
	}
}

// Each part of the budget is told once, one that could not be told again, and the
// next month begins anew.
func TestBudget(t *testing.T) {
	var told []int
	var refuse bool
	spent := 0.0 // hours of this month
	w := &cost.Watch{
		Budget: 100, Metrics: cost.NewMetrics(), Logger: slog.New(slog.DiscardHandler), Rate: func() float64 { return 1 },
		Lead: func(context.Context) (bool, error) { return true, nil },
		Jobs: func(_ context.Context, since time.Time) ([]cost.Job, error) {
			start := at("2026-11-01 00:00")
			return []cost.Job{{Started: start, Ended: start.Add(time.Duration(spent * float64(time.Hour)))}}, nil
		},
		Tell: func(_ context.Context, a cost.Alert) error {
			if refuse {
				return errors.New("away")
			}
			told = append(told, a.Percent)
			return nil
		},
	}
	for i, step := range []struct {
		hours  float64
		refuse bool
		now    string
		told   int // parts, in all
	}{
		{10, false, "2026-11-05 00:00", 0},
		{50, false, "2026-11-06 00:00", 1},
		{60, false, "2026-11-07 00:00", 1},
		{85, true, "2026-11-08 00:00", 1},
		{85, false, "2026-11-08 00:01", 2},
		{130, false, "2026-11-09 00:00", 3},
		{130, false, "2026-12-09 00:00", 3},
	} {
		spent, refuse = step.hours, step.refuse
		done, err := w.Look(t.Context(), at(step.now))
		if !done || (err != nil) != step.refuse || len(told) != step.told {
			t.Errorf("step %d: done %v, %v, told %v", i, done, err, told)
		}
	}
	if told[0] != 50 || told[1] != 80 || told[2] != 100 {
		t.Errorf("told %v", told)
	}
}

func TestWebhook(t *testing.T) {
	code := http.StatusOK
	var got cost.Alert
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !callback.Verify(body, "key", r.Header.Get(callback.HeaderSignature)) || json.Unmarshal(body, &got) != nil {
			t.Errorf("a wrong alert: %s (%v)", body, err)
		}
		w.WriteHeader(code)
	}))
	defer server.Close()
	hook := cost.Webhook{URL: server.URL, Secret: "key"}
	if err := hook.Tell(t.Context(), cost.Alert{EventID: "e", Percent: 80, Budget: 10}); err != nil || got.Percent != 80 || got.Timestamp == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	code = http.StatusBadGateway
	if err := hook.Tell(t.Context(), cost.Alert{}); err == nil {
		t.Error("a refusal is no error")
	}
}
