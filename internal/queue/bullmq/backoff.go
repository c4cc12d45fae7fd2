package bullmq

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// backoffOption is the option backoff of a job: milliseconds, or an object.
type backoffOption struct {
	Type   string  `json:"type"`
	Delay  float64 `json:"delay"` // ms
	Jitter float64 `json:"jitter,omitempty"`
}

// maximalBackoff keeps 2^attempts finite.
const maximalBackoff = 30 * 24 * time.Hour

// backoff returns the wait after the attempt of that number (from 1). The types
// are those of BullMQ; one that a Node worker has a strategy of its own for is an
// error, and the wait then 0.
func backoff(raw json.RawMessage, attempt int) (time.Duration, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, nil
	}
	var o backoffOption
	if err := json.Unmarshal(raw, &o.Delay); err == nil {
		o.Type = "fixed"
	} else if err := json.Unmarshal(raw, &o); err != nil {
		return 0, fmt.Errorf("option backoff %s: %w", raw, err)
	}
	ms := o.Delay
	switch o.Type {
	case "fixed":
	case "exponential":
		ms *= math.Pow(2, float64(attempt-1))
	default:
		return 0, fmt.Errorf("there is no backoff strategy %q", o.Type)
	}
	if o.Jitter > 0 {
		j := math.Min(o.Jitter, 1)
		ms = ms*(1-j) + rand.Float64()*ms*j
	}
	return time.Duration(math.Min(math.Max(ms, 0), float64(maximalBackoff/time.Millisecond))) * time.Millisecond, nil
}
