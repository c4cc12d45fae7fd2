package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/sample"
	"slate360.ai/worker/internal/testdata"
)

// command is the program, with a data folder of its own for each name.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SLATE360_SOURCE_ALLOW=127.0.0.1", "SLATE360_LIMITER_MAX=0",
		"SLATE360_DISK_RESERVE=64M", "SLATE360_MEMORY=2G", "SLATE360_BACKOFF=1ms",
	}
	return cmd
}

var addressSaid = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// interrupted is the exit code of a worker whose jobs were not at their end.
const interrupted = 4

// serve starts the program as a server that ends with the test, and returns its
// address.
func serve(t *testing.T, dir, name string, env []string, args ...string) string {
	t.Helper()
	cmd := command(t, dir, args...)
	cmd.Env = append(append(cmd.Env, "SLATE360_DATA_DIR="+filepath.Join(dir, "data-"+name)), env...)
	said := &announcement{found: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // the state says how it went
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != interrupted {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	})
	select {
	case address := <-said.found:
		return address
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not start:\n%s", name, said)
	}
	return ""
}

// announcement keeps what a server says, and finds its address in it.
type announcement struct {
	mu    sync.Mutex
	text  bytes.Buffer
	found chan string
	once  sync.Once
}

func (a *announcement) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(p)
	if m := addressSaid.FindString(a.text.String()); m != "" {
		a.once.Do(func() { a.found <- m })
	}
	return len(p), nil
}

func (a *announcement) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.String()
}

// client calls the API of a running program.
type client struct {
	t   *testing.T
	url string
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (c *client) do(method, path string, body any, headers ...string) reply {
	c.t.Helper()
	var in io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		in = b
	default:
		data, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		in, contentType = bytes.NewReader(data), "application/json"
	}
	url := path
	if strings.HasPrefix(path, "/") {
		url = c.url + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, in)
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.HasPrefix(url, c.url) {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, data}
}

// want calls the API and reads its answer into v, where that is not nil.
func (c *client) want(status int, v any, method, path string, body any, headers ...string) reply {
	c.t.Helper()
	r := c.do(method, path, body, headers...)
	if r.status != status {
		c.t.Fatalf("%s %s answered %d, want %d: %.2000s", method, path, r.status, status, r.body)
	}
	if v != nil {
		if err := json.Unmarshal(r.body, v); err != nil {
			c.t.Fatalf("%s %s: %v: %s", method, path, err, r.body)
		}
	}
	return r
}

// apiJob is what is read of a job.
type apiJob struct {
	JobID, Name, Status string
	Outputs             []struct {
		Type, Path, URL, SHA256 string
		Size, Files             int64
	}
	Error *struct{ Message string }
}

// follow follows the events of a job to its end, and returns the whole of it.
func (c *client) follow(id string) apiJob {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/api/models/jobs/"+id+"/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), `data: {"jobId"`)
		var j apiJob
		if !ok || json.Unmarshal([]byte(`{"jobId"`+data), &j) != nil {
			continue
		}
		if j.Status == "completed" || j.Status == "failed" || j.Status == "cancelled" {
			c.want(http.StatusOK, &j, http.MethodGet, "/api/models/jobs/"+id, nil)
			return j
		}
	}
	c.t.Fatalf("the events of job %s ended: %v", id, lines.Err())
	return apiJob{}
}

// completed fails the test where a job did not end well.
func (c *client) completed(id string) apiJob {
	c.t.Helper()
	j := c.follow(id)
	if j.Status != "completed" || len(j.Outputs) == 0 {
		c.t.Fatalf("%+v, error %+v", j, j.Error)
	}
	return j
}

// submit submits a job and returns its ID.
func (c *client) submit(body map[string]any) string {
	c.t.Helper()
	var s struct{ JobID string }
	c.want(http.StatusAccepted, &s, http.MethodPost, "/api/models/process", body)
	return s.JobID
}

