package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

// Payload is the data of a job in the queue (DESIGN.md, section 3).
type Payload struct {
	JobID        string          `json:"jobId"`
	SourceURL    string          `json:"sourceUrl,omitempty"`
	SourceURLs   []string        `json:"sourceUrls,omitempty"`
	SourceFormat string          `json:"sourceFormat,omitempty"`
	Options      json.RawMessage `json:"options,omitempty"`
}

// QueueJobName is the name of jobs that we add, and that the platform adds.
const QueueJobName = "process-model"

// jobID is what can be part of a path and of an object's key.
var jobID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// CheckJobID tells whether a job can have this ID.
func CheckJobID(id string) error {
	if !jobID.MatchString(id) {
		return fmt.Errorf("want letters, digits, '.', '_' and '-', at most 128, got %q", id)
	}
	return nil
}

// request is a checked payload.
type request struct {
	jobID    string
	urls     []string
	format   source.Format
	options  job.Options
	warnings []string
}

// PayloadError says what is wrong with the data of a job. Trying again will not help.
type PayloadError struct {
	// Field such as "sourceUrl"; empty is the whole.
	Field, Msg string
}

func (e *PayloadError) Error() string {
	if e.Field == "" {
		return "the job's data: " + e.Msg
	}
	return fmt.Sprintf("the job's %s: %s", e.Field, e.Msg)
}

// parsePayload checks the data of a job; queueID stands in for a missing jobId.
// Where it fails, the request has the job's ID as far as it is known.
func parsePayload(data json.RawMessage, queueID string) (request, error) {
	var (
		p   Payload
		r   request
		raw map[string]json.RawMessage
	)
	if jobID.MatchString(queueID) {
		r.jobID = queueID
	}
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return r, &PayloadError{Msg: `want a JSON object {jobId, sourceUrl, sourceFormat, options}`}
	}
	for name, field := range map[string]any{
		"jobId": &p.JobID, "sourceUrl": &p.SourceURL, "sourceUrls": &p.SourceURLs, "sourceFormat": &p.SourceFormat, "options": &p.Options,
	} {
		if v, ok := raw[name]; ok {
			if err := json.Unmarshal(v, field); err != nil {
				return r, &PayloadError{Field: name, Msg: "has the wrong type"}
			}
		}
	}
	if p.JobID == "" {
		p.JobID = queueID
	}
	if err := CheckJobID(p.JobID); err != nil {
		return r, &PayloadError{Field: "jobId", Msg: err.Error()}
	}
	r.jobID = p.JobID
	r.urls = p.SourceURLs
	if p.SourceURL != "" {
		r.urls = append([]string{p.SourceURL}, r.urls...)
	}
	for i, u := range r.urls {
		if strings.TrimSpace(u) == "" {
			return r, &PayloadError{Field: "sourceUrls", Msg: fmt.Sprintf("number %d is empty", i+1)}
		}
	}
	if len(r.urls) == 0 {
		return r, &PayloadError{Field: "sourceUrl", Msg: "there is none"}
	}
	r.format = source.Auto
	if p.SourceFormat != "" {
		f, err := source.ParseFormat(p.SourceFormat)
		if err != nil {
			return r, &PayloadError{Field: "sourceFormat", Msg: err.Error()}
		}
		r.format = f
	}
	var err error
	r.options, r.warnings, err = job.ParseOptions(p.Options)
	return r, err
}

// engines returns the choices for the stages of a pipeline: those of the job,
// then those of the configuration.
func engines(def pipeline.Definition, configured, asked map[string]string) map[string]string {
	chosen := map[string]string{}
	for _, s := range def.Stages {
		if name, ok := configured[s.Name]; ok {
			chosen[s.Name] = name
		}
	}
	maps.Copy(chosen, asked)
	return chosen
}
