// Package config reads the environment of the program, with a .env file in the
// working directory, once: every variable is checked and one error lists all
// faults. The table of variables is also what `doctor` and .env.example show.
package config

import (
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Config is the checked environment.
type Config struct {
	// Memory is the budget of a job in bytes; 0 is 70 % of the machine.
	Memory int64
	// Workers is the number of goroutines of a stage; 0 is all processors.
	Workers int
	// DataDir is the folder of the embedded store.
	DataDir string
	// Addr is where servers listen.
	Addr string
	// LogLevel is debug, info, warn or error; LogFormat text or json.
	LogLevel, LogFormat string
	// Engines are the choices of SLATE360_ENGINES, stage → engine.
	Engines map[string]string
	Services
	Server
	Ops

	pathStyleSet bool
}

// Variable is one variable of the environment.
type Variable struct {
	Name string
	// Default is what holds where it is not set, for people.
	Default string
	// Doc says what it is for.
	Doc string
	// Example is a value that passes, for .env.example.
	Example string
	// Secret says that its value is not shown.
	Secret bool
	set    func(c *Config, value string) error
}

// Variables lists all variables that the program reads.
func Variables() []Variable {
	return slices.Concat(baseVariables(), serviceVariables(), serverVariables(), opsVariables())
}

func baseVariables() []Variable {
	return []Variable{
		{
			Name: "SLATE360_MEMORY", Default: "70 % of the machine or container", Example: "8G",
			Doc: "Memory a job may use: bytes, or a number with K, M, G or T (binary).",
			set: func(c *Config, v string) (err error) { c.Memory, err = ParseSize(v); return err },
		},
		{
			Name: "SLATE360_WORKERS", Default: "all processors", Example: "4",
			Doc: "Goroutines that a stage uses.",
			set: func(c *Config, v string) (err error) { c.Workers, err = parseCount(v, 1, 4096); return err },
		},
		{
			Name: "SLATE360_DATA_DIR", Default: "slate360 in the user's data folder", Example: "/var/lib/slate360",
			Doc: "Folder of the embedded store.",
			set: func(c *Config, v string) error { c.DataDir = v; return nil },
		},
		{
			Name: "SLATE360_ADDR", Default: "127.0.0.1:8360", Example: "127.0.0.1:8360",
			Doc: "Address and port that the server listens on.",
			set: func(c *Config, v string) error { c.Addr = v; return checkAddr(v) },
		},
		{
			Name: "SLATE360_LOG_LEVEL", Default: "warn; info for run", Example: "info",
			Doc: "What is logged to standard error: debug, info, warn or error.",
			set: func(c *Config, v string) error {
				c.LogLevel = strings.ToLower(v)
				return oneOf(c.LogLevel, "debug", "info", "warn", "error")
			},
		},
		{
			Name: "SLATE360_LOG_FORMAT", Default: "text", Example: "json",
			Doc: "How it is logged: text or json.",
			set: func(c *Config, v string) error {
				c.LogFormat = strings.ToLower(v)
				return oneOf(c.LogFormat, "text", "json")
			},
		},
		{
			Name: "SLATE360_ENGINES", Default: "auto for every stage", Example: "smrf=native,ept=auto",
			Doc: "Engines of stages, STAGE=NAME separated by commas. Options of a job and --engine come before it.",
			set: func(c *Config, v string) (err error) {
				c.Engines, err = ParseEngines(strings.Split(v, ","))
				return err
			},
		},
	}
}

// enginePrefix begins the variables that say where an external program lies:
// SLATE360_ENGINE_PDAL=/opt/pdal/bin/pdal.
const enginePrefix = "SLATE360_ENGINE_"

// Error lists all that is wrong with the environment.
type Error struct{ Faults []string }

func (e *Error) Error() string {
	return "configuration: " + strings.Join(e.Faults, "; ")
}

// Load reads the environment. dotenv is the path of a .env file, which may be
// absent; variables of the real environment come before those in it, and those
// in it are put into the environment of this process. The error is an *Error.
func Load(dotenv string) (Config, error) {
	var faults []string
	if err := loadDotenv(dotenv); err != nil {
		faults = append(faults, err.Error())
	}
	c := Config{Addr: "127.0.0.1:8360", DataDir: defaultDataDir(), LogLevel: "warn", LogFormat: "text", Engines: map[string]string{}, Services: defaultServices(), Server: defaultServer(), Ops: defaultOps()}
	for _, v := range Variables() {
		value := strings.TrimSpace(os.Getenv(v.Name))
		if value == "" {
			continue
		}
		if err := v.set(&c, value); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", v.Name, err))
		}
	}
	faults = append(faults, c.complete()...)
	faults = append(faults, c.completeOps()...)
	faults = append(faults, unknown(os.Environ())...)
	if len(faults) > 0 {
		return c, &Error{Faults: faults}
	}
	return c, nil
}

func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "slate360")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "slate360")
	}
	return "slate360-data"
}

// ParseSize reads a number of bytes: "1073741824", "8G", "1.5 GiB", "500MB".
// Units are binary. The least is 64 MiB: nothing runs in less.
func ParseSize(text string) (int64, error) {
	const least = 64 << 20
	bad := fmt.Errorf("want a size such as 8G or 500M, at least 64M, got %q", text)
	s := strings.ToUpper(strings.TrimSpace(text))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "B"), "I")
	shift := 0
	if s != "" {
		if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
			shift = 10 * (i + 1)
			s = s[:len(s)-1]
		}
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(x) {
		return 0, bad
	}
	x *= float64(int64(1) << shift)
	if x < least || x > 1<<60 {
		return 0, bad
	}
	return int64(x), nil
}

// ParseEngines reads STAGE=NAME choices.
func ParseEngines(choices []string) (map[string]string, error) {
	engines := map[string]string{}
	for _, choice := range choices {
		if choice = strings.TrimSpace(choice); choice == "" {
			continue
		}
		stage, name, ok := strings.Cut(choice, "=")
		stage, name = strings.TrimSpace(stage), strings.TrimSpace(name)
		if !ok || stage == "" || name == "" {
			return nil, fmt.Errorf("want STAGE=NAME, got %q", choice)
		}
		engines[stage] = name
	}
	return engines, nil
}

func parseCount(text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("want a whole number from %d to %d, got %q", low, high, text)
	}
	return n, nil
}

func checkAddr(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = parseCount(port, 0, 65535)
	}
	if err != nil {
		return fmt.Errorf("want host:port, such as 127.0.0.1:8360, got %q", v)
	}
	return nil
}

func oneOf(v string, known ...string) error {
	if !slices.Contains(known, v) {
		return fmt.Errorf("want %s, got %q", strings.Join(known, ", "), v)
	}
	return nil
}

// Example returns the content of .env.example.
func Example() string {
	var b strings.Builder
	b.WriteString("# Variables of slate360-worker. Copy to .env and take the # away where you set one.\n" +
		"# The environment itself comes before .env.\n")
	for _, v := range Variables() {
		fmt.Fprintf(&b, "\n# %s\n# Default: %s\n#%s=%s\n", v.Doc, v.Default, v.Name, v.Example)
	}
	fmt.Fprintf(&b, "\n# Where an external program lies that is not on PATH; the same for other engines.\n#%sPDAL=/opt/pdal/bin/pdal\n", enginePrefix)
	return b.String()
}
