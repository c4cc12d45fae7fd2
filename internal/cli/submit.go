package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/source"
	"slate360.ai/worker/internal/worker"
)

type submitFlags struct {
	optionFlags
	format, priority, id string
	attempts             int
	delay                time.Duration
	wait, asJSON         bool
}

func (p *Program) submitCommand() *cobra.Command {
	f := &submitFlags{}
	c := &cobra.Command{
		Use:   "submit SOURCE...",
		Short: "Put a job on the queue for each source",
		Long: `Puts a job on the configured queue for each source: an https:// or s3:// address,
or, where the queue is embedded, a file of this machine. Prints the jobs' IDs.`,
		Example: "  " + Name + ` submit https://example.com/survey.laz --priority high --wait
  ` + Name + ` submit s3://uploads/survey.laz --outputs copc,tiles_3d`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.submit(cmd.Context(), f, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "auto", "format of the source, instead of what its content says")
	flags.StringVar(&f.priority, "priority", string(job.PriorityNormal), "low, normal, high or urgent")
	flags.StringVar(&f.id, "id", "", "ID of the job, for a single source (default a new UUID)")
	flags.StringVar(&f.json, "options", "", "options of the job: JSON, @FILE, or @- for standard input")
	flags.StringArrayVar(&f.set, "set", nil, "one option, OPTION=VALUE; may be given several times")
	flags.StringSliceVar(&f.outputs, "outputs", nil, "output types to make, separated by commas (default all)")
	flags.StringVar(&f.crs, "crs", "", "coordinate reference system of the source: EPSG:n or WKT")
	flags.StringArrayVar(&f.engines, "engine", nil, "engine of a stage, STAGE=NAME; may be given several times")
	flags.IntVar(&f.attempts, "attempts", 0, "how often the job is tried (default SLATE360_ATTEMPTS, 3)")
	flags.DurationVar(&f.delay, "delay", 0, "start no earlier than after this time")
	flags.BoolVarP(&f.wait, "wait", "w", false, "wait for the end of the jobs, and show how they go")
	flags.BoolVar(&f.asJSON, "json", false, "JSON lines on standard output")
	registerCompletions(c)
	if err := c.RegisterFlagCompletionFunc("priority", cobra.FixedCompletions(
		[]string{"low", "normal", "high", "urgent"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is two lines above
	}
	return c
}

// priorityOf reads --priority.
func priorityOf(text string) (job.Priority, error) {
	switch pr := job.Priority(strings.ToLower(text)); pr {
	case job.PriorityLow, job.PriorityNormal, job.PriorityHigh, job.PriorityUrgent:
		return pr, nil
	}
	return "", usagef("--priority: want low, normal, high or urgent, got %q", text)
}

func (p *Program) submit(ctx context.Context, f *submitFlags, sources []string) error {
	c, err := load()
	if err != nil {
		return err
	}
	payloads, priority, err := p.payloads(f, c, sources)
	if err != nil {
		return err
	}
	q, err := p.openQueue(ctx, c)
	if err != nil {
		return err
	}
	defer q.Close()
	records, err := p.openRecords(ctx, c)
	if err != nil {
		return err
	}
	defer records.Close()
	if f.attempts <= 0 {
		f.attempts = c.Attempts
	}
	watched := newWatched(payloads)
	add := func() error {
		for _, payload := range payloads {
			if err := p.submitOne(ctx, f, c, q, records, payload, priority); err != nil {
				return err
			}
		}
		return nil
	}
	if !f.wait {
		return add()
	}
	return p.watchUntilDone(ctx, q, watched, f.asJSON, add)
}

func (p *Program) submitOne(ctx context.Context, f *submitFlags, c config.Config, q queue.Queue, records record.Store, payload worker.Payload, priority job.Priority) error {
	now := time.Now().UTC()
	// The record comes first: a worker may take the job before we are back.
	err := records.Create(ctx, record.Record{
		ID: payload.JobID, SourceURL: payload.SourceURL, SourceFormat: payload.SourceFormat, Options: payload.Options,
		Status: job.StatusQueued, QueuedAt: now, CreatedAt: now,
	})
	if err != nil {
		return unreachable("write the record of the job", "", err)
	}
	id, err := q.Add(ctx, worker.QueueJobName, payload, queue.AddOptions{
		ID: payload.JobID, Priority: priority.QueueNumber(), Delay: f.delay, Attempts: f.attempts,
		Backoff: queue.Backoff{Type: "exponential", Delay: c.Backoff, Jitter: 0.5},
	})
	if err != nil {
		return unreachable("put the job on the queue", "", errors.Join(err, records.Delete(ctx, payload.JobID)))
	}
	if f.asJSON {
		return json.NewEncoder(p.Stdout).Encode(map[string]string{"event": "submitted", "jobId": id, "source": payload.SourceURL})
	}
	_, err = fmt.Fprintln(p.Stdout, id)
	return err
}

// payloads checks what was asked for before anything is put on the queue.
func (p *Program) payloads(f *submitFlags, c config.Config, sources []string) ([]worker.Payload, job.Priority, error) {
	priority, err := priorityOf(f.priority)
	if err != nil {
		return nil, "", err
	}
	if f.id != "" && len(sources) > 1 {
		return nil, "", usagef("--id: it names one job, and there are %d sources", len(sources))
	}
	if err := worker.CheckJobID(f.id); f.id != "" && err != nil {
		return nil, "", usagef("--id: %w", err)
	}
	if _, err := source.ParseFormat(f.format); err != nil {
		return nil, "", usagef("--format: %w", err)
	}
	text, err := f.text(p.Stdin)
	if err != nil {
		return nil, "", err
	}
	options, warnings, err := f.tree(text)
	if err != nil {
		return nil, "", err
	}
	for _, warning := range warnings {
		fmt.Fprintln(p.Stderr, "warning: "+warning)
	}
	var payloads []worker.Payload
	for _, s := range sources {
		if s, err = sourceAddress(s, c); err != nil {
			return nil, "", err
		}
		id := f.id
		if id == "" {
			id = job.NewID()
		}
		payloads = append(payloads, worker.Payload{JobID: id, SourceURL: s, SourceFormat: f.format, Options: options})
	}
	return payloads, priority, nil
}

// sourceAddress returns what goes into the payload for a SOURCE.
func sourceAddress(s string, c config.Config) (string, error) {
	if scheme, _, ok := strings.Cut(s, "://"); ok && scheme != "file" {
		switch scheme {
		case "http", "https", "s3":
			return s, nil
		}
		return "", usagef("%s: want https://, s3:// or a file", s)
	}
	path, err := filepath.Abs(strings.TrimPrefix(s, "file://"))
	if err != nil {
		return "", usagef("%s: %w", s, err)
	}
	if !c.EmbeddedQueue() {
		return "", usagef("%s is a file of this machine, which workers elsewhere do not see: upload it, and submit its https:// or s3:// address", s)
	}
	if _, err := os.Stat(path); err != nil {
		return "", pipeline.BadInput(err, "")
	}
	return "file://" + path, nil
}
