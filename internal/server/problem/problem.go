// Package problem is how the API says what went wrong: RFC 9457, Problem Details
// for HTTP APIs, with the field that is at fault and a hint at what can be done.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// ContentType of all answers that are problems.
const ContentType = "application/problem+json"

// Problem is one answer that is an error; it is an error of Go, too.
type Problem struct {
	Type   string `json:"type" doc:"URI of the kind of problem; about:blank where the status says all."`
	Title  string `json:"title" doc:"The kind of problem, for people."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail,omitempty" doc:"What went wrong this time."`
	// Instance is the path of the request.
	Instance string `json:"instance,omitempty" doc:"Where it went wrong."`
	Field    string `json:"field,omitempty" doc:"The field, parameter or header at fault, such as options.quality."`
	Hint     string `json:"hint,omitempty" doc:"What can be done."`
	// Errors lists all fields at fault where there are several.
	Errors []Field `json:"errors,omitempty" nullable:"false" doc:"All fields at fault, where there are several."`
	// Header goes into the answer, such as Retry-After.
	Header http.Header `json:"-"`
}

// Field is one of several faults.
type Field struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// New returns a problem of a status.
func New(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// Kind returns the problem with a type of its own: urn:slate360:problem:<slug>.
func (p *Problem) Kind(slug, title string) *Problem {
	p.Type, p.Title = "urn:slate360:problem:"+slug, title
	return p
}

// In returns the problem with the field at fault.
func (p *Problem) In(field string) *Problem { p.Field = field; return p }

// Advise returns the problem with a hint.
func (p *Problem) Advise(hint string) *Problem { p.Hint = hint; return p }

// With returns the problem with a header of the answer.
func (p *Problem) With(name, value string) *Problem {
	if p.Header == nil {
		p.Header = http.Header{}
	}
	p.Header.Set(name, value)
	return p
}

// Error is of error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is of huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is of huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.Header }

// ContentType is of huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return ContentType }

// Write answers a request with err: a *Problem as it is, anything else as a
// failure of the server, whose text is not shown.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = New(http.StatusInternalServerError, "the request could not be served; the log of the server says why")
	}
	answer := *p
	if answer.Instance == "" && r != nil {
		answer.Instance = r.URL.EscapedPath()
	}
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(answer.Status)
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}
