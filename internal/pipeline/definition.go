// Package pipeline runs the stages that turn a source into web-ready outputs.
//
// A pipeline is a graph of stages (Definition) that know each other only by the
// products they read and make. Run orders them, runs those side by side that do
// not need each other and fit the memory budget together, picks the engine of
// each, reports progress, and keeps a workspace whose manifest says what each
// finished stage made, with checksums: a job that was killed goes on from its
// last finished stage. Finished outputs move into the result folder at the end,
// result.json last (DESIGN.md, sections 2 and 3).
package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slate360.ai/worker/internal/job"
)

// EngineNative is the name of the engine in Go, which a stage has unless only
// external programs can do it; EngineAuto that of the choice of the first engine that is available.
const (
	EngineNative = "native"
	EngineAuto   = "auto"
)

// Definition is one pipeline: what to do with one kind of source.
type Definition struct {
	// Name of the pipeline, such as "pointcloud".
	Name   string
	Stages []Stage
}

// Stage is one step of a pipeline.
type Stage struct {
	// Name is what people type in --engine STAGE=NAME.
	Name string
	// Title is shown to people while the stage runs: "Classifying ground".
	Title string
	// Inputs are products of other stages. Where the stage that makes one is not
	// enabled, the product is absent: see Context.Has.
	Inputs []string
	// Outputs are the products this stage makes: files or folders of the
	// workspace. One that was not written by the end of the stage is an error.
	Outputs []string
	// Status is what the job's record shows while the stage runs; empty is
	// job.StatusProcessing.
	Status job.Status
	// Weight is the share of the stage in the progress of the job; 0 counts as 1.
	Weight float64
	// Memory estimates the peak bytes of the stage; nil is little. It is asked
	// before the stage runs, and for a plan before its inputs exist, when it must
	// judge by the source.
	Memory func(s *Context) int64
	// Enabled tells whether the options ask for the stage; nil is always.
	Enabled func(o job.Options) bool
	// Depends returns the part of the options that the products depend on, as a
	// value that encodes to JSON; a change of it makes a finished stage run
	// again. nil is all options but engines and priority.
	Depends func(o job.Options) any
	// Version is raised when the products or outputs of the stage change for the
	// same input, so that those of an older build are not taken up.
	Version int
	// Last lets the stage wait for all others but those that are Last, too: what
	// reports on the whole job.
	Last bool
	// Engines can each do the stage; "auto" is the first that is available.
	Engines []Engine

	// part is the pipeline inside the pipeline that the stage is of; nil is none.
	part *Part
}

// Engine is one way to do a stage.
type Engine struct {
	// Name is "native" or that of the external program.
	Name string
	// Available returns nil where the engine can run here, else an error that
	// says what to install. nil is always available.
	Available func(ctx context.Context) error
	// Resumes says that it goes on with what is there of the stage's outputs after a
	// run that was stopped or killed: it writes them piece by piece, each whole or not
	// at all.
	Resumes bool
	// Run does the work. It returns soon after ctx is done (within 100 ms), and
	// waits for the goroutines it started.
	Run func(ctx context.Context, s *Context) error
}

func (s *Stage) enabled(o job.Options) bool { return s.Enabled == nil || s.Enabled(o) }

func (s *Stage) weight() float64 {
	if s.Weight <= 0 {
		return 1
	}
	return s.Weight
}

func (s *Stage) status() job.Status {
	if s.Status == "" {
		return job.StatusProcessing
	}
	return s.Status
}

func (s *Stage) title() string {
	if s.Title == "" {
		return s.Name
	}
	return s.Title
}

func (s *Stage) engineNames() []string {
	names := make([]string, 0, len(s.Engines)+1)
	for _, e := range s.Engines {
		names = append(names, e.Name)
	}
	return append(names, EngineAuto)
}

// Validate checks that names are unique and usable as file names, that each
// input is made by exactly one stage, that there is no cycle, and that each
// stage has an engine.
func (d Definition) Validate() error {
	_, err := d.order()
	if err != nil {
		return fmt.Errorf("pipeline %q: %w", d.Name, err)
	}
	return nil
}

// order returns the indices of the stages, each after those whose products it
// needs, otherwise as they are listed.
func (d Definition) order() ([]int, error) {
	makers, err := d.makers()
	if err != nil {
		return nil, err
	}
	const unseen, open, done = 0, 1, 2
	state := make([]int, len(d.Stages))
	order := make([]int, 0, len(d.Stages))
	var visit func(i int, path []string) error
	visit = func(i int, path []string) error {
		path = append(path, d.Stages[i].Name)
		switch state[i] {
		case open:
			return fmt.Errorf("stages need each other in a circle: %s", strings.Join(path, " → "))
		case done:
			return nil
		}
		state[i] = open
		for _, in := range d.Stages[i].Inputs {
			if err := visit(makers[in], path); err != nil {
				return err
			}
		}
		state[i] = done
		order = append(order, i)
		return nil
	}
	for i := range d.Stages {
		if err := visit(i, nil); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// makers maps each product to the index of the stage that makes it.
func (d Definition) makers() (map[string]int, error) {
	makers := map[string]int{}
	stages := map[string]bool{}
	for i, s := range d.Stages {
		if !plainName(s.Name) {
			return nil, fmt.Errorf("stage name %q: want lower-case letters, digits, dots, dashes", s.Name)
		}
		if stages[s.Name] {
			return nil, fmt.Errorf("two stages are named %q", s.Name)
		}
		stages[s.Name] = true
		if err := checkEngines(s); err != nil {
			return nil, err
		}
		for _, p := range s.Outputs {
			if !plainName(p) {
				return nil, fmt.Errorf("stage %q: product name %q: want letters, digits, dots, dashes", s.Name, p)
			}
			if other, ok := makers[p]; ok {
				return nil, fmt.Errorf("product %q is made by stage %q and by stage %q", p, d.Stages[other].Name, s.Name)
			}
			makers[p] = i
		}
	}
	for _, s := range d.Stages {
		for _, in := range s.Inputs {
			if _, ok := makers[in]; !ok {
				return nil, fmt.Errorf("stage %q needs product %q, which no stage makes", s.Name, in)
			}
		}
	}
	return makers, nil
}

func checkEngines(s Stage) error {
	var names []string
	for _, e := range s.Engines {
		if !plainName(e.Name) || e.Name == EngineAuto || slices.Contains(names, e.Name) || e.Run == nil {
			return fmt.Errorf("stage %q: engine %q has no Run, or its name is reserved, unusable or there twice", s.Name, e.Name)
		}
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("stage %q has no engine", s.Name)
	}
	return nil
}

// plainName tells whether a name can be a file name everywhere and typed
// without quotes.
func plainName(name string) bool {
	if name == "" || name[0] == '.' || len(name) > 64 {
		return false
	}
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return false
		}
	}
	return true
}
