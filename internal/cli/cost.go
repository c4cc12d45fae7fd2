package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/ops/autoscale"
	"slate360.ai/worker/internal/ops/cost"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/source"
)

func (p *Program) costCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cost",
		Short: "What the service costs: a month ahead, a job, what was spent",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(p.costMonthCommand(), p.costJobsCommand(), p.costSpentCommand())
	return c
}

// costFlags are shared by the commands.
type costFlags struct {
	catalogue string
	spot      bool
	spotPrice float64
	asJSON    bool
}

func (f *costFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.catalogue, "catalogue", "", "file of prices, instead of the built-in list (JSON, as 'cost month --json --print-catalogue' shows it)")
	c.Flags().BoolVar(&f.spot, "spot", true, "spot instances, not on demand")
	c.Flags().Float64Var(&f.spotPrice, "spot-price", 0, "what an hour on spot costs now (default: the catalogue's share of the on-demand price)")
	c.Flags().BoolVar(&f.asJSON, "json", false, "as JSON")
}

// load reads the catalogue; instance, where not empty, gets the spot price that was
// given.
func (f *costFlags) load(instance string) (cost.Catalogue, error) {
	var data []byte
	if f.catalogue != "" {
		var err error
		if data, err = os.ReadFile(f.catalogue); err != nil {
			return cost.Catalogue{}, usagef("--catalogue: %w", err)
		}
	}
	c, err := cost.Load(data)
	if err != nil {
		return c, usagef("--catalogue: %w", err)
	}
	if f.spotPrice < 0 {
		return c, usagef("--spot-price: want a price, got %g", f.spotPrice)
	}
	for i := range c.Instances {
		if f.spotPrice > 0 && c.Instances[i].Type == instance {
			c.Instances[i].Spot = f.spotPrice
		}
	}
	return c, nil
}

func (p *Program) costMonthCommand() *cobra.Command {
	f := &costFlags{}
	u := cost.Usage{}
	var prices bool
	c := &cobra.Command{
		Use: "month", Short: "Estimate a month by its hours, storage and traffic", Args: cobra.NoArgs,
		Example: "  " + Name + " cost month --instance g4dn.xlarge --hours 120 --storage 500 --transfer 300\n" +
			"  " + Name + " cost month --instance g5.xlarge --spot-price 0.38 --machines 2",
		RunE: func(*cobra.Command, []string) error {
			list, err := f.load(u.Instance)
			if err != nil {
				return err
			}
			if prices {
				enc := json.NewEncoder(p.Stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(list)
			}
			u.Spot = f.spot
			e, err := list.Month(u)
			if err != nil {
				return usagef("%w", err)
			}
			if f.asJSON {
				return json.NewEncoder(p.Stdout).Encode(e)
			}
			return p.writeMonth(e, list)
		},
	}
	f.add(c)
	flags := c.Flags()
	flags.StringVar(&u.Instance, "instance", "g4dn.xlarge", "type of the machines")
	flags.IntVar(&u.Machines, "machines", 1, "how many")
	flags.Float64Var(&u.Hours, "hours", cost.HoursOfMonth, "hours that each runs in the month")
	flags.Float64Var(&u.DiskGiB, "disk", 200, "GiB of disk of each")
	flags.Float64Var(&u.StorageGB, "storage", 0, "GB of results kept")
	flags.Float64Var(&u.Puts, "puts", 0, "objects written (a tileset is thousands)")
	flags.Float64Var(&u.Gets, "gets", 0, "objects read")
	flags.Float64Var(&u.TransferGB, "transfer", 0, "GB sent to the internet")
	flags.Float64Var(&u.QueueCommands, "queue-commands", 0, "commands of a queue at Upstash (an idle worker over REST sends 9,000 a day)")
	flags.BoolVar(&prices, "print-catalogue", false, "print the prices that are used, as JSON, and nothing else")
	return c
}

func (p *Program) writeMonth(e cost.Estimate, list cost.Catalogue) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, l := range e.Lines {
		fmt.Fprintf(w, "%s\t%s %s\t× %.4g\t%.2f %s\t\n", l.What, trimmed(l.Amount), l.Unit, l.Each, l.Cost, e.Currency)
	}
	fmt.Fprintf(w, "a month\t\t\t%.2f %s\t\n", e.Total, e.Currency)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "\nPrices of %s in %s. %s\n", e.Date, e.Region, list.Note)
	return err
}

