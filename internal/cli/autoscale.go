package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/queue"
)

type autoscaleFlags struct {
	group        string
	every        time.Duration
	once, dryRun bool
	asJSON       bool
	p            autoscale.Policy
}

func (p *Program) autoscaleCommand() *cobra.Command {
	f := &autoscaleFlags{}
	c := &cobra.Command{
		Use:   "autoscale",
		Short: "Keep an EC2 Auto Scaling group at the size that the queue needs",
		Long: `Looks at the queue every so often and sets the desired capacity of an EC2 Auto
Scaling group, so that a job that waits starts within the target delay: by the
work that waits, in the times that jobs of each kind took of late. The group
grows at once, shrinks when fewer machines have been enough for the cool-down, down
to its minimum, and never below what runs. Each decision says why.

The group's own bounds hold. With --dry-run nothing is changed. Where SLATE360_CLOUDWATCH
is api, how the queue stands is sent to CloudWatch meanwhile.`,
		Example: "  " + Name + " autoscale --group slate360-workers --dry-run --once\n" +
			"  " + Name + " autoscale --group slate360-workers --target-delay 5m --price 0.21 --cost-cap 2",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			f.complete(cmd, c)
			return p.autoscale(cmd.Context(), c, f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.group, "group", "", "name of the Auto Scaling group (default SLATE360_SCALING_GROUP)")
	flags.DurationVar(&f.every, "every", 30*time.Second, "time between two decisions")
	flags.BoolVar(&f.once, "once", false, "decide once and end; without a past to look at, it only grows the group")
	flags.BoolVar(&f.dryRun, "dry-run", false, "decide and say, change nothing")
	flags.BoolVar(&f.asJSON, "json", false, "decisions as JSON lines on standard output")
	flags.DurationVar(&f.p.TargetDelay, "target-delay", 5*time.Minute, "how long a job of normal priority may wait (default SLATE360_TARGET_DELAY); urgent ones half of it, low ones four times")
	flags.DurationVar(&f.p.DefaultJobTime, "job-time", 5*time.Minute, "what a job takes of a kind that was not measured yet")
	flags.DurationVar(&f.p.Boot, "boot", 3*time.Minute, "what a machine takes from being asked for to its first job")
	flags.DurationVar(&f.p.CoolDown, "cool-down", 15*time.Minute, "how long fewer machines must have been enough before the group shrinks (default SLATE360_COOL_DOWN)")
	flags.Float64Var(&f.p.PriceHour, "price", 0, "what a machine costs an hour (default SLATE360_PRICE_HOUR)")
	flags.Float64Var(&f.p.CostCapHour, "cost-cap", 0, "what the group may cost an hour, with --price (default SLATE360_COST_CAP); 0 is no cap")
	return c
}

// complete takes what is not typed from the configuration.
func (f *autoscaleFlags) complete(cmd *cobra.Command, c config.Config) {
	typed := cmd.Flags().Changed
	if !typed("group") {
		f.group = c.ScalingGroup
	}
	if !typed("target-delay") {
		f.p.TargetDelay = c.TargetDelay
	}
	if !typed("cool-down") {
		f.p.CoolDown = c.CoolDown
	}
	if !typed("price") {
		f.p.PriceHour = c.PriceHour
	}
	if !typed("cost-cap") {
		f.p.CostCapHour = c.CostCapHour
	}
}

func (p *Program) autoscale(ctx context.Context, c config.Config, f *autoscaleFlags) error {
	if f.group == "" {
		return usagef("no group: give --group, or set SLATE360_SCALING_GROUP")
	}
	if f.every < time.Second {
		return usagef("--every: want a second or more, got %s", f.every)
	}
	f.p.Concurrency = c.Concurrency
	scaler, err := autoscale.New(f.p)
	if err != nil {
		return usagef("%w", err)
	}
	target, err := p.Backends.Group(ctx, f.group, c.Region)
	if err != nil {
		return unreachable("Auto Scaling group", "check AWS_REGION and the credentials", err)
	}
	q, err := p.openQueue(ctx, c)
	if err != nil {
		return err
	}
	defer q.Close()
	o := p.followOptions(f, c, q, target, scaler)
	if f.once {
		_, err := autoscale.Once(ctx, o)
		return err
	}
	stop, err := p.reportQueue(ctx, c, q, p.logger(c))
	if err != nil {
		return err
	}
	defer stop()
	autoscale.Follow(ctx, o)
	return nil
}

// decided is a decision as JSON.
type decided struct {
	Time    time.Time `json:"time"`
	Group   string    `json:"group"`
	Waiting int       `json:"waiting"`
	Active  int       `json:"active"`
	Oldest  float64   `json:"oldestSeconds"`
	Was     int       `json:"was"`
	Running int       `json:"running"`
	Desired int       `json:"desired"`
	DryRun  bool      `json:"dryRun,omitempty"`
	Reasons []string  `json:"reasons"`
}

func (p *Program) followOptions(f *autoscaleFlags, c config.Config, q queue.Queue, target autoscale.Target, s *autoscale.Scaler) autoscale.FollowOptions {
	last := ""
	say := func(b autoscale.Backlog, g autoscale.Group, d autoscale.Decision) {
		if f.asJSON {
			_ = json.NewEncoder(p.Stdout).Encode(decided{ // a pipe that is closed ends the program
				time.Now().UTC(), f.group, b.Jobs(), b.Active, b.Oldest.Seconds(), g.Desired, g.Running, d.Desired, f.dryRun, d.Reasons,
			})
			return
		}
		line := fmt.Sprintf("%s: %d machines", f.group, d.Desired)
		if d.Desired != g.Desired {
			line = fmt.Sprintf("%s: from %d to %d machines", f.group, g.Desired, d.Desired)
		}
		line += " (" + strings.Join(d.Reasons, "; ") + ")"
		// That jobs wait for a second more is nothing new.
		if key := fmt.Sprint(g.Desired, d.Desired, b.Jobs(), b.Active); key != last {
			fmt.Fprintf(p.Stdout, "%s %s\n", time.Now().Format(time.DateTime), line)
			last = key
		}
	}
	return autoscale.FollowOptions{
		Reader: autoscale.Reader{Queue: q, Kind: p.kindOf}, Target: target, Scaler: s, Every: f.every, DryRun: f.dryRun,
		Decided: say, Logger: p.logger(c),
	}
}
