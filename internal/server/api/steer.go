package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/server/audit"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/server/upload"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/web"
)

type deleteIn struct {
	JobParam
	Purge bool `query:"purge" doc:"Delete a job that is at its end, with its outputs and its record, in place of canceling it."`
}

type done struct {
	Body struct {
		JobID  string     `json:"jobId"`
		Status job.Status `json:"status,omitempty" doc:"How the job stands now; absent where it is gone."`
	}
}

type shareIn struct {
	JobParam
	Body struct {
		ExpiresIn int64 `json:"expiresIn,omitempty" minimum:"60" maximum:"31536000" default:"604800" doc:"How long the link holds, in seconds."`
	}
}

type shareOut struct {
	Body struct {
		URL       string    `json:"url" doc:"Path of the page at this server."`
		ExpiresAt time.Time `json:"expiresAt"`
	}
}

func (s *Server) registerSteer() {
	huma.Register(s.api, s.operation(http.MethodDelete, "/api/models/jobs/{id}", "deleteJob", "Cancel a job, or delete one that is at its end", "jobs"), s.delete)
	huma.Register(s.api, s.operation(http.MethodPost, "/api/models/jobs/{id}/retry", "retryJob", "Give a failed job another round of attempts", "jobs"), s.retry)
	huma.Register(s.api, s.operation(http.MethodPost, "/api/models/jobs/{id}/share", "shareJob", "Make a link that shows the result to whoever has it", "jobs"), s.shareJob)
}

// audit notes what somebody did.
func (s *Server) audit(ctx context.Context, p auth.Principal, action, id string, more map[string]any) {
	s.o.Audit.Write(audit.Entry{Who: p.Name, Organisation: p.Organisation, From: address(ctx), Action: action, JobID: id, More: more})
}

// mayChange lets members through that may see the job.
func (s *Server) mayChange(ctx context.Context, id string) error {
	if err := denied(principal(ctx), auth.RoleMember); err != nil {
		return err
	}
	return s.visible(ctx, id)
}

func (s *Server) delete(ctx context.Context, in *deleteIn) (*done, error) {
	if err := s.mayChange(ctx, in.ID); err != nil {
		return nil, err
	}
	action, do := "cancel", s.o.Jobs.Cancel
	if in.Purge {
		action, do = "purge", s.purge
	}
	if err := do(ctx, in.ID); err != nil {
		return nil, s.failed(err)
	}
	s.audit(ctx, principal(ctx), action, in.ID, nil)
	return s.done(ctx, in.ID, in.Purge)
}

func (s *Server) purge(ctx context.Context, id string) error {
	if err := s.o.Jobs.Purge(ctx, id); err != nil {
		return err
	}
	return s.o.Uploads.Discard(ctx, id)
}

func (s *Server) done(ctx context.Context, id string, gone bool) (*done, error) {
	out := &done{}
	out.Body.JobID = id
	if gone {
		return out, nil
	}
	j, err := s.o.Jobs.Summary(ctx, id)
	if err != nil {
		return out, nil //nolint:nilerr // it was removed from the queue, and has no record
	}
	out.Body.Status = j.Status
	return out, nil
}

