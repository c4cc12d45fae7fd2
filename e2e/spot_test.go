package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"slate360.ai/worker/internal/ops/cloudwatch"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/queue/bullmq"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/testservices"
	"slate360.ai/worker/internal/worker"
)

// hooks stands before moto, which does not know the calls that go on with lifecycle
// hooks: it takes them itself, and hands all others on.
type hooks struct {
	*httputil.ReverseProxy
	mu    sync.Mutex
	calls []string // action and instance
}

func newHooks(t *testing.T, server *testservices.AWSServer) (h *hooks, endpoint string) {
	t.Helper()
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	h = &hooks{ReverseProxy: httputil.NewSingleHostReverseProxy(target)}
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	return h, front.URL
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	switch action {
	case "CompleteLifecycleAction", "RecordLifecycleActionHeartbeat":
		h.mu.Lock()
		h.calls = append(h.calls, action+" "+form.Get("InstanceId"))
		h.mu.Unlock()
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><%[1]sResult/></%[1]sResponse>`, action)
	default:
		h.ReverseProxy.ServeHTTP(w, r)
	}
}

func (h *hooks) called(call string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c == call {
			return true
		}
	}
	return false
}

// cloud is what AWS has of the workers.
type cloud struct {
	*platform
	client   *autoscaling.Client
	server   *testservices.AWSServer
	hooks    *hooks
	endpoint string // of hooks
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{platform: newPlatform(t), server: testservices.AWS(t)}
	c.client = scalingGroup(t, c.server)
	c.hooks, c.endpoint = newHooks(t, c.server)
	_, err := c.client.PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String("drain"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// machines are those of the group.
func (c *cloud) machines() []types.Instance {
	out, err := c.client.DescribeAutoScalingGroups(c.t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		c.t.Fatalf("%d groups, %v", len(out.AutoScalingGroups), err)
	}
	return out.AutoScalingGroups[0].Instances
}

func (c *cloud) protected(id string) bool {
	for _, m := range c.machines() {
		if *m.InstanceId == id {
			return *m.ProtectedFromScaleIn
		}
	}
	return false
}

// boot starts a worker on a machine of the group.
func (c *cloud) boot(name, instance string) (*process, *testservices.IMDS) {
	imds := testservices.NewIMDS(c.t, instance)
	imds.Set("instance-type", "g4dn.xlarge")
	imds.Set("instance-life-cycle", "spot")
	imds.Set("autoscaling/target-lifecycle-state", "InService")
	return c.start(name, append(imds.Environment(), "AWS_ENDPOINT_URL_AUTO_SCALING="+c.endpoint, "AWS_ENDPOINT_URL_CLOUDWATCH="+c.server.Endpoint,
		"SLATE360_SPOT_INTERVAL=100ms", "SLATE360_CLOUDWATCH=api", "SLATE360_CLOUDWATCH_INTERVAL=1s", "SLATE360_CONCURRENCY=1", "SLATE360_WORKERS=1")...), imds
}

// scale starts autoscale; it runs until the test ends.
func (c *cloud) scale() {
	c.t.Helper()
	path, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	w := &process{p: c.platform, name: "autoscale", dir: c.t.TempDir()}
	w.env = append([]string{"REDIS_URL=" + c.redis.URL(), "SLATE360_SCALING_GROUP=" + group, "SLATE360_LOG_LEVEL=warn", "SLATE360_CONCURRENCY=1"}, c.server.Environment()...)
	w.runProgram(path, "autoscale", "--every", "1s", "--cool-down", "2s", "--job-time", "30m")
	c.t.Cleanup(func() {
		w.kill()
		if c.t.Failed() {
			c.t.Logf("autoscale: %s", w.log())
		}
	})
}

// put puts a scan into the bucket and a job of it on the queue.
func (c *cloud) put(n, points int) string {
	c.t.Helper()
	dir := c.t.TempDir()
	if _, err := sample.Pointcloud(c.t.Context(), dir, sample.Params{Points: points, Seed: 1, Workers: 2}); err != nil {
		c.t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "scan.laz"))
	if err != nil {
		c.t.Fatal(err)
	}
	id := jobID(n)
	key := "uploads/" + id + ".laz"
	if err := c.storage.Put(c.t.Context(), key, bytes.NewReader(data), int64(len(data)), attributes()); err != nil {
		c.t.Fatal(err)
	}
	c.source = "s3://" + c.s3.Bucket + "/" + key
	if err := c.records.Create(c.t.Context(), record.Record{ID: id, SourceURL: c.source, Status: "queued"}); err != nil {
		c.t.Fatal(err)
	}
	_, err = c.queue.AddJob(c.t.Context(), bullmq.NewJob{
		Name: worker.QueueJobName, Data: map[string]any{"jobId": id, "sourceUrl": c.source, "sourceFormat": "laz"},
		Options: bullmq.JobOptions{AddOptions: queue.AddOptions{ID: id, Attempts: 1}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// resumed are the stages of a job that its last run did not do itself.
func (c *cloud) resumed(id string) map[string]bool {
	c.t.Helper()
	body, _, err := c.storage.Open(c.t.Context(), "processed/"+id+"/result.json")
	if err != nil {
		c.t.Fatal(err)
	}
	defer body.Close()
	var result struct {
		Stages []struct {
			Name    string
			Resumed bool
		}
	}
	if err := json.NewDecoder(body).Decode(&result); err != nil {
		c.t.Fatal(err)
	}
	stages := map[string]bool{}
	for _, s := range result.Stages {
		stages[s.Name] = s.Resumed
	}
	return stages
}

// interruptions are those that CloudWatch was told of.
func (c *cloud) interruptions() string {
	now := time.Now().UTC()
	form := url.Values{
		"Action": {"GetMetricStatistics"}, "Version": {"2010-08-01"}, "Namespace": {cloudwatch.Namespace}, "MetricName": {"SpotInterruptions"},
		"Period": {"86400"}, "StartTime": {now.Add(-time.Hour).Format(time.RFC3339)}, "EndTime": {now.Add(time.Hour).Format(time.RFC3339)},
		"Statistics.member.1": {"Sum"}, "Dimensions.member.1.Name": {"Queue"}, "Dimensions.member.1.Value": {"model-processing"},
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.server.Endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// longScan takes a few seconds with one goroutine after its outliers are found.
const longScan = 800_000

// A day of the service in short: jobs come and the group grows; a machine that works
// is protected, is told that it will be taken, and gives its job back before; another
// goes on from the finished stages; nothing is left to do and the group goes to none.
func TestSpot(t *testing.T) {
	c := newCloud(t)
	c.scale()
	long := c.put(1, longScan)
	short := c.put(2, 3000)
	c.eventually("the group has machines for both jobs", time.Minute, func() bool { return len(c.machines()) >= 2 })
	machines := c.machines()
	one, two := *machines[0].InstanceId, *machines[1].InstanceId

	first, imds := c.boot("first", one)
	c.eventually("a stage is finished", time.Minute, func() bool { return strings.Contains(c.jobLog(long), "outlier (native): done") })
	c.eventually("the machine is protected", 20*time.Second, func() bool { return c.protected(one) })
	// The margin of 30 s has begun: the job goes back at once.
	taken := time.Now().Add(29 * time.Second).UTC()
	imds.Set("spot/instance-action", `{"action":"terminate","time":"`+taken.Format(time.RFC3339)+`"}`)
	imds.Set("autoscaling/target-lifecycle-state", "Terminated")
	c.eventually("the job is back", time.Until(taken), func() bool { return c.job(long).State == queue.StateWaiting })
	if j := c.job(long); j.AttemptsMade != 0 || j.Stalled != 0 {
		t.Errorf("given back: %+v", j)
	}
	c.eventually("the record says so", time.Until(taken), func() bool {
		r, err := c.records.Get(t.Context(), long)
		return err == nil && r.Status == "queued"
	})
	c.eventually("the lifecycle hook is completed", time.Until(taken), func() bool { return c.hooks.called("CompleteLifecycleAction " + one) })
	if c.protected(one) {
		t.Error("a machine that goes is protected")
	}
	if j := c.job(short); j.State != queue.StateWaiting || j.AttemptsStarted != 0 {
		t.Errorf("the machine that goes took another job: %+v", j)
	}
	before := c.jobLog(long)

	second, _ := c.boot("second", two)
	for _, id := range []string{long, short} {
		c.eventually("it is completed", time.Minute, func() bool { return c.job(id).State == queue.StateCompleted })
		c.eventually("its end is told", 20*time.Second, func() bool { return len(c.receiver.ends(id)) == 1 })
		c.check(id)
	}
	if r, err := c.records.Get(t.Context(), long); err != nil || !strings.HasPrefix(r.WorkerID, "second/") {
		t.Errorf("record: %+v (%v)", r, err)
	}
	c.checkResumed(long, before)
	c.eventually("CloudWatch is told of the interruption", 20*time.Second, func() bool { return strings.Contains(c.interruptions(), "<Sum>1.0</Sum>") })
	c.eventually("the group has no machines", time.Minute, func() bool { return len(c.machines()) == 0 })
	for _, w := range []*process{first, second} {
		w.signal(syscall.SIGTERM)
		if code := w.exitCode(); code != 0 {
			t.Errorf("%s ended with %d", w.name, code)
		}
	}
}

// checkResumed holds that no stage that was done before the move was done again.
func (c *cloud) checkResumed(id, before string) {
	t := c.t
	t.Helper()
	resumed := c.resumed(id)
	after := strings.TrimPrefix(c.jobLog(id), before)
	if !strings.Contains(after, "going on from a checkpoint of another worker") {
		t.Errorf("it did not go on from a checkpoint:\n%s", after)
	}
	n := 0
	for stage, kept := range resumed {
		if strings.Contains(before, stage+" (native): done") {
			n++
			if !kept || strings.Contains(after, stage+" (native): done") {
				t.Errorf("stage %s ran again:\n%s", stage, after)
			}
		}
	}
	if n == 0 {
		t.Errorf("no stage was finished before the move:\n%s", before)
	}
	err := c.storage.List(t.Context(), "checkpoints/", func(i storage.Info) error {
		t.Errorf("%s is left", i.Key)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
