package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/worker"
)

func (p *Program) jobsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "jobs",
		Short: "See and steer the jobs of the queue",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(p.jobsListCommand(), p.jobsShowCommand(), p.jobsWatchCommand(), p.jobsLogsCommand(),
		p.jobsEachCommand("cancel", "Cancel jobs: waiting ones are removed, running ones ended", "canceled", queue.Queue.Cancel),
		p.jobsEachCommand("retry", "Give failed jobs another round of attempts", "waiting again", queue.Queue.Retry))
	return c
}

// withQueue calls f with the configured queue.
func (p *Program) withQueue(ctx context.Context, f func(q queue.Queue) error) error {
	c, err := load()
	if err != nil {
		return err
	}
	q, err := p.openQueue(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(f(q), q.Close())
}

// noJob makes an unknown ID bad input.
func noJob(id string, err error) error {
	if errors.Is(err, queue.ErrNotFound) || errors.Is(err, queue.ErrState) {
		return pipeline.BadInput(fmt.Errorf("job %s: %w", id, err), "")
	}
	return err
}

func (p *Program) jobsListCommand() *cobra.Command {
	var (
		states        []string
		offset, limit int
		asJSON        bool
	)
	c := &cobra.Command{
		Use: "list", Short: "List jobs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := parseStates(states)
			if err != nil {
				return err
			}
			return p.withQueue(cmd.Context(), func(q queue.Queue) error {
				return p.listJobs(cmd.Context(), q, wanted, offset, limit, asJSON)
			})
		},
	}
	c.Flags().StringSliceVar(&states, "state", nil, "states to list, separated by commas (default all)")
	c.Flags().IntVar(&offset, "offset", 0, "how many of each state to leave out")
	c.Flags().IntVar(&limit, "limit", 20, "how many of each state to list")
	c.Flags().BoolVar(&asJSON, "json", false, "JSON lines")
	return c
}

func parseStates(names []string) ([]queue.State, error) {
	if len(names) == 0 {
		return queue.States(), nil
	}
	var wanted []queue.State
	for _, n := range names {
		found := false
		for _, s := range queue.States() {
			if string(s) == strings.ToLower(n) {
				wanted, found = append(wanted, s), true
			}
		}
		if !found {
			return nil, usagef("--state: there is no state %q; there are %v", n, queue.States())
		}
	}
	return wanted, nil
}

func (p *Program) listJobs(ctx context.Context, q queue.Queue, states []queue.State, offset, limit int, asJSON bool) error {
	counts, err := q.Counts(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	enc := json.NewEncoder(p.Stdout)
	for _, s := range states {
		jobs, err := q.List(ctx, s, offset, limit)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.State == "" {
				j.State = s
			}
			if asJSON {
				if err := enc.Encode(j); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", j.ID, j.State, percentOf(j), j.Added.Local().Format(time.DateTime), oneLine(sourceOf(j)))
		}
		if more := counts[s] - int64(offset+len(jobs)); more > 0 && !asJSON {
			fmt.Fprintf(w, "… and %d more that are %s\n", more, s)
		}
	}
	return w.Flush()
}

// percentOf is the progress of a job for people.
func percentOf(j queue.Job) string {
	var pct float64
	if json.Unmarshal(j.Progress, &pct) != nil {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", pct)
}

func sourceOf(j queue.Job) string {
	var payload worker.Payload
	if json.Unmarshal(j.Data, &payload) != nil {
		return j.Name
	}
	source := payload.SourceURL
	if source == "" && len(payload.SourceURLs) > 0 {
		source = payload.SourceURLs[0]
	}
	source, _, _ = strings.Cut(source, "?") // signatures are nobody's business
	return source
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const limit = 100
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}

func (p *Program) jobsShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show ID", Short: "Show what the queue knows of a job", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withQueue(cmd.Context(), func(q queue.Queue) error {
				j, err := q.Get(cmd.Context(), args[0])
				if err != nil {
					return noJob(args[0], err)
				}
				if asJSON {
					enc := json.NewEncoder(p.Stdout)
					enc.SetIndent("", "  ")
					return enc.Encode(j)
				}
				return p.showJob(j)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func (p *Program) showJob(j queue.Job) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	row := func(name string, value any) {
		if s := fmt.Sprint(value); s != "" && s != "null" {
			fmt.Fprintf(w, "%s\t%s\n", name, s)
		}
	}
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Local().Format(time.DateTime)
	}
	row("job", j.ID)
	row("state", j.State)
	row("source", sourceOf(j))
	row("progress", percentOf(j))
	row("priority", j.Priority)
	row("attempts", fmt.Sprintf("%d of %d", j.AttemptsMade, j.MaxAttempts))
	if j.Stalled > 0 {
		row("lost its worker", fmt.Sprintf("%d time(s)", j.Stalled))
	}
	row("worker", j.Worker)
	row("added", when(j.Added))
	row("started", when(j.Started))
	row("finished", when(j.Finished))
	row("failed because", j.FailedReason)
	var value worker.ReturnValue
	if json.Unmarshal(j.ReturnValue, &value) == nil {
		for _, o := range value.Outputs {
			row(o.Type, o.URL)
		}
	}
	return w.Flush()
}

