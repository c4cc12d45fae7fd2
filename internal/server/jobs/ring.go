package jobs

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// The events that clients get.
const (
	EventJob      = "job"      // a job was added or has changed: the whole of it
	EventProgress = "progress" // how a running job stands
	EventLog      = "log"      // a line of a job's log
	EventRemoved  = "removed"  // a job was deleted
	EventQueue    = "queue"    // the queue was paused or resumed
)

// Event is one thing that happened.
type Event struct {
	Name  string
	JobID string
	// Organisation of the job; clients of others do not see it.
	Organisation string
	// Data is JSON.
	Data []byte
}

// Bounds of what can be taken up again: older events are gone, and a client that
// asks for them gets the present state instead.
const (
	ringEvents = 8192
	ringBytes  = 16 << 20
)

// ring holds the last events for all clients: each reads on from a place of its
// own, so that a slow client costs nothing and holds up nobody.
type ring struct {
	mu sync.Mutex
	// epoch tells numbers of this run from those of another; it changes where
	// events may have been missed.
	epoch  string
	first  uint64 // number of events[0]
	events []Event
	bytes  int
	dirty  bool
	wake   chan struct{} // closed at the next flush
}

func newRing() *ring { return &ring{epoch: newEpoch(), first: 1, wake: make(chan struct{})} }

func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }

// Cursor is the place after an event.
type Cursor struct {
	epoch string
	after uint64
}

// String is the ID of the event that the cursor stands after.
func (c Cursor) String() string { return c.epoch + "-" + strconv.FormatUint(c.after, 10) }

// ParseCursor reads the ID of an event, as Last-Event-ID has it.
func ParseCursor(text string) (Cursor, error) {
	epoch, number, ok := strings.Cut(text, "-")
	after, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || len(epoch) == 0 || len(epoch) > 32 {
		return Cursor{}, fmt.Errorf("%.40q is not the ID of an event", text)
	}
	return Cursor{epoch: epoch, after: after}, nil
}

// add appends an event; clients hear of it at the next flush.
func (r *ring) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.bytes += len(e.Data)
	drop := 0
	for len(r.events)-drop > ringEvents || r.bytes > ringBytes && drop < len(r.events)-1 {
		r.bytes -= len(r.events[drop].Data)
		r.events[drop] = Event{}
		drop++
	}
	r.first += uint64(drop)
	r.events = r.events[drop:]
	r.dirty = true
}

// flush wakes the clients where there is something new.
func (r *ring) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.dirty {
		return
	}
	r.dirty = false
	close(r.wake)
	r.wake = make(chan struct{})
}

// breach notes that events may have been missed: nobody goes on from before.
func (r *ring) breach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch = newEpoch()
	r.events, r.bytes, r.first = nil, 0, 1
	r.dirty = true
}

// now is the place after the newest event.
func (r *ring) now() Cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Cursor{epoch: r.epoch, after: r.first + uint64(len(r.events)) - 1}
}

// batch bounds what a client reads at once.
const batch = 256

// since returns the events after a place and the place after them. ok is false
// where some of them are gone. wake is closed when there may be more.
func (r *ring) since(c Cursor) (events []Event, next Cursor, wake <-chan struct{}, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := r.first + uint64(len(r.events))
	if c.epoch != r.epoch || c.after+1 < r.first || c.after >= end {
		return nil, c, r.wake, false
	}
	from := r.events[c.after+1-r.first:]
	events = append([]Event(nil), from[:min(len(from), batch)]...)
	return events, Cursor{epoch: c.epoch, after: c.after + uint64(len(events))}, r.wake, true
}
