package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/server/upload"
)

// Submitter is what the API must know to put jobs on the queue.
type Submitter struct {
	// Name of jobs in the queue, and what new ones get.
	Name     string
	Attempts int
	Backoff  time.Duration
	// CheckID and CheckFormat say what is wrong with an ID or a source format.
	CheckID     func(id string) error
	CheckFormat func(format string) error
	// Formats are the source formats of a pipeline; of an empty name, none.
	Formats func(kind string) []string
	// Key derives IDs of idempotent requests; it is secret.
	Key []byte
}

// submission is a job that is asked for.
type submission struct {
	JobID        string          `json:"jobId,omitempty" maxLength:"128" pattern:"^[A-Za-z0-9_][A-Za-z0-9._-]*$" doc:"ID of the job; absent takes a new one."`
	SourceURL    string          `json:"sourceUrl,omitempty" maxLength:"8192" doc:"https://, http:// or s3:// address of the source."`
	SourceURLs   []string        `json:"sourceUrls,omitempty" nullable:"false" maxItems:"10000" doc:"Addresses, where the source has several files."`
	Uploads      []string        `json:"uploads,omitempty" nullable:"false" maxItems:"100000" doc:"IDs of finished uploads that are the source, in place of addresses."`
	SourceFormat string          `json:"sourceFormat,omitempty" maxLength:"32" doc:"Format of the source, such as laz; absent or auto tells it by its content."`
	Options      json.RawMessage `json:"options,omitempty" doc:"What is wanted: formats, quality, filters, crs, engines, priority and more."`
	Priority     string          `json:"priority,omitempty" enum:"low,normal,high,urgent" doc:"Comes before options.priority."`
}

type submitIn struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A second request with the same key gets the job of the first."`
	Traceparent    string `header:"traceparent" maxLength:"256" doc:"W3C trace context that the job goes on with."`
	Tracestate     string `header:"tracestate" maxLength:"1024"`
	Body           submission
}

type submitted struct {
	JobID    string   `json:"jobId"`
	Job      jobs.Job `json:"job"`
	Warnings []string `json:"warnings" nullable:"false" doc:"Options that are not known."`
}

type submitOut struct {
	Status   int
	Location string `header:"Location"`
	Body     submitted
}

func (s *Server) registerSubmit() {
	op := s.operation(http.MethodPost, processPath, "submitJob", "Submit a job: by address, by uploads, or with its files as a form", "jobs")
	op.DefaultStatus = http.StatusAccepted
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"multipart/form-data": {Schema: formSchema()},
	}}
	huma.Register(s.api, op, s.submitJSON)
	s.registerPresign()
}

func (s *Server) submitJSON(ctx context.Context, in *submitIn) (*submitOut, error) {
	p := principal(ctx)
	if err := denied(p, auth.RoleMember); err != nil {
		return nil, err
	}
	t := &ticket{s: s, p: p, in: in.Body, key: in.IdempotencyKey, carrier: carrierOf(in.Traceparent, in.Tracestate)}
	return t.submit(ctx, t.sources)
}

// ticket is one submission on its way.
type ticket struct {
	s       *Server
	p       auth.Principal
	in      submission
	key     string
	carrier propagation.MapCarrier

	options  job.Options
	warnings []string
	batch    *upload.Batch // of uploads
}

// payload is the data of the job in the queue.
type payload struct {
	JobID        string          `json:"jobId"`
	SourceURL    string          `json:"sourceUrl,omitempty"`
	SourceURLs   []string        `json:"sourceUrls,omitempty"`
	SourceFormat string          `json:"sourceFormat,omitempty"`
	Options      json.RawMessage `json:"options,omitempty"`
}

