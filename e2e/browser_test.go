package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slate360.ai/worker/codec/colmap"
	"slate360.ai/worker/geom/camera"
	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/pipeline/photogrammetry/report"
	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/testdata"
	"slate360.ai/worker/internal/testservices"
	"slate360.ai/worker/web"
)

// The dashboard and the viewer in a real Chromium: web/e2e has what people do
// there. Screenshots are kept in SLATE360_SCREENSHOTS where it is set.
func TestBrowser(t *testing.T) {
	chromium, node := testdata.Tool(t, "chromium"), testdata.Tool(t, "node")
	needPages(t)
	dir := t.TempDir()
	if _, err := sample.Pointcloud(t.Context(), dir, sample.Params{Points: 40_000, Seed: 1, Workers: 2}); err != nil {
		t.Fatal(err)
	}
	writeRing(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "broken.las"), []byte("LASF and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range tiledFloor(t) {
		path := filepath.Join(dir, "floor", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slow := newSlowSource(t, filepath.Join(dir, "scan.laz"))
	const key = "key of the browser"
	out := filepath.Join(dir, "out")
	if text, err := command(t, dir, "process", "scan.laz", "--out", out).CombinedOutput(); err != nil {
		t.Fatalf("process: %v\n%s", err, text)
	}
	photos, place := photosResult(t, dir)
	cmd := exec.CommandContext(t.Context(), node, "--test", "--test-reporter=spec", "e2e/pages.test.mjs")
	cmd.Dir = filepath.Join(testdata.RepoRoot(t), "web")
	cmd.Env = append(os.Environ(),
		"CHROMIUM="+chromium, "FILES="+dir, "SLOW="+slow.URL+"/slow.laz", "RELEASE="+slow.URL+"/release", "TOKEN="+key,
		"BASE="+serve(t, dir, "open", nil, "run", "--addr", "127.0.0.1:0"),
		"LOCKED="+serve(t, dir, "locked", []string{"GPU_WORKER_SECRET_KEY=" + key}, "run", "--addr", "127.0.0.1:0"),
		"FOLDER="+serve(t, dir, "folder", nil, "view", out, "--addr", "127.0.0.1:0"),
		"KTX2="+serve(t, dir, "ktx2", nil, "view", ktx2Result(t, dir), "--addr", "127.0.0.1:0"),
		"PHOTOS="+serve(t, dir, "photos", nil, "view", photos, "--addr", "127.0.0.1:0"), "PLACE="+place,
		"SCREENSHOTS="+os.Getenv("SLATE360_SCREENSHOTS"),
	)
	text, err := cmd.CombinedOutput()
	t.Logf("%s", text)
	if err != nil {
		t.Errorf("browser: %v", err)
	}
}

// ktx2Result is that of a model whose texture was encoded by Basis Universal.
func ktx2Result(t *testing.T, dir string) string {
	t.Helper()
	testdata.Package(t, "3d-tiles-tools")
	testservices.Script(t, "testdata/ktx2.cjs", "FILE="+filepath.Join(dir, "square.glb"), "KIND=etc1s")
	out := filepath.Join(dir, "square")
	if text, err := command(t, dir, "process", "square.glb", "--out", out).CombinedOutput(); err != nil {
		t.Fatalf("process: %v\n%s", err, text)
	}
	return out
}

// photosResult is the result of the ring with two cameras, as reconstructions have
// them, and the place of the first as JSON.
func photosResult(t *testing.T, dir string) (out, place string) {
	t.Helper()
	out = filepath.Join(dir, "photos")
	if text, err := command(t, dir, "process", "ring.ply", "--out", out).CombinedOutput(); err != nil {
		t.Fatalf("process: %v\n%s", err, text)
	}
	m := &colmap.Model{Cameras: []colmap.Camera{{ID: 1, Model: "PINHOLE", Width: 640, Height: 480, Params: []float64{600, 600, 320, 240}}}}
	views := map[string]report.View{}
	at := [][3]float64{{0, 0, 0.9}, {1.2, 0, 0.5}}
	for i, name := range []string{"above.jpg", "aside.jpg"} {
		pose := camera.LookAt(at[i], [3]float64{}, [3]float64{0, 1, 0})
		m.Images = append(m.Images, colmap.Image{ID: i + 1, CameraID: 1, Name: name, Rotation: pose.Quaternion(), Translation: pose.T})
		views[name] = report.View{Path: "photos/" + name, Width: 64, Height: 48, Focal: [2]float64{60, 60}, Center: [2]float64{32, 24}}
		writeJPEG(t, filepath.Join(out, "photos", name), 64, 48)
	}
	frame := report.Frame{Georeferenced: true, From: "gps", EPSG: 32632, Offset: [3]float64{477000, 5473000, 110}, UnitMetres: 1, HeightUnitMetres: 1}
	cameras, err := report.Cameras(m, frame, nil, views)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := cameras.Write(&file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "cameras.json"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(out, "result.json")
	var result job.Result
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil {
		t.Fatal(err)
	}
	result.Outputs = append(result.Outputs, job.Output{Type: job.TypeCameras, Path: "cameras.json", Size: int64(file.Len())})
	result.Analysis["frame"] = frame
	if text, err = json.Marshal(result); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, fmt.Sprintf("[%g,%g,%g]", at[0][0], at[0][1], at[0][2])
}

func writeJPEG(t *testing.T, path string, width, height int) {
	t.Helper()
	var b bytes.Buffer
	err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// needPages skips where the program under test has no pages.
func needPages(t *testing.T) {
	t.Helper()
	_, err := os.Stat(filepath.Join(testdata.RepoRoot(t), "web", "node_modules", "playwright-core"))
	if web.Built() && err == nil {
		return
	}
	const hint = "the web pages are not built: run scripts/web.sh"
	if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
		t.Fatal(hint)
	}
	t.Skip(hint)
}

// The client for the platform passes its own tests against the built program.
func TestTypeScriptClient(t *testing.T) {
	npm := testdata.Tool(t, "npm")
	dir := filepath.Join(testdata.RepoRoot(t), "clients", "typescript")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "bullmq")); err != nil {
		if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
			t.Fatal("clients/typescript is not set up: run make setup-test")
		}
		t.Skip("clients/typescript is not set up: run make setup-test")
	}
	needScripts(t)
	testdata.Tool(t, "redis-server")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), npm, "test", "--silent")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SLATE360_WORKER="+path)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("npm test: %v\n%s", err, text)
	}
}

