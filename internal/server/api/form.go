package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/problem"
)

const processPath = "/api/models/process"

func formSchema() *huma.Schema {
	text := func(description string) *huma.Schema { return &huma.Schema{Type: "string", Description: description} }
	return &huma.Schema{
		Type: "object", Required: []string{"file"},
		Properties: map[string]*huma.Schema{
			"file": {
				Type: "array", Items: &huma.Schema{Type: "string", ContentEncoding: "binary"},
				Description: "The files; several are a folder. The name of each may be its path in the folder. They come after the other fields.",
			},
			"sourceFormat": text("As in JSON."), "options": text("As in JSON: an object."), "priority": text("As in JSON."), "jobId": text("As in JSON."),
		},
	}
}

// maxField bounds the fields of a form that are no files, in bytes; formTimeout is
// how long a form may stand still.
const (
	maxField    = 256 << 10
	formTimeout = time.Minute
)

// submissions takes forms off what huma handles: their files go to disk as they come.
func (s *Server) submissions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.Method != http.MethodPost || r.URL.Path != processPath || err != nil || media != "multipart/form-data" {
			next.ServeHTTP(w, r)
			return
		}
		out, err := s.submitForm(w, r, params["boundary"])
		if err != nil {
			// What has not been read is not waited for.
			w.Header().Set("Connection", "close")
			problem.Write(w, r, err)
			return
		}
		w.Header().Set("Location", out.Location)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(out.Status)
		_ = json.NewEncoder(w).Encode(out.Body) // the client may have gone
	})
}

func (s *Server) submitForm(w http.ResponseWriter, r *http.Request, boundary string) (*submitOut, error) {
	p := principal(r.Context())
	if err := denied(p, auth.RoleMember); err != nil {
		return nil, err
	}
	if boundary == "" {
		return nil, problem.New(http.StatusBadRequest, "the form has no boundary").In("Content-Type")
	}
	body := &patient{r: r.Body, control: http.NewResponseController(w)}
	f := &form{s: s, parts: multipart.NewReader(body, boundary), ticket: &ticket{
		s: s, p: p, key: r.Header.Get("Idempotency-Key"), carrier: carrierOf(r.Header.Get("Traceparent"), r.Header.Get("Tracestate")),
	}}
	first, err := f.fields()
	if err != nil {
		return nil, err
	}
	return f.ticket.submit(r.Context(), func(ctx context.Context, data *payload) error { return f.files(ctx, first, data) })
}

// form is a form as it comes in: fields, then files.
type form struct {
	s      *Server
	parts  *multipart.Reader
	ticket *ticket
}

// fields reads up to the first file.
func (f *form) fields() (first *multipart.Part, err error) {
	for count := 0; ; count++ {
		part, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, problem.New(http.StatusUnprocessableEntity, "the form has no file").In("file")
		}
		if err != nil {
			return nil, badForm(err)
		}
		if part.FormName() == "file" {
			return part, nil
		}
		if count > 32 {
			return nil, problem.New(http.StatusUnprocessableEntity, "the form has too many fields")
		}
		value, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err != nil {
			return nil, badForm(err)
		}
		if len(value) > maxField {
			return nil, problem.New(http.StatusRequestEntityTooLarge, "the field is larger than %d bytes", maxField).In(part.FormName())
		}
		if err := f.set(part.FormName(), bytes.TrimSpace(value)); err != nil {
			return nil, err
		}
	}
}

func (f *form) set(name string, value []byte) error {
	in := &f.ticket.in
	switch name {
	case "jobId":
		in.JobID = string(value)
	case "sourceFormat":
		in.SourceFormat = string(value)
	case "priority":
		switch string(value) {
		case "", "low", "normal", "high", "urgent":
			in.Priority = string(value)
		default:
			return problem.New(http.StatusUnprocessableEntity, "want low, normal, high or urgent").In("priority")
		}
	case "options":
		if len(value) > 0 && !json.Valid(value) {
			return problem.New(http.StatusUnprocessableEntity, "want a JSON object").In("options")
		}
		in.Options = value
	default:
		return problem.New(http.StatusUnprocessableEntity, "the form has a field that is not known").In(name).
			Advise("fields are options, sourceFormat, priority, jobId and file, and files come last")
	}
	return nil
}

// files writes the files as they come in.
func (f *form) files(ctx context.Context, part *multipart.Part, data *payload) (err error) {
	t := f.ticket
	if t.batch, err = f.s.o.Uploads.Batch(t.p, t.in.JobID); err != nil {
		return err
	}
	for {
		if part.FormName() != "file" {
			return problem.New(http.StatusUnprocessableEntity, "a field comes after a file").In(part.FormName()).Advise("send the files last")
		}
		if err := t.batch.Add(fileName(part), part); err != nil {
			return badForm(err)
		}
		part, err = f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return badForm(err)
		}
	}
	data.SourceURL, err = t.batch.Done(ctx, false)
	return err
}

// fileName is the name of a file with its path, which Part.FileName cuts off.
func fileName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || params["filename"] == "" {
		return "source"
	}
	return params["filename"]
}

// badForm is what is wrong with a form that cannot be read.
func badForm(err error) error {
	var p *problem.Problem
	if errors.As(err, &p) {
		return err
	}
	return problem.New(http.StatusBadRequest, "the form could not be read to its end: %v", err)
}

// patient cuts off clients that send nothing for a while.
type patient struct {
	r       io.Reader
	control *http.ResponseController
}

func (b *patient) Read(p []byte) (int, error) {
	// Requests of tests have no deadline.
	_ = b.control.SetReadDeadline(time.Now().Add(formTimeout))
	return b.r.Read(p)
}
