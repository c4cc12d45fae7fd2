package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Ops is how the machine and the group that it is in are looked after.
type Ops struct {
	// Spot says whether notices of EC2 are followed: auto, on or off.
	Spot string
	// SpotMargin is the time before an interruption in which jobs go back to the
	// queue, SpotInterval that between two looks for notices, SpotRebalance what is
	// done on a recommendation: auto, drain or ignore.
	SpotMargin, SpotInterval time.Duration
	SpotRebalance            string
	// TerminateTimeout is what running jobs get where the group takes the machine.
	TerminateTimeout time.Duration
	// CheckpointBytes is the largest checkpoint that is saved.
	CheckpointBytes int64

	// ScalingGroup is the EC2 Auto Scaling group that autoscale sizes; empty is none.
	// Autoscale lets `run` do it, within TargetDelay and CoolDown and below
	// CostCapHour (0 is no cap).
	ScalingGroup          string
	Autoscale             bool
	TargetDelay, CoolDown time.Duration
	CostCapHour           float64
	// PriceHour is what the machine costs an hour; 0 is the catalogue's price.
	PriceHour float64

	// CloudWatch says how metrics go there: off, api or emf; each CloudWatchInterval.
	CloudWatch         string
	CloudWatchInterval time.Duration

	// Budget is what the jobs of a month may cost, 0 is no budget; BudgetWebhook is told
	// when parts of it are spent.
	Budget        float64
	BudgetWebhook string
}

// FollowsNotices tells whether notices of the machine are followed, which is on EC2
// or, likely, is not.
func (o Ops) FollowsNotices(likely bool) bool { return o.Spot == "on" || o.Spot == "auto" && likely }

func defaultOps() Ops {
	return Ops{
		Spot: "auto", SpotMargin: 30 * time.Second, SpotInterval: 5 * time.Second, SpotRebalance: "auto",
		TerminateTimeout: 10 * time.Minute, CheckpointBytes: 20 << 30, TargetDelay: 5 * time.Minute, CoolDown: 15 * time.Minute,
		CloudWatch: "off", CloudWatchInterval: time.Minute,
	}
}

func opsVariables() []Variable {
	return append(append(spotVariables(), scalingVariables()...), costVariables()...)
}

func spotVariables() []Variable {
	return []Variable{
		choice("SLATE360_SPOT", "auto: on EC2", "auto", "Whether notices of EC2 (interruption, rebalance, termination by the group) are followed.",
			[]string{"auto", "on", "off"}, func(c *Config) *string { return &c.Spot }),
		duration("SLATE360_SPOT_MARGIN", "30s", "30s", "Time before an interruption in which running jobs go back to the queue with what they have finished.",
			6*time.Second, 2*time.Minute, func(c *Config) *time.Duration { return &c.SpotMargin }),
		duration("SLATE360_SPOT_INTERVAL", "5s", "5s", "Time between two looks for notices.",
			100*time.Millisecond, time.Minute, func(c *Config) *time.Duration { return &c.SpotInterval }),
		choice("SLATE360_SPOT_REBALANCE", "auto: once another worker takes jobs", "drain", "Whether a rebalance recommendation stops the taking of jobs.",
			[]string{"auto", "drain", "ignore"}, func(c *Config) *string { return &c.SpotRebalance }),
		duration("SLATE360_TERMINATE_TIMEOUT", "10m", "30m", "What running jobs get to end where the Auto Scaling group takes the machine; needs a lifecycle hook.",
			0, 48*time.Hour, func(c *Config) *time.Duration { return &c.TerminateTimeout }),
		size("SLATE360_CHECKPOINT_MAX", "20G", "50G", "Largest checkpoint of a job's finished stages that is saved where it is given back.",
			func(c *Config) *int64 { return &c.CheckpointBytes }),
	}
}

