package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/problem"
	"slate360.ai/worker/internal/server/upload"
)

// openAPI serves the document.
func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	data, err := s.OpenAPI()
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(data) // the client may have gone
}

// describeStreams adds to the document what is not registered with huma.
func (s *Server) describeStreams() {
	doc := s.api.OpenAPI()
	add := func(op huma.Operation, status, description string, content map[string]*huma.MediaType) {
		op.Responses[status] = &huma.Response{Description: description, Content: content}
		doc.AddOperation(&op)
	}
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}
	binary := map[string]*huma.MediaType{"application/octet-stream": {}}
	schema := func(v *huma.Schema) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"text/event-stream": {Schema: v}}
	}
	text := &huma.Schema{Type: "string", Description: "Events job (Job), progress (Progress), log (LogLine), removed, queue, ping; data is JSON. Last-Event-ID goes on after an event."}
	// The schemas of what is in the events are part of the document, for clients.
	doc.Components.Schemas.Schema(typeOf[jobs.Progress](), true, "Progress")
	doc.Components.Schemas.Schema(typeOf[jobs.LogLine](), true, "LogLine")
	doc.Components.Schemas.Schema(typeOf[jobs.Result](), true, "Result")

	op := s.operation(http.MethodGet, "/api/events", "events", "Follow all jobs as server-sent events", "events")
	op.Parameters = []*huma.Param{lastEventID()}
	add(op, "200", "Events, without end.", schema(text))
	op = s.operation(http.MethodGet, "/api/models/jobs/{id}/events", "jobEvents", "Follow one job as server-sent events", "events")
	op.Parameters = []*huma.Param{id, lastEventID()}
	add(op, "200", "Events, without end.", schema(text))
	op = s.operation(http.MethodGet, "/api/models/jobs/{id}/outputs/{path}", "getOutput", "A file of the result; path may have slashes, and ranges are served", "jobs")
	op.Parameters = []*huma.Param{
		id,
		{Name: "path", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}},
		{Name: "Range", In: "header", Schema: &huma.Schema{Type: "string"}},
	}
	op.Responses["206"] = &huma.Response{Description: "A part of it.", Content: binary}
	add(op, "200", "The file.", binary)
	s.describeUploads(add)
}

func lastEventID() *huma.Param {
	return &huma.Param{Name: "Last-Event-ID", In: "header", Description: "Goes on after this event.", Schema: &huma.Schema{Type: "string"}}
}

// describeUploads describes what tus 1.0 demands.
func (s *Server) describeUploads(add func(op huma.Operation, status, description string, content map[string]*huma.MediaType)) {
	header := func(name, description string, required bool) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: required, Description: description, Schema: &huma.Schema{Type: "string"}}
	}
	resumable := &huma.Param{Name: "Tus-Resumable", In: "header", Required: true, Schema: &huma.Schema{Type: "string", Enum: []any{"1.0.0"}}}
	length := &huma.Param{Name: "Upload-Length", In: "header", Required: true, Description: "Bytes of the file.", Schema: &huma.Schema{Type: "integer", Minimum: new(float64)}}
	offset := &huma.Param{Name: "Upload-Offset", In: "header", Required: true, Description: "Bytes that are there.", Schema: &huma.Schema{Type: "integer", Minimum: new(float64)}}
	id := &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string", Pattern: "^[a-z0-9]+$"}}
	op := s.operation(http.MethodPost, upload.BasePath, "createUpload", "Begin a resumable upload (tus 1.0)", "uploads")
	op.Parameters = []*huma.Param{resumable, length, header("Upload-Metadata", "filename, relativePath, filetype, batch: each with its value in Base64, separated by commas.", false)}
	add(op, "201", "Location is the upload.", nil)
	op = s.operation(http.MethodHead, upload.BasePath+"/{id}", "getUpload", "How far an upload is", "uploads")
	op.Parameters = []*huma.Param{id, resumable}
	op.Responses["default"] = &huma.Response{Description: "There is no such upload, or not for the caller."} // HEAD has no body
	add(op, "200", "Upload-Offset is how many bytes are there.", nil)
	op = s.operation(http.MethodPatch, upload.BasePath+"/{id}", "continueUpload", "Go on with an upload", "uploads")
	op.Parameters = []*huma.Param{id, resumable, offset, header("Upload-Checksum", "Algorithm and digest in Base64 of the chunk: sha1, sha256, md5 or crc32.", false)}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/offset+octet-stream": {Schema: &huma.Schema{Type: "string", ContentEncoding: "binary"}},
	}}
	add(op, "204", "Upload-Offset is how many bytes are there now.", nil)
	op = s.operation(http.MethodDelete, upload.BasePath+"/{id}", "deleteUpload", "Give an upload up", "uploads")
	op.Parameters = []*huma.Param{id, resumable}
	add(op, "204", "It is gone.", nil)
}
