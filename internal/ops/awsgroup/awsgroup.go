// Package awsgroup sizes an Amazon EC2 Auto Scaling group, keeps machines that work
// from being taken when it shrinks, and tells it when one that was to be taken has
// given its work back.
//
// It follows the "Amazon EC2 Auto Scaling API Reference". Where the service is, and
// who asks, comes from the environment as in all AWS clients
// (AWS_ENDPOINT_URL_AUTO_SCALING, AWS_REGION, instance profiles).
package awsgroup

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"slate360.ai/worker/internal/ops/autoscale"
)

// Group is an Auto Scaling group.
type Group struct {
	client *autoscaling.Client
	name   string
}

// Open returns the group of a name. It asks nothing yet.
func Open(ctx context.Context, name, region string) (*Group, error) {
	var opts []func(*awsconfig.LoadOptions) error
	if region != "" {
		opts = append(opts, awsconfig.WithRegion(region))
	}
	c, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	return &Group{client: autoscaling.NewFromConfig(c), name: name}, nil
}

// Of returns the group that a machine is in; nil where it is in none.
func Of(ctx context.Context, instance, region string) (*Group, error) {
	g, err := Open(ctx, "", region)
	if err != nil {
		return nil, err
	}
	out, err := g.client.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{instance}})
	if err != nil {
		return nil, err
	}
	if len(out.AutoScalingInstances) == 0 {
		return nil, nil //nolint:nilnil // being in none is no error
	}
	g.name = aws.ToString(out.AutoScalingInstances[0].AutoScalingGroupName)
	return g, nil
}

// State returns the group as it is: machines that are in service count as running.
func (g *Group) State(ctx context.Context) (autoscale.Group, error) {
	out, err := g.client.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{g.name}})
	if err != nil {
		return autoscale.Group{}, err
	}
	if len(out.AutoScalingGroups) == 0 {
		return autoscale.Group{}, fmt.Errorf("there is no Auto Scaling group %q in this region and account", g.name)
	}
	a := out.AutoScalingGroups[0]
	s := autoscale.Group{
		Desired: int(aws.ToInt32(a.DesiredCapacity)), Min: int(aws.ToInt32(a.MinSize)), Max: int(aws.ToInt32(a.MaxSize)),
	}
	for _, i := range a.Instances {
		if i.LifecycleState == types.LifecycleStateInService {
			s.Running++
		}
	}
	return s, nil
}

// Resize asks for n machines.
func (g *Group) Resize(ctx context.Context, n int) error {
	_, err := g.client.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: &g.name, DesiredCapacity: aws.Int32(int32(n)), HonorCooldown: aws.Bool(false),
	})
	return err
}

// Protect keeps a machine from being taken when the group shrinks, or no longer.
func (g *Group) Protect(ctx context.Context, instance string, on bool) error {
	_, err := g.client.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{
		AutoScalingGroupName: &g.name, InstanceIds: []string{instance}, ProtectedFromScaleIn: &on,
	})
	return err
}

// Hold lets the hooks of a machine's termination wait longer.
func (g *Group) Hold(ctx context.Context, instance string) error {
	return g.eachHook(ctx, func(hook *string) error {
		_, err := g.client.RecordLifecycleActionHeartbeat(ctx, &autoscaling.RecordLifecycleActionHeartbeatInput{
			AutoScalingGroupName: &g.name, LifecycleHookName: hook, InstanceId: &instance,
		})
		return err
	})
}

// Release tells the group that a machine which is to go has nothing left to do: the
// hooks of its termination need not wait any longer.
func (g *Group) Release(ctx context.Context, instance string) error {
	return g.eachHook(ctx, func(hook *string) error {
		_, err := g.client.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
			AutoScalingGroupName: &g.name, LifecycleHookName: hook, InstanceId: &instance, LifecycleActionResult: aws.String("CONTINUE"),
		})
		return err
	})
}

// terminating is the transition of hooks that wait before a machine is terminated.
const terminating = "autoscaling:EC2_INSTANCE_TERMINATING"

// eachHook calls f for each hook of terminations. One that has no action under way
// for the machine (others than ours may be there) is no error.
func (g *Group) eachHook(ctx context.Context, f func(hook *string) error) error {
	out, err := g.client.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &g.name})
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range out.LifecycleHooks {
		if aws.ToString(h.LifecycleTransition) != terminating {
			continue
		}
		var refused smithy.APIError
		if err := f(h.LifecycleHookName); errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" {
			continue
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
