package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"slate360.ai/worker/internal/server/jobs"
	"slate360.ai/worker/internal/server/problem"
)

// Events are sent as the HTML standard has them (server-sent events). pingInterval
// keeps proxies from cutting a connection on which nothing happens, writeTimeout is
// what a client gets to take what it is sent, maxStreams bounds all of them, and
// retryAfter is when a client comes back that was cut off.
const (
	pingInterval = 15 * time.Second
	writeTimeout = 30 * time.Second
	maxStreams   = 2000
	retryAfter   = "retry: 2000\n\n"
)

func (s *Server) allEvents(w http.ResponseWriter, r *http.Request) { s.events(w, r, "") }

func (s *Server) jobEvents(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := s.visible(r.Context(), id); err != nil {
		problem.Write(w, r, err)
		return
	}
	if _, err := s.o.Jobs.Summary(r.Context(), id); err != nil {
		problem.Write(w, r, s.failed(err))
		return
	}
	s.events(w, r, id)
}

// streams counts the streams of a server.
type streams struct{ n atomic.Int64 }

func (s *Server) events(w http.ResponseWriter, r *http.Request, id string) {
	if s.streams.n.Add(1) > maxStreams {
		s.streams.n.Add(-1)
		problem.Write(w, r, problem.New(http.StatusServiceUnavailable, "%d clients follow events already", maxStreams).With("Retry-After", "10"))
		return
	}
	defer s.streams.n.Add(-1)
	p := principal(r.Context())
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("lastEventId") // of clients that cannot set headers
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	leave := s.o.Jobs.Join(ctx)
	defer leave()
	st := s.o.Jobs.Follow(id, p.Organisation, last, p.Sees)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	out := &stream{w: w, control: http.NewResponseController(w)}
	if out.send([]byte(retryAfter)) != nil {
		return
	}
	for {
		messages, err := st.Next(ctx, pingInterval)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, jobs.ErrNotFound):
			_ = out.send([]byte("event: removed\ndata: {}\n\n")) // the client may have gone
			return
		case err != nil:
			s.log.Warn("events end", "error", err)
			return
		}
		if out.send(encode(messages)) != nil {
			return
		}
	}
}

// encode writes messages; none is a ping.
func encode(messages []jobs.Message) []byte {
	if len(messages) == 0 {
		return []byte("event: ping\ndata: {}\n\n")
	}
	var b bytes.Buffer
	for _, m := range messages {
		if m.ID != "" {
			b.WriteString("id: " + m.ID + "\n")
		}
		b.WriteString("event: " + m.Name + "\ndata: ")
		b.Write(m.Data) // JSON of one line
		b.WriteString("\n\n")
	}
	return b.Bytes()
}

// stream is the connection of one client.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (c *stream) send(data []byte) error {
	if err := c.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := c.w.Write(data); err != nil {
		return err
	}
	return c.control.Flush()
}
