// Package cost estimates what the service costs on AWS: a month by its hours,
// storage and traffic, and a job by its measured time.
//
// Prices are data (catalogue.json) with a date and a region: they are what the
// provider listed then, not what it bills now.
package cost

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

//go:embed catalogue.json
var catalogueJSON []byte

// Catalogue has the prices of a region at a date.
type Catalogue struct {
	Currency string `json:"currency"`
	Region   string `json:"region"`
	Date     string `json:"date"`
	Note     string `json:"note"`
	// Sources say where the prices are listed.
	Sources []string `json:"sources,omitempty"`
	// SpotShare is the part of the on-demand price that spot is taken to cost where
	// it is not known.
	SpotShare float64    `json:"spotShare"`
	Instances []Instance `json:"instances"`
	Rates     Rates      `json:"rates"`
}

// Instance is a type of machine; prices are an hour's.
type Instance struct {
	Type         string  `json:"type"`
	VCPUs        int     `json:"vcpus"`
	MemoryGiB    float64 `json:"memoryGiB"`
	GPU          string  `json:"gpu,omitempty"`
	GPUs         int     `json:"gpus,omitempty"`
	GPUMemoryGiB float64 `json:"gpuMemoryGiB,omitempty"`
	OnDemand     float64 `json:"onDemand"`
	// Spot is 0 where it is not known.
	Spot float64 `json:"spot,omitempty"`
}

// Rates are the prices of what is beside machines.
type Rates struct {
	DiskGiBMonth   float64 `json:"diskGiBMonth"`
	StorageGBMonth float64 `json:"storageGBMonth"`
	PutPer1000     float64 `json:"putPer1000"`
	GetPer1000     float64 `json:"getPer1000"`
	TransferGB     float64 `json:"transferGB"`
	TransferFreeGB float64 `json:"transferFreeGB"`
	QueuePer100000 float64 `json:"queuePer100000"`
	AddressHour    float64 `json:"addressHour"`
}

// Load returns the catalogue that is built in, or the one in data where that is
// not nil.
func Load(data []byte) (Catalogue, error) {
	if data == nil {
		data = catalogueJSON
	}
	var c Catalogue
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("catalogue of prices: %w", err)
	}
	if len(c.Instances) == 0 || c.Date == "" {
		return c, fmt.Errorf("catalogue of prices: no instances, or no date")
	}
	for _, i := range c.Instances {
		if i.Type == "" || i.VCPUs <= 0 || !(i.OnDemand > 0) || i.Spot < 0 {
			return c, fmt.Errorf("catalogue of prices: instance %q has no type, processors or price", i.Type)
		}
	}
	return c, nil
}

// Instance returns a type by its name.
func (c Catalogue) Instance(name string) (Instance, error) {
	i := slices.IndexFunc(c.Instances, func(i Instance) bool { return i.Type == name })
	if i < 0 {
		var names []string
		for _, k := range c.Instances {
			names = append(names, k.Type)
		}
		return Instance{}, fmt.Errorf("the catalogue has no instance type %q; it has %s", name, strings.Join(names, ", "))
	}
	return c.Instances[i], nil
}

// Price is that of an hour.
func (c Catalogue) Price(i Instance, spot bool) float64 {
	switch {
	case !spot:
		return i.OnDemand
	case i.Spot > 0:
		return i.Spot
	}
	return math.Round(i.OnDemand*c.SpotShare*1e4) / 1e4
}

// Usage is what a month takes.
type Usage struct {
	Instance string
	Spot     bool
	// Machines is their number, Hours those that each runs in the month.
	Machines int
	Hours    float64
	// DiskGiB of each machine, for as long as it exists.
	DiskGiB float64
	// StorageGB kept, Puts and Gets of objects, TransferGB to the internet.
	StorageGB, Puts, Gets, TransferGB float64
	// QueueCommands of a queue that is paid by the command.
	QueueCommands float64
}

// Line is one position of an estimate.
type Line struct {
	What   string  `json:"what"`
	Amount float64 `json:"amount"`
	Unit   string  `json:"unit"`
	Each   float64 `json:"each"`
	Cost   float64 `json:"cost"`
}

// Estimate is what a month costs.
type Estimate struct {
	Currency string  `json:"currency"`
	Region   string  `json:"region"`
	Date     string  `json:"pricesOf"`
	Lines    []Line  `json:"lines"`
	Total    float64 `json:"total"`
}

// HoursOfMonth is what a machine that is always on runs for.
const HoursOfMonth = 730

