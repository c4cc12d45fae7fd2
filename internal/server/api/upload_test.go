package api_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/upload"
)

// create begins a resumable upload and returns its path.
func (r *rig) create(size int, name string, headers ...string) string {
	r.t.Helper()
	headers = append([]string{
		"Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(size), "Upload-Metadata", "relativePath " + base64.StdEncoding.EncodeToString([]byte(name)),
	}, headers...)
	a := r.do(http.MethodPost, "/api/uploads", nil, headers...)
	r.want(a, http.StatusCreated, nil)
	if expires, err := http.ParseTime(a.Header.Get("Upload-Expires")); err != nil || time.Until(expires) < time.Minute {
		r.t.Errorf("Upload-Expires: %s", a.Header.Get("Upload-Expires"))
	}
	location := a.Header.Get("Location")
	if !strings.HasPrefix(location, "/api/uploads/") {
		r.t.Fatalf("Location %q", location)
	}
	return location
}

func (r *rig) offset(path string, headers ...string) int {
	r.t.Helper()
	a := r.do(http.MethodHead, path, nil, append([]string{"Tus-Resumable", "1.0.0"}, headers...)...)
	if a.StatusCode != http.StatusOK {
		r.t.Fatalf("HEAD %s answered %d", path, a.StatusCode)
	}
	n, err := strconv.Atoi(a.Header.Get("Upload-Offset"))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) patch(path string, at int, data []byte, headers ...string) answer {
	r.t.Helper()
	headers = append([]string{"Tus-Resumable", "1.0.0", "Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream"}, headers...)
	return r.do(http.MethodPatch, path, bytes.NewReader(data), headers...)
}

func noise(n int) []byte {
	b, rng := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// patchAndDie sends a part of a chunk over a connection of its own, and resets it.
func (r *rig) patchAndDie(path string, at int, announced int, data []byte) {
	r.t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(r.t.Context(), "tcp", u.Host)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: %d\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n",
		path, u.Host, at, announced)
	want := r.uploads.Received() + int64(len(data))
	if _, err := conn.Write(append([]byte(head), data...)); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("the part has come in", func() bool { return r.uploads.Received() >= want })
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		r.t.Fatal(err)
	}
}

