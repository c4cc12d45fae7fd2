package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/pipeline"
)

const engineCOLMAP = "colmap"

// colmapProgram runs COLMAP's commands. What options a command has is asked of the program:
// names changed between versions 3.8 and 4.0, and builds differ.
type colmapProgram struct {
	found engine.Found
	// cuda tells that this build can use a GPU and that there is one.
	cuda bool
	log  *slog.Logger
	peak func(bytes int64)

	mu      sync.Mutex
	options map[string][]string // of commands
}

// openCOLMAP finds the program and asks what it can.
func openCOLMAP(ctx context.Context, s *pipeline.Context) (*colmapProgram, error) {
	found, err := engine.Find(engineCOLMAP)
	if err != nil {
		return nil, err
	}
	if found, err = found.Probe(ctx); err != nil {
		return nil, fmt.Errorf("ask COLMAP for its version: %w", err)
	}
	return &colmapProgram{
		found: found, cuda: hasCUDA(found) && engine.HasGPU(),
		log: s.Logger(), peak: s.RecordPeak, options: map[string][]string{},
	}, nil
}

// hasCUDA tells what COLMAP says of itself: "COLMAP 3.8 (Commit … without CUDA)".
func hasCUDA(f engine.Found) bool { return f.Note == "with CUDA" }

// availableCUDA is for stages that COLMAP does on a GPU only.
func availableCUDA(ctx context.Context) error {
	found, err := engine.Find(engineCOLMAP)
	if err != nil {
		return err
	}
	if found, err = found.Probe(ctx); err != nil {
		return err
	}
	if !hasCUDA(found) {
		return errors.New("COLMAP is installed without CUDA, which its dense stage needs")
	}
	if !engine.HasGPU() {
		return errors.New("COLMAP's dense stage needs an NVIDIA GPU, and there is none")
	}
	return nil
}

var optionPattern = regexp.MustCompile(`^\s*--([A-Za-z_][A-Za-z0-9_.]*)`)

// has tells whether a command has an option.
func (c *colmapProgram) has(ctx context.Context, command, option string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, ok := c.options[command]
	if !ok {
		_, err := c.command(func(line string) {
			if m := optionPattern.FindStringSubmatch(line); m != nil {
				list = append(list, m[1])
			}
		}, command, "-h").Run(ctx)
		var exit *engine.ExitError
		if err != nil && !errors.As(err, &exit) {
			return false, err
		}
		if len(list) == 0 {
			return false, fmt.Errorf("this COLMAP (%s) has no command %s", c.found.Version, command)
		}
		c.options[command] = list
	}
	return slices.Contains(list, option), nil
}

// option is one option of a command.
type option struct {
	// names are what versions call it, newest first; the first that the program has
	// is used.
	names []string
	value string
	// optional leaves it out where the program has none of the names.
	optional bool
}

func opt(value any, names ...string) option {
	return option{names: names, value: fmt.Sprint(value)}
}

func maybe(value any, names ...string) option {
	return option{names: names, value: fmt.Sprint(value), optional: true}
}

// args returns the command line of a command.
func (c *colmapProgram) args(ctx context.Context, command string, options []option) ([]string, error) {
	args := []string{command}
next:
	for _, o := range options {
		for _, name := range o.names {
			ok, err := c.has(ctx, command, name)
			if err != nil {
				return nil, err
			}
			if ok {
				args = append(args, "--"+name, o.value)
				continue next
			}
		}
		if !o.optional {
			return nil, fmt.Errorf("this COLMAP (%s) does not have the option --%s of %s", c.found.Version, o.names[0], command)
		}
	}
	return args, nil
}

// run runs a command; onLine gets its log.
func (c *colmapProgram) run(ctx context.Context, command string, options []option, onLine func(line string)) error {
	args, err := c.args(ctx, command, options)
	if err != nil {
		return err
	}
	c.log.Debug(strings.Join(append([]string{engineCOLMAP}, args...), " "))
	report, err := c.command(func(line string) {
		c.log.Debug(line, "engine", engineCOLMAP)
		if onLine != nil {
			onLine(line)
		}
	}, args...).Run(ctx)
	c.peak(report.PeakBytes)
	return err
}

func (c *colmapProgram) command(onLine func(string), args ...string) engine.Command {
	return engine.Command{
		Name: engineCOLMAP, Path: c.found.Path, Args: args, OnLine: onLine,
		// Its windows, which it opens for shaders even where they are not used, go nowhere.
		Env: []string{"QT_QPA_PLATFORM=offscreen"},
	}
}

// gpu is 1 or 0, for the options that ask for it.
func (c *colmapProgram) gpu() int {
	if c.cuda {
		return 1
	}
	return 0
}

var countPattern = regexp.MustCompile(`\[(\d+)/(\d+)`)

// countOf reads "[3/11]" out of a line of the log.
func countOf(line string) (done, total int, ok bool) {
	m := countPattern.FindStringSubmatch(line)
	if m == nil {
		return 0, 0, false
	}
	done, err1 := strconv.Atoi(m[1])
	total, err2 := strconv.Atoi(m[2])
	return done, total, err1 == nil && err2 == nil && total > 0
}

// linkPhotos makes a folder with the photos of a model under their names: links, so
// that nothing is copied.
func linkPhotos(s *pipeline.Context, photos []Photo) (string, error) {
	scratch, err := s.TempDir()
	if err != nil {
		return "", err
	}
	set, err := sourceRoot(s.Source())
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch, "photos")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	for i := range photos {
		from, err := filepath.Abs(photoPath(s, set, &photos[i]))
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, photos[i].Name)
		if err := os.Symlink(from, to); err != nil && !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("link photo: %w", err)
		}
	}
	return dir, nil
}

// sourceRoot is the folder that File of photos is relative to.
func sourceRoot(source string) (string, error) {
	info, err := os.Stat(source)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return source, nil
	}
	return filepath.Dir(source), nil
}

// photoPath is where a photo, or the copy of it, lies.
func photoPath(s *pipeline.Context, root string, p *Photo) string {
	if p.Converted {
		return filepath.Join(s.Product(productConverted), p.Name)
	}
	return filepath.Join(root, filepath.FromSlash(p.File))
}

// copyFile copies a product of an earlier stage that a program will change.
func copyFile(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(to, func(f *os.File) error {
		_, err := f.ReadFrom(&contextReader{ctx, in})
		return err
	})
}
