package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline"
)

// optionFlags are the flags that together are the options of a job. Later ones
// in this list come before earlier ones.
type optionFlags struct {
	json    string   // --options
	set     []string // --set
	outputs []string // --outputs
	crs     string   // --crs
	engines []string // --engine
}

// optionsLimit bounds a file of options, in bytes.
const optionsLimit = 1 << 20

// parse returns the options and warnings about them; text is that of --options.
// Engines of the environment hold for the stages that the pipeline has.
func (f optionFlags) parse(text string, c config.Config, def pipeline.Definition) (job.Options, []string, error) {
	data, _, err := f.tree(text)
	if err != nil {
		return job.Options{}, nil, err
	}
	o, warnings, err := job.ParseOptions(data)
	if err != nil {
		return o, nil, err
	}
	engines := map[string]string{}
	for _, s := range def.Stages {
		if name, ok := c.Engines[s.Name]; ok {
			engines[s.Name] = name
		}
	}
	maps.Copy(engines, o.Engines)
	o.Engines = engines
	return o, warnings, nil
}

// tree puts the flags together into the JSON of the options, which it checks, and
// returns warnings about it.
func (f optionFlags) tree(text string) (json.RawMessage, []string, error) {
	tree := map[string]any{}
	if strings.TrimSpace(text) != "" {
		// The types and ranges are for job.ParseOptions to check.
		if err := json.Unmarshal([]byte(text), &tree); err != nil {
			return nil, nil, usagef("--options: not a JSON object: %w", err)
		}
	}
	if tree == nil { // null
		tree = map[string]any{}
	}
	for _, s := range f.set {
		if err := setOption(tree, s); err != nil {
			return nil, nil, err
		}
	}
	if len(f.outputs) > 0 {
		tree["formats"] = f.outputs
	}
	if f.crs != "" {
		if err := setPath(tree, []string{"crs", "source"}, f.crs); err != nil {
			return nil, nil, err
		}
	}
	chosen, err := config.ParseEngines(f.engines)
	if err != nil {
		return nil, nil, usagef("--engine: %w", err)
	}
	for stage, name := range chosen {
		if err := setPath(tree, []string{"engines", stage}, name); err != nil {
			return nil, nil, err
		}
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return nil, nil, fmt.Errorf("encode options: %w", err)
	}
	_, warnings, err := job.ParseOptions(data)
	return data, warnings, err
}

// text returns the JSON of --options: itself, that of @FILE, or standard input
// for @-.
func (f optionFlags) text(stdin io.Reader) (string, error) {
	name, ok := strings.CutPrefix(f.json, "@")
	if !ok {
		return f.json, nil
	}
	r := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", usagef("--options: %w", err)
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, optionsLimit+1))
	if err != nil {
		return "", usagef("--options: %w", err)
	}
	if len(data) > optionsLimit {
		return "", usagef("--options: %s has more than %d bytes", name, optionsLimit)
	}
	return string(data), nil
}

// setOption applies one --set PATH=VALUE. The value is JSON where it is valid
// JSON, else a text.
func setOption(tree map[string]any, assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return usagef("--set: want OPTION=VALUE, such as filters.smrf.cell=2, got %q", assignment)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		value = text
	}
	return setPath(tree, strings.Split(path, "."), value)
}

func setPath(tree map[string]any, path []string, value any) error {
	for i, name := range path {
		if i == len(path)-1 {
			tree[name] = value
			return nil
		}
		switch child := tree[name].(type) {
		case nil:
			next := map[string]any{}
			tree[name] = next
			tree = next
		case map[string]any:
			tree = child
		default:
			return usagef("option %s is no object", strings.Join(path[:i+1], "."))
		}
	}
	return nil
}
