package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/evaluate"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/testdata"
)

// survey is a synthetic site and how it is processed.
type survey struct {
	t   *testing.T
	dir string
}

// start processes the photos of the site; lines of JSON go to what it returns.
func (s *survey) start(out string) (*exec.Cmd, *bufio.Scanner) {
	s.t.Helper()
	cmd := command(s.t, s.dir, "process", "site/photos", "--out", out, "--json", "--set", "quality=0.5",
		"--outputs", "report,orthophoto,dsm,obj,lod_0,tiles_3d,laz,thumbnail")
	cmd.Env = append(cmd.Env, "SLATE360_MEMORY=4G")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stderr = &bytes.Buffer{}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	return cmd, lines
}

// follow reads what happens until stop says so, and kills the process then. It
// returns the stages that finished, and whether all did.
func (s *survey) follow(out string, stop func(p job.Progress) bool) (finished []string, done bool) {
	s.t.Helper()
	cmd, lines := s.start(out)
	killed := false
	for lines.Scan() {
		var p job.Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			s.t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if p.Event == job.EventStageFinished {
			finished = append(finished, p.Stage)
		}
		if !killed && stop(p) {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	err := cmd.Wait()
	if !killed && err != nil {
		s.t.Fatalf("process: %v\n%s", err, cmd.Stderr)
	}
	return finished, err == nil
}

// files of a result with their digests, but for those that say when and how long.
func (s *survey) files(out string) map[string][sha256.Size]byte {
	s.t.Helper()
	sums := map[string][sha256.Size]byte{}
	root := filepath.Join(s.dir, out)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || slices.Contains([]string{"report.html", "report.json", "result.json"}, rel) {
			return err
		}
		b, err := os.ReadFile(path)
		sums[rel] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return sums
}

// A synthetic survey comes out as it is, and so it does when the process is killed ten
// times on the way.
func TestSurvey(t *testing.T) {
	testdata.Tool(t, "colmap")
	testdata.Tool(t, "gdal_translate")
	s := &survey{t: t, dir: t.TempDir()}
	args := []string{"sample", "photos", "site", "--photos", "12", "--size", "640x480", "--overlap", "0.85", "--sidelap", "0.75"}
	if text, err := command(t, s.dir, args...).CombinedOutput(); err != nil {
		t.Fatalf("sample: %v\n%s", err, text)
	}
	// Bundle adjustment is not the same twice: both results have one in common.
	early, done := s.follow("once", func(p job.Progress) bool { return p.Event == job.EventStageFinished && p.Stage == "align" })
	if done {
		t.Fatal("it was not killed")
	}
	if err := os.CopyFS(filepath.Join(s.dir, "killed"), os.DirFS(filepath.Join(s.dir, "once"))); err != nil {
		t.Fatal(err)
	}
	late, done := s.follow("once", func(job.Progress) bool { return false })
	if !done {
		t.Fatal("it did not end")
	}
	stages := slices.Concat(early, late)
	t.Run("accuracy", func(t *testing.T) { s.measure(t, "once") })
	t.Run("resume", func(t *testing.T) { s.resume(t, early, stages) })
}

// resume goes on with a copy of the early stages, which is killed ten times.
func (s *survey) resume(t *testing.T, early, stages []string) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	at := make([]float64, 10)
	for i := range at {
		at[i] = 20 + 79*random.Float64()
	}
	slices.Sort(at)
	finished := slices.Clone(early)
	for _, percent := range at {
		list, done := s.follow("killed", func(p job.Progress) bool { return p.Percent >= percent })
		if finished = append(finished, list...); done {
			break
		}
	}
	list, done := s.follow("killed", func(job.Progress) bool { return false })
	finished = append(finished, list...)
	if !done {
		t.Fatal("it did not end")
	}
	// A process can be killed after a stage was finished and before it said so, but no
	// stage finishes twice.
	for _, name := range stages {
		if n := strings.Count("\n"+strings.Join(finished, "\n\n")+"\n", "\n"+name+"\n"); n > 1 {
			t.Errorf("stage %s ran %d times to its end", name, n)
		}
	}
	want, got := s.files("once"), s.files("killed")
	for name, sum := range want {
		if got[name] != sum {
			t.Errorf("%s is not what it is without kills", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, %d without kills", len(got), len(want))
	}
}

// measure holds a result against the truth.
func (s *survey) measure(t *testing.T, out string) {
	at := func(name string) string { return filepath.Join(s.dir, out, name) }
	picture := filepath.Join(s.dir, "orthophoto.png")
	// GDAL reads the orthophoto, so that it is known to be one.
	text, err := exec.Command("gdal_translate", "-q", "-of", "PNG", "-co", "WORLDFILE=YES", at("orthophoto.tif"), picture).CombinedOutput()
	if err != nil {
		t.Fatalf("gdal_translate: %v\n%s", err, text)
	}
	if err := os.Rename(filepath.Join(s.dir, "orthophoto.wld"), filepath.Join(s.dir, "orthophoto.pgw")); err != nil {
		t.Fatal(err)
	}
	r, err := evaluate.Compare(t.Context(), filepath.Join(s.dir, "site", "truth"), evaluate.Files{
		Model: at("colmap"), Mesh: at("photos_lod0.glb"), Ortho: picture, Frame: at("cameras.json"),
	}, runtime.GOMAXPROCS(0))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", b)
	if r.Cameras.Registered != r.Cameras.Photos || r.Cameras.RMS > 0.5 {
		t.Errorf("%d of %d cameras, %.2f ground sampling distances off", r.Cameras.Registered, r.Cameras.Photos, r.Cameras.RMS)
	}
	if f := r.Surface.Scores[1].F; f < 0.9 {
		t.Errorf("F-score of the surface at two ground sampling distances: %.3f", f)
	}
	// Patches across the edges of roofs are found elsewhere: few of them rule the mean of
	// squares of so small a picture.
	if r.Ortho.P90 > 1 || r.Ortho.Median > 0.5 {
		t.Errorf("half of the orthophoto is off by %.2f pixels, a tenth by %.2f", r.Ortho.Median, r.Ortho.P90)
	}
}
