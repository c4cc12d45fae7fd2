package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/server/problem"
)

// transformProblem makes a problem of ours of what huma says of a request that does
// not fit the schema.
func transformProblem(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *problem.Problem:
		answer := *e
		if answer.Instance == "" {
			u := ctx.URL()
			answer.Instance = u.EscapedPath()
		}
		return &answer, nil
	case *huma.ErrorModel:
		return ofSchema(ctx, e), nil
	}
	return v, nil
}

func ofSchema(ctx huma.Context, e *huma.ErrorModel) *problem.Problem {
	u := ctx.URL()
	p := problem.New(e.Status, "%s", e.Detail)
	p.Instance = u.EscapedPath()
	for _, d := range e.Errors {
		if d != nil {
			p.Errors = append(p.Errors, problem.Field{Field: fieldOf(d.Location), Detail: plain(d.Message)})
		}
	}
	if len(p.Errors) > 0 {
		p.Field, p.Detail = p.Errors[0].Field, p.Errors[0].Detail
		p.Hint = "see /openapi.json for what is expected"
	}
	if len(p.Errors) == 1 {
		p.Errors = nil
	}
	if e.Status == http.StatusInternalServerError {
		p.Detail = "the request could not be served; the log of the server says why"
		p.Errors = nil
	}
	return p
}

// plain says in words what the JSON package says in Go's types.
func plain(message string) string {
	rest, ok := strings.CutPrefix(message, "json: cannot unmarshal ")
	if !ok {
		return message
	}
	got, _, _ := strings.Cut(rest, " into ")
	return "got " + got + ", which is of another type than expected"
}

// fieldOf names a field as the client knows it: body.options.quality is options.quality.
func fieldOf(location string) string {
	for _, prefix := range []string{"body.", "query.", "path.", "header."} {
		if rest, ok := strings.CutPrefix(location, prefix); ok {
			return rest
		}
	}
	return location
}

// problemResponse is the answer of all operations that fail.
func (s *Server) problemResponse() *huma.Response {
	return &huma.Response{
		Description: "What went wrong (RFC 9457).",
		Content: map[string]*huma.MediaType{
			problem.ContentType: {Schema: s.api.OpenAPI().Components.Schemas.Schema(typeOf[problem.Problem](), true, "Problem")},
		},
	}
}