// newSlowSource serves a file at /slow.laz that does not come until /release was
// asked for.
func newSlowSource(t *testing.T, path string) *httptest.Server {
	t.Helper()
	released := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(released) }) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/release" {
			release()
			return
		}
		select {
		case <-released:
		case <-r.Context().Done():
			return
		}
		http.ServeFile(w, r, path)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(release)
	return srv
}

// writeRing writes a red torus, 2 m across and flat on the ground, as PLY.
func writeRing(t *testing.T, dir string) {
	t.Helper()
	const around, section, major, minor = 96, 32, 0.75, 0.25
	var b strings.Builder
	fmt.Fprintf(&b, "ply\nformat ascii 1.0\nelement vertex %d\n", around*section)
	for _, p := range []string{"float x", "float y", "float z", "uchar red", "uchar green", "uchar blue"} {
		b.WriteString("property " + p + "\n")
	}
	fmt.Fprintf(&b, "element face %d\nproperty list uchar int vertex_indices\nend_header\n", around*section)
	for i := range around {
		a := 2 * math.Pi * float64(i) / around
		for j := range section {
			c := 2 * math.Pi * float64(j) / section
			r := major + minor*math.Cos(c)
			fmt.Fprintf(&b, "%.6f %.6f %.6f 200 30 30\n", r*math.Cos(a), minor*math.Sin(c), r*math.Sin(a))
		}
	}
	at := func(i, j int) int { return i%around*section + j%section }
	for i := range around {
		for j := range section {
			fmt.Fprintf(&b, "4 %d %d %d %d\n", at(i, j), at(i, j+1), at(i+1, j+1), at(i+1, j))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ring.ply"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
