package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is a block of commands in a document.
type block struct {
	line  int    // of its first line
	needs string // why it is not run here; empty where it is
	text  string
}

// reasons are why commands are not run by the test. Their names and flags are checked
// all the same.
func reasons() []string {
	return []string{
		"needs AWS", "needs COLMAP", "needs root", "needs Redis", "needs a cluster", "needs Docker",
		"needs a fresh checkout", "runs until it is stopped", "needs a browser", "needs a release",
	}
}

// verb is what commands are made of.
var verb = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// marker is the comment before a block that is not run.
var marker = regexp.MustCompile(`^<!-- (needs .*|runs until it is stopped) -->$`)

// blocks returns the blocks of a document that are marked as sh. Commands of ours in a
// block that is not are an error: nobody would check them.
func blocks(t *testing.T, path string) (list []block) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	fence, needs, start := "", "", 0
	for i, line := range strings.Split(string(data), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, start, text = trimmed, i+2, nil
		case fence != "" && trimmed == "```":
			if fence == "```sh" {
				list = append(list, block{line: start, needs: needs, text: strings.Join(text, "\n")})
			} else if strings.Contains(strings.Join(text, "\n"), "slate360-worker ") && fence == "```" {
				t.Errorf("%s:%d: commands in a block that is not marked as sh", path, start)
			}
			fence, needs = "", ""
		case fence != "":
			text = append(text, line)
		case marker.MatchString(trimmed):
			needs = marker.FindStringSubmatch(trimmed)[1]
			if !slices.Contains(reasons(), needs) {
				t.Errorf("%s:%d: %q is no reason; there are %v", path, i+1, needs, reasons())
			}
		case trimmed != "":
			needs = ""
		}
	}
	return list
}

// reader is the folder of who reads the docs: the program and the files that they name.
func reader(t *testing.T) (dir string, env []string) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	deploy, err := filepath.Abs("../deploy")
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"slate360-worker": path, "deploy": deploy} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	env = []string{
		"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "SLATE360_DATA_DIR=" + filepath.Join(dir, "data"), "SLATE360_MEMORY=2G", "SLATE360_DISK_RESERVE=64M",
	}
	for _, line := range []string{
		"slate360-worker sample pointcloud made --points 3000 && mv made/scan.laz survey.laz",
		`printf 'v 0 0 0\nv 4 0 0\nv 4 4 0\nv 0 4 0\nv 2 2 3\nf 1 2 5\nf 2 3 5\nf 3 4 5\nf 4 1 5\nf 4 3 2 1\n' > house.obj
		 slate360-worker process house.obj --out made-of-obj 2>/dev/null && mv made-of-obj/house_draco.glb house.glb`,
	} {
		sh(t, dir, env, line)
	}
	return dir, env
}

func sh(t *testing.T, dir string, env []string, text string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", text)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, text, out)
	}
}

// Each command of README and docs is run, or says why not; of those that are not, the
// program has the commands and flags, and the Makefile the targets.
func TestDocs(t *testing.T) {
	dir, env := reader(t)
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	ran, checked := 0, 0
	for _, doc := range append([]string{"../README.md"}, docs...) {
		for _, b := range blocks(t, doc) {
			if b.needs == "" {
				ran++
				t.Logf("%s:%d", doc, b.line)
				sh(t, dir, env, b.text)
				continue
			}
			for line := range strings.Lines(b.text) {
				line, _, _ = strings.Cut(line, " #")
				words := strings.Fields(line)
				for i, w := range words {
					switch {
					case filepath.Base(w) == "slate360-worker" && i+1 < len(words) && words[i+1] != "--": // after which comes the command in a container
						checked++
						checkUsage(t, doc, b.line, dir, words[i+1:])
					case w == "make" && i+1 < len(words):
						checked++
						if !strings.Contains(string(makefile), "\n"+words[i+1]+":") {
							t.Errorf("%s:%d: there is no target %s", doc, b.line, words[i+1])
						}
					}
				}
			}
		}
	}
	if ran < 3 || checked < 8 {
		t.Errorf("%d blocks were run, %d commands checked: are they found?", ran, checked)
	}
}

// checkUsage holds a command against its help.
func checkUsage(t *testing.T, doc string, line int, dir string, words []string) {
	t.Helper()
	if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w, "|;&>") }); end >= 0 {
		words = words[:end]
	}
	var verbs, flags []string
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "--"):
			name, _, _ := strings.Cut(w, "=")
			flags = append(flags, name)
		case len(flags) == 0 && len(verbs) < 2 && verb.MatchString(w):
			verbs = append(verbs, w)
		}
	}
	help, err := exec.Command(filepath.Join(dir, "slate360-worker"), append(verbs, "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s:%d: slate360-worker %s: %v", doc, line, strings.Join(verbs, " "), err)
	}
	if len(verbs) > 0 && !strings.Contains(string(help), "slate360-worker "+verbs[0]) {
		t.Errorf("%s:%d: there is no command %s", doc, line, verbs[0])
	}
	for _, f := range flags {
		if !strings.Contains(string(help), f+" ") && !strings.Contains(string(help), f+"\n") {
			t.Errorf("%s:%d: slate360-worker %s has no flag %s", doc, line, strings.Join(verbs, " "), f)
		}
	}
}
