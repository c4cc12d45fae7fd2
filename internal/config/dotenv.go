package config

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// loadDotenv puts the variables of a .env file into the environment, where they
// are not set already.
func loadDotenv(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		name, value, ok, err := parseLine(lines.Text())
		if err != nil {
			return fmt.Errorf("%s line %d: %w", path, n, err)
		}
		if _, set := os.LookupEnv(name); !ok || set {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("%s line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// parseLine reads NAME=value, with or without "export", quotes and a comment
// after " #". Blank lines and comments are not ok. The line itself is not in
// errors: it may hold a secret.
func parseLine(line string) (name, value string, ok bool, err error) {
	line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export "))
	if line == "" || line[0] == '#' {
		return "", "", false, nil
	}
	name, value, found := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	if !found || name == "" || strings.ContainsAny(name, " \t\"'") {
		return "", "", false, errors.New("want NAME=value")
	}
	value = strings.TrimSpace(value)
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		end := strings.IndexByte(value[1:], value[0])
		if end < 0 {
			return "", "", false, fmt.Errorf("%s: the quote is not closed", name)
		}
		return name, value[1 : end+1], true, nil
	}
	if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	return name, value, true, nil
}
