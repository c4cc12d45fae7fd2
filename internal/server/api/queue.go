package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/jobs"
)

// WorkerInfo is one worker of the queue.
type WorkerInfo struct {
	Name        string     `json:"name"`
	Address     string     `json:"address,omitempty"`
	Since       *time.Time `json:"since,omitempty"`
	Local       bool       `json:"local" doc:"Whether it is in this process."`
	Concurrency int        `json:"concurrency,omitempty"`
	Active      int        `json:"active" doc:"How many jobs it has; -1 where it is not known."`
	// Jobs that it has, where it is in this process.
	Jobs []string `json:"jobs" nullable:"false"`
	// Taking says whether it takes jobs.
	Taking bool `json:"taking"`
}

// System is what the server runs on.
type System struct {
	Version      string    `json:"version"`
	Go           string    `json:"go"`
	OS           string    `json:"os"`
	Started      time.Time `json:"started"`
	Processors   int       `json:"processors"`
	Load         float64   `json:"load,omitempty" doc:"Share of the processors that were busy of late, 0 to 1."`
	Memory       Memory    `json:"memory"`
	Disk         []Disk    `json:"disk" nullable:"false"`
	GPUs         []GPU     `json:"gpus" nullable:"false"`
	Engines      []Engine  `json:"engines" nullable:"false" doc:"External programs that stages can use."`
	Services     []Backend `json:"services" nullable:"false"`
	RunningJobs  int       `json:"runningJobs"`
	EventClients int64     `json:"eventClients"`
}

// Memory in bytes.
type Memory struct {
	Total    int64 `json:"total" doc:"What this process may use."`
	Budget   int64 `json:"budget" doc:"What jobs may use."`
	Resident int64 `json:"resident" doc:"What this process uses."`
	Peak     int64 `json:"peak"`
}

// Disk is room in bytes.
type Disk struct {
	Name string `json:"name" doc:"What it is for."`
	Free int64  `json:"free" doc:"-1 where it is not known."`
}

// GPU is one graphics card.
type GPU struct {
	Index       int     `json:"index"`
	Name        string  `json:"name"`
	Driver      string  `json:"driver,omitempty"`
	Utilization float64 `json:"utilization" doc:"Percent."`
	MemoryTotal int64   `json:"memoryTotal" doc:"Bytes."`
	MemoryUsed  int64   `json:"memoryUsed"`
	Temperature float64 `json:"temperature,omitempty" doc:"Degrees Celsius."`
	PowerWatts  float64 `json:"powerWatts,omitempty"`
}

// Engine is one external program.
type Engine struct {
	Name    string `json:"name"`
	Found   bool   `json:"found"`
	Version string `json:"version,omitempty"`
	Adds    string `json:"adds,omitempty" doc:"What it would add."`
}

// Backend is a part behind the server.
type Backend struct {
	Name string `json:"name" doc:"queue, records, storage"`
	Kind string `json:"kind" doc:"redis, upstash, embedded, supabase, postgres, s3, disk"`
}

type workersOut struct {
	Body struct {
		Workers []WorkerInfo `json:"workers" nullable:"false"`
	}
}

type queueOut struct{ Body jobs.QueueState }

type systemOut struct{ Body System }

func (s *Server) registerQueue() {
	huma.Register(s.api, s.operation(http.MethodGet, "/api/workers", "listWorkers", "Workers of the queue", "system"), s.workers)
	huma.Register(s.api, s.operation(http.MethodGet, "/api/queue", "getQueue", "How the queue stands", "system"),
		func(ctx context.Context, _ *struct{}) (*queueOut, error) {
			st, err := s.o.Jobs.QueueState(ctx)
			return &queueOut{Body: st}, s.failed(err)
		})
	for _, verb := range []struct {
		name, summary string
		do            func(ctx context.Context) error
	}{
		{"pause", "Stop the taking of jobs by all workers", s.o.Queue.Pause},
		{"resume", "Let workers take jobs again", s.o.Queue.Resume},
	} {
		huma.Register(s.api, s.operation(http.MethodPost, "/api/queue/"+verb.name, verb.name+"Queue", verb.summary, "system"),
			func(ctx context.Context, _ *struct{}) (*queueOut, error) {
				p := principal(ctx)
				if err := denied(p, auth.RoleAdmin); err != nil {
					return nil, err
				}
				if err := verb.do(ctx); err != nil {
					return nil, s.failed(err)
				}
				s.audit(ctx, p, verb.name, "", nil)
				st, err := s.o.Jobs.QueueState(ctx)
				return &queueOut{Body: st}, s.failed(err)
			})
	}
	huma.Register(s.api, s.operation(http.MethodGet, "/api/system", "getSystem", "What the server runs on", "system"),
		func(ctx context.Context, _ *struct{}) (*systemOut, error) {
			sys := s.o.System(ctx)
			sys.RunningJobs, sys.EventClients = len(s.o.Jobs.Running()), s.streams.n.Load()
			return &systemOut{Body: sys}, nil
		})
}

func (s *Server) workers(ctx context.Context, _ *struct{}) (*workersOut, error) {
	out := &workersOut{}
	out.Body.Workers = s.o.Worker()
	local := map[string]bool{}
	for i, w := range out.Body.Workers {
		local[w.Name] = true
		out.Body.Workers[i].Jobs = s.runningFor(principal(ctx), s.o.Jobs.Running())
	}
	others, err := s.o.Queue.Workers(ctx)
	if err != nil {
		return nil, s.failed(err)
	}
	for _, w := range others {
		if local[w.Name] {
			continue
		}
		info := WorkerInfo{Name: w.Name, Active: w.Active, Jobs: []string{}, Taking: true}
		if principal(ctx).May(auth.RoleAdmin) {
			info.Address = w.Address
		}
		if !w.Since.IsZero() {
			since := w.Since.UTC()
			info.Since = &since
		}
		out.Body.Workers = append(out.Body.Workers, info)
	}
	return out, nil
}

// runningFor returns the running jobs that the caller may see.
func (s *Server) runningFor(p auth.Principal, running []job.Live) []string {
	ids := []string{}
	for _, l := range running {
		org, err := s.o.Jobs.Owner(context.Background(), l.JobID)
		if err == nil && p.Sees(org) {
			ids = append(ids, l.JobID)
		}
	}
	return ids
}
