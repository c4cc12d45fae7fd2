package job

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// StageState says how a stage of a job stands.
type StageState string

// The states of a stage.
const (
	StagePending StageState = "pending"
	StageRunning StageState = "running"
	StageDone    StageState = "done"
	// StageResumed says that an earlier run finished it.
	StageResumed StageState = "resumed"
	// StageOff says that the options do not ask for it.
	StageOff StageState = "off"
)

// Stage is one stage of a running or ended job.
type Stage struct {
	Name string `json:"name" doc:"Name, as in the option engines."`
	// Title is its name for people.
	Title   string     `json:"title,omitempty" doc:"Name for people."`
	State   StageState `json:"state" enum:"pending,running,done,resumed,off"`
	Engine  string     `json:"engine,omitempty"`
	Seconds float64    `json:"seconds,omitempty" doc:"Wall time in seconds."`
	// PeakBytes is the highest resident memory while it ran.
	PeakBytes int64 `json:"peakBytes,omitempty" doc:"Highest resident memory while it ran."`
	// Progress is 0 to 100.
	Progress float64 `json:"progress" minimum:"0" maximum:"100" doc:"Percent."`
}

// Live is how a running job stands in the worker that has it.
type Live struct {
	JobID string
	// Kind is the name of the pipeline; empty before the source is known.
	Kind string
	// Format, Size and Files are those of the source, once it is here.
	Format      string
	Size, Files int64
	Status      Status
	// Percent of the job, 0 to 100; it does not go back.
	Percent float64
	Step    string
	Stages  []Stage
	// Rate is what the step does a second, in its unit: bytes where it fetches or
	// publishes, else points, triangles or tiles as the stage counts. 0 is unknown.
	Rate float64
	// Remaining seconds of the job; 0 is unknown.
	Remaining float64
	Warnings  []string
	// Ended says that the worker is through with the job, however it ended.
	Ended bool
}

// Clone returns a copy that shares nothing.
func (l Live) Clone() Live {
	l.Stages, l.Warnings = slices.Clone(l.Stages), slices.Clone(l.Warnings)
	return l
}

// Stage returns the stage of a name, to be changed; it is added where there is none.
func (l *Live) Stage(name string) *Stage {
	for i := range l.Stages {
		if l.Stages[i].Name == name {
			return &l.Stages[i]
		}
	}
	l.Stages = append(l.Stages, Stage{Name: name, State: StagePending})
	return &l.Stages[len(l.Stages)-1]
}

// StageLine is what a job's log says of the beginning or the end of a stage, empty
// for other events. Whoever has only the log learns from it how the stages stand:
// ParseStageLine reads it.
func StageLine(p Progress) string {
	switch p.Event {
	case EventStageStarted:
		return fmt.Sprintf("%s (%s): started", p.Stage, p.Engine)
	case EventStageFinished:
		if p.Result != nil {
			return fmt.Sprintf("%s (%s): done in %.1f s", p.Stage, p.Engine, p.Result.Seconds)
		}
	case EventStageResumed:
		return fmt.Sprintf("%s (%s): finished by an earlier run", p.Stage, p.Engine)
	}
	return ""
}

// stageLine matches StageLine, after the time of the line or without it.
var stageLine = regexp.MustCompile(`^(?:[0-9T:.Z+-]+ )?([A-Za-z0-9][A-Za-z0-9._-]{0,63}) \(([A-Za-z0-9][A-Za-z0-9._-]{0,63})\): (?:(started)|done in ([0-9]{1,12}\.[0-9]) s|(finished by an earlier run))$`)

// ParseStageLine reads a line of StageLine from a job's log; ok is false for others.
func ParseStageLine(line string) (s Stage, ok bool) {
	m := stageLine.FindStringSubmatch(line)
	if m == nil {
		return s, false
	}
	s = Stage{Name: m[1], Engine: m[2], State: StageDone, Progress: 100}
	switch {
	case m[3] != "":
		s.State, s.Progress = StageRunning, 0
	case m[5] != "":
		s.State = StageResumed
	default:
		seconds, err := strconv.ParseFloat(m[4], 64)
		if err != nil {
			return s, false
		}
		s.Seconds = seconds
	}
	return s, true
}