// An upload whose connections are cut, and whose server is started anew, arrives whole.
func TestUploadKilledAndResumed(t *testing.T) {
	leaktest.Check(t)
	r := newRig(t, settings{})
	r.work()
	content := []byte(strings.Repeat("1.5 2.5 3.5\n", 1<<18)) // 3 MiB of points
	path := r.create(len(content), "site/points.xyz")
	at := 0
	for cut := range 4 {
		r.patchAndDie(path, at, len(content)-at, content[at:at+(cut+1)*100_000])
		next := 0
		r.eventually("what came in is kept", func() bool { next = r.offset(path); return next > at })
		at = next
	}
	// Another server takes up what lies in the folder.
	again, err := upload.Open(upload.Options{Dir: r.dir + "/uploads", MaxBytes: 1 << 30, MaxFiles: 10, MaxPending: 10, TTL: time.Hour, Storage: r.storage, Local: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Offset(path[strings.LastIndexByte(path, '/')+1:]); got != int64(at) {
		t.Errorf("after a restart the upload has %d bytes, want %d", got, at)
	}
	r.refuse(r.do(http.MethodPost, "/api/models/process", map[string]any{"uploads": []string{path[13:]}}), http.StatusConflict)
	r.want(r.patch(path, at, content[at:]), http.StatusNoContent, nil)
	var s submitted
	r.want(r.do(http.MethodPost, "/api/models/process", map[string]any{"uploads": []string{path[13:]}, "sourceFormat": "xyz"}), http.StatusAccepted, &s)
	if s.Job.Name != "site" {
		t.Errorf("%+v", s.Job)
	}
	j := r.until(s.JobID, job.StatusCompleted)
	a := r.do(http.MethodGet, j.Outputs[0].URL, nil)
	r.want(a, http.StatusOK, nil)
	if digest(a.body) != digest(content) {
		t.Errorf("%d bytes arrived, of %d, or others", len(a.body), len(content))
	}
	r.refuse(r.do(http.MethodPost, "/api/models/process", map[string]any{"uploads": []string{path[13:]}}), http.StatusUnprocessableEntity)
}

// A chunk that does not match its checksum does not count; nor does a part of one.
func TestUploadChecksum(t *testing.T) {
	r := newRig(t, settings{})
	data := noise(50_000)
	sum1, sum256 := sha1.Sum(data[:20_000]), sha256.Sum256(data[20_000:])
	path := r.create(len(data), "a.laz")
	good := "sha1 " + base64.StdEncoding.EncodeToString(sum1[:])
	r.refuse(r.patch(path, 0, data[1:20_001], "Upload-Checksum", good), 460)
	if at := r.offset(path); at != 0 {
		t.Errorf("offset %d after a chunk that was dropped", at)
	}
	r.refuse(r.patch(path, 0, data[:10], "Upload-Checksum", "blake3 AAAA"), http.StatusBadRequest)
	r.refuse(r.patch(path, 0, data[:10], "Upload-Checksum", "sha1 AAAA"), http.StatusBadRequest)
	r.want(r.patch(path, 0, data[:20_000], "Upload-Checksum", good), http.StatusNoContent, nil)
	r.want(r.patch(path, 20_000, data[20_000:], "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(sum256[:])), http.StatusNoContent, nil)
	if at := r.offset(path); at != len(data) {
		t.Errorf("offset %d", at)
	}
	r.refuse(r.patch(path, 20_000, data[:1]), http.StatusConflict)
	a := r.do(http.MethodOptions, "/api/uploads", nil)
	if !strings.Contains(a.Header.Get("Tus-Extension"), "checksum,expiration") || !strings.Contains(a.Header.Get("Tus-Extension"), "termination") {
		t.Errorf("extensions %s", a.Header.Get("Tus-Extension"))
	}
}

func TestUploadsEnd(t *testing.T) {
	r := newRig(t, settings{})
	path := r.create(10, "a.laz")
	r.want(r.do(http.MethodDelete, path, nil, "Tus-Resumable", "1.0.0"), http.StatusNoContent, nil)
	r.refuse(r.patch(path, 0, []byte("x")), http.StatusNotFound)
	old := r.create(10, "b.laz")
	if err := r.uploads.Sweep(t.Context(), time.Now().Add(2*time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	r.refuse(r.patch(old, 0, []byte("x")), http.StatusNotFound)
	if left := filesBelow(t, r.dir+"/uploads/partial", "/partial/"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The source of a job stays as long as the job may need it.
func TestSourcesAreSwept(t *testing.T) {
	r := newRig(t, settings{})
	s := r.submitText("1 2 3\n")
	for need, want := range map[upload.Need]bool{upload.Needed: true, upload.Perhaps: true, upload.Unknown: true, upload.Unneeded: false} {
		if err := r.uploads.Sweep(t.Context(), time.Now(), nil0(need)); err != nil {
			t.Fatal(err)
		}
		if got := len(filesBelow(t, r.dir+"/uploads/jobs", s.JobID)) > 0; got != want && need != upload.Unneeded {
			t.Errorf("need %d: kept %v", need, got)
		}
		if need == upload.Unneeded {
			s = r.submitText("1 2 3\n")
		}
	}
	if err := r.uploads.Sweep(t.Context(), time.Now().Add(2*time.Hour), nil0(upload.Perhaps)); err != nil {
		t.Fatal(err)
	}
	if left := filesBelow(t, r.dir+"/uploads/jobs", "/jobs/"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Uploads are bounded: each by its size, all by the disk, those of an organisation by
// their number and its quota of the day.
func TestUploadLimits(t *testing.T) {
	r := newRig(t, settings{
		auth: auth.Options{Secret: "admin", Tokens: []auth.Token{
			token("a", "acme", auth.RoleMember, auth.Quota{BytesPerDay: 1000}), token("b", "bolt", auth.RoleMember, auth.Quota{}),
		}},
		uploads: func(o *upload.Options) { o.MaxBytes, o.MaxPending = 1<<20, 3 },
	})
	tus := func(size, who string) []string {
		return []string{"Tus-Resumable", "1.0.0", "Upload-Length", size, "Authorization", "Bearer " + who}
	}
	r.refuse(r.do(http.MethodPost, "/api/uploads", nil, tus("1048577", "b")...), http.StatusRequestEntityTooLarge)
	r.create(700, "x", "Authorization", "Bearer a")
	if p := r.refuse(r.do(http.MethodPost, "/api/uploads", nil, tus("400", "a")...), http.StatusTooManyRequests); !strings.Contains(p.Detail, "today") {
		t.Errorf("%+v", p)
	}
	for range 3 {
		r.create(10, "x", "Authorization", "Bearer b")
	}
	r.refuse(r.do(http.MethodPost, "/api/uploads", nil, tus("10", "b")...), http.StatusTooManyRequests)
	form, contentType := formOf(t, nil, "big.laz", string(noise(1<<20+1)))
	r.refuse(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType, "Authorization", "Bearer admin"), http.StatusRequestEntityTooLarge)
	form, contentType = formOf(t, nil, "big.laz", string(noise(5000)))
	r.refuse(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType, "Authorization", "Bearer a"), http.StatusTooManyRequests)
	if left := filesBelow(t, r.dir+"/uploads/jobs", "/jobs/"); len(left) > 0 {
		t.Errorf("refused forms left %v", left)
	}
	full := newRig(t, settings{uploads: func(o *upload.Options) { o.Reserve = 1 << 60 }})
	full.refuse(full.do(http.MethodPost, "/api/uploads", nil, tus("10", "")[:4]...), http.StatusInsufficientStorage)
}

// Nobody sees the uploads of others.
func TestUploadsAreTheirOwners(t *testing.T) {
	r := newRig(t, settings{auth: auth.Options{Tokens: []auth.Token{
		token("a", "acme", auth.RoleMember, auth.Quota{}), token("b", "bolt", auth.RoleMember, auth.Quota{}), token("v", "acme", auth.RoleViewer, auth.Quota{}),
	}}})
	path := r.create(3, "x.xyz", "Authorization", "Bearer a")
	r.refuse(r.patch(path, 0, []byte("abc"), "Authorization", "Bearer b"), http.StatusNotFound)
	r.refuse(r.patch(path, 0, []byte("abc")), http.StatusUnauthorized)
	r.refuse(r.patch(path, 0, []byte("abc"), "Authorization", "Bearer v"), http.StatusForbidden)
	r.want(r.patch(path, 0, []byte("abc"), "Authorization", "Bearer a"), http.StatusNoContent, nil)
	r.refuse(r.do(http.MethodPost, "/api/models/process", map[string]any{"uploads": []string{path[13:]}}, "Authorization", "Bearer b"), http.StatusUnprocessableEntity)
	r.want(r.do(http.MethodPost, "/api/models/process", map[string]any{"uploads": []string{path[13:]}}, "Authorization", "Bearer a"), http.StatusAccepted, nil)
}