// Month estimates a month.
func (c Catalogue) Month(u Usage) (Estimate, error) {
	e := Estimate{Currency: c.Currency, Region: c.Region, Date: c.Date}
	for name, v := range map[string]float64{
		"machines": float64(u.Machines), "hours": u.Hours, "disk": u.DiskGiB, "storage": u.StorageGB, "puts": u.Puts, "gets": u.Gets,
		"transfer": u.TransferGB, "queue commands": u.QueueCommands,
	} {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return e, fmt.Errorf("%s: want a number from 0 up, got %g", name, v)
		}
	}
	if u.Hours > 744 {
		return e, fmt.Errorf("a month has at most 744 hours, got %g", u.Hours)
	}
	i, err := c.Instance(u.Instance)
	if err != nil {
		return e, err
	}
	kind := "on demand"
	if u.Spot {
		kind = "spot"
	}
	hours := float64(u.Machines) * u.Hours
	r := c.Rates
	for _, l := range []Line{
		{What: i.Type + " " + kind, Amount: hours, Unit: "h", Each: c.Price(i, u.Spot)},
		{What: "disk, gp3", Amount: u.DiskGiB * hours / HoursOfMonth, Unit: "GiB-month", Each: r.DiskGiBMonth},
		{What: "public IPv4 address", Amount: hours, Unit: "h", Each: r.AddressHour},
		{What: "object storage", Amount: u.StorageGB, Unit: "GB-month", Each: r.StorageGBMonth},
		{What: "objects written", Amount: u.Puts / 1000, Unit: "thousand", Each: r.PutPer1000},
		{What: "objects read", Amount: u.Gets / 1000, Unit: "thousand", Each: r.GetPer1000},
		{What: "transfer out", Amount: max(0, u.TransferGB-r.TransferFreeGB), Unit: "GB", Each: r.TransferGB},
		{What: "queue, Upstash", Amount: u.QueueCommands / 100000, Unit: "100,000 commands", Each: r.QueuePer100000},
	} {
		if l.Amount == 0 {
			continue
		}
		l.Cost = l.Amount * l.Each
		e.Total += l.Cost
		e.Lines = append(e.Lines, l)
	}
	return e, nil
}

// Measured are finished jobs alike.
type Measured struct {
	Kind string
	Jobs int
	// Mean is the time a job takes on a machine with Processors, when it has the
	// machine's Concurrency-th part.
	Mean time.Duration
	// Stages are the seconds of each stage, summed over Timed of the jobs; PeakBytes is
	// the most memory that one had. Both are 0 where it is not known.
	Stages    map[string]float64
	Timed     int
	PeakBytes int64
}

// Run is how the measured jobs ran.
type Run struct {
	// Processors of the machine that measured, Concurrency of its jobs.
	Processors, Concurrency int
}

// parallelShare is the part of a stage that all processors share, of Amdahl's law. It
// is an assumption, until jobs were measured on the machine in question. What a job
// takes beside its stages (fetching, publishing) is the network's and does not get
// faster.
const parallelShare = 0.9

// speed is how much faster n processors do a job than k. Where it is known how long
// the stages took, only they get faster.
func (m Measured) speed(n, k int) float64 {
	staged := 1.0
	if m.Timed > 0 && m.Mean > 0 {
		sum := 0.0
		for _, s := range m.Stages {
			sum += s
		}
		// Stages run side by side: their sum can be more than the job.
		staged = min(sum/float64(m.Timed)/m.Mean.Seconds(), 1)
	}
	t := func(n int) float64 {
		return (1 - staged) + staged*((1-parallelShare)+parallelShare/float64(n))/((1-parallelShare)+parallelShare/float64(k))
	}
	return 1 / t(n)
}

// JobCost is what jobs of a kind cost on a type of machine.
type JobCost struct {
	Kind  string  `json:"kind"`
	Jobs  int     `json:"jobs"`
	Mean  float64 `json:"meanSeconds"`
	Each  float64 `json:"each"`
	Total float64 `json:"total"`
}

// Choice is a type of machine with what a mix of jobs costs on it.
type Choice struct {
	Instance Instance  `json:"instance"`
	Price    float64   `json:"priceHour"`
	Jobs     []JobCost `json:"jobs"`
	Total    float64   `json:"total"`
	// Estimated says that the times are converted from another machine's.
	Estimated bool `json:"estimated"`
	// Fits says that the memory is enough for the largest job that was measured; where
	// none was, it is.
	Fits bool `json:"fits"`
}

// budgetShare is the part of a machine's memory that jobs may use (SLATE360_MEMORY).
const budgetShare = 0.7

// fits tells whether a machine's memory is enough for each job of a mix.
func fits(i Instance, mix []Measured) bool {
	return !slices.ContainsFunc(mix, func(m Measured) bool { return float64(m.PeakBytes) > budgetShare*i.MemoryGiB*(1<<30) })
}

// Choices returns what a mix costs on each type of machine, the cheapest first, and
// last those whose memory is too small for it.
// Times are converted by the number of processors alone: GPUs are not counted,
// since engines that use one are not measured on machines without.
func (c Catalogue) Choices(mix []Measured, r Run, spot bool) []Choice {
	var list []Choice
	for _, i := range c.Instances {
		ch := Choice{Instance: i, Price: c.Price(i, spot), Estimated: i.VCPUs != r.Processors, Fits: fits(i, mix)}
		for _, m := range mix {
			mean := m.Mean.Seconds() / m.speed(i.VCPUs, r.Processors)
			each := mean / 3600 * ch.Price / float64(max(r.Concurrency, 1))
			ch.Jobs = append(ch.Jobs, JobCost{Kind: m.Kind, Jobs: m.Jobs, Mean: mean, Each: each, Total: each * float64(m.Jobs)})
			ch.Total += each * float64(m.Jobs)
		}
		list = append(list, ch)
	}
	slices.SortStableFunc(list, func(a, b Choice) int {
		if a.Fits != b.Fits {
			if a.Fits {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Total, b.Total)
	})
	return list
}
