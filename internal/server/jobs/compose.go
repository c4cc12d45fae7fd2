package jobs

import (
	"encoding/json"
	"math"
	"net/url"
	"path"
	"strings"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/storage"
)

// OutputPrefix is the folder of a job's outputs in storage.
func OutputPrefix(id string) string { return "processed/" + id }

// OutputURL is where this server gives a file of a job's result.
func OutputURL(id, rel string) string {
	return "/api/models/jobs/" + url.PathEscape(id) + "/outputs/" + storage.EscapeKey(rel)
}

// payload is the data of a job in the queue, as far as it is read here.
type payload struct {
	JobID        string          `json:"jobId"`
	SourceURL    string          `json:"sourceUrl"`
	SourceURLs   []string        `json:"sourceUrls"`
	SourceFormat string          `json:"sourceFormat"`
	Options      json.RawMessage `json:"options"`
}

// recordOf makes the record that a job of the queue has not got yet.
func recordOf(q queue.Job) record.Record {
	var p payload
	_ = json.Unmarshal(q.Data, &p) // as far as it can be read
	r := record.Record{
		ID: q.ID, SourceURL: p.SourceURL, SourceFormat: p.SourceFormat, Options: p.Options, Status: job.StatusQueued,
		QueuedAt: q.Added, CreatedAt: q.Added, UpdatedAt: q.Added, StartedAt: q.Started, CompletedAt: q.Finished,
		WorkerID: q.Worker, ErrorMessage: q.FailedReason,
	}
	if r.SourceURL == "" && len(p.SourceURLs) > 0 {
		r.SourceURL = p.SourceURLs[0]
	}
	switch q.State {
	case queue.StateActive:
		r.Status = job.StatusProcessing
	case queue.StateCompleted:
		r.Status, r.Progress = job.StatusCompleted, 100
	case queue.StateFailed:
		r.Status = job.StatusFailed
	}
	return r
}

// compose makes the view of a job of its parts; q and l may be nil.
func (s *Service) compose(r record.Record, q *queue.Job, l *job.Live) Job {
	j := Job{
		JobID: r.ID, Name: nameOf(r), SourceFormat: r.SourceFormat, SourceURL: shownSource(r.SourceURL), SourceSize: r.SourceSize,
		SourceFiles: r.SourceFileCount, Status: r.Status, Progress: float64(r.Progress), CurrentStep: r.CurrentStep,
		Stages: []job.Stage{}, Priority: priorityOf(r.Options), WorkerID: shownWorker(r.WorkerID), QueuedAt: moment(r.QueuedAt),
		StartedAt: moment(r.StartedAt), CompletedAt: moment(r.CompletedAt), Warnings: []string{}, Outputs: []Output{},
		Organisation: r.OrgID, CreditsUsed: r.CreditsUsed,
	}
	if j.SourceFormat == "" {
		j.SourceFormat = "auto"
	}
	j.Kind = s.o.Kind(j.SourceFormat)
	if rel := relativeTo(r.ThumbnailURL, r.ID); rel != "" && r.Status == job.StatusCompleted {
		j.ThumbnailURL = OutputURL(r.ID, rel)
	}
	j.Error = errorOf(r)
	if r.Status == job.StatusFailed && r.ErrorMessage == queue.ErrCanceled.Error() {
		j.Status = StatusCanceled
	}
	if q != nil {
		j.AttemptsMade, j.MaxAttempts = q.AttemptsMade, q.MaxAttempts
		if q.Priority > 0 {
			j.Priority = priorityOfNumber(q.Priority)
		}
		var pct float64
		if !Final(j.Status) && json.Unmarshal(q.Progress, &pct) == nil && pct >= 0 && pct <= 100 {
			j.Progress = max(j.Progress, pct)
		}
		if j.WorkerID == "" && q.State == queue.StateActive {
			j.WorkerID = q.Worker
		}
	}
	if l != nil && !Final(j.Status) {
		j.overlay(*l)
	}
	j.Cost = s.cost(r)
	return j
}

// cost is what the time of a job on a machine costs by now.
func (s *Service) cost(r record.Record) float64 {
	if s.o.Price == nil || r.StartedAt.IsZero() {
		return 0
	}
	end := r.CompletedAt
	if end.IsZero() {
		end = time.Now()
	}
	return max(0, end.Sub(r.StartedAt).Hours()) * s.o.Price()
}

// overlay puts over the record what the running worker knows better.
func (j *Job) overlay(l job.Live) {
	if l.Status != "" {
		j.Status = l.Status
	}
	j.Progress = max(j.Progress, tenth(l.Percent))
	if l.Step != "" {
		j.CurrentStep = l.Step
	}
	if l.Kind != "" {
		j.Kind = l.Kind
	}
	if l.Format != "" {
		j.SourceFormat, j.SourceSize, j.SourceFiles = l.Format, l.Size, l.Files
	}
	j.Rate, j.RemainingSeconds = l.Rate, l.Remaining
	j.Stages = append([]job.Stage{}, l.Stages...)
	j.Warnings = append([]string{}, l.Warnings...)
}