// submit checks what is asked for, brings its sources here and puts it on the queue.
// A request whose job is there already changes nothing.
func (t *ticket) submit(ctx context.Context, sources func(ctx context.Context, p *payload) error) (*submitOut, error) {
	ctx, span := t.s.o.Tracer.Start(propagation.TraceContext{}.Extract(ctx, t.carrier), "submit job", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	if err := t.check(); err != nil {
		return nil, err
	}
	span.SetAttributes(attribute.String("slate360.job.id", t.in.JobID))
	if out, err := t.before(ctx); out != nil || err != nil {
		return out, err
	}
	if err := t.s.quota(ctx, t.p); err != nil {
		return nil, err
	}
	data := payload{JobID: t.in.JobID, SourceFormat: t.in.SourceFormat, Options: t.in.Options}
	err := sources(ctx, &data)
	if err == nil {
		err = t.add(ctx, data)
	}
	if err != nil {
		span.RecordError(err)
		if t.batch != nil {
			t.batch.Discard()
		}
		return nil, t.s.failed(err)
	}
	t.s.audit(ctx, t.p, "submit", t.in.JobID, map[string]any{"format": t.in.SourceFormat, "uploaded": t.batch != nil})
	return t.out(ctx, http.StatusAccepted)
}

func (t *ticket) out(ctx context.Context, status int) (*submitOut, error) {
	j, err := t.s.o.Jobs.Summary(ctx, t.in.JobID)
	if err != nil {
		return nil, t.s.failed(err)
	}
	t.s.o.Jobs.Touch(j.JobID)
	return &submitOut{
		Status: status, Location: "/api/models/jobs/" + url.PathEscape(j.JobID),
		Body: submitted{JobID: j.JobID, Job: j, Warnings: append([]string{}, t.warnings...)},
	}, nil
}

// check says what is wrong with a submission before anything is done.
func (t *ticket) check() error {
	bad := func(field, format string, args ...any) *problem.Problem {
		return problem.New(http.StatusUnprocessableEntity, format, args...).In(field)
	}
	if t.key != "" {
		if t.in.JobID != "" {
			return bad("jobId", "a job with an ID of its own needs no Idempotency-Key: the ID is one")
		}
		t.in.JobID = t.idempotent()
	}
	if t.in.JobID == "" {
		t.in.JobID = job.NewID()
	}
	if err := t.s.o.Submit.CheckID(t.in.JobID); err != nil {
		return bad("jobId", "%v", err)
	}
	if t.in.SourceFormat == "" {
		t.in.SourceFormat = "auto"
	}
	if err := t.s.o.Submit.CheckFormat(t.in.SourceFormat); err != nil {
		return bad("sourceFormat", "%v", err)
	}
	if t.in.Priority != "" {
		if err := t.setPriority(); err != nil {
			return err
		}
	}
	var err error
	t.options, t.warnings, err = job.ParseOptions(t.in.Options)
	var option *job.OptionError
	switch {
	case errors.As(err, &option):
		return bad(strings.TrimSuffix("options."+option.Field, "."), "%v", err)
	case err != nil:
		return bad("options", "%v", err)
	}
	return nil
}

// setPriority puts the priority into the options, which the job carries.
func (t *ticket) setPriority() error {
	options := map[string]json.RawMessage{}
	if len(t.in.Options) > 0 {
		if err := json.Unmarshal(t.in.Options, &options); err != nil || options == nil {
			return problem.New(http.StatusUnprocessableEntity, "want a JSON object").In("options")
		}
	}
	raw, err := json.Marshal(t.in.Priority)
	if err != nil {
		return err
	}
	options["priority"] = raw
	t.in.Options, err = json.Marshal(options)
	return err
}

// idempotent is the ID of the job of an idempotency key: the same wherever and
// whenever it is asked for, so that nothing has to be kept, and several servers on
// one queue agree. It has the form of a UUID (RFC 9562, version 8).
func (t *ticket) idempotent() string {
	mac := hmac.New(sha256.New, t.s.o.Submit.Key)
	fmt.Fprintf(mac, "%q %q", t.p.Organisation, t.key)
	b := mac.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// before answers a request whose job is there already.
func (t *ticket) before(ctx context.Context) (*submitOut, error) {
	j, err := t.s.o.Jobs.Summary(ctx, t.in.JobID)
	if errors.Is(err, jobs.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, t.s.failed(err)
	}
	if !t.p.Sees(j.Organisation) {
		return nil, problem.New(http.StatusConflict, "the ID is taken").In("jobId")
	}
	if t.key == "" {
		return nil, problem.New(http.StatusConflict, "there is a job %s already", t.in.JobID).In("jobId").Kind("exists", "The job exists")
	}
	return t.out(ctx, http.StatusOK)
}

// sources brings what JSON names as the source.
func (t *ticket) sources(ctx context.Context, data *payload) error {
	if t.in.SourceURL != "" {
		data.SourceURLs = append(data.SourceURLs, t.in.SourceURL)
	}
	data.SourceURLs = append(data.SourceURLs, t.in.SourceURLs...)
	if len(data.SourceURLs) > 0 && len(t.in.Uploads) > 0 {
		return problem.New(http.StatusUnprocessableEntity, "the source is either uploads or addresses").In("uploads")
	}
	if len(t.in.Uploads) > 0 {
		return t.takeUploads(ctx, data)
	}
	if len(data.SourceURLs) == 0 {
		return problem.New(http.StatusUnprocessableEntity, "there is no source").In("sourceUrl").Advise("name an address, or uploads, or send files as multipart/form-data")
	}
	for i, u := range data.SourceURLs {
		if err := checkSource(u); err != nil {
			field := "sourceUrl"
			if t.in.SourceURL == "" || i > 0 {
				field = "sourceUrls"
			}
			return problem.New(http.StatusUnprocessableEntity, "%v", err).In(field)
		}
	}
	if len(data.SourceURLs) == 1 {
		data.SourceURL, data.SourceURLs = data.SourceURLs[0], nil
	}
	return nil
}

// checkSource lets addresses through that a client may name. Files of this machine
// are none: they would be those of everybody who may write to it.
func checkSource(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("it is not an address")
	}
	switch u.Scheme {
	case "https", "http", "s3":
	default:
		return errors.New("want an address that begins with https://, http:// or s3://")
	}
	if u.Host == "" {
		return errors.New("the address has no host")
	}
	if record.CleanText(raw) != raw || strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("the address has characters that no address has")
	}
	return nil
}

