package viewer_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/viewer"
	"slate360.ai/worker/web"
)

func serve(t *testing.T) (url, dir string) {
	t.Helper()
	parent := t.TempDir()
	dir = filepath.Join(parent, "out")
	result := job.Result{
		Status: job.StatusCompleted,
		Outputs: []job.Output{
			{Type: job.TypeCOPC, Path: "copc/a b.copc.laz", Size: 10, Points: 1234567},
			{Type: job.TypeThumbnail, Path: "thumbnail.png", Size: 1, ContentType: "image/png"},
		},
		Analysis: map[string]any{"crs": map[string]any{"name": "<script>alert(1)</script>"}, "count": 1234567, "bounds": []float64{1.5, 2}},
		Warnings: []string{"no CRS"},
	}
	data, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	for rel, content := range map[string]string{
		"out/result.json": string(data), "out/copc/a b.copc.laz": "0123456789", "out/thumbnail.png": "x",
		"out/.slate360-work/manifest.json": "{}", "secret.txt": "secret",
	} {
		p := filepath.Join(parent, rel)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(parent, "secret.txt"), filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	h, err := viewer.New(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL, dir
}

func get(t *testing.T, url string, edit func(r *http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// The page is that of package web, whose tests look at it closer.
func TestPage(t *testing.T) {
	url, _ := serve(t)
	resp, body := get(t, url+"/", nil)
	if web.Built() {
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, "<html") || resp.Header.Get("Content-Security-Policy") != web.Policy() {
			t.Errorf("page = %d %v %s", resp.StatusCode, resp.Header, body)
		}
		return
	}
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "make build") {
		t.Errorf("page = %d %s", resp.StatusCode, body)
	}
}

func TestResult(t *testing.T) {
	url, dir := serve(t)
	resp, body := get(t, url+"/result.json", nil)
	var got struct {
		Name    string
		Outputs []job.Output
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK || got.Name != "out" || len(got.Outputs) != 2 {
		t.Errorf("result = %d %s", resp.StatusCode, body)
	}
	for _, content := range []string{"", "{"} {
		path := filepath.Join(dir, "result.json")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		resp, body := get(t, url+"/result.json", nil)
		if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, "result.json") {
			t.Errorf("result = %d %s", resp.StatusCode, body)
		}
		if content == "" {
			if err := os.WriteFile(path, nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	url, _ := serve(t)
	resp, body := get(t, url+"/files/copc/a%20b.copc.laz", func(r *http.Request) { r.Header.Set("Range", "bytes=2-4") })
	if resp.StatusCode != http.StatusPartialContent || body != "234" || resp.Header.Get("Content-Range") != "bytes 2-4/10" ||
		resp.Header.Get("Content-Type") != "application/vnd.las" {
		t.Errorf("range request = %d %q %v", resp.StatusCode, body, resp.Header)
	}
	for path, want := range map[string]int{
		"/files/absent": 404, "/files/copc": 404, "/files/link.txt": 404, "/files/../secret.txt": 404, "/files/%2e%2e/secret.txt": 404, "/files/..%2fsecret.txt": 404,
		"/files/copc/..%2f..%2fsecret.txt": 404, "/files/.slate360-work/manifest.json": 404, "/files/a%00b": 404, "/files/result.json": 200,
	} {
		resp, body := get(t, url+path, func(r *http.Request) { r.URL.Opaque = path })
		if resp.StatusCode != want || strings.Contains(body, "secret\n") || body == "secret" {
			t.Errorf("%s = %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestForeignHostsAndMethods(t *testing.T) {
	url, _ := serve(t)
	for host, want := range map[string]int{"evil.example:80": 403, "localhost:1": 200, "[::1]:80": 200, "127.0.0.1": 200, "127.0.0.1.evil.example": 403} {
		resp, _ := get(t, url+"/result.json", func(r *http.Request) { r.Host = host })
		if resp.StatusCode != want {
			t.Errorf("host %s = %d, want %d", host, resp.StatusCode, want)
		}
	}
	resp, _ := get(t, url+"/", func(r *http.Request) { r.Method = http.MethodPost })
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", resp.StatusCode)
	}
}