// trimmed writes a number with at most two decimals.
func trimmed(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

func (p *Program) costJobsCommand() *cobra.Command {
	f := &costFlags{}
	var (
		instance                string
		processors, concurrency int
	)
	c := &cobra.Command{
		Use: "jobs", Short: "Cost of a job by kind, from those that finished, and the cheapest machine for them", Args: cobra.NoArgs,
		Long: `Takes the jobs that finished last from the queue, and the time each took. What a job
costs is its time on the machine, divided by the jobs that ran beside it. For other
types of machines the time of its stages, as far as their results are in the storage, is
converted by their number of processors; fetching and publishing stay as they are. A
machine whose memory is too small for the largest job comes last.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := f.load(instance)
			if err != nil {
				return err
			}
			mix, err := p.measured(cmd.Context())
			if err != nil {
				return err
			}
			return p.writeChoices(list.Choices(mix, cost.Run{Processors: processors, Concurrency: concurrency}, f.spot), list, f)
		},
	}
	f.add(c)
	c.Flags().StringVar(&instance, "instance", "", "type that --spot-price is of")
	c.Flags().IntVar(&processors, "processors", runtime.NumCPU(), "processors of the machine that ran the jobs")
	c.Flags().IntVar(&concurrency, "concurrency", 2, "jobs that ran at once there")
	return c
}

// measuredJobs is how many finished jobs are looked at.
const measuredJobs = 1000

// measuredResults is for how many of them stages are looked at, the last ones.
const measuredResults = 100

// measured are the finished jobs of the queue by kind.
func (p *Program) measured(ctx context.Context) ([]cost.Measured, error) {
	var jobs []queue.Job
	err := p.withQueue(ctx, func(q queue.Queue) (err error) {
		jobs, err = q.List(ctx, queue.StateCompleted, 0, measuredJobs)
		return err
	})
	if err != nil {
		return nil, err
	}
	reader := autoscale.Reader{Kind: p.kindOf}
	counts := map[string]int{}
	times := autoscale.Times(jobs, func(j queue.Job) string {
		kind := reader.KindOf(j)
		counts[kind]++
		return kind
	})
	var mix []cost.Measured
	for kind, mean := range times {
		mix = append(mix, cost.Measured{Kind: kind, Jobs: counts[kind], Mean: mean, Stages: map[string]float64{}})
	}
	if len(mix) == 0 {
		return nil, pipeline.BadInput(fmt.Errorf("the queue has no finished jobs"), "process some first; SLATE360_KEEP_COMPLETED says how many stay")
	}
	slices.SortFunc(mix, func(a, b cost.Measured) int { return strings.Compare(a.Kind, b.Kind) })
	return mix, p.measureStages(ctx, jobs[:min(len(jobs), measuredResults)], mix, reader.KindOf)
}

// measureStages adds what the results of jobs say of their stages.
func (p *Program) measureStages(ctx context.Context, jobs []queue.Job, mix []cost.Measured, kindOf func(queue.Job) string) error {
	c, err := load()
	if err != nil {
		return err
	}
	store, err := p.Backends.Storage(ctx, c)
	if err != nil {
		return unreachable("storage", "check AWS_S3_BUCKET and its credentials", err)
	}
	defer store.Close()
	for _, j := range jobs {
		kind := kindOf(j)
		i := slices.IndexFunc(mix, func(m cost.Measured) bool { return m.Kind == kind })
		stages, err := stagesOf(ctx, store, resultID(j))
		if err != nil {
			return err
		}
		if i < 0 || len(stages) == 0 {
			continue
		}
		m := &mix[i]
		m.Timed++
		for _, s := range stages {
			m.Stages[s.Name] += s.Seconds
			m.PeakBytes = max(m.PeakBytes, s.PeakBytes)
		}
	}
	return nil
}

// resultID is the ID below which the outputs of a job of the queue are.
func resultID(j queue.Job) string {
	var value struct {
		JobID string `json:"jobId"`
	}
	if json.Unmarshal(j.ReturnValue, &value) == nil && value.JobID != "" {
		return value.JobID
	}
	return j.ID
}

// kindOf names the pipeline of a source.
func (p *Program) kindOf(name, url string) string {
	f, err := source.ParseFormat(name)
	if err != nil || f == source.Auto {
		f = source.FormatOfName(url)
	}
	if def, ok := p.Pipeline(f); ok {
		return def.Name
	}
	return string(f)
}

func (p *Program) writeChoices(choices []cost.Choice, list cost.Catalogue, f *costFlags) error {
	if f.asJSON {
		return json.NewEncoder(p.Stdout).Encode(choices)
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "machine\tan hour\t")
	for _, j := range choices[0].Jobs {
		fmt.Fprintf(w, "%s (%d)\t", j.Kind, j.Jobs)
	}
	fmt.Fprintln(w, "all\t")
	for _, c := range choices {
		fmt.Fprintf(w, "%s\t%.3f\t", c.Instance.Type, c.Price)
		for _, j := range c.Jobs {
			fmt.Fprintf(w, "%.5f in %s\t", j.Each, format.Remaining(time.Duration(j.Mean*float64(time.Second))))
		}
		note := ""
		if !c.Fits {
			note = "too little memory"
		}
		fmt.Fprintf(w, "%.4f\t%s\n", c.Total, note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "\nPrices of %s in %s, %s. %s\n", list.Date, list.Region, list.Currency, list.Note)
	return err
}
