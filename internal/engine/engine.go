// Package engine runs external programs as engines of stages: it finds them,
// asks their version, runs them confined (own process group, lowered priority,
// environment without secrets), reads their output line by line, and kills the
// whole group when the context ends.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Program is an external program that can be an engine.
type Program struct {
	// Name of the engine, such as "pdal".
	Name string
	// Executables are the names to look for, best first; Name where empty.
	Executables []string
	// VersionArgs make it print its version; nil is not asked.
	VersionArgs []string
	// Notes are what it may print of itself then that users want to know, such as
	// "with CUDA".
	Notes []string
	// Adds says what it is good for, Install how to get it; both for people.
	Adds, Install string
}

// Found is a program that is installed.
type Found struct {
	Program
	// Path is absolute. Version is the first number with dots that the program
	// prints when asked, or empty.
	Path, Version string
	// Note is the one of Notes that it printed, or empty.
	Note string
}

// NotInstalledError says which program is missing and how to get it.
type NotInstalledError struct {
	Program string
	Install string
}

func (e *NotInstalledError) Error() string {
	if e.Install == "" {
		return e.Program + " is not installed"
	}
	return fmt.Sprintf("%s is not installed: %s", e.Program, e.Install)
}

// Known lists the programs that pipelines may have engines for.
func Known() []Program {
	return []Program{
		{
			Name: "pdal", VersionArgs: []string{"--version"},
			Adds: "filters and conversions of point clouds", Install: "conda install -c conda-forge pdal",
		},
		{
			Name: "entwine", VersionArgs: []string{"--version"},
			Adds: "EPT", Install: "conda install -c conda-forge entwine",
		},
		{
			Name: "untwine",
			Adds: "COPC", Install: "conda install -c conda-forge untwine",
		},
		{
			Name: "py3dtiles", VersionArgs: []string{"--version"},
			Adds: "3D Tiles", Install: "pip install py3dtiles",
		},
		{
			Name: "colmap", VersionArgs: []string{"help"}, Notes: []string{"without CUDA", "with CUDA"},
			Adds: "photogrammetry from photos", Install: "apt install colmap",
		},
		{
			Name: "openmvs", Executables: []string{"DensifyPointCloud"},
			Adds: "dense photogrammetry", Install: "build it from its sources, or use a container that has it",
		},
		{
			Name: "gltf-pipeline", VersionArgs: []string{"--version"},
			Adds: "GLB with Draco", Install: "npm install -g gltf-pipeline",
		},
		{
			Name: "gltf-transform", VersionArgs: []string{"--version"},
			Adds: "optimised GLB", Install: "npm install -g @gltf-transform/cli",
		},
		{
			Name: "assimp", VersionArgs: []string{"version"},
			Adds: "models of 3D Studio (3ds), and others read in its way", Install: "apt install assimp-utils",
		},
		{
			Name: "FBX2glTF", VersionArgs: []string{"--version"},
			Adds: "FBX read by Autodesk's library", Install: "npm install fbx2gltf, and put its binary on PATH",
		},
	}
}

// Lookup returns the known program of that name.
func Lookup(name string) (Program, bool) {
	for _, p := range Known() {
		if p.Name == name {
			return p, true
		}
	}
	return Program{}, false
}

// PathVariable names the environment variable that says where the program lies:
// SLATE360_ENGINE_GLTF_TRANSFORM for gltf-transform.
func (p Program) PathVariable() string {
	return "SLATE360_ENGINE_" + strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, p.Name))
}

// Find returns the program of that name: where SLATE360_ENGINE_<NAME> says, else
// on PATH. The error is a *NotInstalledError that says what to install.
func Find(name string) (Found, error) {
	p, ok := Lookup(name)
	if !ok {
		p = Program{Name: name}
	}
	return p.Find()
}

// Find looks for the program.
func (p Program) Find() (Found, error) {
	if path := os.Getenv(p.PathVariable()); path != "" {
		full, err := exec.LookPath(path)
		if err != nil {
			return Found{}, &NotInstalledError{Program: p.Name, Install: fmt.Sprintf("%s names %s, which cannot be run", p.PathVariable(), path)}
		}
		return p.found(full)
	}
	names := p.Executables
	if len(names) == 0 {
		names = []string{p.Name}
	}
	for _, name := range names {
		if full, err := exec.LookPath(name); err == nil {
			return p.found(full)
		}
	}
	return Found{}, &NotInstalledError{Program: p.Name, Install: p.Install}
}

func (p Program) found(path string) (Found, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Found{}, fmt.Errorf("path of %s: %w", p.Name, err)
	}
	return Found{Program: p, Path: abs}, nil
}

// Available is Find as a stage's engine wants it.
func Available(name string) func(context.Context) error {
	return func(context.Context) error {
		_, err := Find(name)
		return err
	}
}

// versionTimeout is how long a program may take to print its version: the
// interpreters of some need seconds to start.
const versionTimeout = 10 * time.Second

var versionPattern = regexp.MustCompile(`\d+(\.\d+)+[0-9A-Za-z.+-]*`)

// Probe asks the program for its version. A program that does not print one is
// no error: Version stays empty. One that cannot be started is.
func (f Found) Probe(ctx context.Context) (Found, error) {
	if f.VersionArgs == nil {
		return f, nil
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	var version, note string
	_, err := Command{
		Name: f.Name, Path: f.Path, Args: f.VersionArgs,
		OnLine: func(line string) {
			if version == "" {
				version = versionPattern.FindString(line)
			}
			for _, n := range f.Notes {
				if note == "" && strings.Contains(line, n) {
					note = n
				}
			}
		},
	}.Run(ctx)
	f.Version, f.Note = version, note
	var exit *ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return f, err
}

// HasGPU tells whether there is a GPU that CUDA can use, by the files of its driver.
func HasGPU() bool {
	for _, path := range []string{"/dev/nvidia0", "/dev/dxg"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}
