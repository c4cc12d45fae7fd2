package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/storage/s3"
	"slate360.ai/worker/internal/storage/storagetest"
	"slate360.ai/worker/internal/testservices"
)

func options(t *testing.T, server *testservices.S3Server) s3.Options {
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	return s3.Options{Bucket: server.Bucket, Region: "us-east-1", Endpoint: server.Endpoint, PathStyle: true}
}

func open(t testing.TB, o s3.Options) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	server := testservices.S3(t)
	o := options(t, server)
	leaktest.Check(t) // while the server lives: its end would close connections
	t.Cleanup(server.Faults.CloseIdleConnections)
	var n atomic.Int32
	fresh := func(t testing.TB) (storage.Store, string) { return open(t, o), fmt.Sprintf("p%d/", n.Add(1)) }
	storagetest.Run(t, true, fresh)
	t.Run("SignedURL", func(t *testing.T) {
		signed := o
		signed.SignedURLs = true
		s := open(t, signed)
		if err := s.Put(t.Context(), "signed/ä b", strings.NewReader("text"), 4, storage.Attributes{ContentType: "text/plain"}); err != nil {
			t.Fatal(err)
		}
		u, err := s.URL(t.Context(), "signed/ä b")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "text" || resp.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%d %q %v (%v)", resp.StatusCode, body, resp.Header, err)
		}
	})
	// Whoever has the signed address can put what was announced, and nothing else.
	t.Run("PresignPut", func(t *testing.T) {
		s := open(t, o)
		u, err := s.PresignPut(t.Context(), "uploads/ä b.laz", 4, "application/vnd.las", time.Minute)
		if err != nil || u.Source != "s3://"+o.Bucket+"/uploads/ä b.laz" {
			t.Fatalf("%+v, %v", u, err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		put := func(body string) int {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, u.URL, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range u.Headers {
				req.Header.Set(name, value)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode
		}
		if code := put("too long"); code < 400 {
			t.Errorf("a longer body was taken with %d", code)
		}
		if code := put("text"); code != http.StatusOK {
			t.Errorf("PUT answered %d", code)
		}
		if info, err := s.Stat(t.Context(), "uploads/ä b.laz"); err != nil || info.Size != 4 {
			t.Errorf("%+v, %v", info, err)
		}
		if _, err := s.PresignPut(t.Context(), "x", s.MaxPresigned()+1, "", time.Minute); err == nil {
			t.Error("more than S3 takes was signed")
		}
	})
	t.Run("PublicURL", func(t *testing.T) {
		public := o
		public.PublicURL = "https://cdn.example.com/x/"
		if u, err := open(t, public).URL(t.Context(), "a b/c"); err != nil || u != "https://cdn.example.com/x/a%20b/c" {
			t.Errorf("%s, %v", u, err)
		}
	})
	// Requests that fail and connections that are cut are tried again.
	t.Run("Faults", func(t *testing.T) {
		server.Faults.Fail(0.2)
		defer server.Faults.Fail(0)
		s := open(t, o)
		data := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
		for i := range 20 {
			key := fmt.Sprintf("faults/%d", i)
			small := data[:1000*(i+1)]
			if i == 0 {
				small = data
			}
			if err := s.Put(t.Context(), key, bytes.NewReader(small), int64(len(small)), storage.Attributes{}); err != nil {
				t.Fatal(err)
			}
			r, _, err := s.Open(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			back, err := io.ReadAll(r)
			r.Close()
			if err != nil || !bytes.Equal(back, small) {
				t.Errorf("%s: %d bytes of %d came back, %v", key, len(back), len(small), err)
			}
		}
		if server.Faults.Count() == 0 {
			t.Error("nothing failed")
		}
	})
}
