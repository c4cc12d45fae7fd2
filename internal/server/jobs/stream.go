package jobs

import (
	"context"
	"encoding/json"
	"time"

	"slate360.ai/worker/internal/record"
)

// Stream reads events for one client.
type Stream struct {
	s *Service
	// id is the one job that is followed; empty is all.
	id     string
	see    func(organisation string) bool
	filter record.Filter
	at     Cursor
	fresh  bool // the present state has to come first
}

// Message is one event for one client.
type Message struct {
	// ID is what the client gives back to go on from here; empty where it cannot go
	// on from this one.
	ID, Name string
	Data     []byte
}

// Follow returns the events of one job, or of all that see allows, after the event
// lastID. Where that is empty or too long ago, the present state comes first.
// Join must have been called.
func (s *Service) Follow(id, organisation, lastID string, see func(organisation string) bool) *Stream {
	st := &Stream{s: s, id: id, see: see, filter: record.Filter{OrgID: organisation, Limit: snapshotJobs}}
	var err error
	if st.at, err = ParseCursor(lastID); err != nil {
		st.fresh = true
	}
	return st
}

// snapshotJobs is how many jobs a client of all events gets first.
const snapshotJobs = 100

// Next waits for events until patience is over, when it returns none, or ctx is done.
func (st *Stream) Next(ctx context.Context, patience time.Duration) ([]Message, error) {
	t := time.NewTimer(patience)
	defer t.Stop()
	for {
		if st.fresh {
			return st.snapshot(ctx)
		}
		events, next, wake, ok := st.s.ring.since(st.at)
		if !ok {
			st.fresh = true
			continue
		}
		from := st.at
		st.at = next
		if messages := st.pick(events, from); len(messages) > 0 {
			return messages, nil
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
			return nil, nil
		case <-wake:
		}
	}
}

// pick picks the events that the client may see and wants.
func (st *Stream) pick(events []Event, from Cursor) []Message {
	var messages []Message
	for i, e := range events {
		if st.id != "" && e.JobID != st.id || e.JobID != "" && !st.see(e.Organisation) {
			continue
		}
		c := Cursor{epoch: from.epoch, after: from.after + uint64(i) + 1}
		messages = append(messages, Message{ID: c.String(), Name: e.Name, Data: e.Data})
	}
	return messages
}

// snapshot is the present state. Its place is noted before it is read: what changes
// meanwhile comes again.
func (st *Stream) snapshot(ctx context.Context) ([]Message, error) {
	at := st.s.ring.now()
	var list []Job
	if st.id != "" {
		j, err := st.s.Summary(ctx, st.id)
		if err != nil {
			return nil, err
		}
		list = []Job{j}
	} else {
		page, err := st.s.List(ctx, st.filter)
		if err != nil {
			return nil, err
		}
		list = page.Jobs
	}
	messages := make([]Message, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- { // the newest last, as if they had just come
		if !st.see(list[i].Organisation) {
			continue
		}
		data, err := json.Marshal(list[i])
		if err != nil {
			return nil, err
		}
		messages = append(messages, Message{Name: EventJob, Data: data})
	}
	if len(messages) > 0 {
		messages[len(messages)-1].ID = at.String()
	}
	st.at, st.fresh = at, false
	return messages, nil
}