func scalingVariables() []Variable {
	return []Variable{
		text("SLATE360_SCALING_GROUP", "none", "slate360-workers", "EC2 Auto Scaling group that autoscale sizes.",
			func(c *Config) *string { return &c.ScalingGroup }),
		{
			Name: "SLATE360_AUTOSCALE", Default: "false", Example: "true",
			Doc: "Whether run sizes SLATE360_SCALING_GROUP too; of several workers one does. For a worker outside of the group.",
			set: func(c *Config, v string) (err error) { c.Autoscale, err = parseBool(v); return err },
		},
		duration("SLATE360_TARGET_DELAY", "5m", "5m", "How long a job of normal priority may wait for a machine.",
			time.Second, 24*time.Hour, func(c *Config) *time.Duration { return &c.TargetDelay }),
		duration("SLATE360_COOL_DOWN", "15m", "15m", "How long fewer machines must have been enough before the group shrinks.",
			time.Second, 24*time.Hour, func(c *Config) *time.Duration { return &c.CoolDown }),
		money("SLATE360_COST_CAP", "none", "5", "What the group may cost an hour; needs SLATE360_PRICE_HOUR.", func(c *Config) *float64 { return &c.CostCapHour }),
		money("SLATE360_PRICE_HOUR", "the catalogue's for the type of the machine", "0.21", "What a machine costs an hour, in the catalogue's currency.",
			func(c *Config) *float64 { return &c.PriceHour }),
	}
}

func costVariables() []Variable {
	return []Variable{
		choice("SLATE360_CLOUDWATCH", "off", "api", "How metrics go to CloudWatch (namespace Slate360/Worker): api calls PutMetricData, emf writes lines in the embedded metric format to standard output.",
			[]string{"off", "api", "emf"}, func(c *Config) *string { return &c.CloudWatch }),
		duration("SLATE360_CLOUDWATCH_INTERVAL", "60s", "60s", "Time between two sets of metrics.",
			time.Second, time.Hour, func(c *Config) *time.Duration { return &c.CloudWatchInterval }),
		money("SLATE360_COST_BUDGET", "none", "500", "What the jobs of a month may cost: at 50, 80 and 100 % there is a warning in the log, and at SLATE360_COST_WEBHOOK.",
			func(c *Config) *float64 { return &c.Budget }),
		{
			Name: "SLATE360_COST_WEBHOOK", Default: "none", Example: "https://slate360.example.com/api/costs",
			Doc: "Address that is told when a part of SLATE360_COST_BUDGET is spent, signed as callbacks are.",
			set: func(c *Config, v string) error { c.BudgetWebhook = v; return checkURL(v, "https", "http") },
		},
	}
}

// completeOps returns what does not fit together.
func (c *Config) completeOps() (faults []string) {
	needs := func(set bool, name string, there bool, needed string) {
		if set && !there {
			faults = append(faults, fmt.Sprintf("%s is set but %s is not", name, needed))
		}
	}
	needs(c.Autoscale, "SLATE360_AUTOSCALE", c.ScalingGroup != "", "SLATE360_SCALING_GROUP")
	needs(c.CostCapHour > 0, "SLATE360_COST_CAP", c.PriceHour > 0, "SLATE360_PRICE_HOUR")
	needs(c.BudgetWebhook != "", "SLATE360_COST_WEBHOOK", c.Budget > 0, "SLATE360_COST_BUDGET")
	needs(c.BudgetWebhook != "", "SLATE360_COST_WEBHOOK", c.WorkerSecret != "", "GPU_WORKER_SECRET_KEY")
	return faults
}

func choice(name, def, example, doc string, known []string, field func(c *Config) *string) Variable {
	return Variable{Name: name, Default: def, Example: example, Doc: doc + " One of " + strings.Join(known, ", ") + ".", set: func(c *Config, v string) error {
		*field(c) = strings.ToLower(v)
		return oneOf(*field(c), known...)
	}}
}

func money(name, def, example, doc string, field func(c *Config) *float64) Variable {
	return Variable{Name: name, Default: def, Example: example, Doc: doc, set: func(c *Config, v string) error {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || !(x > 0) || math.IsInf(x, 0) {
			return fmt.Errorf("want a price above 0, got %q", v)
		}
		*field(c) = x
		return nil
	}}
}
