package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/problem"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// operation completes what all operations have in common.
func (s *Server) operation(method, path, id, summary string, tags ...string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: tags,
		Responses: map[string]*huma.Response{"default": s.problemResponse()}, MaxBodyBytes: maxBody, BodyReadTimeout: bodyTimeout,
	}
}

// maxBody bounds requests in JSON, in bytes; bodyTimeout is what they get to come in.
const (
	maxBody     = 1 << 20
	bodyTimeout = 30 * time.Second
)

// JobParam names a job in the path.
type JobParam struct {
	ID string `path:"id" minLength:"1" maxLength:"128" doc:"The job."`
}

type jobOut struct{ Body jobs.Job }

type listIn struct {
	Status []string `query:"status" enum:"queued,analyzing,processing,optimizing,generating_tiles,uploading,completed,failed,cancelled,active" doc:"Statuses, separated by commas; active is all between queued and the end."`
	Kind   string   `query:"kind" enum:"pointcloud,mesh,photogrammetry" doc:"Only jobs of this pipeline."`
	Q      string   `query:"q" maxLength:"200" doc:"Text that the source's address or the error contains, or the ID."`
	Sort   string   `query:"sort" enum:"newest,oldest" default:"newest"`
	Limit  int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string   `query:"cursor" maxLength:"256" doc:"nextCursor of the page before."`
}

type listOut struct {
	Body struct {
		Jobs       []jobs.Job `json:"jobs" nullable:"false"`
		NextCursor string     `json:"nextCursor,omitempty" doc:"Where the next page begins; absent on the last."`
		Total      int64      `json:"total" doc:"How many jobs match, on all pages."`
	}
}

type logIn struct {
	JobParam
	Tail int `query:"tail" minimum:"1" maximum:"10000" default:"200" doc:"How many of the last lines."`
}

type logOut struct {
	Body struct {
		Lines []string `json:"lines" nullable:"false"`
	}
}

// detailLines is how many lines of the log a job comes with.
const detailLines = 50

func (s *Server) registerJobs() {
	huma.Register(s.api, s.operation(http.MethodGet, "/api/models/jobs", "listJobs", "List jobs", "jobs"), s.list)
	huma.Register(s.api, s.operation(http.MethodGet, "/api/models/jobs/{id}", "getJob", "One job with stages, outputs, analysis and the end of its log", "jobs"),
		func(ctx context.Context, in *JobParam) (*jobOut, error) {
			if err := s.visible(ctx, in.ID); err != nil {
				return nil, err
			}
			j, err := s.o.Jobs.Detail(ctx, in.ID, detailLines)
			if err != nil {
				return nil, s.failed(err)
			}
			return &jobOut{Body: j}, nil
		})
	huma.Register(s.api, s.operation(http.MethodGet, "/api/models/jobs/{id}/log", "getJobLog", "The end of a job's log", "jobs"),
		func(ctx context.Context, in *logIn) (*logOut, error) {
			if err := s.visible(ctx, in.ID); err != nil {
				return nil, err
			}
			if _, err := s.o.Jobs.Summary(ctx, in.ID); err != nil {
				return nil, s.failed(err)
			}
			lines, err := s.o.Jobs.Log(ctx, in.ID, in.Tail)
			if err != nil {
				return nil, s.failed(err)
			}
			out := &logOut{}
			out.Body.Lines = lines
			return out, nil
		})
}

func (s *Server) list(ctx context.Context, in *listIn) (*listOut, error) {
	f := record.Filter{
		OrgID: principal(ctx).Organisation, Search: strings.TrimSpace(in.Q), OldestFirst: in.Sort == "oldest", Limit: in.Limit,
		Formats: s.o.Submit.Formats(in.Kind), Status: statuses(in.Status),
	}
	var err error
	if f.After, err = parseCursor(in.Cursor); err != nil {
		return nil, problem.New(http.StatusUnprocessableEntity, "%v", err).In("cursor").Advise("take nextCursor of a page as it is")
	}
	page, err := s.o.Jobs.List(ctx, f)
	if err != nil {
		return nil, s.failed(err)
	}
	out := &listOut{}
	out.Body.Jobs, out.Body.Total, out.Body.NextCursor = page.Jobs, page.Total, formatCursor(page.Next)
	return out, nil
}

// statuses are those of records that were asked for.
func statuses(asked []string) []job.Status {
	var list []job.Status
	for _, a := range asked {
		switch a {
		case "active":
			list = append(list, job.StatusAnalyzing, job.StatusProcessing, job.StatusOptimizing, job.StatusGeneratingTiles, job.StatusUploading)
		case string(jobs.StatusCanceled):
			list = append(list, job.StatusFailed) // as records know it
		default:
			list = append(list, job.Status(a))
		}
	}
	return list
}

// A cursor is base64url(microseconds since 1970, big endian, ID): whoever makes one
// up gets a page from there, of jobs that they may see.
const cursorHead = 8

func formatCursor(p record.Position) string {
	if p.IsZero() {
		return ""
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.CreatedAt.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, p.ID...))
}

var errCursor = errors.New("the cursor is none of this server")

func parseCursor(text string) (record.Position, error) {
	if text == "" {
		return record.Position{}, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= cursorHead || len(raw) > cursorHead+128 {
		return record.Position{}, errCursor
	}
	id := string(raw[cursorHead:])
	if record.CleanText(id) != id {
		return record.Position{}, errCursor
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
	// What PostgreSQL and RFC 3339 can hold.
	if at.Year() < 1970 || at.Year() > 9999 {
		return record.Position{}, errCursor
	}
	return record.Position{CreatedAt: at, ID: id}, nil
}
