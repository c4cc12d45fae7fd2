package worker

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slate360.ai/worker/internal/callback"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/record"
)

// zipOf packs files: name, content, name, content, …
func zipOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A job whose source is a zip, a file of this machine or from a server, ends with
// the outputs of the scan in it.
func TestZipSources(t *testing.T) {
	r := newRig(t)
	data := zipOf(t, "field day/scan 1.las", lasFile, "readme.txt", "Read me first.")
	path := filepath.Join(t.TempDir(), "upload.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }))
	t.Cleanup(server.Close)
	nested := filepath.Join(t.TempDir(), "nested.zip")
	if err := os.WriteFile(nested, zipOf(t, "upload.zip", string(data)), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := r.start()
	for id, payload := range map[string]Payload{
		"file":   {SourceURL: "file://" + path},
		"server": {SourceURL: server.URL + "/download?id=7", SourceFormat: "zip"},
		"nested": {SourceURL: nested, SourceFormat: "las"},
	} {
		payload.JobID = id
		j := r.until(r.add(payload), queue.StateCompleted)
		var value ReturnValue
		if err := json.Unmarshal(j.ReturnValue, &value); err != nil || len(value.Outputs) != 1 || !strings.Contains(strings.Join(value.Warnings, ", "), "of the 2 files") {
			t.Errorf("%s: returned %s, %v", id, j.ReturnValue, err)
		}
		if got, err := os.ReadFile(filepath.Join(r.outputs, "processed", id, "scan_1.laz")); err != nil || string(got) != lasFile {
			t.Errorf("%s: %q, %v", id, got, err)
		}
		if rec := r.record(id); rec.Status != "completed" || rec.SourceFormat != "las" || rec.SourceFileCount != 2 || rec.SourceSize != int64(len(lasFile)+14) {
			t.Errorf("%s: %+v", id, rec)
		}
		r.eventually("its end is told", func() bool { return slices.Equal(r.ends(id), []string{callback.StatusCompleted}) })
	}
	stop()
	if left := r.workspaces(); len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the source itself: %v", err)
	}
}

// An archive that is no good fails its job at once, says why, and leaves nothing.
func TestZipSourcesThatFail(t *testing.T) {
	r := newRig(t)
	r.o.Fetch.Bytes = 1 << 20
	good := zipOf(t, "scan.las", lasFile)
	encrypted := bytes.Clone(good)
	encrypted[6] |= 1 // general purpose flag of the member …
	at := bytes.Index(encrypted, []byte("PK\x01\x02"))
	encrypted[at+8] |= 1 // … and in the directory
	stop := r.start()
	for id, test := range map[string]struct {
		data []byte
		want string
	}{
		"two":       {zipOf(t, "a.las", lasFile, "b.las", lasFile), "2 files of the source can be processed, such as a.las, b.las"},
		"none":      {zipOf(t, "a.txt", "Nothing."), "nothing in the source can be processed: 1 file(s), such as a.txt"},
		"empty":     {zipOf(t), "it holds no files"},
		"escape":    {zipOf(t, "../../evil.las", lasFile), "leads out of the archive"},
		"bomb":      {zipOf(t, "a.las", strings.Repeat("0", 2<<20)), "SLATE360_SOURCE_MAX_BYTES"},
		"broken":    {good[:len(good)-30], "archive:"},
		"encrypted": {encrypted, "it is encrypted"},
	} {
		path := filepath.Join(t.TempDir(), id+".zip")
		if err := os.WriteFile(path, test.data, 0o600); err != nil {
			t.Fatal(err)
		}
		j := r.until(r.add(Payload{JobID: id, SourceURL: "file://" + path}), queue.StateFailed)
		if !strings.Contains(j.FailedReason, test.want) || j.AttemptsStarted != 1 {
			t.Errorf("%s: %+v", id, j)
		}
		rec := r.record(id)
		var details record.ErrorDetails
		if err := json.Unmarshal(rec.ErrorDetails, &details); err != nil || rec.Status != "failed" || !details.Permanent || details.Hint == "" || details.Stage != stepUnpack {
			t.Errorf("%s: %+v, %+v, %v", id, rec, details, err)
		}
		r.eventually("its end is told", func() bool { return slices.Equal(r.ends(id), []string{callback.StatusFailed}) })
	}
	stop()
	if left := r.workspaces(); len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(r.outputs, "processed")); err == nil {
		t.Error("outputs are left")
	}
}
