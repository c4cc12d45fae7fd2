package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// allowing lets the test's server on this machine be a source.
func allowing() FetchOptions { return FetchOptions{Allow: []string{"127.0.0.1"}, Tries: 8} }

func fetchOne(t *testing.T, url string, o FetchOptions) ([]byte, Fetched, error) {
	t.Helper()
	got, err := Fetch(t.Context(), []string{url}, filepath.Join(t.TempDir(), "source"), o)
	if err != nil {
		return nil, got, err
	}
	data, err := os.ReadFile(got.Path)
	if err != nil {
		t.Fatal(err)
	}
	return data, got, nil
}

func TestFetchRanges(t *testing.T) {
	want := content(3*pieceSize + 12345)
	sum := sha256.Sum256(want)
	var requests, cuts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Disposition", `attachment; filename="../../etc/scan ä.laz"`)
		w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		if requests.Add(1)%3 == 0 { // every third answer is cut
			cuts.Add(1)
			w = &cutting{ResponseWriter: w, left: 5 << 20}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(want))
	}))
	defer server.Close()
	var last int64
	o := allowing()
	o.Progress = func(done, total int64) {
		if total != int64(len(want)) {
			t.Errorf("total %d", total)
		}
		last = max(last, done)
	}
	got, f, err := fetchOne(t, server.URL+"/x?signature=secret", o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || f.Names[0] != "scan ä.laz" || f.Size != int64(len(want)) {
		t.Errorf("%d bytes as %v", len(got), f.Names)
	}
	if cuts.Load() == 0 || last < int64(len(want)) {
		t.Errorf("%d cuts, progress %d", cuts.Load(), last)
	}
}

// cutting ends an answer after some bytes.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

// What a run that ended had fetched is not fetched again.
func TestFetchGoesOn(t *testing.T) {
	want := content(4 * pieceSize)
	var bytesSent atomic.Int64
	stopAfter := atomic.Int64{}
	stopAfter.Store(2*pieceSize + 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(&counting{w, &bytesSent}, r, "a.laz", time.Time{}, bytes.NewReader(want))
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "source")
	ctx, cancel := context.WithCancel(t.Context())
	o := allowing()
	o.Workers = 1
	o.Progress = func(done, _ int64) {
		if done > stopAfter.Load() {
			cancel()
		}
	}
	_, err := Fetch(ctx, []string{server.URL + "/a.laz"}, dir, o)
	var failed *FetchError
	if !errors.As(err, &failed) || !failed.Temporary {
		t.Fatalf("got %v", err)
	}
	bytesSent.Store(0)
	o.Progress = nil
	got, err := Fetch(t.Context(), []string{server.URL + "/a.laz"}, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(got.Path); err != nil || !bytes.Equal(data, want) {
		t.Errorf("the file came out differently (%v)", err)
	}
	// The first range is asked for to learn the size, and cut off.
	if n := bytesSent.Load(); n > 3*pieceSize+pieceSize/2 {
		t.Errorf("%d bytes were sent again of %d", n, len(want))
	}
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

func TestFetchWithoutRanges(t *testing.T) {
	want := content(300_000)
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch requests.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2: // less than it says
			w.Header().Set("Content-Length", fmt.Sprint(len(want)))
			_, _ = w.Write(want[:1000])
		default:
			_, _ = w.Write(want)
		}
	}))
	defer server.Close()
	got, _, err := fetchOne(t, server.URL+"/a.laz", allowing())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestFetchRefusals(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "/absent":
			http.NotFound(w, r)
		case "/wrong":
			w.Header().Set("Repr-Digest", "sha-256=:AAAA:")
			_, _ = w.Write([]byte("content"))
		default:
			_, _ = w.Write(content(100_000))
		}
	}))
	defer inside.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(inside.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	small := allowing()
	small.Bytes = 1000
	few := allowing()
	few.Tries = 2
	for _, test := range []struct {
		url       string
		o         FetchOptions
		is        error
		temporary bool
	}{
		{inside.URL, FetchOptions{}, ErrForbiddenAddress, false},
		{"http://localhost:" + port, FetchOptions{}, ErrForbiddenAddress, false},
		{"http://[::ffff:127.0.0.1]:" + port, FetchOptions{}, ErrForbiddenAddress, false},
		{"http://0.0.0.0:" + port, FetchOptions{}, ErrForbiddenAddress, false},
		{inside.URL + "/metadata", allowing(), ErrForbiddenAddress, false},
		{inside.URL + "/file", allowing(), nil, false},
		{inside.URL + "/circle", allowing(), nil, false},
		{inside.URL + "/absent", allowing(), nil, false},
		{inside.URL + "/wrong", few, nil, true},
		{inside.URL + "/big", small, ErrTooLarge, false},
		{"file:///etc/passwd", allowing(), nil, false},
		{"/etc/passwd", allowing(), nil, false},
		{"ftp://example.com/a", allowing(), nil, false},
		{"s3://bucket/key", allowing(), nil, false},
		{"://", allowing(), nil, false},
	} {
		_, _, err := fetchOne(t, test.url+"?token=secret", test.o)
		var failed *FetchError
		if !errors.As(err, &failed) || failed.Temporary != test.temporary || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: got %v", test.url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the query is in the error: %v", test.url, err)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1": true, "64:ff9b::808:808": true, "127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "::": false, "fe80::1": false, "fd00:ec2::254": false, "::ffff:10.0.0.1": false, "64:ff9b::a9fe:a9fe": false,
		"2002:7f00:1::": false, "2001:db8::1": false, "ff02::1": false, "::127.0.0.1": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// rebinding is a name server that changes its mind.
type rebinding struct{ calls atomic.Int32 }

func (r *rebinding) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if r.calls.Add(1) == 1 {
		return []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func TestRebindingIsRefused(t *testing.T) {
	g, err := newGuard(nil)
	if err != nil {
		t.Fatal(err)
	}
	g.resolver = &rebinding{}
	_, _, err = fetchOne(t, "http://rebind.example/", FetchOptions{guard: g, Tries: 1})
	if !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("got %v", err)
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.laz", "../../x", `C:\x`, "con.txt", "a\x00b", strings.Repeat("ä", 300) + ".laz", "...", "\u202egpj.exe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := SafeName(s)
		if name == "" || len(name) > longestName+1 || strings.ContainsAny(name, "/\\\x00") || name == "." || name == ".." || filepath.Base(name) != name {
			t.Errorf("%q gives %q", s, name)
		}
	})
}