func (t *ticket) takeUploads(ctx context.Context, data *payload) (err error) {
	if t.batch, err = t.s.o.Uploads.Batch(t.p, t.in.JobID); err != nil {
		return err
	}
	if err := t.batch.Take(t.in.Uploads); err != nil {
		return err
	}
	data.SourceURL, err = t.batch.Done(ctx, true)
	return err
}

// add writes the record and puts the job on the queue: in this order, since a worker
// may take it before we are back.
func (t *ticket) add(ctx context.Context, data payload) error {
	now := time.Now().UTC()
	r := record.Record{
		ID: data.JobID, OrgID: t.p.Organisation, SourceURL: data.SourceURL, SourceFormat: data.SourceFormat, Options: data.Options,
		Status: job.StatusQueued, QueuedAt: now, CreatedAt: now, SourceFileCount: int64(max(1, len(data.SourceURLs))),
	}
	if r.SourceURL == "" {
		r.SourceURL = data.SourceURLs[0]
	}
	if t.batch != nil {
		r.SourceSize, r.SourceFileCount = t.batch.Bytes(), int64(t.batch.Files())
	}
	if err := t.s.o.Records.Create(ctx, r); err != nil {
		if errors.Is(err, record.ErrPermanent) {
			return problem.New(http.StatusUnprocessableEntity, "the records cannot hold the job: %v", err).In("jobId")
		}
		return err
	}
	err := t.s.enqueue(ctx, data, t.options.Priority)
	if err != nil {
		err = errors.Join(err, t.s.o.Records.Delete(context.WithoutCancel(ctx), data.JobID))
	}
	return err
}

// enqueue puts a job on the queue, with the context of its trace.
func (s *Server) enqueue(ctx context.Context, data payload, priority job.Priority) error {
	_, err := s.o.Queue.Add(ctx, s.o.Submit.Name, data, queue.AddOptions{
		ID: data.JobID, Priority: priority.QueueNumber(), Attempts: s.o.Submit.Attempts,
		Backoff: queue.Backoff{Type: "exponential", Delay: s.o.Submit.Backoff, Jitter: 0.5}, Telemetry: telemetry(ctx),
	})
	return err
}

// telemetry is the context of a trace as BullMQ carries it: the JSON of its headers.
func telemetry(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if len(carrier) == 0 {
		return ""
	}
	text, err := json.Marshal(carrier)
	if err != nil {
		return ""
	}
	return string(text)
}

func carrierOf(traceparent, tracestate string) propagation.MapCarrier {
	c := propagation.MapCarrier{}
	if traceparent != "" {
		c["traceparent"] = traceparent
	}
	if tracestate != "" {
		c["tracestate"] = tracestate
	}
	return c
}

// quota tells whether an organisation may have another job.
func (s *Server) quota(ctx context.Context, p auth.Principal) error {
	if most := p.Quota.JobsPerDay; most > 0 {
		midnight := time.Now().UTC().Truncate(24 * time.Hour)
		n, err := s.o.Records.Count(ctx, record.Filter{OrgID: p.Organisation, Since: midnight})
		if err != nil {
			return s.failed(err)
		}
		if n >= int64(most) {
			return overQuota("%d jobs were submitted today, of %d that the organisation may", n, most)
		}
	}
	if most := p.Quota.ConcurrentJobs; most > 0 {
		n, err := s.o.Records.Count(ctx, record.Filter{OrgID: p.Organisation, Status: append(statuses([]string{"active"}), job.StatusQueued)})
		if err != nil {
			return s.failed(err)
		}
		if n >= int64(most) {
			return overQuota("%d jobs wait or run, of %d that the organisation may have at once", n, most)
		}
	}
	return nil
}

func overQuota(format string, args ...any) error {
	return problem.New(http.StatusTooManyRequests, format, args...).Kind("quota", "The quota is used up").With("Retry-After", "60")
}
