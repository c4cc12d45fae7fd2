package pipeline

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slate360.ai/worker/internal/job"
)

// Part is a pipeline that goes on, inside another, from one of its products: a
// reconstruction hands its cloud of points to the pipeline of clouds. The stages
// of a part know nothing of it: what they ask for and leave is renamed on the way.
type Part struct {
	// Name goes before the names of the stages and products of the part: the
	// stage "index" of the part "cloud" is "cloud-index". The analysis of the part
	// is below this name in that of the job.
	Name string
	// Definition is what goes on.
	Definition Definition
	// Source is the product that the part takes for its source, Format what it is.
	Source, Format string
	// Inputs are further products of the whole that Place reads.
	Inputs []string
	// Without names stages of the part that are left out.
	Without []string
	// Folders maps the first folder in the path of an output to where it goes
	// instead: {"3dtiles": "pointcloud/3dtiles"}.
	Folders map[string]string
	// Types maps types of outputs to those that they get instead. A job asks for
	// them by the new name; the part does not make those types under the old one.
	Types map[string]string
	// Enabled tells whether the options of the job ask for the part: where they do not
	// ask for its source, it must be false. nil is always.
	Enabled func(o job.Options) bool
	// Options changes the options of the job for the part; nil is as they are.
	Options func(o job.Options) job.Options
	// Place changes the options again when a stage runs, by products of the whole,
	// whose paths product returns; nil is as they are.
	Place func(o *job.Options, product func(name string) string) error
}

// With returns the pipeline with a part added.
func (d Definition) With(p Part) Definition {
	d.Stages = slices.Clone(d.Stages)
	left := map[string]bool{}
	for _, s := range p.Definition.Stages {
		if slices.Contains(p.Without, s.Name) {
			for _, out := range s.Outputs {
				left[out] = true
			}
		}
	}
	for _, s := range p.Definition.Stages {
		if !slices.Contains(p.Without, s.Name) {
			d.Stages = append(d.Stages, p.stage(s, left))
		}
	}
	return d
}

// stage is a stage of the part as one of the whole; products in left nobody makes.
func (p *Part) stage(s Stage, left map[string]bool) Stage {
	inner := s
	s.part = p
	s.Name = p.prefixed(s.Name)
	s.Inputs = append([]string{p.Source}, p.Inputs...)
	for _, in := range inner.Inputs {
		if !left[in] {
			s.Inputs = append(s.Inputs, p.prefixed(in))
		}
	}
	s.Outputs = make([]string, len(inner.Outputs))
	for i, out := range inner.Outputs {
		s.Outputs[i] = p.prefixed(out)
	}
	s.Enabled = func(o job.Options) bool {
		return (p.Enabled == nil || p.Enabled(o)) && inner.enabled(p.options(o))
	}
	s.Depends = func(o job.Options) any {
		o = p.options(o)
		if inner.Depends == nil {
			o.Engines, o.Priority = nil, ""
			return o
		}
		return inner.Depends(o)
	}
	return s
}

func (p *Part) prefixed(name string) string { return p.Name + "-" + name }

// options are those of the job as the part sees them.
func (p *Part) options(o job.Options) job.Options {
	if len(o.Formats) > 0 && len(p.Types) > 0 {
		var formats []string
		for _, f := range o.Formats {
			if _, renamed := p.Types[f]; !renamed {
				formats = append(formats, f)
			}
		}
		for from, to := range p.Types {
			if slices.Contains(o.Formats, to) {
				formats = append(formats, from)
			}
		}
		slices.Sort(formats)
		if len(formats) == 0 {
			// An empty list would ask for everything.
			formats = []string{""}
		}
		o.Formats = formats
	}
	if p.Options != nil {
		o = p.Options(o)
	}
	return o
}

// path is where an output of the part goes.
func (p *Part) path(rel string) string {
	first, rest, below := strings.Cut(path.Clean(filepath.ToSlash(rel)), "/")
	if to, ok := p.Folders[first]; ok && below {
		return path.Join(to, rest)
	}
	return rel
}

// output is an output of the part as one of the whole.
func (p *Part) output(o job.Output) job.Output {
	o.Path = p.path(o.Path)
	if to, ok := p.Types[o.Type]; ok {
		o.Type = to
	}
	return o
}
