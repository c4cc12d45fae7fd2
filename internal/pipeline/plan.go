package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/job"
)

// Plan says what Run would do.
type Plan struct {
	Pipeline     string         `json:"pipeline"`
	MemoryBudget int64          `json:"memoryBudget"`
	Workers      int            `json:"workers"`
	Stages       []PlannedStage `json:"stages"`
	// Notes are what a user should know of the workspace.
	Notes []string `json:"notes"`
}

// The states of planned stages.
const (
	PlanRun    = "run"
	PlanResume = "resume"
	PlanOff    = "off"
)

// PlannedStage is one stage of a Plan.
type PlannedStage struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Engine string `json:"engine,omitempty"`
	// State is run, resume (an earlier run finished it) or off (the options do
	// not ask for it).
	State string `json:"state"`
	// Memory is the estimated peak, in bytes; 0 is little.
	Memory int64 `json:"memoryBytes,omitempty"`
	// Needs are the stages that must be finished before.
	Needs []string `json:"needs,omitempty"`
}

// MakePlan returns what Run would do now, without writing anything. A stage
// after one that has to run is planned to run too, though Run takes it up where
// its inputs come out the same.
func MakePlan(ctx context.Context, def Definition, req Request) (Plan, error) {
	r, err := newRunner(ctx, def, req)
	if err != nil {
		return Plan{}, err
	}
	former, notes, err := r.former(ctx)
	if err != nil {
		return Plan{}, err
	}
	if former != nil {
		r.manifest.Stages = former.Stages
	}
	intact, err := r.intactStages(ctx)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Pipeline: def.Name, MemoryBudget: r.req.MemoryBudget, Workers: r.req.Workers, Notes: notes}
	toRun := map[string]bool{}
	for _, t := range r.tasks {
		p := PlannedStage{Name: t.stage.Name, Title: t.stage.title(), State: PlanOff}
		if t.enabled {
			p.State, p.Engine = PlanRun, t.engine.Name
			for _, n := range t.needs {
				p.Needs = append(p.Needs, n.stage.Name)
			}
			needsRun := slices.ContainsFunc(p.Needs, func(n string) bool { return toRun[n] })
			if rec := r.reusable(t, intact[t.stage.Name]); rec != nil && !needsRun {
				p.State, p.Engine = PlanResume, rec.Engine
			} else {
				toRun[p.Name] = true
				if t.memory, err = t.estimate(); err != nil {
					return Plan{}, err
				}
				p.Memory = t.memory
				if warning, err := r.checkMemory(t); err != nil {
					plan.Notes = append(plan.Notes, err.Error())
				} else if warning != "" {
					plan.Notes = append(plan.Notes, warning)
				}
			}
		}
		plan.Stages = append(plan.Stages, p)
	}
	return plan, nil
}

// task is a stage in one run.
type task struct {
	stage   *Stage
	enabled bool
	engine  *Engine // of an enabled stage
	chosen  bool    // by name, not auto
	key     string
	needs   []*task // enabled makers of the inputs
	context *Context

	state  taskState
	memory int64
	inputs map[string]string // digests of the inputs when it started
	goesOn bool              // with the products of a run that was stopped
}

type taskState int

const (
	pending taskState = iota
	running
	finished
)

// makeTasks orders the stages, asks which are enabled and chooses their engines.
func (r *runner) makeTasks(ctx context.Context, def Definition) error {
	order, err := def.order()
	if err != nil {
		return fmt.Errorf("pipeline %q: %w", def.Name, err)
	}
	choices, err := engineChoices(def, r.req.Options)
	if err != nil {
		return err
	}
	byProduct := map[string]*task{}
	for _, i := range order {
		s := &def.Stages[i]
		t := &task{stage: s, enabled: s.enabled(r.req.Options)}
		t.context = &Context{run: r, stage: s}
		r.tasks = append(r.tasks, t)
		for _, p := range s.Outputs {
			byProduct[p] = t
		}
		for _, in := range s.Inputs {
			if maker := byProduct[in]; maker.enabled && !slices.Contains(t.needs, maker) {
				t.needs = append(t.needs, maker)
			}
		}
		if !t.enabled {
			continue
		}
		if t.key, err = s.key(r.req.Options); err != nil {
			return err
		}
		name := choices[s.Name]
		t.chosen = name != "" && name != EngineAuto
		if t.engine, err = s.choose(ctx, name); err != nil {
			return err
		}
	}
	r.waitForAll()
	return nil
}

// waitForAll lets stages that are Last need all others.
func (r *runner) waitForAll() {
	for _, t := range r.tasks {
		if !t.stage.Last {
			continue
		}
		for _, o := range r.tasks {
			if o.enabled && !o.stage.Last && !slices.Contains(t.needs, o) {
				t.needs = append(t.needs, o)
			}
		}
	}
}

// engineChoices checks that the stages and engines asked for exist.
func engineChoices(def Definition, o job.Options) (map[string]string, error) {
	for _, name := range slices.Sorted(maps.Keys(o.Engines)) {
		i := slices.IndexFunc(def.Stages, func(s Stage) bool { return s.Name == name })
		if i < 0 {
			names := make([]string, len(def.Stages))
			for j, s := range def.Stages {
				names[j] = s.Name
			}
			return nil, &UsageError{Msg: fmt.Sprintf("pipeline %s has no stage %q; its stages are %s",
				def.Name, name, strings.Join(names, ", "))}
		}
		if engine := o.Engines[name]; !slices.Contains(def.Stages[i].engineNames(), engine) {
			return nil, &UsageError{Msg: fmt.Sprintf("stage %s has no engine %q; it has %s",
				name, engine, strings.Join(def.Stages[i].engineNames(), ", "))}
		}
	}
	return o.Engines, nil
}

// choose returns the engine of that name, or the first that is available.
func (s *Stage) choose(ctx context.Context, name string) (*Engine, error) {
	var missing []error
	for i := range s.Engines {
		e := &s.Engines[i]
		auto := name == "" || name == EngineAuto
		if !auto && e.Name != name {
			continue
		}
		if e.Available == nil {
			return e, nil
		}
		err := e.Available(ctx)
		if err == nil {
			return e, nil
		}
		missing = append(missing, fmt.Errorf("engine %s of stage %s: %w", e.Name, s.Name, err))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, &ConfigError{Err: errors.Join(missing...)}
}

// estimate asks the stage for its memory. It runs code of the stage, so a panic
// is caught as in Run.
func (t *task) estimate() (bytes int64, err error) {
	if t.stage.Memory == nil {
		return 0, nil
	}
	defer func() { err = caught(recover(), err) }()
	return max(0, t.stage.Memory(t.context)), nil
}

// checkMemory says what is wrong with a stage that needs more than the budget:
// a warning where the machine has that much, an error where it has not.
func (r *runner) checkMemory(t *task) (warning string, err error) {
	if t.memory <= r.req.MemoryBudget {
		return "", nil
	}
	needs := fmt.Sprintf("stage %s needs about %s of memory, the budget is %s",
		t.stage.Name, format.Bytes(t.memory), format.Bytes(r.req.MemoryBudget))
	if total := host.TotalMemory(); t.memory > total {
		return "", &ConfigError{
			Err:  fmt.Errorf("%s and the machine has %s", needs, format.Bytes(total)),
			Hint: "use a machine with more memory, or try all the same with --memory " + fmt.Sprintf("%dM", t.memory>>20+1),
		}
	}
	return needs + ": it runs alone", nil
}
