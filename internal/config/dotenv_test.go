package config

import (
	"strings"
	"testing"
)

func FuzzParseLine(f *testing.F) {
	for _, line := range []string{"A=1", "export B='x y' # c", "# c", "C=\"open", "=", "D= # only a comment", "\xff=\x00"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		name, value, ok, err := parseLine(line)
		if err != nil && strings.Contains(line, "=") && value != "" {
			t.Errorf("%q: a value beside an error", line)
		}
		if ok && (name == "" || strings.ContainsAny(name, " \t=") || !strings.Contains(line, value)) {
			t.Errorf("%q: name %q, value %q", line, name, value)
		}
	})
}
