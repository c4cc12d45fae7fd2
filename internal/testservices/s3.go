package testservices

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/testdata"
)

// S3Server is versitygw, an S3 server over a folder, behind a proxy that can fail.
type S3Server struct {
	// Endpoint is the proxy's address.
	Endpoint, Bucket, AccessKey, SecretKey string
	Faults                                 *Faults
}

// S3 starts an S3 server with one bucket.
func S3(t testing.TB) *S3Server {
	t.Helper()
	s := &S3Server{Bucket: "models", AccessKey: "slate360", SecretKey: "slate360secret"}
	program := testdata.Tool(t, "versitygw")
	dir := t.TempDir()
	root, sidecar := filepath.Join(dir, "root"), filepath.Join(dir, "sidecar")
	for _, d := range []string{filepath.Join(root, s.Bucket), sidecar} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	port := FreePort(t)
	cmd := exec.Command(program, "--access", s.AccessKey, "--secret", s.SecretKey, "--port", fmt.Sprintf("127.0.0.1:%d", port),
		"--region", "us-east-1", "posix", "--sidecar", sidecar, root)
	launch(t, "versitygw", cmd, port)
	s.Faults = NewFaults(t, fmt.Sprintf("http://127.0.0.1:%d", port), false)
	s.Endpoint = s.Faults.URL
	return s
}

// Environment is what the SDK of AWS reads.
func (s *S3Server) Environment() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey, "AWS_REGION=us-east-1",
		"AWS_ENDPOINT_URL_S3=" + s.Endpoint, "AWS_S3_BUCKET=" + s.Bucket,
	}
}

// Faults is an HTTP proxy that fails some of the requests.
type Faults struct {
	URL   string
	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	random *rand.Rand
	share  float64
	away   bool
	Failed int
}

// NewFaults starts a proxy before target. rewriteHost sends the target's own host
// name, which signed requests do not bear.
func NewFaults(t testing.TB, target string, rewriteHost bool) *Faults {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	f := &Faults{random: rand.New(rand.NewPCG(1, 1))}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
			if rewriteHost {
				r.Out.Host = u.Host
			} else {
				r.Out.Host = r.In.Host
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.URL = "http://" + l.Addr().String()
	srv := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return f
}

// Fail lets a share of the requests, 0 to 1, end in a 500 or in a cut connection.
func (f *Faults) Fail(share float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share = share
}

// Away lets all requests be cut, or none any more.
func (f *Faults) Away(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// CloseIdleConnections lets go of connections to the target that wait for the
// next request.
func (f *Faults) CloseIdleConnections() {
	if t, ok := f.proxy.Transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// Count returns how many requests failed.
func (f *Faults) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Failed
}

func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	x, away := f.random.Float64(), f.away
	share := f.share
	if away || x < share {
		f.Failed++
	}
	f.mu.Unlock()
	switch {
	case away || x < share/4: // cut before the request arrived
		panic(http.ErrAbortHandler)
	case x < share/2: // cut after it was carried out
		f.proxy.ServeHTTP(&discard{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case x < share:
		http.Error(w, "<Error><Code>InternalError</Code></Error>", http.StatusInternalServerError)
	default:
		f.proxy.ServeHTTP(w, r)
	}
}

// discard drops an answer.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
