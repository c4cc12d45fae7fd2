package cost

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slate360.ai/worker/internal/callback"
)

// Alert says that a part of the budget is spent.
type Alert struct {
	// EventID is the same for the same part of the same month, whoever tells it: a
	// receiver that has seen it does nothing.
	EventID string `json:"eventId"`
	Month   string `json:"month"` // 2026-11
	// Percent of Budget that is reached.
	Percent int     `json:"percent"`
	Budget  float64 `json:"budget"`
	Outlook
	Timestamp int64 `json:"timestamp"` // Unix seconds of this sending
}

// thresholds are the parts of the budget, in percent, that are told.
func thresholds() []int { return []int{50, 80, 100} }

// Metrics are what the month costs.
type Metrics struct{ Budget, spent, forecast prometheus.Gauge }

// NewMetrics returns a set; it counts without being registered.
func NewMetrics() *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "slate360_cost_" + name, Help: help})
	}
	return &Metrics{
		Budget:   gauge("budget", "What the jobs of a month may cost; 0 is no budget."),
		spent:    gauge("month", "What the jobs of this month have cost."),
		forecast: gauge("forecast", "What the jobs of this month will have cost at its end."),
	}
}

// Collectors returns all, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Budget, m.spent, m.forecast}
}

// Watch looks at what the jobs of the month cost, and tells when parts of the budget
// are spent.
type Watch struct {
	Budget float64
	Every  time.Duration
	// Rate is the price of an hour of one place for a job; 0 is not known yet.
	Rate func() float64
	// Jobs returns the jobs that ended since a time.
	Jobs func(ctx context.Context, since time.Time) ([]Job, error)
	// Lead tells whether it is ours to tell, of several programs.
	Lead func(ctx context.Context) (bool, error)
	// Tell tells somebody beside the log; nil is nobody. What fails is told again.
	Tell    func(ctx context.Context, a Alert) error
	Metrics *Metrics
	Logger  *slog.Logger

	month string
	told  int // percent, of month
}

// soon is when to look again after a failure, or while the price is not known.
const soon = time.Minute

// Run looks each Every until ctx is done.
func (w *Watch) Run(ctx context.Context) {
	for {
		wait := w.Every
		done, err := w.Look(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			w.Logger.Warn("budget", "error", err, "again", min(soon, wait))
		}
		if err != nil || !done {
			wait = min(soon, wait)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// Look looks once; done is false where the price is not known yet.
func (w *Watch) Look(ctx context.Context, now time.Time) (done bool, err error) {
	rate := w.Rate()
	if rate == 0 {
		return false, nil
	}
	if lead, err := w.Lead(ctx); err != nil || !lead {
		return true, err
	}
	jobs, err := w.Jobs(ctx, OutlookSince(now))
	if err != nil {
		return true, fmt.Errorf("list the month's jobs: %w", err)
	}
	o := NewOutlook(jobs, rate, now)
	w.Metrics.spent.Set(o.Spent)
	w.Metrics.forecast.Set(o.Forecast)
	if month := MonthStart(now).Format("2006-01"); month != w.month {
		w.month, w.told = month, 0
	}
	reached := 0
	for _, t := range thresholds() {
		if o.Spent >= w.Budget*float64(t)/100 {
			reached = t
		}
	}
	if reached <= w.told {
		return true, nil
	}
	a := Alert{
		EventID: callback.EventID("budget", w.month, fmt.Sprint(reached), fmt.Sprint(w.Budget)), Month: w.month, Percent: reached, Budget: w.Budget, Outlook: o,
	}
	w.Logger.Warn("a part of the month's budget is spent", "percent", reached, "spent", o.Spent, "budget", w.Budget, "forecast", o.Forecast)
	if w.Tell != nil {
		if err := w.Tell(ctx, a); err != nil {
			return true, fmt.Errorf("tell that %d %% of the budget are spent: %w", reached, err)
		}
	}
	w.told = reached
	return true, nil
}

// Webhook posts alerts, signed as callbacks are.
type Webhook struct{ URL, Secret string }

// webhookTimeout bounds a sending.
const webhookTimeout = 15 * time.Second

// Tell posts an alert.
func (h Webhook) Tell(ctx context.Context, a Alert) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	a.Timestamp = time.Now().Unix()
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(callback.HeaderSignature, callback.Sign(body, h.Secret))
	req.Header.Set(callback.HeaderEventID, a.EventID)
	req.Header.Set(callback.HeaderTimestamp, fmt.Sprint(a.Timestamp))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the receiver answered %s", resp.Status)
	}
	return nil
}
