package cloudwatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/ops/cloudwatch"
	"slate360.ai/worker/internal/testservices"
)

// sets takes what a reporter sends.
type sets struct {
	refuse chan error
	got    chan []cloudwatch.Datum
}

func (s sets) Put(_ context.Context, _ time.Time, data []cloudwatch.Datum) error {
	select {
	case err := <-s.refuse:
		return err
	default:
	}
	s.got <- data
	return nil
}

func value(data []cloudwatch.Datum, name string) float64 {
	for _, d := range data {
		if d.Name == name {
			return d.Value
		}
	}
	return -1
}

// Counts are those since the last set that was taken; the last set comes at the end.
func TestReporter(t *testing.T) {
	s := sets{refuse: make(chan error, 1), got: make(chan []cloudwatch.Datum)}
	completed := make(chan int64, 1)
	completed <- 5
	var last int64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		cloudwatch.NewReporter(cloudwatch.Options{
			Sink: s, Every: time.Millisecond, Queue: "q", Instance: func() string { return "i-1" }, Logger: slog.New(slog.DiscardHandler),
			Sample: func(context.Context) cloudwatch.Sample {
				select {
				case last = <-completed:
				default:
				}
				return cloudwatch.Sample{Completed: last}
			},
		}).Run(ctx)
	}()
	if n := value(<-s.got, "JobsCompleted"); n != 5 {
		t.Errorf("the first set has %g", n)
	}
	s.refuse <- errors.New("away")
	completed <- 12
	sum := 0.0
	for sum < 7 {
		sum += value(<-s.got, "JobsCompleted")
	}
	if sum != 7 {
		t.Errorf("after a refusal %g more are sent, want 7", sum)
	}
	cancel()
	for ended := false; !ended; {
		select {
		case <-s.got:
		case <-done:
			ended = true
		}
	}
}

// moto takes what is sent, under the names and units that alarms refer to.
func TestAPI(t *testing.T) {
	server := testservices.AWS(t)
	for _, kv := range server.Environment() {
		name, v, _ := strings.Cut(kv, "=")
		t.Setenv(name, v)
	}
	api, err := cloudwatch.OpenAPI(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	sink := told{api, sent}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cloudwatch.NewReporter(cloudwatch.Options{
			Sink: sink, Every: time.Hour, Queue: "model-processing", Instance: func() string { return "i-1" }, Logger: slog.New(slog.DiscardHandler),
			Sample: func(context.Context) cloudwatch.Sample { return full() },
		}).Run(ctx)
	}()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	want := map[string]string{ // name → a value that the answer has
		"QueueDepth": "7.0", "OldestJobAge": "61.5", "ActiveJobs": "2.0", "JobsCompleted": "4.0", "JobsFailed": "1.0", "SpotInterruptions": "1.0",
		"CostPerHour": "0.21", "GPUUtilization": "37.0", "GPUMemoryUsed": "1073741824.0",
	}
	for name, v := range want {
		got := statistics(t, server, name)
		if !strings.Contains(got, v) {
			t.Errorf("%s: no %s in %s", name, v, got)
		}
	}
}

func full() cloudwatch.Sample {
	return cloudwatch.Sample{
		QueueKnown: true, QueueDepth: 7, OldestJobAge: 61.5, ActiveJobs: 2, Completed: 4, Failed: 1, Interruptions: 1, CostPerHour: 0.21,
		GPUs: []cloudwatch.GPU{{Utilization: 37, MemoryUsed: 1 << 30}},
	}
}

// told tells how the first sending went.
type told struct {
	cloudwatch.Sink
	sent chan error
}

func (s told) Put(ctx context.Context, at time.Time, data []cloudwatch.Datum) error {
	err := s.Sink.Put(ctx, at, data)
	select {
	case s.sent <- err:
	default:
	}
	return err
}

// statistics asks moto for the maximum of a metric of the last hour.
func statistics(t *testing.T, server *testservices.AWSServer, name string) string {
	t.Helper()
	now := time.Now().UTC()
	form := url.Values{
		"Action": {"GetMetricStatistics"}, "Version": {"2010-08-01"}, "Namespace": {cloudwatch.Namespace}, "MetricName": {name}, "Period": {"3600"},
		"StartTime": {now.Add(-time.Hour).Format(time.RFC3339)}, "EndTime": {now.Add(time.Hour).Format(time.RFC3339)}, "Statistics.member.1": {"Maximum"},
		"Dimensions.member.1.Name": {"Queue"}, "Dimensions.member.1.Value": {"model-processing"},
	}
	if strings.HasPrefix(name, "GPU") {
		form.Set("Dimensions.member.2.Name", "InstanceId")
		form.Set("Dimensions.member.2.Value", "i-1")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.Endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// What the service refuses is said in its words.
func TestAPIRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>`))
	}))
	defer server.Close()
	for name, v := range map[string]string{"AWS_ENDPOINT_URL_CLOUDWATCH": server.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"} {
		t.Setenv(name, v)
	}
	api, err := cloudwatch.OpenAPI(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	err = api.Put(t.Context(), time.Now(), []cloudwatch.Datum{{Name: "QueueDepth", Unit: cloudwatch.Count}})
	if err == nil || !strings.Contains(err.Error(), "AccessDenied: not you") {
		t.Errorf("Put: %v", err)
	}
}

// A line has what the specification demands: _aws with timestamp and directives, and
// a member for each metric and dimension that they name.
func TestEMF(t *testing.T) {
	var out bytes.Buffer
	s := full()
	s.GPUs = append(s.GPUs, cloudwatch.GPU{Index: 1, Utilization: 50})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cloudwatch.NewReporter(cloudwatch.Options{
		Sink: cloudwatch.EMF{W: &out}, Every: time.Hour, Queue: "q", Instance: func() string { return "i-1" }, Logger: slog.New(slog.DiscardHandler),
		Sample: func(context.Context) cloudwatch.Sample { return s },
	}).Run(ctx)
	seen := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		var meta struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &meta); err != nil || len(meta.AWS.CloudWatchMetrics) != 1 || meta.AWS.Timestamp < 1e12 {
			t.Fatalf("%v: %s", err, line)
		}
		m := meta.AWS.CloudWatchMetrics[0]
		if m.Namespace != "Slate360/Worker" || len(m.Dimensions) != 1 || len(m.Metrics) == 0 {
			t.Errorf("directive %+v", m)
		}
		for _, d := range m.Dimensions[0] {
			if _, ok := object[d].(string); !ok {
				t.Errorf("dimension %s is not in %s", d, line)
			}
		}
		for _, d := range m.Metrics {
			if _, ok := object[d.Name].(float64); !ok || d.Unit == "" {
				t.Errorf("metric %s is not in %s", d.Name, line)
			}
			seen[d.Name]++
		}
	}
	// Two sets: at the begin and at the end; each card once for the machine, once for itself.
	if seen["QueueDepth"] != 2 || seen["GPUUtilization"] != 8 {
		t.Errorf("metrics %v in\n%s", seen, out.String())
	}
}