// scanOf makes a small scan.
func scanOf(t *testing.T, points int) []byte {
	t.Helper()
	dir := t.TempDir()
	if _, err := sample.Pointcloud(t.Context(), dir, sample.Params{Points: points, Seed: 1, Workers: 2}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "scan.laz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The API over Redis, PostgREST and S3: uploads go straight to the storage or through
// the server, jobs are followed, steered, shared and deleted, and all services agree.
func TestAPIOnServices(t *testing.T) {
	p := newPlatform(t)
	env := append([]string{
		"REDIS_URL=" + p.redis.URL(), "SUPABASE_URL=" + p.rest.URL, "SUPABASE_SERVICE_ROLE_KEY=" + p.rest.Key,
		"SLATE360_API_URL=" + p.receiver.server.URL, "GPU_WORKER_SECRET_KEY=" + secret,
	}, p.s3.Environment()...)
	c := &client{t, serve(t, t.TempDir(), "api", env, "run", "--addr", "127.0.0.1:0")}
	c.want(http.StatusOK, nil, http.MethodGet, "/ready", nil)
	data := scanOf(t, 20_000)
	formats := map[string]any{"formats": []string{"copc", "thumbnail"}}
	id := c.submit(map[string]any{"sourceUrl": c.presigned("north field.laz", data), "options": formats})
	j := c.completed(id)
	p.eventually("the callback is there", 10*time.Second, func() bool { return len(p.receiver.ends(id)) == 1 })
	p.check(id)
	for _, o := range j.Outputs {
		r := c.want(http.StatusOK, nil, http.MethodGet, o.URL, nil)
		if sum := sha256.Sum256(r.body); hex.EncodeToString(sum[:]) != o.SHA256 {
			t.Errorf("%s: %d bytes with another digest than %s", o.Path, len(r.body), o.SHA256)
		}
		if r := c.want(http.StatusPartialContent, nil, http.MethodGet, o.URL, nil, "Range", "bytes=1-4"); len(r.body) != 4 {
			t.Errorf("%s: a range of 4 bytes has %d", o.Path, len(r.body))
		}
	}
	c.shared(j)

	// A resumable upload through the server ends at the storage, too.
	c.want(http.StatusOK, nil, http.MethodPost, "/api/queue/pause", nil)
	second := c.submit(map[string]any{"uploads": []string{c.resumable("south.laz", data)}, "options": formats})
	c.want(http.StatusOK, nil, http.MethodDelete, "/api/models/jobs/"+second, nil)
	if j := c.follow(second); j.Status != "cancelled" {
		t.Errorf("%+v", j)
	}
	c.want(http.StatusOK, nil, http.MethodPost, "/api/models/jobs/"+second+"/retry", nil)
	c.want(http.StatusOK, nil, http.MethodPost, "/api/queue/resume", nil)
	c.completed(second)
	var page struct{ Jobs []apiJob }
	c.want(http.StatusOK, &page, http.MethodGet, "/api/models/jobs?status=completed&q=south", nil)
	if len(page.Jobs) != 1 || page.Jobs[0].JobID != second {
		t.Errorf("%+v", page)
	}
	c.drawn()
	for _, done := range []string{id, second} {
		c.want(http.StatusOK, nil, http.MethodDelete, "/api/models/jobs/"+done+"?purge=true", nil)
		c.want(http.StatusNotFound, nil, http.MethodGet, "/api/models/jobs/"+done, nil)
		if _, _, err := p.storage.Open(t.Context(), "processed/"+done+"/result.json"); err == nil {
			t.Errorf("the storage still has the result of job %s", done)
		}
	}
}

// drawn fails the test where the dashboard for Grafana draws what is not measured.
func (c *client) drawn() {
	c.t.Helper()
	dashboard, err := os.ReadFile(filepath.Join(testdata.RepoRoot(c.t), "deploy", "grafana", "slate360-worker.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	metrics := string(c.want(http.StatusOK, nil, http.MethodGet, "/metrics", nil).body)
	names := regexp.MustCompile(`\b(?:slate360|process)_[a-z0-9_]+`).FindAllString(string(dashboard), -1)
	for _, name := range names {
		name = strings.TrimSuffix(name, "_bucket")
		if strings.HasPrefix(name, "slate360_gpu_") || name == "slate360_running_stages" {
			continue // there may be no card, and no job that runs
		}
		if !strings.Contains(metrics, "# TYPE "+name+" ") {
			c.t.Errorf("%s is drawn, and not among the metrics", name)
		}
	}
	if len(names) < 20 {
		c.t.Errorf("the dashboard draws %d metrics", len(names))
	}
}

// presigned sends a file straight to the storage, and returns its address as a source.
func (c *client) presigned(name string, data []byte) string {
	c.t.Helper()
	var u struct {
		URL, SourceURL string
		Headers        map[string]string
	}
	c.want(http.StatusOK, &u, http.MethodPost, "/api/uploads/presign", map[string]any{"filename": name, "size": len(data)})
	var headers []string
	for k, v := range u.Headers {
		headers = append(headers, k, v)
	}
	if r := c.do(http.MethodPut, u.URL, bytes.NewReader(data[1:]), headers...); r.status < 400 {
		c.t.Errorf("the address takes a file of another size: %d", r.status)
	}
	c.want(http.StatusOK, nil, http.MethodPut, u.URL, bytes.NewReader(data), headers...)
	return u.SourceURL
}

// resumable sends a file in two parts, and returns the upload's ID.
func (c *client) resumable(name string, data []byte) string {
	c.t.Helper()
	tus := []string{"Tus-Resumable", "1.0.0"}
	r := c.want(http.StatusCreated, nil, http.MethodPost, "/api/uploads", nil, append(tus, "Upload-Length", strconv.Itoa(len(data)),
		"Upload-Metadata", "relativePath "+base64.StdEncoding.EncodeToString([]byte(name)))...)
	at := r.header.Get("Location")
	for _, part := range [][2]int{{0, len(data) / 2}, {len(data) / 2, len(data)}} {
		c.want(http.StatusNoContent, nil, http.MethodPatch, at, bytes.NewReader(data[part[0]:part[1]]), append(tus,
			"Upload-Offset", strconv.Itoa(part[0]), "Content-Type", "application/offset+octet-stream")...)
	}
	return filepath.Base(at)
}

// shared looks at a result as one who has nothing but a link.
func (c *client) shared(j apiJob) {
	c.t.Helper()
	var link struct{ URL string }
	c.want(http.StatusOK, &link, http.MethodPost, "/api/models/jobs/"+j.JobID+"/share", map[string]int{"expiresIn": 60})
	var result apiJob
	c.want(http.StatusOK, &result, http.MethodGet, link.URL+"/result.json", nil, "Authorization", "")
	if len(result.Outputs) != len(j.Outputs) {
		c.t.Errorf("%+v", result)
	}
	for _, o := range result.Outputs {
		c.want(http.StatusOK, nil, http.MethodGet, o.URL, nil, "Authorization", "")
	}
}

// A folder that comes as a form keeps its subfolders: a model finds its textures.
func TestFolderWithTextures(t *testing.T) {
	c := &client{t, serve(t, t.TempDir(), "form", []string{"GPU_WORKER_SECRET_KEY=" + secret}, "run", "--addr", "127.0.0.1:0")}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	if err := form.WriteField("options", `{"formats":["glb_draco"]}`); err != nil {
		t.Fatal(err)
	}
	for name, content := range tiledFloor(t) {
		part, err := form.CreateFormFile("file", "site/"+name)
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	var s struct{ JobID string }
	c.want(http.StatusAccepted, &s, http.MethodPost, "/api/models/process", &b, "Content-Type", form.FormDataContentType())
	j := c.completed(s.JobID)
	for _, o := range j.Outputs {
		if o.Type != "glb_draco" {
			continue
		}
		img := firstImage(t, c.want(http.StatusOK, nil, http.MethodGet, o.URL, nil).body)
		r, g, b, _ := img.At(img.Bounds().Dx()/2, img.Bounds().Dy()/2).RGBA()
		if r>>8 < 180 || g>>8 > 90 || b>>8 > 90 {
			t.Errorf("the texture is %d %d %d in its middle, want red", r>>8, g>>8, b>>8)
		}
		return
	}
	t.Errorf("there is no model: %+v", j)
}

// tiledFloor is a square of 4 m as OBJ, its material in a folder, its red texture in
// another.
func tiledFloor(t *testing.T) map[string][]byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		img.Set(i%64, i/64, color.RGBA{220, 40, 40, 255})
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, img); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"floor.obj": []byte("mtllib materials/floor.mtl\nv 0 0 0\nv 4 0 0\nv 4 0 -4\nv 0 0 -4\n" +
			"vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl floor\nf 1/1 2/2 3/3 4/4\n"),
		"materials/floor.mtl": []byte("newmtl floor\nKd 1 1 1\nmap_Kd ../textures/red.png\n"),
		"textures/red.png":    picture.Bytes(),
	}
}

// firstImage decodes the first image of a GLB.
func firstImage(t *testing.T, glb []byte) image.Image {
	t.Helper()
	if len(glb) < 20 || string(glb[:4]) != "glTF" {
		t.Fatalf("%.20q is no GLB", glb)
	}
	n := 20 + int(binary.LittleEndian.Uint32(glb[12:]))
	var doc struct {
		Images      []struct{ BufferView *int }
		BufferViews []struct{ ByteOffset, ByteLength int }
	}
	if err := json.Unmarshal(glb[20:n], &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Images) == 0 || doc.Images[0].BufferView == nil {
		t.Fatalf("the model has no texture: %s", glb[20:n])
	}
	v := doc.BufferViews[*doc.Images[0].BufferView]
	img, _, err := image.Decode(bytes.NewReader(glb[n+8+v.ByteOffset:][:v.ByteLength]))
	if err != nil {
		t.Fatal(err)
	}
	return img
}
