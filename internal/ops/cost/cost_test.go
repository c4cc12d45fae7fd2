package cost_test

import (
	"math"
	"testing"
	"time"

	"slate360.ai/worker/internal/ops/cost"
)

func catalogue(t *testing.T) cost.Catalogue {
	t.Helper()
	c, err := cost.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A month worked out by hand.
func TestMonth(t *testing.T) {
	e, err := catalogue(t).Month(cost.Usage{
		Instance: "g4dn.xlarge", Machines: 2, Hours: 73, DiskGiB: 200,
		StorageGB: 500, Puts: 200_000, Gets: 1_000_000, TransferGB: 300, QueueCommands: 600_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := 146*0.526 + 200*0.2*0.08 + 146*0.005 + 500*0.023 + 200*0.005 + 1000*0.0004 + 200*0.09 + 6*0.2
	if math.Abs(e.Total-want) > 1e-9 || len(e.Lines) != 8 {
		t.Errorf("total %.4f in %d lines, want %.4f", e.Total, len(e.Lines), want)
	}
	spot, err := catalogue(t).Month(cost.Usage{Instance: "g4dn.xlarge", Machines: 1, Hours: 730, Spot: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := 730*0.526*0.4 + 730*0.005; math.Abs(spot.Total-want) > 1e-9 {
		t.Errorf("spot month %.4f, want %.4f", spot.Total, want)
	}
}

func TestMonthRefuses(t *testing.T) {
	for _, u := range []cost.Usage{
		{Instance: "t2.nano", Machines: 1, Hours: 1},
		{Instance: "g5.xlarge", Machines: 1, Hours: 800},
		{Instance: "g5.xlarge", Machines: -1, Hours: 1},
		{Instance: "g5.xlarge", Machines: 1, Hours: math.NaN()},
	} {
		if e, err := catalogue(t).Month(u); err == nil {
			t.Errorf("%+v costs %.2f", u, e.Total)
		}
	}
}

// The machine that measured costs what its time costs; the order is by price.
func TestChoices(t *testing.T) {
	c := catalogue(t)
	mix := []cost.Measured{{Kind: "mesh", Jobs: 10, Mean: 36 * time.Second}, {Kind: "pointcloud", Jobs: 1, Mean: time.Hour}}
	list := c.Choices(mix, cost.Run{Processors: 4, Concurrency: 2}, false)
	if len(list) != len(c.Instances) {
		t.Fatalf("%d choices of %d", len(list), len(c.Instances))
	}
	last := 0.0
	for _, ch := range list {
		if ch.Total < last {
			t.Errorf("%s for %.4f comes after %.4f", ch.Instance.Type, ch.Total, last)
		}
		last = ch.Total
		if ch.Instance.Type == "g4dn.xlarge" {
			want := (10*36.0 + 3600) / 3600 * 0.526 / 2
			if math.Abs(ch.Total-want) > 1e-9 || ch.Estimated {
				t.Errorf("on the machine that measured: %.4f, want %.4f", ch.Total, want)
			}
		}
		if ch.Instance.VCPUs == 8 && !(ch.Jobs[1].Mean < 3600 && ch.Jobs[1].Mean > 1800) {
			t.Errorf("an hour on 4 processors is %.0f s on 8", ch.Jobs[1].Mean)
		}
	}
}

// Only stages get faster with more processors, and a machine without the memory is the
// last choice, however cheap.
func TestChoicesByStages(t *testing.T) {
	c := catalogue(t)
	network := cost.Measured{Kind: "mesh", Jobs: 1, Mean: time.Hour, Stages: map[string]float64{"lod": 0}, Timed: 1}
	stages := cost.Measured{Kind: "pointcloud", Jobs: 1, Mean: time.Hour, Stages: map[string]float64{"index": 3000, "copc": 4200}, Timed: 2, PeakBytes: 6 << 30}
	for _, ch := range c.Choices([]cost.Measured{network, stages}, cost.Run{Processors: 4, Concurrency: 1}, false) {
		if math.Abs(ch.Jobs[0].Mean-3600) > 1e-6 {
			t.Errorf("%s: what is the network's takes %g s", ch.Instance.Type, ch.Jobs[0].Mean)
		}
		// Amdahl by hand: an hour on 4, on 8 (0.1 + 0.9/8) / (0.1 + 0.9/4) of it.
		if want := 3600 * 0.2125 / 0.325; ch.Instance.VCPUs == 8 && math.Abs(ch.Jobs[1].Mean-want) > 1e-6 {
			t.Errorf("%s: stages take %g s, want %g", ch.Instance.Type, ch.Jobs[1].Mean, want)
		}
		if want := ch.Instance.MemoryGiB > 8; ch.Fits != want {
			t.Errorf("%s with %g GiB fits 6 GiB: %v", ch.Instance.Type, ch.Instance.MemoryGiB, ch.Fits)
		}
	}
	list := c.Choices([]cost.Measured{stages}, cost.Run{Processors: 4, Concurrency: 1}, false)
	if !list[0].Fits || list[len(list)-1].Fits {
		t.Errorf("first %+v, last %+v", list[0].Instance, list[len(list)-1].Instance)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `{"date":"2026-01-01","instances":[{"type":"x"}]}`} {
		if _, err := cost.Load([]byte(text)); err == nil {
			t.Errorf("catalogue %q was taken", text)
		}
	}
}
