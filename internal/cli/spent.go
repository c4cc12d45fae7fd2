package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/ops/cost"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// spentFlags are those of `cost spent`.
type spentFlags struct {
	costFlags
	instance    string
	price       float64
	concurrency int
	by          string
}

func (p *Program) costSpentCommand() *cobra.Command {
	f := &spentFlags{}
	c := &cobra.Command{
		Use: "spent", Short: "What this month's jobs have cost, by kind, organisation or stage, and the month's forecast", Args: cobra.NoArgs,
		Long: `Takes the jobs of this month from the records, completed and failed ones, and the time
each took. What a job costs is its time on the machine, divided by the jobs that
run there at once. Idle machines, storage and transfer are not in it: see 'cost month'.

The forecast adds, for the days that are left, the mean of the last seven. By stage, the
cost of a job is shared among its stages by the time of each; only of completed jobs
whose result.json is still in the storage.`,
		Example: "  " + Name + " cost spent --instance g4dn.xlarge\n  " + Name + " cost spent --by organisation --price 0.21 --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.costSpent(cmd.Context(), f) },
	}
	f.add(c)
	flags := c.Flags()
	flags.StringVar(&f.instance, "instance", "g4dn.xlarge", "type of the machines, whose price is the catalogue's")
	flags.Float64Var(&f.price, "price", 0, "what a machine costs an hour (default SLATE360_PRICE_HOUR, or that of --instance)")
	flags.IntVar(&f.concurrency, "concurrency", 0, "jobs that run at once on a machine (default SLATE360_CONCURRENCY)")
	flags.StringVar(&f.by, "by", "kind", "what to sum up by: kind, organisation or stage")
	return c
}

// spent is what `cost spent --json` prints.
type spent struct {
	Month    string  `json:"month"`
	Currency string  `json:"currency"`
	Price    float64 `json:"priceHour"`
	cost.Outlook
	Budget float64      `json:"budget,omitempty"`
	By     string       `json:"by"`
	Shares []cost.Share `json:"shares"`
}

func (p *Program) costSpent(ctx context.Context, f *spentFlags) error {
	c, err := load()
	if err != nil {
		return err
	}
	list, err := f.load(f.instance)
	if err != nil {
		return err
	}
	price, concurrency, err := f.rate(c, list)
	if err != nil {
		return err
	}
	records, err := p.openRecords(ctx, c)
	if err != nil {
		return err
	}
	defer records.Close()
	now := time.Now()
	jobs, err := p.costJobs(ctx, records, cost.OutlookSince(now))
	if err != nil {
		return err
	}
	rate := price / float64(concurrency)
	out := spent{
		Month: cost.MonthStart(now).Format("2006-01"), Currency: list.Currency, Price: price, Outlook: cost.NewOutlook(jobs, rate, now), Budget: c.Budget, By: f.by,
	}
	if out.Shares, err = p.shares(ctx, c, f.by, jobs, rate, cost.MonthStart(now)); err != nil {
		return err
	}
	if f.asJSON {
		return json.NewEncoder(p.Stdout).Encode(out)
	}
	return p.writeSpent(out)
}

// rate is the price of a machine, and how many jobs run there at once.
func (f *spentFlags) rate(c config.Config, list cost.Catalogue) (price float64, concurrency int, err error) {
	switch {
	case f.price < 0 || f.concurrency < 0:
		return 0, 0, usagef("--price and --concurrency: want numbers above 0")
	case f.price > 0:
		price = f.price
	case c.PriceHour > 0:
		price = c.PriceHour
	default:
		i, err := list.Instance(f.instance)
		if err != nil {
			return 0, 0, usagef("--instance: %w", err)
		}
		price = list.Price(i, f.spot)
	}
	if f.concurrency > 0 {
		return price, f.concurrency, nil
	}
	return price, c.Concurrency, nil
}

// costPage is how many records are read at once, costPages how many times at most.
const (
	costPage  = 500
	costPages = 200
)

// costLookback is how long before a time jobs may have been created that ended after it.
const costLookback = 3 * 24 * time.Hour

