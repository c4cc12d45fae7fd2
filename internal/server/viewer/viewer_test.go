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

func TestPage(t *testing.T) {
	url, _ := serve(t)
	resp, body := get(t, url+"/", nil)
	for _, want := range []string{`href="/copc/a%20b.copc.laz"`, "1,234,567 points", `src="/thumbnail.png"`, "no CRS", "crs.name", "&lt;script&gt;", "1.5, 2"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the page holds a script or a reference to elsewhere")
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
}

func TestPageWithoutResult(t *testing.T) {
	url, dir := serve(t)
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
		if resp, body := get(t, url+"/", nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, "result.json") {
			t.Errorf("page = %d %s", resp.StatusCode, body)
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
	resp, body := get(t, url+"/copc/a%20b.copc.laz", func(r *http.Request) { r.Header.Set("Range", "bytes=2-4") })
	if resp.StatusCode != http.StatusPartialContent || body != "234" || resp.Header.Get("Content-Range") != "bytes 2-4/10" ||
		resp.Header.Get("Content-Type") != "application/vnd.las" {
		t.Errorf("range request = %d %q %v", resp.StatusCode, body, resp.Header)
	}
	for path, want := range map[string]int{
		"/absent": 404, "/copc": 404, "/link.txt": 404, "/../secret.txt": 404, "/%2e%2e/secret.txt": 404, "/..%2fsecret.txt": 404,
		"/copc/..%2f..%2fsecret.txt": 404, "/.slate360-work/manifest.json": 404, "/a%00b": 404, "/result.json": 200,
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
		resp, _ := get(t, url+"/", func(r *http.Request) { r.Host = host })
		if resp.StatusCode != want {
			t.Errorf("host %s = %d, want %d", host, resp.StatusCode, want)
		}
	}
	resp, _ := get(t, url+"/", func(r *http.Request) { r.Method = http.MethodPost })
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", resp.StatusCode)
	}
}