func (p *Program) jobsLogsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logs ID", Short: "Print the log of a job", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withQueue(cmd.Context(), func(q queue.Queue) error {
				if _, err := q.Get(cmd.Context(), args[0]); err != nil {
					return noJob(args[0], err)
				}
				lines, err := q.Logs(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				for _, line := range lines {
					fmt.Fprintln(p.Stdout, line)
				}
				return nil
			})
		},
	}
}

// jobsEachCommand makes a command that does something to each job named.
func (p *Program) jobsEachCommand(verb, short, done string, do func(q queue.Queue, ctx context.Context, id string) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID...", Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withQueue(cmd.Context(), func(q queue.Queue) error {
				var errs []error
				for _, id := range args {
					if err := do(q, cmd.Context(), id); err != nil {
						errs = append(errs, noJob(id, err))
						continue
					}
					fmt.Fprintln(p.Stdout, id+" "+done)
				}
				return errors.Join(errs...)
			})
		},
	}
}

func (p *Program) jobsWatchCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "watch [ID...]", Short: "Show what happens to jobs, until they end; to all jobs where none is named",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withQueue(cmd.Context(), func(q queue.Queue) error {
				w := &watched{left: map[string]bool{}, all: len(args) == 0}
				for _, id := range args {
					w.left[id] = true
				}
				return p.watchUntilDone(cmd.Context(), q, w, asJSON, func() error { return w.settle(cmd.Context(), q) })
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "JSON lines")
	return c
}

// watched are the jobs whose end is waited for.
type watched struct {
	all    bool
	mu     sync.Mutex
	left   map[string]bool
	failed []string
}

func newWatched(payloads []worker.Payload) *watched {
	w := &watched{left: map[string]bool{}}
	for _, payload := range payloads {
		w.left[payload.JobID] = true
	}
	return w
}

// end notes the end of a job and tells whether all are.
func (w *watched) end(id string, failed bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left[id] && failed {
		w.failed = append(w.failed, id)
	}
	delete(w.left, id)
	return !w.all && len(w.left) == 0
}

func (w *watched) of(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all || w.left[id]
}

// settle notes the jobs that had ended before anybody watched.
func (w *watched) settle(ctx context.Context, q queue.Queue) error {
	w.mu.Lock()
	ids := make([]string, 0, len(w.left))
	for id := range w.left {
		ids = append(ids, id)
	}
	w.mu.Unlock()
	for _, id := range ids {
		j, err := q.Get(ctx, id)
		if err != nil {
			return noJob(id, err)
		}
		if j.State == queue.StateCompleted || j.State == queue.StateFailed {
			w.end(id, j.State == queue.StateFailed)
		}
	}
	return nil
}

// errDone ends the watching.
var errDone = errors.New("all jobs are at their end")

// watchUntilDone calls start once no event is missed any more, and shows events
// until all jobs have ended. That some failed is an error.
func (p *Program) watchUntilDone(ctx context.Context, q queue.Queue, w *watched, asJSON bool, start func() error) error {
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var startErr error
	enc := json.NewEncoder(p.Stdout)
	err := q.Watch(watching, func() {
		if startErr = start(); startErr != nil {
			stop(startErr)
			return
		}
		w.mu.Lock()
		none := !w.all && len(w.left) == 0
		w.mu.Unlock()
		if none {
			stop(errDone)
		}
	}, func(e queue.Event) {
		if !w.of(e.JobID) {
			return
		}
		if asJSON {
			_ = enc.Encode(map[string]any{"event": e.Name, "jobId": e.JobID, "progress": e.Progress, "result": e.Result, "reason": e.Reason})
		} else if line := watchLine(e); line != "" {
			fmt.Fprintln(p.Stderr, line)
		}
		if e.Name == "completed" || e.Name == "failed" || e.Name == "removed" {
			if w.end(e.JobID, e.Name != "completed") {
				stop(errDone)
			}
		}
	})
	switch {
	case startErr != nil:
		return startErr
	case err != nil && !errors.Is(err, errDone):
		return err
	case len(w.failed) > 0:
		return &ranError{fmt.Errorf("%d job(s) failed: %s", len(w.failed), strings.Join(w.failed, ", "))}
	}
	return nil
}

func watchLine(e queue.Event) string {
	at := time.Now().Format(time.TimeOnly)
	switch e.Name {
	case "progress":
		return fmt.Sprintf("%s %s %s", at, e.JobID, percentOf(queue.Job{Progress: e.Progress}))
	case "failed":
		return fmt.Sprintf("%s %s failed: %s", at, e.JobID, e.Reason)
	case "added", "waiting", "drained":
		return ""
	}
	return fmt.Sprintf("%s %s %s", at, e.JobID, e.Name)
}
