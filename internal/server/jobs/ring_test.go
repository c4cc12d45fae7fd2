package jobs

import (
	"fmt"
	"testing"
)

func TestRing(t *testing.T) {
	r := newRing()
	start := r.now()
	if events, next, _, ok := r.since(start); !ok || len(events) != 0 || next != start {
		t.Fatalf("an empty ring: %v, %v, %v", events, next, ok)
	}
	for i := range 10 {
		r.add(Event{JobID: fmt.Sprint(i), Data: []byte("{}")})
	}
	_, _, wake, _ := r.since(start)
	select {
	case <-wake:
		t.Error("woken before the flush")
	default:
	}
	r.flush()
	<-wake
	events, next, _, ok := r.since(start)
	if !ok || len(events) != 10 || events[0].JobID != "0" || next != r.now() {
		t.Errorf("%d events, %v", len(events), ok)
	}
	c, err := ParseCursor(next.String())
	if err != nil || c != next {
		t.Errorf("%v, %v", c, err)
	}
	for range ringEvents {
		r.add(Event{JobID: "later", Data: make([]byte, 100)})
	}
	if _, _, _, ok := r.since(start); ok {
		t.Error("events that are gone were not missed")
	}
	if events, _, _, ok := r.since(next); !ok || len(events) != batch {
		t.Errorf("%d events, %v", len(events), ok)
	}
	r.breach()
	if _, _, _, ok := r.since(next); ok {
		t.Error("a client went on across a breach")
	}
}

func TestRingIsBoundedInBytes(t *testing.T) {
	r := newRing()
	for range 100 {
		r.add(Event{Data: make([]byte, 1<<20)})
	}
	if r.bytes > ringBytes || len(r.events) == 0 {
		t.Errorf("%d bytes in %d events", r.bytes, len(r.events))
	}
	r.add(Event{Data: make([]byte, 2*ringBytes)})
	if len(r.events) != 1 {
		t.Errorf("%d events beside one that is larger than all", len(r.events))
	}
}

// A cursor that is read is written in the same way, and no client gets what is not there.
func FuzzParseCursor(f *testing.F) {
	f.Add("abcdefgh-12")
	f.Add("-1")
	f.Add("a-18446744073709551615")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCursor(text)
		if err != nil {
			return
		}
		again, err := ParseCursor(c.String())
		if err != nil || again != c {
			t.Errorf("%q: %v, %v", text, again, err)
		}
		r := newRing()
		r.add(Event{JobID: "1"})
		c.epoch = r.epoch
		if events, next, _, ok := r.since(c); ok && (len(events) > 1 || next.after > 1) {
			t.Errorf("%q: %d events, %v", text, len(events), next)
		}
	})
}
