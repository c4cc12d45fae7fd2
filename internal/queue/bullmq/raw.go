package bullmq

import (
	"encoding/json"
	"strconv"
	"time"

	"slate360.ai/worker/internal/queue"
)

// rawJob is a job as its hash holds it.
type rawJob struct {
	queue.Job
	opts      jobOptions
	deferred  string // why it has failed already ("defa")
	parentKey string
	scheduler string // key of the scheduler that made it ("rjk")
}

// jobOptions are the options of a job that matter to a worker; all is what was
// stored, to be handed on.
type jobOptions struct {
	Attempts         int             `json:"attempts"`
	Backoff          json.RawMessage `json:"backoff"`
	Delay            float64         `json:"delay"`
	LIFO             bool            `json:"lifo"`
	RemoveOnComplete json.RawMessage `json:"removeOnComplete"`
	RemoveOnFail     json.RawMessage `json:"removeOnFail"`
	KeepLogs         int             `json:"kl"`
	StackTraceLimit  *int            `json:"stackTraceLimit"`
	Telemetry        string          `json:"tm"`
	FailParent       bool            `json:"fpof"`
	ContinueParent   bool            `json:"cpof"`
	IgnoreDependency bool            `json:"idof"`
	RemoveDependency bool            `json:"rdof"`
	Repeat           json.RawMessage `json:"repeat"`
	PrevMillis       float64         `json:"prevMillis"`
	raw              string
}

// parseJob reads the fields of a job's hash: name, value, name, value, … What
// cannot be read is as if it were not there: other programs write there, too.
func parseJob(id string, fields []any) rawJob {
	j := rawJob{Job: queue.Job{ID: id, MaxAttempts: 1}}
	for i := 0; i+1 < len(fields); i += 2 {
		name, _ := fields[i].(string)
		value, _ := fields[i+1].(string)
		switch name {
		case "name":
			j.Name = value
		case "data":
			j.Data = jsonOrText(value)
		case "opts":
			j.opts.raw = value
			_ = json.Unmarshal([]byte(value), &j.opts) // see above
		case "progress":
			j.Progress = jsonOrText(value)
		case "delay":
			j.Delay = time.Duration(number(value)) * time.Millisecond
		case "priority":
			j.Priority = int(number(value))
		case "timestamp":
			j.Added = millis(value)
		case "ats":
			j.AttemptsStarted = int(number(value))
		case "atm", "attemptsMade":
			j.AttemptsMade = int(number(value))
		case "stc":
			j.Stalled = int(number(value))
		case "finishedOn":
			j.Finished = millis(value)
		case "processedOn":
			j.Started = millis(value)
		case "rjk":
			j.scheduler = value
		case "failedReason":
			j.FailedReason = value
		case "defa":
			j.deferred = value
		case "stacktrace":
			_ = json.Unmarshal([]byte(value), &j.Stack) // see above
		case "returnvalue":
			j.ReturnValue = jsonOrText(value)
		case "parentKey":
			j.parentKey = value
		case "pb":
			j.Worker = value
		}
	}
	if len(j.Data) == 0 {
		j.Data = json.RawMessage("{}")
	}
	j.Telemetry = j.opts.Telemetry
	j.MaxAttempts = max(j.opts.Attempts, 1)
	return j
}

// jsonOrText returns a value that is JSON as it is, other text as a JSON string.
func jsonOrText(s string) json.RawMessage {
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return quoted
}

func number(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return x
}

func millis(s string) time.Time {
	if ms := int64(number(s)); ms > 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// integer reads a reply that is a number; texts too: some servers say floats so.
func integer(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case string:
		return int64(number(v))
	}
	return 0
}

// keep reads removeOnComplete or removeOnFail: a boolean, a number of jobs, or
// {age (s), count, limit}. The map is what the scripts take; count -1 keeps all.
func keep(raw json.RawMessage, or queue.Keep) map[string]any {
	var v any
	if len(raw) > 0 && json.Unmarshal(raw, &v) != nil {
		v = nil
	}
	switch v := v.(type) {
	case bool:
		if v {
			return map[string]any{"count": 0}
		}
		return map[string]any{"count": -1}
	case float64:
		return map[string]any{"count": v}
	case map[string]any:
		return v
	}
	switch {
	case or.Count == 0 && or.Age == 0:
		return map[string]any{"count": -1}
	case or.Age == 0:
		return map[string]any{"count": or.Count}
	}
	m := map[string]any{"age": int(or.Age.Seconds())}
	if or.Count > 0 {
		m["count"] = or.Count
	}
	return m
}

// original is the priority that the job was added with; ageing changes the other.
func (j *rawJob) original() int {
	var o struct {
		Priority int `json:"priority"`
	}
	if json.Unmarshal([]byte(j.opts.raw), &o) != nil || o.Priority == 0 {
		return j.Priority
	}
	return o.Priority
}