// tenth rounds a percentage to what is worth showing.
func tenth(percent float64) float64 { return math.Round(percent*10) / 10 }

// withoutFolders leaves out of a message where this machine keeps the files of a job:
// what lies below a folder of the job's name stays.
func withoutFolders(message, id string) string {
	for _, folder := range []string{"/" + id + "/source/", "/" + id + "/"} {
		for {
			end := strings.Index(message, folder)
			if end < 0 {
				break
			}
			begin := strings.LastIndexAny(message[:end], " \t\n\"'(:=") + 1
			message = message[:begin] + message[end+len(folder):]
		}
	}
	return message
}

func errorOf(r record.Record) *Error {
	if r.ErrorMessage == "" {
		return nil
	}
	e := &Error{Message: withoutFolders(r.ErrorMessage, r.ID)}
	var d record.ErrorDetails
	if json.Unmarshal(r.ErrorDetails, &d) == nil {
		e.Stage, e.Engine, e.Hint, e.Log, e.Attempt, e.Permanent = d.Stage, d.Engine, d.Hint, d.Log, d.Attempt, d.Permanent
	}
	return e
}

// nameOf names a job by its source.
func nameOf(r record.Record) string {
	u, err := url.Parse(r.SourceURL)
	if err != nil || r.SourceURL == "" {
		return r.ID
	}
	if name := path.Base(u.Path); name != "." && name != "/" {
		return name
	}
	if u.Host != "" {
		return u.Host
	}
	return r.ID
}

// shownSource is the address of a source without what may be secret in it. Paths
// of this machine are nobody's business.
func shownSource(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "file" || u.Scheme == "" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// shownWorker is the name of the worker without the token of its claim.
func shownWorker(id string) string {
	if i := strings.LastIndexByte(id, '/'); i > 0 {
		return id[:i]
	}
	return id
}

// relativeTo returns the path of an output within the result of a job, of the
// address that storage gave it.
func relativeTo(address, id string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	_, rel, ok := strings.Cut(u.Path, "/"+OutputPrefix(id)+"/")
	if !ok {
		return ""
	}
	return rel
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// priorityOf reads the priority of the options.
func priorityOf(options json.RawMessage) job.Priority {
	var o struct {
		Priority job.Priority `json:"priority"`
	}
	if json.Unmarshal(options, &o) == nil {
		switch o.Priority {
		case job.PriorityLow, job.PriorityHigh, job.PriorityUrgent:
			return o.Priority
		}
	}
	return job.PriorityNormal
}

// priorityOfNumber names a priority of the queue; producers may use numbers between.
func priorityOfNumber(n int) job.Priority {
	switch {
	case n <= 1:
		return job.PriorityUrgent
	case n <= 5:
		return job.PriorityHigh
	case n <= 10:
		return job.PriorityNormal
	}
	return job.PriorityLow
}

// outputsOf lists the outputs of a result with their addresses: below base where
// this server gives them.
func outputsOf(outputs []job.Output, address func(rel string) string) []Output {
	list := make([]Output, 0, len(outputs))
	for _, o := range outputs {
		list = append(list, Output{
			Type: o.Type, Path: o.Path, URL: address(o.Path), StorageURL: webAddress(o.URL), Size: o.Size, Files: o.Files, ContentType: o.ContentType,
			SHA256: o.SHA256, Points: o.Points, Tiles: o.Tiles, Triangles: o.Triangles, Vertices: o.Vertices, Width: o.Width, Height: o.Height,
		})
	}
	return list
}

// ResultOf is what the viewer gets of a result.json. address gives the address of
// a path in it.
func ResultOf(r job.Result, name, kind string, address func(rel string) string) Result {
	v := Result{
		JobID: r.JobID, Name: name, Kind: kind, SourceFormat: r.SourceFormat, Status: r.Status, Outputs: outputsOf(r.Outputs, address),
		Analysis: r.Analysis, Warnings: append([]string{}, r.Warnings...), Stages: stagesOf(r.Stages), Error: r.Error,
	}
	if rel := thumbnailOf(r.Outputs); rel != "" {
		v.ThumbnailURL = address(rel)
	}
	return v
}

func thumbnailOf(outputs []job.Output) (rel string) {
	for _, o := range outputs {
		if o.Type == job.TypeThumbnail && (rel == "" || o.ContentType == "image/png") {
			rel = o.Path
		}
	}
	return rel
}

func stagesOf(results []job.StageResult) []job.Stage {
	stages := make([]job.Stage, 0, len(results))
	for _, s := range results {
		state := job.StageDone
		if s.Resumed {
			state = job.StageResumed
		}
		stages = append(stages, job.Stage{Name: s.Name, State: state, Engine: s.Engine, Seconds: s.Seconds, PeakBytes: s.PeakBytes, Progress: 100})
	}
	return stages
}

func webAddress(raw string) string {
	if strings.HasPrefix(raw, "https://") || strings.HasPrefix(raw, "http://") {
		return raw
	}
	return ""
}
