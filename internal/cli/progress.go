package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/job"
)

// display shows the events of a job. event is called by one goroutine at a time.
type display interface {
	event(p job.Progress)
	// close leaves the cursor at the start of a line.
	close()
}

// newDisplay picks the display: JSON lines on standard output, a bar on a
// terminal, else plain lines on standard error; warnings only where quiet.
func (p *Program) newDisplay(j *processJob) display {
	switch f := terminalOf(p.Stderr); {
	case j.flags.asJSON:
		return &jsonDisplay{enc: json.NewEncoder(p.Stdout), source: j.source}
	case j.flags.quiet:
		return &plainDisplay{w: p.Stderr, quiet: true}
	case f != nil && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb":
		return &barDisplay{w: p.Stderr, file: f, started: map[string]time.Time{}}
	}
	return &plainDisplay{w: p.Stderr}
}

// jsonDisplay writes each event as a line that names the source. An event that
// cannot be written is lost; that of the result is not (see processOne).
type jsonDisplay struct {
	enc    *json.Encoder
	source string
}

func (d *jsonDisplay) event(p job.Progress) {
	_ = d.enc.Encode(struct {
		Source string `json:"source"`
		job.Progress
	}{d.source, p})
}

func (d *jsonDisplay) close() {}

// plainDisplay writes a line for what has happened.
type plainDisplay struct {
	w     io.Writer
	quiet bool
}

func (d *plainDisplay) event(p job.Progress) {
	if d.quiet && p.Event != job.EventWarning {
		return
	}
	if line := eventLine(p); line != "" {
		fmt.Fprintln(d.w, line)
	}
}

func (d *plainDisplay) close() {}

// eventLine is the line of an event that stays; progress has none.
func eventLine(p job.Progress) string {
	switch p.Event {
	case job.EventStageFinished:
		return fmt.Sprintf("%3.0f %%  %-36s %9s  %9s%s", p.Percent, p.Title, format.Seconds(p.Result.Seconds),
			format.Bytes(p.Result.PeakBytes), engineSuffix(p.Engine))
	case job.EventStageResumed:
		return fmt.Sprintf("%3.0f %%  %-36s finished by an earlier run", p.Percent, p.Title)
	case job.EventWarning:
		return "warning: " + p.Message
	case job.EventNote:
		return p.Message
	}
	return ""
}

func engineSuffix(name string) string {
	if name == "" || name == "native" {
		return ""
	}
	return "  " + name
}

// barDisplay redraws one line below those that stay.
type barDisplay struct {
	w    io.Writer
	file *os.File

	mu      sync.Mutex
	drawn   time.Time
	started map[string]time.Time // stages that run
	open    bool                 // the bar is on the screen
}

// redrawInterval is how often the bar changes at most.
const redrawInterval = 80 * time.Millisecond

func (d *barDisplay) event(p job.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch p.Event {
	case job.EventStageStarted:
		d.started[p.Stage] = p.Time
	case job.EventStageFinished:
		delete(d.started, p.Stage)
	}
	if line := eventLine(p); line != "" {
		d.wipe()
		fmt.Fprintln(d.w, line)
	} else if p.Time.Sub(d.drawn) < redrawInterval {
		return
	}
	if len(d.started) > 0 {
		d.draw(p)
	}
}

func (d *barDisplay) draw(p job.Progress) {
	d.drawn = p.Time
	width, _, err := term.GetSize(int(d.file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	const cells = 24
	full := int(p.Percent / 100 * cells)
	text := fmt.Sprintf("%s%s %3.0f %%  %s", strings.Repeat("█", full), strings.Repeat("░", cells-full), p.Percent, p.Title)
	if since := p.Time.Sub(d.started[p.Stage]).Seconds(); p.Total > 1 && since > 0.2 {
		text += "  " + format.Rate(p.Done/since)
	}
	if p.Remaining > 0 {
		text += "  " + format.Remaining(time.Duration(p.Remaining*float64(time.Second))) + " left"
	}
	if r := []rune(text); len(r) > width-1 {
		text = string(r[:width-1])
	}
	d.wipe()
	fmt.Fprint(d.w, text)
	d.open = true
}

// wipe removes the bar: carriage return, erase to the end of the line.
func (d *barDisplay) wipe() {
	if d.open {
		fmt.Fprint(d.w, "\r\x1b[K")
		d.open = false
	}
}

func (d *barDisplay) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wipe()
}
