package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/testservices"
)

// maximum asks moto for the largest value of a metric of the queue; it is the answer's
// text, empty where there is none.
func maximum(t *testing.T, s *testservices.AWSServer, metric string) string {
	t.Helper()
	now := time.Now().UTC()
	form := url.Values{
		"Action": {"GetMetricStatistics"}, "Version": {"2010-08-01"}, "Namespace": {"Slate360/Worker"}, "MetricName": {metric},
		"Dimensions.member.1.Name": {"Queue"}, "Dimensions.member.1.Value": {"model-processing"}, "Statistics.member.1": {"Maximum"}, "Period": {"60"},
		"StartTime": {now.Add(-time.Hour).Format(time.RFC3339)}, "EndTime": {now.Add(time.Hour).Format(time.RFC3339)},
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint, strings.NewReader(form.Encode()))
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
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(body), "<Maximum>")
	value, _, _ := strings.Cut(rest, "</Maximum>")
	return value
}

// Of a group without machines, autoscale tells how many jobs wait: the alarm that
// nobody works on them needs it.
func TestAutoscaleTellsOfTheQueue(t *testing.T) {
	server := testservices.AWS(t)
	scalingGroup(t, server)
	eachQueue(t, func(t *testing.T, term *terminal) {
		if term.redis {
			t.Skip("the queue makes no difference")
		}
		term.env = append(term.env, append(server.Environment(), "SLATE360_SCALING_GROUP="+group, "SLATE360_CLOUDWATCH=api", "SLATE360_CLOUDWATCH_INTERVAL=1s")...)
		for range 2 {
			term.want(0, "", "submit", term.url("scan.laz"))
		}
		cmd := term.command("autoscale", "--dry-run")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(time.Minute)
		for maximum(t, server, "QueueDepth") != "2.0" {
			if time.Now().After(deadline) {
				t.Fatalf("QueueDepth is %q", maximum(t, server, "QueueDepth"))
			}
			time.Sleep(100 * time.Millisecond) // between two looks
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // interrupted
		if maximum(t, server, "OldestJobAge") == "" {
			t.Error("nothing tells how long the oldest job waits")
		}
	})
}
