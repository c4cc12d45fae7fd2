// Package api is the HTTP API of the worker, and what it serves to browsers: the
// dashboard, the viewer and shared results (docs/api.md).
//
// What takes and gives JSON is registered with huma, which checks requests against
// the schema and makes the OpenAPI 3.1 document of the same types. What streams
// (forms, resumable uploads, events, files) is plain net/http, described beside it.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/server/audit"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/files"
	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/server/share"
	"slate360.ai/worker/internal/server/upload"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/web"
)

// Options of a Server. All that has no default named must be given.
type Options struct {
	Build   string
	Jobs    *jobs.Service
	Queue   queue.Queue
	Records record.Store
	Storage storage.Store
	Uploads *upload.Store
	Auth    *auth.Authenticator
	Share   *share.Signer
	Audit   *audit.Log
	// Origins are the pages of others that may call the API.
	Origins auth.Origins
	// RatePerSecond and RateBurst bound the requests of a token or an address, uploads
	// and files aside; 0 is no bound.
	RatePerSecond float64
	RateBurst     int
	// Loopback refuses requests for other hosts than this machine's loopback names,
	// where nobody has to authenticate.
	Loopback bool
	// Ops answers /health, /ready and /metrics.
	Ops http.Handler
	// ConnectTo are origins beside this one that pages may fetch from: that of the
	// storage.
	ConnectTo []string
	// Add puts a job on the queue; Check tells what is wrong with options.
	Submit Submitter
	// Worker is the one in this process, System what it runs on.
	Worker func() []WorkerInfo
	System func(ctx context.Context) System
	// Features are what this server can do, for the dashboard.
	Features map[string]bool
	Tracer   trace.Tracer
	Logger   *slog.Logger
}

// Server serves the API.
type Server struct {
	o       Options
	log     *slog.Logger
	files   *files.Server
	pages   *web.Handler
	limit   *auth.Limiter
	logins  *auth.Limiter
	api     huma.API
	handler http.Handler
	started time.Time
	streams streams
	metrics *metrics
	// closing is done when streams have to end.
	closing context.Context
	close   context.CancelFunc
}

// logins of one address: some at once, then one each ten seconds.
const (
	loginsPerSecond = 0.1
	loginsAtOnce    = 10
)

// New returns the server.
func New(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	s := &Server{
		o: o, log: o.Logger, pages: web.NewHandler(o.ConnectTo...), metrics: newMetrics(o.Uploads.Received),
		limit:  auth.NewLimiter(o.RatePerSecond, o.RateBurst),
		logins: auth.NewLimiter(loginsPerSecond, loginsAtOnce),
	}
	s.started = time.Now()
	s.files = files.New(o.Storage, func(n int64) { s.metrics.sent.Add(float64(n)) })
	s.closing, s.close = context.WithCancel(context.Background())
	tus, err := o.Uploads.Handler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	s.api = humago.New(mux, s.config())
	s.registerJobs()
	s.registerSubmit()
	s.registerSteer()
	s.registerQueue()
	s.registerSession()
	s.describeStreams()
	delete(s.api.OpenAPI().Components.Schemas.Map(), "ErrorModel") // huma's own, which no answer has
	mux.Handle(upload.BasePath, s.uploads(tus))
	mux.Handle(upload.BasePath+"/{id}", s.uploads(tus))
	mux.HandleFunc("GET /api/events", s.allEvents)
	mux.HandleFunc("GET /api/models/jobs/{id}/events", s.jobEvents)
	mux.HandleFunc("GET /api/models/jobs/{id}/outputs/{path...}", s.output)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { nothing(mux, w, r) })
	root := http.NewServeMux()
	root.Handle("/api/", s.authenticated(s.submissions(mux)))
	root.Handle("/openapi.json", s.secured(http.HandlerFunc(s.openAPI)))
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		root.Handle(path, s.secured(o.Ops))
	}
	root.Handle("/share/{token}", s.secured(http.HandlerFunc(s.sharedPage)))
	root.Handle("/share/{token}/{path...}", s.secured(http.HandlerFunc(s.shared)))
	root.Handle("/", s.secured(http.HandlerFunc(s.page)))
	s.handler = s.measured(s.recovered(s.hostChecked(root)))
	return s, nil
}

// nothing answers where there is no such path, or none for the method.
func nothing(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(other); pattern != "" && pattern != "/api/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		problem.Write(w, r, problem.New(http.StatusNotFound, "there is nothing at %s", r.URL.Path).Advise("see /openapi.json"))
		return
	}
	problem.Write(w, r, problem.New(http.StatusMethodNotAllowed, "%s is not served here", methodOf(r.Method)).With("Allow", strings.Join(allowed, ", ")))
}

