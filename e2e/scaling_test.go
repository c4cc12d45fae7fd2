package e2e

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/testservices"
)

const group = "slate360-workers"

// scalingGroup makes an Auto Scaling group of 0 to 3 machines.
func scalingGroup(t *testing.T, s *testservices.AWSServer) *autoscaling.Client {
	t.Helper()
	c, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion("us-east-1"),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
	if err != nil {
		t.Fatal(err)
	}
	client := autoscaling.NewFromConfig(c, func(o *autoscaling.Options) { o.BaseEndpoint = &s.Endpoint })
	_, err = client.CreateLaunchConfiguration(t.Context(), &autoscaling.CreateLaunchConfigurationInput{
		LaunchConfigurationName: aws.String("worker"), ImageId: aws.String("ami-12c6146b"), InstanceType: aws.String("g4dn.xlarge"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(group), LaunchConfigurationName: aws.String("worker"),
		MinSize: aws.Int32(0), MaxSize: aws.Int32(3), DesiredCapacity: aws.Int32(0), AvailabilityZones: []string{"us-east-1a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// decision is what autoscale --json prints.
type decision struct {
	Waiting, Was, Desired int
	Reasons               []string
}

// follow lets autoscale run until it has decided what is wanted.
func follow(t *testing.T, term *terminal, wanted func(d decision) bool) {
	t.Helper()
	cmd := term.command("autoscale", "--every", "1s", "--cool-down", "1s", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	for {
		var d decision
		if err := lines.Decode(&d); err != nil {
			t.Fatalf("autoscale ended: %v", err)
		}
		if wanted(d) {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // interrupted
}

// The group follows the queue: it grows with what waits, up to its own most, says
// why, changes nothing in a dry run, and goes back to none.
func TestAutoscale(t *testing.T) {
	server := testservices.AWS(t)
	client := scalingGroup(t, server)
	eachQueue(t, func(t *testing.T, term *terminal) {
		term.env = append(term.env, append(server.Environment(), "SLATE360_SCALING_GROUP="+group)...)
		desired := func() types.AutoScalingGroup {
			t.Helper()
			out, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
			if err != nil || len(out.AutoScalingGroups) != 1 {
				t.Fatalf("%d groups, %v", len(out.AutoScalingGroups), err)
			}
			return out.AutoScalingGroups[0]
		}
		decide := func(args ...string) (d decision) {
			t.Helper()
			out := term.want(0, "", append([]string{"autoscale", "--once", "--json", "--job-time", "30m"}, args...)...)
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return d
		}
		if out := term.want(0, "", "doctor"); !strings.Contains(out, group+" in us-east-1") {
			t.Errorf("doctor does not name the group:\n%s", out)
		}
		if d := decide(); d.Desired != 0 || d.Waiting != 0 {
			t.Errorf("an empty queue: %+v", d)
		}
		var ids []string
		for range 6 {
			ids = append(ids, term.want(0, "", "submit", term.url("scan.laz")))
		}
		if d := decide("--dry-run"); d.Desired != 3 || d.Waiting != 6 || len(d.Reasons) == 0 {
			t.Errorf("6 jobs, dry run: %+v", d)
		}
		if n := *desired().DesiredCapacity; n != 0 {
			t.Errorf("a dry run left %d machines", n)
		}
		if d := decide(); d.Desired != 3 || d.Was != 0 {
			t.Errorf("6 jobs: %+v", d)
		}
		if g := desired(); *g.DesiredCapacity != 3 || len(g.Instances) != 3 {
			t.Errorf("the group has %d machines, %d wanted", len(g.Instances), *g.DesiredCapacity)
		}
		for _, id := range ids {
			term.want(0, "", "jobs", "cancel", id)
		}
		if d := decide(); d.Desired != 3 || !strings.Contains(strings.Join(d.Reasons, ""), "not for") {
			t.Errorf("before the cool-down is over: %+v", d)
		}
		follow(t, term, func(d decision) bool { return d.Was == 0 && d.Desired == 0 })
		if n := *desired().DesiredCapacity; n != 0 {
			t.Errorf("%d machines are left", n)
		}
	})
}

// `run` sizes the group too, where it is told to: it grows while one job runs and
// others wait, and has no machines once they are done.
func TestAutoscaleInRun(t *testing.T) {
	server := testservices.AWS(t)
	client := scalingGroup(t, server)
	desired := func(ok func(n int32) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			out, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
			if err != nil || len(out.AutoScalingGroups) != 1 {
				t.Fatalf("%d groups, %v", len(out.AutoScalingGroups), err)
			}
			n := *out.AutoScalingGroups[0].DesiredCapacity
			if ok(n) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the group is to have %d machines", n)
			}
			time.Sleep(50 * time.Millisecond) // between two looks
		}
	}
	eachQueue(t, func(t *testing.T, term *terminal) {
		if !term.redis {
			t.Skip("a queue of one machine needs no group")
		}
		term.hold("/scan.laz")
		for range 3 {
			term.want(0, "", "submit", term.url("scan.laz"), "--outputs", "laz")
		}
		term.worker(append(server.Environment(), "SLATE360_SCALING_GROUP="+group, "SLATE360_AUTOSCALE=true", "SLATE360_COOL_DOWN=1s")...)
		term.asked()
		desired(func(n int32) bool { return n > 0 })
		term.release()
		desired(func(n int32) bool { return n == 0 })
	})
}

func TestAutoscaleRefuses(t *testing.T) {
	server := testservices.AWS(t)
	eachQueue(t, func(t *testing.T, term *terminal) {
		term.env = append(term.env, server.Environment()...)
		term.want(2, "SLATE360_SCALING_GROUP", "autoscale", "--once")
		term.want(2, "cost cap needs the price", "autoscale", "--once", "--group", group, "--cost-cap", "1")
		term.want(1, "no Auto Scaling group", "autoscale", "--once", "--group", "other")
	})
}

func TestCost(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		term.want(0, "a month", "cost", "month", "--hours", "100")
		term.want(2, "no instance type", "cost", "month", "--instance", "z9.mega")
		term.want(3, "no finished jobs", "cost", "jobs")
		term.worker()
		term.want(0, "", "submit", term.url("scan.laz"), "--wait")
		var choices []struct {
			Instance struct{ Type string }
			Jobs     []struct {
				Kind string
				Jobs int
				Each float64
			}
			Total float64
		}
		out := term.want(0, "", "cost", "jobs", "--json")
		if err := json.Unmarshal([]byte(out), &choices); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if len(choices) < 5 || len(choices[0].Jobs) != 1 || choices[0].Jobs[0].Kind != "pointcloud" || choices[0].Jobs[0].Jobs != 1 || !(choices[0].Jobs[0].Each > 0) {
			t.Errorf("choices: %s", out)
		}
		checkSpent(t, term)
		if choices[0].Total > choices[len(choices)-1].Total {
			t.Errorf("the first costs %g, the last %g", choices[0].Total, choices[len(choices)-1].Total)
		}
	})
}

// A worker tells of the month's budget what was spent before it started: once, signed.
func TestBudget(t *testing.T) {
	type alert struct {
		EventID, Month string
		Percent        int
		Spent, Budget  float64
	}
	alerts := make(chan alert, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var a alert
		if err != nil || !callback.Verify(body, secret, r.Header.Get(callback.HeaderSignature)) || json.Unmarshal(body, &a) != nil {
			t.Errorf("a wrong alert: %s (%v)", body, err)
		}
		alerts <- a
	}))
	defer hook.Close()
	eachQueue(t, func(t *testing.T, term *terminal) {
		stop := term.worker()
		term.want(0, "", "submit", term.url("scan.laz"), "--wait", "--outputs", "laz")
		stop()
		term.worker("GPU_WORKER_SECRET_KEY="+secret, "SLATE360_COST_WEBHOOK="+hook.URL, "SLATE360_COST_BUDGET=0.001", "SLATE360_PRICE_HOUR=3600")
		select {
		case a := <-alerts:
			if a.Percent != 100 || a.Budget != 0.001 || !(a.Spent > 0.001) || a.EventID == "" || a.Month != time.Now().UTC().Format("2006-01") {
				t.Errorf("%+v", a)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nobody is told")
		}
	})
}

// checkSpent looks at what the one job has cost, by all that it can be summed up by.
func checkSpent(t *testing.T, term *terminal) {
	t.Helper()
	for by, name := range map[string]string{"kind": "pointcloud", "organisation": "(none)", "stage": "pointcloud/outlier"} {
		var spent struct {
			PriceHour, Spent, Forecast float64
			Shares                     []struct {
				Name string
				Jobs int
				Cost float64
			}
		}
		out := term.want(0, "", "cost", "spent", "--price", "3600", "--concurrency", "1", "--by", by, "--json")
		if err := json.Unmarshal([]byte(out), &spent); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sum, found := 0.0, false
		for _, s := range spent.Shares {
			sum += s.Cost
			found = found || s.Name == name && s.Jobs == 1
		}
		// At 3,600 an hour a second costs 1.
		if !found || spent.PriceHour != 3600 || !(spent.Spent > 0.01 && spent.Spent < 60) || math.Abs(sum-spent.Spent) > 1e-6 || spent.Forecast < spent.Spent {
			t.Errorf("by %s, sum %g: %s", by, sum, out)
		}
	}
	term.want(2, "want kind, organisation or stage", "cost", "spent", "--by", "weekday")
	term.want(0, "a day of late", "cost", "spent")
}
