package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/format"
	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/source"
)

// diagnosis is what doctor prints.
type diagnosis struct {
	Build        BuildInfo       `json:"build"`
	Processors   int             `json:"processors"`
	Memory       int64           `json:"memoryBytes"`
	MemoryBudget int64           `json:"memoryBudgetBytes"`
	FreeDisk     int64           `json:"freeDiskBytes"` // of the working directory, -1 unknown
	Variables    []variableState `json:"variables"`
	Services     []serviceState  `json:"services"`
	Engines      []engineState   `json:"engines"`
	Faults       []string        `json:"faults"`
}

type variableState struct {
	Name    string `json:"name"`
	Value   string `json:"value,omitempty"`
	Default string `json:"default"`
	Doc     string `json:"doc"`
}

type engineState struct {
	Name    string `json:"name"`
	Found   bool   `json:"found"`
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Note    string `json:"note,omitempty"`
	Adds    string `json:"adds"`
	// Stages are those, PIPELINE/STAGE, that can use it in this version.
	Stages  []string `json:"stages"`
	Install string   `json:"install"`
	Problem string   `json:"problem,omitempty"`
}

func (p *Program) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Print what is configured, reachable and installed, and what each missing thing would add",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := p.diagnose(cmd.Context())
			var writeErr error
			if asJSON {
				enc := json.NewEncoder(p.Stdout)
				enc.SetIndent("", "  ")
				writeErr = enc.Encode(d)
			} else {
				writeErr = p.writeDiagnosis(d)
			}
			return errors.Join(err, writeErr)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func (p *Program) diagnose(ctx context.Context) (diagnosis, error) {
	c, err := load()
	d := diagnosis{
		Build: p.Build, Processors: runtime.GOMAXPROCS(0), Memory: host.TotalMemory(), MemoryBudget: c.Memory,
		FreeDisk: host.FreeDisk("."), Faults: []string{},
	}
	if d.MemoryBudget == 0 {
		d.MemoryBudget = host.DefaultMemoryBudget()
	}
	var faults *config.Error
	if errors.As(err, &faults) {
		d.Faults = faults.Faults
	}
	for _, v := range config.Variables() {
		value := os.Getenv(v.Name)
		if v.Secret && value != "" {
			value = config.Redact(value)
		}
		d.Variables = append(d.Variables, variableState{Name: v.Name, Value: value, Default: v.Default, Doc: v.Doc})
	}
	if err == nil {
		d.Services = p.connect(ctx, c)
		for _, s := range d.Services {
			if !s.Reachable {
				d.Faults = append(d.Faults, s.Name+" ("+s.Where+"): "+s.Problem)
			}
		}
		if len(d.Faults) > 0 {
			err = &config.Error{Faults: d.Faults}
		}
	}
	users := p.engineUsers()
	for _, program := range engine.Known() {
		s := engineState{Name: program.Name, Adds: program.Adds, Install: program.Install, Stages: users[program.Name]}
		if s.Stages == nil {
			s.Stages = []string{}
		}
		found, findErr := program.Find()
		if findErr == nil {
			s.Found, s.Path = true, found.Path
			found, findErr = found.Probe(ctx)
			s.Version, s.Note = found.Version, found.Note
		} else if os.Getenv(program.PathVariable()) == "" {
			findErr = nil // not being there is no problem
		}
		if findErr != nil {
			s.Problem = findErr.Error()
		}
		d.Engines = append(d.Engines, s)
	}
	return d, err
}

// engineUsers maps each engine to the stages that can use it.
func (p *Program) engineUsers() map[string][]string {
	users := map[string][]string{}
	for _, f := range source.Formats() {
		def, ok := p.Pipeline(f)
		if !ok {
			continue
		}
		for _, s := range def.Stages {
			for _, e := range s.Engines {
				if name := def.Name + "/" + s.Name; !slices.Contains(users[e.Name], name) {
					users[e.Name] = append(users[e.Name], name)
				}
			}
		}
	}
	return users
}

func (p *Program) writeDiagnosis(d diagnosis) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, d.Build)
	disk := "unknown"
	if d.FreeDisk >= 0 {
		disk = format.Bytes(d.FreeDisk)
	}
	fmt.Fprintf(w, "\nMACHINE\nprocessors\t%d\nmemory\t%s, of which a job may use %s\nfree disk here\t%s\n",
		d.Processors, format.Bytes(d.Memory), format.Bytes(d.MemoryBudget), disk)
	fmt.Fprintln(w, "\nVARIABLES")
	for _, v := range d.Variables {
		value := v.Value
		if value == "" {
			value = "not set: " + v.Default
		}
		fmt.Fprintf(w, "%s\t%s\n", v.Name, value)
	}
	if len(d.Services) > 0 {
		fmt.Fprintln(w, "\nSERVICES")
	}
	for _, s := range d.Services {
		state := fmt.Sprintf("reached in %.0f ms", s.Seconds*1000)
		if !s.Reachable {
			state = "NOT REACHED: " + s.Problem
		}
		note := ""
		if s.Adds != "" {
			note = "would add: " + s.Adds
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Kind, s.Where, state, note)
	}
	fmt.Fprintln(w, "\nENGINES\nnative\talways there\tall that this version does")
	for _, e := range d.Engines {
		state := "not installed"
		if e.Found {
			state = "found"
			if e.Version != "" {
				state = e.Version
			}
			if e.Note != "" {
				state += " " + e.Note
			}
		}
		note := "for " + strings.Join(e.Stages, ", ")
		switch {
		case e.Problem != "":
			note = e.Problem
		case len(e.Stages) == 0:
			note = "no pipeline of this version uses it"
		case !e.Found:
			note = "would add " + e.Adds + " (" + e.Install + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, state, note)
	}
	if len(d.Faults) == 0 {
		fmt.Fprintln(w, "\nThe configuration is in order.")
	}
	return w.Flush()
}