// costJobs are the jobs that ended since a time.
func (p *Program) costJobs(ctx context.Context, records record.Store, since time.Time) ([]cost.Job, error) {
	filter := record.Filter{
		Status: []job.Status{job.StatusCompleted, job.StatusFailed}, Since: since.Add(-costLookback), OldestFirst: true, Limit: costPage,
	}
	var jobs []cost.Job
	for range costPages {
		rows, err := records.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if r.StartedAt.IsZero() || !r.CompletedAt.After(since) {
				continue
			}
			jobs = append(jobs, cost.Job{
				ID: r.ID, Kind: p.kindOf(r.SourceFormat, r.SourceURL), Organisation: r.OrgID, Started: r.StartedAt, Ended: r.CompletedAt,
			})
		}
		if len(rows) < costPage {
			return jobs, nil
		}
		last := rows[len(rows)-1]
		filter.After = record.Position{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	return nil, fmt.Errorf("there are more than %d jobs since %s", costPage*costPages, since.Format(time.DateOnly))
}

// shares sums up by what was asked for.
func (p *Program) shares(ctx context.Context, c config.Config, by string, jobs []cost.Job, rate float64, since time.Time) ([]cost.Share, error) {
	name := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	}
	switch by {
	case "kind":
		return cost.Shares(jobs, rate, since, func(j cost.Job) string { return name(j.Kind) }), nil
	case "organisation":
		return cost.Shares(jobs, rate, since, func(j cost.Job) string { return name(j.Organisation) }), nil
	case "stage":
		return p.stageShares(ctx, c, jobs, rate, since)
	}
	return nil, usagef("--by: want kind, organisation or stage, got %q", by)
}

// stageShares reads the stages of each job from its result.json.
func (p *Program) stageShares(ctx context.Context, c config.Config, jobs []cost.Job, rate float64, since time.Time) ([]cost.Share, error) {
	store, err := p.Backends.Storage(ctx, c)
	if err != nil {
		return nil, unreachable("storage", "check AWS_S3_BUCKET and its credentials", err)
	}
	defer store.Close()
	took := map[string]map[string]float64{}
	for _, j := range jobs {
		stages, err := stagesOf(ctx, store, j.ID)
		if err != nil {
			return nil, err
		}
		took[j.ID] = map[string]float64{}
		for _, s := range stages {
			took[j.ID][j.Kind+"/"+s.Name] += s.Seconds
		}
	}
	return cost.Split(jobs, rate, since, func(j cost.Job) map[string]float64 { return took[j.ID] }), nil
}

// maxResult bounds what is read of a result.json.
const maxResult = 16 << 20

// stagesOf are the stages of a job as its result says; none where it has no result.
func stagesOf(ctx context.Context, store storage.Store, id string) ([]job.StageResult, error) {
	body, _, err := store.Open(ctx, "processed/"+id+"/"+pipeline.ResultFile)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var result job.Result
	if err := json.NewDecoder(io.LimitReader(body, maxResult)).Decode(&result); err != nil {
		return nil, fmt.Errorf("result of job %s: %w", id, err)
	}
	return result.Stages, nil
}

func (p *Program) writeSpent(o spent) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tjobs\ttime\tcost, %s\t\n", strings.ToUpper(o.By[:1])+o.By[1:], o.Currency)
	for _, s := range o.Shares {
		fmt.Fprintf(w, "%s\t%d\t%s\t%.4f\t\n", s.Name, s.Jobs, format.Remaining(time.Duration(s.Seconds*float64(time.Second))), s.Cost)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "\n%s: %.2f %s so far, %.2f at its end (%.2f a day of late), at %.4g an hour of a machine.\n",
		o.Month, o.Spent, o.Currency, o.Forecast, o.PerDay, o.Price)
	if o.Budget > 0 {
		fmt.Fprintf(p.Stdout, "Of the budget of %.2f, %.0f %% are spent.\n", o.Budget, 100*o.Spent/o.Budget)
	}
	return nil
}
