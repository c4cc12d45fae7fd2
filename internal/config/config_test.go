package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/testdata"
)

func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, v := range config.Variables() {
		t.Setenv(v.Name, "") // so that it is restored
		if err := os.Unsetenv(v.Name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadListsAllFaults(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("SLATE360_MEMORY", "lots")
	t.Setenv("SLATE360_WORKERS", "0")
	t.Setenv("SLATE360_ADDR", "8360")
	t.Setenv("SLATE360_ENGINES", "smrf")
	t.Setenv("SLATE360_LOG_LEVL", "info")
	_, err := config.Load("absent")
	var faults *config.Error
	if !errors.As(err, &faults) || len(faults.Faults) != 5 {
		t.Fatalf("Load = %v", err)
	}
	for _, want := range []string{"SLATE360_MEMORY: want a size", "SLATE360_WORKERS: want a whole number from 1", "SLATE360_ADDR: want host:port", "SLATE360_ENGINES: want STAGE=NAME", "is SLATE360_LOG_LEVEL meant?"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestLoadDotenv(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("SLATE360_WORKERS", "3")
	path := filepath.Join(t.TempDir(), ".env")
	text := "# comment\n\nexport SLATE360_MEMORY=\"2G\" # two\nSLATE360_WORKERS=5\nSLATE360_ADDR=0.0.0.0:80 # all\nSLATE360_ENGINES=ept=entwine, smrf=auto\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Memory != 2<<30 || c.Workers != 3 || c.Addr != "0.0.0.0:80" || c.Engines["ept"] != "entwine" || c.Engines["smrf"] != "auto" {
		t.Errorf("Load = %+v", c)
	}
	for _, bad := range []string{"A B=1", "=1", "secret-without-equals", `X="open`} {
		if err := os.WriteFile(path, []byte("OK=1\n"+bad+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path)
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: Load = %v", bad, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"67108864": 64 << 20, "64M": 64 << 20, "1.5 GiB": 3 << 29, "500mb": 500 << 20, "2t": 2 << 40,
		"": -1, "G": -1, "-1G": -1, "NaN": -1, "1e40": -1, "10": -1, "8 X": -1, "inf": -1,
	} {
		got, err := config.ParseSize(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
}

var update = flag.Bool("update", false, "write .env.example")

func TestExampleIsInStep(t *testing.T) {
	path := filepath.Join(testdata.RepoRoot(t), ".env.example")
	if *update {
		if err := os.WriteFile(path, []byte(config.Example()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != config.Example() {
		t.Errorf(".env.example is not in step with the variables: run go test ./internal/config -update (%v)", err)
	}
}

// Every example passes its own check, so that a user can take it as it is.
func TestExamplesPass(t *testing.T) {
	clearEnvironment(t)
	for _, v := range config.Variables() {
		t.Setenv(v.Name, v.Example)
	}
	if _, err := config.Load("absent"); err != nil {
		t.Error(err)
	}
}
