package awsgroup_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"slate360.ai/worker/internal/ops/awsgroup"
	"slate360.ai/worker/internal/testservices"
)

func environment(t *testing.T, env []string) {
	t.Helper()
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
}

// A group of moto is sized; its machines know that they are in it, and are protected.
func TestGroup(t *testing.T) {
	server := testservices.AWS(t)
	environment(t, server.Environment())
	c, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := autoscaling.NewFromConfig(c)
	name := aws.String("workers")
	_, err = client.CreateLaunchConfiguration(t.Context(), &autoscaling.CreateLaunchConfigurationInput{
		LaunchConfigurationName: name, ImageId: aws.String("ami-12c6146b"), InstanceType: aws.String("g4dn.xlarge"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: name, LaunchConfigurationName: name, MinSize: aws.Int32(0), MaxSize: aws.Int32(3), AvailabilityZones: []string{"us-east-1a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := awsgroup.Open(t.Context(), *name, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Resize(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if s, err := g.State(t.Context()); err != nil || s.Desired != 2 || s.Running != 2 || s.Min != 0 || s.Max != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	out, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		t.Fatal(err)
	}
	instance := *out.AutoScalingGroups[0].Instances[0].InstanceId
	of, err := awsgroup.Of(t.Context(), instance, "us-east-1")
	if err != nil || of == nil {
		t.Fatalf("the group of %s: %v, %v", instance, of, err)
	}
	for _, on := range []bool{true, false} {
		if err := of.Protect(t.Context(), instance, on); err != nil {
			t.Fatal(err)
		}
		out, err := client.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{instance}})
		if err != nil || *out.AutoScalingInstances[0].ProtectedFromScaleIn != on {
			t.Errorf("protected: want %v (%v)", on, err)
		}
	}
	if of, err := awsgroup.Of(t.Context(), "i-0123456789abcdef0", "us-east-1"); of != nil || err != nil {
		t.Errorf("a machine in no group is in %v, %v", of, err)
	}
}

// scaling answers as the service does to what goes on with hooks, which moto does not know.
type scaling struct {
	mu    sync.Mutex
	calls []string
}

func (s *scaling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	action, hook := r.FormValue("Action"), r.FormValue("LifecycleHookName")
	if action == "DescribeLifecycleHooks" {
		fmt.Fprint(w, `<DescribeLifecycleHooksResponse><DescribeLifecycleHooksResult><LifecycleHooks>`)
		for name, transition := range map[string]string{"drain": "TERMINATING", "other": "TERMINATING", "boot": "LAUNCHING"} {
			fmt.Fprintf(w, `<member><LifecycleHookName>%s</LifecycleHookName><LifecycleTransition>autoscaling:EC2_INSTANCE_%s</LifecycleTransition></member>`, name, transition)
		}
		fmt.Fprint(w, `</LifecycleHooks></DescribeLifecycleHooksResult></DescribeLifecycleHooksResponse>`)
		return
	}
	s.calls = append(s.calls, strings.Join([]string{action, hook, r.FormValue("InstanceId"), r.FormValue("LifecycleActionResult")}, " "))
	if hook == "other" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>No active Lifecycle Action found</Message></Error></ErrorResponse>`)
		return
	}
	fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult/></%[1]sResponse>`, action)
}

// Hooks of terminations are held and completed; one that is not under way for the
// machine is passed over, those of launches are not touched.
func TestHooks(t *testing.T) {
	s := &scaling{}
	server := httptest.NewServer(s)
	defer server.Close()
	environment(t, []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_ENDPOINT_URL_AUTO_SCALING=" + server.URL})
	g, err := awsgroup.Open(t.Context(), "workers", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Hold(t.Context(), "i-1"); err != nil {
		t.Error(err)
	}
	if err := g.Release(t.Context(), "i-1"); err != nil {
		t.Error(err)
	}
	slices.Sort(s.calls)
	want := []string{
		"CompleteLifecycleAction drain i-1 CONTINUE", "CompleteLifecycleAction other i-1 CONTINUE",
		"RecordLifecycleActionHeartbeat drain i-1 ", "RecordLifecycleActionHeartbeat other i-1 ",
	}
	if !slices.Equal(s.calls, want) {
		t.Errorf("calls %q, want %q", s.calls, want)
	}
}
