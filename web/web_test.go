package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"slate360.ai/worker/web"
)

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	h := web.NewHandler("https://storage.example")
	mux := http.NewServeMux()
	mux.Handle(web.AssetPrefix, h)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.ServePage(w, r, web.Dashboard) })
	mux.HandleFunc("/view/", func(w http.ResponseWriter, r *http.Request) { h.ServePage(w, r, web.Viewer) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url) //nolint:noctx // a test server of ours
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

func TestWithoutPages(t *testing.T) {
	if web.Built() {
		t.Skip("this build has its pages")
	}
	resp, body := get(t, serve(t).URL+"/")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "make build") {
		t.Errorf("page = %d %s", resp.StatusCode, body)
	}
}

// needPages skips where the program was built without its pages.
func needPages(t *testing.T) {
	t.Helper()
	if web.Built() {
		return
	}
	if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
		t.Fatal(web.ErrNotBuilt)
	}
	t.Skip(web.ErrNotBuilt)
}

// The pages load only what is there, and hold no script or style of their own,
// which their policy would forbid.
func TestPages(t *testing.T) {
	needPages(t)
	srv := serve(t)
	reference := regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	for _, path := range []string{"/", "/view/some-job"} {
		resp, body := get(t, srv.URL+path)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || resp.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s = %d %v", path, resp.StatusCode, resp.Header)
		}
		if regexp.MustCompile(`<script(?:>| [^>]*[^>/]>[^<])|<style| style=| on[a-z]+=`).MatchString(body) {
			t.Errorf("%s holds a script or style inline:\n%s", path, body)
		}
		found := 0
		for _, m := range reference.FindAllStringSubmatch(body, -1) {
			if strings.HasPrefix(m[1], "data:") {
				continue
			}
			found++
			resp, _ := get(t, srv.URL+m[1])
			if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s loads %s: %d %v", path, m[1], resp.StatusCode, resp.Header)
			}
		}
		if found < 2 {
			t.Errorf("%s loads %d files, want a script and a style at least", path, found)
		}
	}
}

func TestPolicy(t *testing.T) {
	policy := web.Policy("https://storage.example")
	for _, want := range []string{"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval';", "connect-src 'self' https://storage.example", "object-src 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe-inline") || strings.Contains(policy, "'unsafe-eval'") {
		t.Errorf("the policy is weak: %q", policy)
	}
}

func TestNoOtherFiles(t *testing.T) {
	srv := serve(t)
	for _, path := range []string{"/assets/", "/assets/../index.html", "/assets/..%2findex.html", "/assets/absent.js", "/assets/%00"} {
		if resp, _ := get(t, srv.URL+path); resp.StatusCode == http.StatusOK && resp.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s = %d", path, resp.StatusCode)
		}
	}
}