// Close ends the streams of events; the server is to be shut down after it.
func (s *Server) Close() { s.close() }

// ServeHTTP is of http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// OpenAPI returns the document, as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return s.api.OpenAPI().MarshalJSON() }

// config is huma's.
func (s *Server) config() huma.Config {
	c := huma.DefaultConfig("slate360-worker", s.o.Build)
	c.Info.Description = "Jobs that turn laser scans, meshes and photos into web-ready 3D."
	c.DocsPath, c.SchemasPath, c.OpenAPIPath = "", "", "" // pages of ours load nothing from elsewhere; the document is served by hand
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{transformProblem}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":   {Type: "http", Scheme: "bearer", Description: "GPU_WORKER_SECRET_KEY, or a token of an organisation."},
		"dispatch": {Type: "apiKey", In: "header", Name: "x-dispatch-token", Description: "The same, as the platform sends it."},
		"session":  {Type: "apiKey", In: "cookie", Name: auth.Cookie, Description: "Of POST /api/session. What changes something needs x-slate360-csrf: 1, too."},
	}
	c.Security = []map[string][]string{{"bearer": {}}, {"dispatch": {}}, {"session": {}}, {}}
	return c
}

// recovered answers where a handler panicked.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			s.log.Error("a request panicked", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			problem.Write(w, r, fmt.Errorf("panic: %v", v))
		}()
		next.ServeHTTP(w, r)
	})
}

// hostChecked refuses what a page elsewhere asks for through a name of its own.
func (s *Server) hostChecked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.o.Loopback && !s.o.Auth.Required() && !auth.Loopback(r.Host) {
			problem.Write(w, r, problem.New(http.StatusForbidden, "this server answers to localhost only").In("Host").
				Advise("set GPU_WORKER_SECRET_KEY to serve it under another name"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// secured sets the headers of all answers.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.secure(w.Header())
		next.ServeHTTP(w, r)
	})
}

type principalKey struct{}

// principal is who makes the request.
func principal(ctx context.Context) auth.Principal {
	p, _ := ctx.Value(principalKey{}).(auth.Principal)
	return p
}

// authenticated lets requests through that may be made.
func (s *Server) authenticated(next http.Handler) http.Handler {
	return s.secured(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.o.Origins.Share(w, r) {
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == "/api/session" { // says itself who is who
			s.session(next, w, r)
			return
		}
		p, err := s.o.Auth.Authenticate(r)
		if err == nil {
			err = s.o.Origins.CheckOrigin(r, p)
		}
		if err == nil && !unlimited(r) {
			key := p.Name
			if p.Open || key == "" {
				key = auth.Address(r)
			}
			err = s.limit.Allow(key, time.Now())
		}
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), requestKey{}, r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, principalKey{}, p)))
	}))
}

// denied is the problem of who has not the role that it takes.
func denied(p auth.Principal, r auth.Role) error {
	if p.May(r) {
		return nil
	}
	return problem.New(http.StatusForbidden, "%s is a %s; this takes a %s", p.Name, p.Role, r).Kind("role", "Not allowed")
}

// visible tells whether the caller may see a job: for others it is not there.
func (s *Server) visible(ctx context.Context, id string) error {
	p := principal(ctx)
	if p.Organisation == "" {
		return nil
	}
	org, err := s.o.Jobs.Owner(ctx, id)
	if err != nil {
		return s.failed(err)
	}
	if !p.Sees(org) {
		return noJob(id)
	}
	return nil
}

func noJob(id string) error {
	return problem.New(http.StatusNotFound, "there is no job %.128s", id).In("id").Kind("no-job", "No such job")
}

// failed makes a problem of an error of the parts behind.
func (s *Server) failed(err error) error {
	var p *problem.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, jobs.ErrNotFound), errors.Is(err, queue.ErrNotFound):
		return problem.New(http.StatusNotFound, "%v", err).In("id").Kind("no-job", "No such job")
	case errors.Is(err, jobs.ErrState), errors.Is(err, queue.ErrState):
		return problem.New(http.StatusConflict, "%v", err).In("id").Kind("state", "The job is in another state")
	case errors.Is(err, context.Canceled):
		return problem.New(499, "the client went away")
	}
	s.log.Error("a request failed", "error", err)
	return problem.New(http.StatusServiceUnavailable, "queue, records or storage did not answer as they should; the log of the server says why").
		Advise("try again; /ready says which part cannot be reached").With("Retry-After", "5")
}
