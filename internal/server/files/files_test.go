package files

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/storage/disk"
)

// serve serves a store with files of a result, as the API does.
func serve(t *testing.T) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := disk.Open(disk.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(`{"asset":{"version":"1.1"}}`)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for key, content := range map[string]string{
		"processed/x/data.bin": strings.Repeat("0123456789", 1000), "processed/x/report.html": "<script>alert(1)</script>", "processed/x/a.svg": "<svg/>",
		"processed/x/tiles/tileset.json": zipped.String(), "processed/x/a.js": "x", "processed/x/.hidden": "h", "processed/y/secret.txt": "TOPSECRET",
		"processed/x/empty.txt": "", "processed/x/ä b.png": "png",
	} {
		if err := store.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), storage.Attributes{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "outside.txt"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "outside.txt"), filepath.Join(dir, "processed/x/link.txt")); err != nil {
		t.Fatal(err)
	}
	s := New(store, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /o/{path...}", func(w http.ResponseWriter, r *http.Request) { s.Serve(w, r, "processed/x", r.PathValue("path")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, dir
}

func get(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity") // what the transport would add by itself
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
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

func TestRanges(t *testing.T) {
	url, _ := serve(t)
	for header, want := range map[string]struct {
		status int
		body   string
	}{
		"bytes=0-3": {206, "0123"}, "bytes=9998-": {206, "89"}, "bytes=-4": {206, "6789"}, "bytes=5-5": {206, "5"},
		"bytes=9999-20000": {206, "9"}, "bytes=-99999": {206, ""}, "items=0-3": {200, ""}, "bytes=3-1": {200, ""}, "bytes=a-b": {200, ""}, "bytes": {200, ""},
		"bytes=10000-": {416, ""}, "bytes=20000-30000": {416, ""}, "bytes=-0": {416, ""},
		"bytes=" + strings.Repeat("0-1,", 17): {416, ""},
	} {
		resp, body := get(t, url+"/o/data.bin", "Range", header)
		if resp.StatusCode != want.status || want.body != "" && body != want.body {
			t.Errorf("%s: %d, %.40q; want %d, %q", header, resp.StatusCode, body, want.status, want.body)
		}
	}
	resp, body := get(t, url+"/o/data.bin", "Range", "bytes=0-1,5000-5001")
	if resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/byteranges") || strings.Count(body, "01") < 2 {
		t.Errorf("two ranges: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	// Ranges that overlap many times do not make more of the file than there is.
	resp, body = get(t, url+"/o/data.bin", "Range", "bytes="+strings.Repeat("0-,", 15)+"0-")
	if resp.StatusCode != http.StatusOK || len(body) != 10_000 {
		t.Errorf("overlapping ranges: %d, %d bytes", resp.StatusCode, len(body))
	}
}

func TestValidators(t *testing.T) {
	url, _ := serve(t)
	resp, _ := get(t, url+"/o/data.bin")
	tag := resp.Header.Get("Etag")
	if tag == "" || strings.HasPrefix(tag, "W/") || resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("%v", resp.Header)
	}
	if resp, _ := get(t, url+"/o/data.bin", "If-None-Match", tag); resp.StatusCode != http.StatusNotModified {
		t.Errorf("the same again: %d", resp.StatusCode)
	}
	if resp, _ := get(t, url+"/o/data.bin", "If-Range", tag, "Range", "bytes=0-1"); resp.StatusCode != http.StatusPartialContent {
		t.Errorf("If-Range: %d", resp.StatusCode)
	}
	if resp, _ := get(t, url+"/o/data.bin", "If-Range", `"other"`, "Range", "bytes=20000-"); resp.StatusCode != http.StatusOK {
		t.Errorf("If-Range of another state: %d", resp.StatusCode)
	}
}

// What users brought in does not run as a page of ours.
func TestContentIsHarmless(t *testing.T) {
	url, _ := serve(t)
	for name, attachment := range map[string]bool{"report.html": false, "a.svg": true, "a.js": true, "data.bin": false, "%C3%A4%20b.png": false} {
		resp, _ := get(t, url+"/o/"+name)
		h := resp.Header
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") || h.Get("X-Content-Type-Options") != "nosniff" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %v", name, resp.StatusCode, h)
		}
		if got := strings.HasPrefix(h.Get("Content-Disposition"), "attachment"); got != attachment {
			t.Errorf("%s: %q", name, h.Get("Content-Disposition"))
		}
	}
}

// A file that is kept compressed is given so to who can read it.
func TestCompressed(t *testing.T) {
	url, _ := serve(t)
	for accept, encoding := range map[string]string{"gzip": "gzip", "br, gzip;q=0.5": "gzip", "*": "gzip", "": "", "identity": "", "gzip;q=0": "", "br": ""} {
		resp, body := get(t, url+"/o/tiles/tileset.json", "Accept-Encoding", accept)
		if encoding == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatalf("%q: %v", accept, err)
			}
			data, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(data)
		}
		if resp.Header.Get("Content-Encoding") != encoding || body != `{"asset":{"version":"1.1"}}` || resp.Header.Get("Vary") != "Accept-Encoding" ||
			resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %s %v", accept, body, resp.Header)
		}
	}
}

// raw sends a path as it is: clients of Go would clean it.
func raw(t *testing.T, url, path string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPathsStayInside(t *testing.T) {
	url, _ := serve(t)
	for _, path := range []string{
		"/o/../y/secret.txt", "/o/..%2fy%2fsecret.txt", "/o/%2e%2e/y/secret.txt", "/o/%2e%2e%2fy%2fsecret.txt", "/o/..%5cy%5csecret.txt", "/o//../y/secret.txt",
		"/o/tiles/../../y/secret.txt", "/o/tiles/..%2f..%2fy/secret.txt", "/o/link.txt", "/o/.hidden", "/o/tiles", "/o/tiles/", "/o/", "/o/data.bin/", "/o/data.bin%00.png",
		"/o/%2fetc/passwd", "/o//etc/passwd", "/o/./data.bin", "/o/%2e/data.bin", "/o/" + strings.Repeat("a/", 600) + "x", "/o/%ff",
		"/o/..;/y/secret.txt", "/o/%252e%252e%252fy%252fsecret.txt",
	} {
		answer := raw(t, url, path)
		status := strings.SplitN(answer, " ", 3)[1]
		if strings.Contains(answer, "TOPSECRET") || strings.Contains(answer, "outside") || status == "200" || status[0] == '5' {
			t.Errorf("%s: %s", path, answer)
		}
	}
}

// Ranges that are read lie in the file, and are in the form of RFC 9110.
func FuzzParseRanges(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=0-0,2-3", "bytes=9999999999999999999-", "items=1-2", "bytes=,", "bytes=1-0", " bytes = 1 - 2"} {
		f.Add(seed, int64(100))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		ranges, err := parseRanges(header, size)
		if err != nil && (len(ranges) > 0 || !errors.Is(err, errRangeSyntax) && !errors.Is(err, errUnsatisfiable) && !errors.Is(err, errTooManyRanges)) {
			t.Errorf("%q: %v, %v", header, ranges, err)
		}
		for _, r := range ranges {
			if r.off < 0 || r.n <= 0 || r.off+r.n > size {
				t.Errorf("%q of %d: %+v", header, size, r)
			}
		}
		if len(ranges) > maxRanges {
			t.Errorf("%q: %d ranges", header, len(ranges))
		}
	})
}
