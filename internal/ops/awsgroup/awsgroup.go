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
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

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

// Release tells the group that a machine which is to go has nothing left to do: the
// lifecycle hook need not wait any longer.
func (g *Group) Release(ctx context.Context, hook, instance string) error {
	_, err := g.client.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: &g.name, LifecycleHookName: &hook, InstanceId: &instance, LifecycleActionResult: aws.String("CONTINUE"),
	})
	return err
}