func (s *Server) retry(ctx context.Context, in *JobParam) (*done, error) {
	if err := s.mayChange(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := s.quota(ctx, principal(ctx)); err != nil {
		return nil, err
	}
	err := s.o.Jobs.Retry(ctx, in.ID, func(ctx context.Context, r record.Record) error {
		options, _, err := job.ParseOptions(r.Options)
		if err != nil {
			options = job.DefaultOptions()
		}
		return s.enqueue(ctx, payload{JobID: r.ID, SourceURL: r.SourceURL, SourceFormat: r.SourceFormat, Options: r.Options}, options.Priority)
	})
	if err != nil {
		return nil, s.failed(err)
	}
	s.audit(ctx, principal(ctx), "retry", in.ID, nil)
	return s.done(ctx, in.ID, false)
}

// sharedFor is how long links hold where the request does not say.
const sharedFor = 7 * 24 * time.Hour

func (s *Server) shareJob(ctx context.Context, in *shareIn) (*shareOut, error) {
	if err := s.mayChange(ctx, in.ID); err != nil {
		return nil, err
	}
	j, err := s.o.Jobs.Summary(ctx, in.ID)
	if err != nil {
		return nil, s.failed(err)
	}
	if j.Status != job.StatusCompleted {
		return nil, problem.New(http.StatusConflict, "the job is %s: there is no result to share yet", j.Status).In("id").Kind("state", "The job is in another state")
	}
	lasts := time.Duration(in.Body.ExpiresIn) * time.Second
	if lasts <= 0 {
		lasts = sharedFor
	}
	expires := time.Now().Add(lasts).Truncate(time.Second)
	out := &shareOut{}
	out.Body.ExpiresAt = expires.UTC()
	out.Body.URL = "/share/" + s.o.Share.Sign(in.ID, expires)
	s.audit(ctx, principal(ctx), "share", in.ID, map[string]any{"expiresAt": out.Body.ExpiresAt})
	return out, nil
}

type presignIn struct {
	Body struct {
		Filename    string `json:"filename" minLength:"1" maxLength:"1024"`
		Size        int64  `json:"size" minimum:"1" doc:"Bytes; exactly so many are taken."`
		ContentType string `json:"contentType,omitempty" maxLength:"255" pattern:"^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+$"`
	}
}

type presigned struct {
	Body struct {
		URL       string            `json:"url" doc:"Takes one PUT of the file."`
		Headers   map[string]string `json:"headers" doc:"What the PUT must carry."`
		Key       string            `json:"key"`
		SourceURL string            `json:"sourceUrl" doc:"What the job is submitted with afterwards."`
		ExpiresAt time.Time         `json:"expiresAt"`
	}
}

func (s *Server) registerPresign() {
	huma.Register(s.api, s.operation(http.MethodPost, upload.BasePath+"/presign", "presignUpload", "Get an address at the storage that takes one file", "uploads"), s.presign)
}

func (s *Server) presign(ctx context.Context, in *presignIn) (*presigned, error) {
	p := principal(ctx)
	if err := denied(p, auth.RoleMember); err != nil {
		return nil, err
	}
	signer, ok := s.o.Storage.(storage.Presigner)
	if !ok {
		return nil, problem.New(http.StatusConflict, "outputs go to a folder of this machine, which takes no signed uploads").
			Kind("no-storage", "The storage is not S3").Advise("upload to " + upload.BasePath + " (tus), or set AWS_S3_BUCKET")
	}
	if most := min(signer.MaxPresigned(), s.o.Uploads.MaxBytes()); in.Body.Size > most {
		return nil, problem.New(http.StatusRequestEntityTooLarge, "one request takes up to %d bytes", most).In("size").
			Advise("upload larger files to " + upload.BasePath + " (tus)")
	}
	name := upload.CleanPath(in.Body.Filename)
	if name == "" {
		return nil, problem.New(http.StatusUnprocessableEntity, "the name has no character that a file's name can have").In("filename")
	}
	if err := s.o.Uploads.Count(p, in.Body.Size); err != nil {
		return nil, s.failed(err)
	}
	contentType := in.Body.ContentType
	if contentType == "" {
		contentType = job.ContentType(name)
	}
	key := "uploads/" + strings.ToLower(rand.Text()) + "/" + name
	u, err := signer.PresignPut(ctx, key, in.Body.Size, contentType, upload.PresignTTL)
	if err != nil {
		return nil, s.failed(err)
	}
	out := &presigned{}
	out.Body.URL, out.Body.Headers, out.Body.Key, out.Body.SourceURL, out.Body.ExpiresAt = u.URL, u.Headers, key, u.Source, u.Expires.UTC()
	s.audit(ctx, p, "presign", "", map[string]any{"key": key, "size": in.Body.Size})
	return out, nil
}

// uploads puts who calls before the handler of resumable uploads.
func (s *Server) uploads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := principal(r.Context())
		if err := denied(p, auth.RoleMember); err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(upload.WithCaller(r.Context(), p)))
	})
}

// output serves a file of a job's result.
func (s *Server) output(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := s.o.Submit.CheckID(id); err != nil {
		problem.Write(w, r, noJob(id))
		return
	}
	if err := s.visible(r.Context(), id); err != nil {
		problem.Write(w, r, err)
		return
	}
	s.files.Serve(w, r, jobs.OutputPrefix(id), r.PathValue("path"))
}

// opened returns the job of a share link.
func (s *Server) opened(r *http.Request) (string, error) {
	if err := s.limit.Allow(auth.Address(r), time.Now()); err != nil && !strings.HasPrefix(r.PathValue("path"), "files/") {
		return "", err
	}
	id, _, err := s.o.Share.Open(r.PathValue("token"), time.Now())
	if err != nil {
		return "", problem.New(http.StatusNotFound, "%v", err).Kind("link", "The link does not hold").Advise("ask whoever gave it for a new one")
	}
	return id, nil
}

// sharedPage serves the viewer of a link, or its result where JSON is asked for.
func (s *Server) sharedPage(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.pages.ServePage(w, r, web.Viewer) // it says itself where the link does not hold
		return
	}
	id, err := s.opened(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	s.sharedResult(w, r, id)
}

// shared serves what the viewer of a link loads.
func (s *Server) shared(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	id, err := s.opened(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	rel := r.PathValue("path")
	if rest, ok := strings.CutPrefix(rel, "files/"); ok {
		s.files.Serve(w, r, jobs.OutputPrefix(id), rest)
		return
	}
	if rel == "result.json" {
		s.sharedResult(w, r, id)
		return
	}
	problem.Write(w, r, problem.New(http.StatusNotFound, "there is nothing at %s", r.URL.Path))
}

func (s *Server) sharedResult(w http.ResponseWriter, r *http.Request, id string) {
	base := "/share/" + url.PathEscape(r.PathValue("token")) + "/files/"
	result, err := s.o.Jobs.Result(r.Context(), id, func(rel string) string { return base + storage.EscapeKey(rel) })
	if err != nil {
		problem.Write(w, r, s.failed(err))
		return
	}
	for i := range result.Outputs {
		result.Outputs[i].StorageURL = "" // the link shows the result, not where it lies
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(result) // the client may have gone
}

func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	problem.Write(w, r, problem.New(http.StatusMethodNotAllowed, "only GET and HEAD are served here").With("Allow", "GET, HEAD"))
	return false
}
