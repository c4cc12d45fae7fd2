package bullmq

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
)

// lua holds BullMQ's own scripts (MIT) where the program was built with them;
// see lua/README.md.
//
//go:embed all:lua
var lua embed.FS

// ErrNoScripts says that the program was built without BullMQ's scripts.
var ErrNoScripts = errors.New("this build lacks BullMQ's Lua scripts, which queues on Redis need: build it with make build")

// Script is a Lua script with its includes put in.
type Script struct {
	Name, Source string
	// SHA is the lower-case hexadecimal SHA-1 of Source, Keys how many KEYS it takes.
	SHA  string
	Keys int
}

// scripts loads scripts when they are first asked for.
type scripts struct {
	mu     sync.Mutex
	loaded map[string]*Script
}

// include is a line that stands for a file, relative to the file it is in.
var include = regexp.MustCompile(`(?m)^[ \t]*--- @include ["'](.+?)["'][ \t]*\r?$`)

// load returns a script by the name of its file without number and extension.
func (s *scripts) load(name string) (*Script, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc, ok := s.loaded[name]; ok {
		return sc, nil
	}
	file, keys, err := find(lua, name)
	if err != nil {
		return nil, err
	}
	source, err := expand(lua, file, map[string]bool{})
	if err != nil {
		return nil, fmt.Errorf("BullMQ's script %s: %w", name, err)
	}
	sum := sha1.Sum([]byte(source)) //nolint:gosec // Redis names scripts by it
	sc := &Script{Name: name, Source: source, SHA: hex.EncodeToString(sum[:]), Keys: keys}
	if s.loaded == nil {
		s.loaded = map[string]*Script{}
	}
	s.loaded[name] = sc
	return sc, nil
}

// find returns the file of a script, lua/<name>-<number of keys>.lua.
func find(files fs.FS, name string) (file string, keys int, err error) {
	matches, err := fs.Glob(files, "lua/"+name+"-*.lua")
	if err != nil {
		return "", 0, err
	}
	for _, m := range matches {
		if n, err := fmt.Sscanf(strings.TrimPrefix(path.Base(m), name), "-%d.lua", &keys); err == nil && n == 1 {
			return m, keys, nil
		}
	}
	return "", 0, ErrNoScripts
}

// expand puts the includes of a file in, each once, those of includes before it.
func expand(files fs.FS, file string, seen map[string]bool) (string, error) {
	data, err := fs.ReadFile(files, file)
	if err != nil {
		return "", err
	}
	var failed error
	text := include.ReplaceAllStringFunc(string(data), func(line string) string {
		name := include.FindStringSubmatch(line)[1]
		if !strings.HasSuffix(name, ".lua") {
			name += ".lua"
		}
		name = path.Join(path.Dir(file), name)
		if seen[name] {
			return ""
		}
		seen[name] = true
		text, err := expand(files, name, seen)
		if err != nil {
			failed = err
		}
		return text
	})
	return text, failed
}

// HasScripts tells whether the program was built with BullMQ's scripts.
func HasScripts() bool {
	_, _, err := find(lua, "moveToActive")
	return err == nil
}
