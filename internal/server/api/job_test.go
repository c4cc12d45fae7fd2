package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/jobs"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A scan goes the whole way: submitted as a form, followed to its end, its outputs
// read and shared, and deleted.
func TestJobFromFormToPurge(t *testing.T) {
	leaktest.Check(t)
	r := newRig(t, settings{auth: auth.Options{Secret: "secret"}})
	r.work()
	key := []string{"Authorization", "Bearer secret"}
	r.want(r.do(http.MethodPost, "/api/queue/pause", nil, key...), http.StatusOK, nil) // until somebody follows
	form, contentType := formOf(t, []string{"options", `{"formats":["copc","laz"]}`, "priority", "high"}, "north.laz", string(scan(t)))
	var s submitted
	a := r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType, "X-Dispatch-Token", "secret")
	r.want(a, http.StatusAccepted, &s)
	if a.Header.Get("Location") != "/api/models/jobs/"+s.JobID || s.Job.Name != "north.laz" || s.Job.Priority != job.PriorityHigh || s.Job.SourceURL != "" {
		t.Errorf("submitted: %s, %+v", a.Header.Get("Location"), s.Job)
	}
	followed(t, r, s.JobID, key)
	j := r.until(s.JobID, job.StatusCompleted, key...)
	if j.Kind != "pointcloud" || j.SourceFormat != "laz" || j.SourceSize != int64(len(scan(t))) || len(j.Log) == 0 || j.Progress != 100 || len(j.Analysis) == 0 {
		t.Errorf("%+v", j)
	}
	states := map[string]job.StageState{}
	for _, st := range j.Stages {
		states[st.Name] = st.State
		if st.Title == "" {
			t.Errorf("stage %s has no title", st.Name)
		}
	}
	if states["index"] != job.StageDone || states["copc"] != job.StageDone || states["ept"] != job.StageOff || states["tiles"] != job.StageOff {
		t.Errorf("stages %v", states)
	}
	for _, o := range j.Outputs {
		a := r.do(http.MethodGet, o.URL, nil, key...)
		r.want(a, http.StatusOK, nil)
		if sum := sha256.Sum256(a.body); hex.EncodeToString(sum[:]) != o.SHA256 || int64(len(a.body)) != o.Size {
			t.Errorf("%s: %d bytes that hash to %x; want %d, %s", o.Path, len(a.body), sum, o.Size, o.SHA256)
		}
		r.refuse(r.do(http.MethodGet, o.URL, nil), http.StatusUnauthorized)
	}
	link := sharedLink(t, r, j, key)
	r.want(r.do(http.MethodDelete, "/api/models/jobs/"+s.JobID, nil, key...), http.StatusConflict, nil)
	r.want(r.do(http.MethodDelete, "/api/models/jobs/"+s.JobID+"?purge=true", nil, key...), http.StatusOK, nil)
	for _, path := range []string{"/api/models/jobs/" + s.JobID, j.Outputs[0].URL, link + "/result.json"} {
		r.refuse(r.do(http.MethodGet, path, nil, key...), http.StatusNotFound)
	}
	if left := filesBelow(t, r.dir, s.JobID); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	log, err := os.ReadFile(filepath.Join(r.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"submit", "share", "purge"} {
		if !strings.Contains(string(log), `"action":"`+action+`","jobId":"`+s.JobID) {
			t.Errorf("the audit log lacks %s:\n%s", action, log)
		}
	}
	if strings.Contains(string(log), "secret\"") {
		t.Errorf("the audit log has the key:\n%s", log)
	}
}

// followed follows a job to its end by its events.
func followed(t *testing.T, r *rig, id string, key []string) {
	t.Helper()
	var last int
	seen := map[string]bool{}
	progress := 0.0
	late := false // the job had ended before anybody listened
	r.follow("/api/models/jobs/"+id+"/events", "", func(e event) bool {
		if len(seen) == 0 {
			r.want(r.do(http.MethodPost, "/api/queue/resume", nil, key...), http.StatusOK, nil)
		}
		seen[e.name] = true
		if e.id != "" {
			_, number, _ := strings.Cut(e.id, "-")
			n, err := strconv.Atoi(number)
			if err != nil || n < last {
				t.Errorf("event %s after %d", e.id, last)
			}
			last = n
		}
		if e.name != jobs.EventJob {
			return true
		}
		var j jobs.Job
		if err := json.Unmarshal([]byte(e.data), &j); err != nil || j.JobID != id {
			t.Errorf("%v: %s", err, e.data)
		}
		late = late || progress == 0 && jobs.Final(j.Status)
		if j.Progress < progress {
			t.Errorf("progress went from %g to %g", progress, j.Progress)
		}
		progress = j.Progress
		return !jobs.Final(j.Status)
	}, key...)
	if progress != 100 || !seen[jobs.EventLog] && !late {
		t.Errorf("the events ended at %g %%: %v", progress, seen)
	}
}

// sharedLink shares a result, and looks at it as one who has nothing but the link.
func sharedLink(t *testing.T, r *rig, j jobs.Job, key []string) string {
	t.Helper()
	var link struct {
		URL       string
		ExpiresAt time.Time
	}
	r.want(r.do(http.MethodPost, "/api/models/jobs/"+j.JobID+"/share", map[string]int{"expiresIn": 3600}, key...), http.StatusOK, &link)
	if d := time.Until(link.ExpiresAt); d < 59*time.Minute || d > time.Hour {
		t.Errorf("the link holds for %v", d)
	}
	var result jobs.Result
	r.want(r.do(http.MethodGet, link.URL+"/result.json", nil), http.StatusOK, &result)
	if result.Name != "north.laz" || len(result.Outputs) != len(j.Outputs) || result.Analysis["points"] == nil {
		t.Errorf("%+v", result)
	}
	for i, o := range result.Outputs {
		a := r.do(http.MethodGet, o.URL, nil)
		r.want(a, http.StatusOK, nil)
		if !strings.HasPrefix(o.URL, link.URL+"/files/") || int64(len(a.body)) != j.Outputs[i].Size {
			t.Errorf("%s: %d bytes", o.URL, len(a.body))
		}
	}
	page := r.do(http.MethodGet, link.URL, nil, "Accept", "text/html")
	r.want(page, pageStatus(), nil)
	if !strings.Contains(page.Header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Errorf("policy %s", page.Header.Get("Content-Security-Policy"))
	}
	r.refuse(r.do(http.MethodGet, link.URL+"x/result.json", nil), http.StatusNotFound)
	r.refuse(r.do(http.MethodDelete, link.URL, nil), http.StatusMethodNotAllowed)
	r.refuse(r.do(http.MethodGet, link.URL+"/files/.hidden", nil), http.StatusNotFound)
	return link.URL
}

// filesBelow lists files whose path has a text in it.
func filesBelow(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(p, text) {
			found = append(found, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A client that comes back gets what it missed, once; one that was away too long
// gets the present state.
func TestEventsGoOn(t *testing.T) {
	r := newRig(t, settings{})
	r.work()
	first := r.submitText("1 2 3\n")
	var last string
	r.follow("/api/events", "", func(e event) bool {
		last = e.id
		return !strings.Contains(e.data, `"status":"completed"`)
	})
	second := r.submitText("4 5 6\n")
	r.until(second.JobID, job.StatusCompleted)
	var names []string
	r.follow("/api/events", last, func(e event) bool {
		if strings.Contains(e.data, first.JobID) && e.name == jobs.EventJob && !strings.Contains(e.data, `"status":"completed"`) {
			t.Errorf("an old event again: %+v", e)
		}
		names = append(names, e.name)
		return !strings.Contains(e.data, second.JobID) || !strings.Contains(e.data, `"status":"completed"`)
	})
	if !slices.Contains(names, jobs.EventLog) {
		t.Errorf("missed events did not come: %v", names)
	}
	for _, id := range []string{"xxxxxxxx-7", "nonsense", strings.TrimRight(last, "0123456789") + "999999"} {
		var state []string
		r.follow("/api/events", id, func(e event) bool {
			state = append(state, e.data)
			return len(state) < 2
		})
		if !strings.Contains(state[0], first.JobID) || !strings.Contains(state[1], second.JobID) {
			t.Errorf("after %s came %v", id, state)
		}
	}
}

func TestCancelAndRetry(t *testing.T) {
	r := newRig(t, settings{})
	r.block = make(chan struct{})
	waiting := r.submitText("1 2 3\n")
	r.want(r.do(http.MethodDelete, "/api/models/jobs/"+waiting.JobID, nil), http.StatusOK, nil)
	if j := r.job(waiting.JobID); j.Status != jobs.StatusCanceled || j.Error == nil || j.Error.Hint == "" {
		t.Errorf("%+v", j)
	}
	r.refuse(r.do(http.MethodDelete, "/api/models/jobs/"+waiting.JobID, nil), http.StatusConflict)
	r.work()
	running := r.submitText("4 5 6\n")
	r.eventually("it runs", func() bool { return r.job(running.JobID).CurrentStep == "copy" })
	r.refuse(r.do(http.MethodDelete, "/api/models/jobs/"+running.JobID+"?purge=true", nil), http.StatusConflict)
	r.refuse(r.do(http.MethodPost, "/api/models/jobs/"+running.JobID+"/retry", nil), http.StatusConflict)
	r.want(r.do(http.MethodDelete, "/api/models/jobs/"+running.JobID, nil), http.StatusOK, nil)
	r.until(running.JobID, jobs.StatusCanceled)
	close(r.block)
	for _, id := range []string{waiting.JobID, running.JobID} { // one the queue has forgotten, one it has not
		r.want(r.do(http.MethodPost, "/api/models/jobs/"+id+"/retry", nil), http.StatusOK, nil)
		if j := r.until(id, job.StatusCompleted); j.Error != nil || len(j.Outputs) != 1 {
			t.Errorf("%+v", j)
		}
	}
	r.refuse(r.do(http.MethodDelete, "/api/models/jobs/absent", nil), http.StatusNotFound)
	r.refuse(r.do(http.MethodPost, "/api/models/jobs/absent/retry", nil), http.StatusNotFound)
}

// A job that fails says why, where and what to do.
func TestFailure(t *testing.T) {
	r := newRig(t, settings{})
	r.work()
	form, contentType := formOf(t, nil, "broken.laz", "LASF and nothing that follows from it")
	var s submitted
	r.want(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType), http.StatusAccepted, &s)
	j := r.until(s.JobID, job.StatusFailed)
	if j.Error == nil || !strings.Contains(j.Error.Message, " broken.laz: ") || j.Error.Hint == "" || !j.Error.Permanent {
		t.Errorf("%+v", j.Error)
	}
	if strings.Contains(j.Error.Message, r.dir) {
		t.Errorf("the message tells of folders: %s", j.Error.Message)
	}
}

func TestListPages(t *testing.T) {
	r := newRig(t, settings{})
	var ids []string
	for range 7 {
		ids = append(ids, r.submitText("1 2 3\n").JobID)
	}
	type page struct {
		Jobs       []jobs.Job
		NextCursor string
		Total      int
	}
	for _, sort := range []string{"newest", "oldest"} {
		var got []string
		cursor := ""
		for {
			var p page
			r.want(r.do(http.MethodGet, "/api/models/jobs?limit=3&sort="+sort+"&cursor="+cursor, nil), http.StatusOK, &p)
			for _, j := range p.Jobs {
				got = append(got, j.JobID)
			}
			if p.Total != 7 {
				t.Errorf("total %d", p.Total)
			}
			if cursor = p.NextCursor; cursor == "" {
				break
			}
		}
		if sort == "newest" {
			slices.Reverse(got)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%s: %v, want %v", sort, got, ids)
		}
	}
	for query, want := range map[string]int{
		"status=queued": 7, "status=completed": 0, "status=active,failed": 0, "kind=pointcloud": 0, "q=POINTS.xyz": 7, "q=nowhere": 0, "q=" + ids[2]: 1,
	} {
		var p page
		r.want(r.do(http.MethodGet, "/api/models/jobs?"+query, nil), http.StatusOK, &p)
		if len(p.Jobs) != want {
			t.Errorf("%s: %d jobs, want %d", query, len(p.Jobs), want)
		}
	}
	for query, field := range map[string]string{"status=lost": "status[0]", "limit=0": "limit", "limit=x": "limit", "cursor=abc": "cursor", "sort=up": "sort"} {
		if p := r.refuse(r.do(http.MethodGet, "/api/models/jobs?"+query, nil), http.StatusUnprocessableEntity); p.Field != field {
			t.Errorf("%s: field %s, want %s", query, p.Field, field)
		}
	}
}

func TestSubmitIsChecked(t *testing.T) {
	r := newRig(t, settings{})
	for text, field := range map[string]string{
		`{}`: "sourceUrl", `{"sourceUrl":"file:///etc/passwd"}`: "sourceUrl", `{"sourceUrl":"/etc/passwd"}`: "sourceUrl",
		`{"sourceUrl":"https://example.com/a.laz","sourceFormat":"docx"}`: "sourceFormat", `{"sourceUrl":"https://x/a","options":{"quality":2}}`: "options.quality",
		`{"sourceUrl":"https://x/a","options":[1]}`: "options", `{"sourceUrl":"https://x/a","priority":"now"}`: "priority",
		`{"sourceUrl":"https://x/a","jobId":"../x"}`: "jobId", `{"sourceUrls":["https://x/a","ftp://x/b"]}`: "sourceUrls",
		`{"uploads":["absent"]}`: "uploads[0]", `{"uploads":["a"],"sourceUrl":"https://x/a"}`: "uploads", `{"sourceUrl":"https:///a"}`: "sourceUrl",
		`{"sourceUrl":"https://x/a","colour":"red"}`: "colour",
	} {
		p := r.refuse(r.do(http.MethodPost, "/api/models/process", strings.NewReader(text), "Content-Type", "application/json"), http.StatusUnprocessableEntity)
		if p.Field != field {
			t.Errorf("%s: field %q, want %q (%s)", text, p.Field, field, p.Detail)
		}
	}
	r.refuse(r.do(http.MethodPost, "/api/models/process", strings.NewReader("{"), "Content-Type", "application/json"), http.StatusBadRequest)
	r.refuse(r.do(http.MethodPost, "/api/models/process", bytes.NewReader(make([]byte, 2<<20)), "Content-Type", "application/json"), http.StatusRequestEntityTooLarge)
	if left := filesBelow(t, filepath.Join(r.dir, "uploads", "jobs"), "/jobs/"); len(left) > 0 {
		t.Errorf("refused submissions left %v", left)
	}
	var s submitted
	r.want(r.do(http.MethodPost, "/api/models/process", map[string]any{
		"sourceUrl": "https://user:pass@example.com/a.laz?signature=s", "options": map[string]any{"formats": []string{"copc"}, "colour": 1}, "priority": "urgent",
	}), http.StatusAccepted, &s)
	if strings.Contains(s.Job.SourceURL, "pass") || strings.Contains(s.Job.SourceURL, "signature") || s.Job.Priority != job.PriorityUrgent {
		t.Errorf("%+v", s.Job)
	}
	if q, err := r.queue.Get(t.Context(), s.JobID); err != nil || q.Priority != 1 || !strings.Contains(string(q.Data), "signature=s") {
		t.Errorf("%+v, %v", q, err)
	}
}

// The same key gives the same job, whatever way it is submitted in.
func TestIdempotency(t *testing.T) {
	r := newRig(t, settings{})
	body := map[string]any{"sourceUrl": "https://example.com/a.laz"}
	var first, again, other submitted
	r.want(r.do(http.MethodPost, "/api/models/process", body, "Idempotency-Key", "k 1"), http.StatusAccepted, &first)
	r.want(r.do(http.MethodPost, "/api/models/process", body, "Idempotency-Key", "k 1"), http.StatusOK, &again)
	r.want(r.do(http.MethodPost, "/api/models/process", body, "Idempotency-Key", "k 2"), http.StatusAccepted, &other)
	if first.JobID != again.JobID || first.JobID == other.JobID {
		t.Errorf("%s, %s, %s", first.JobID, again.JobID, other.JobID)
	}
	one := r.submitText("1 2 3\n", "Idempotency-Key", "form")
	form, contentType := formOf(t, []string{"sourceFormat", "xyz"}, "points.xyz", "1 2 3\n")
	r.want(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType, "Idempotency-Key", "form"), http.StatusOK, &again)
	if one.JobID != again.JobID {
		t.Errorf("%s, %s", one.JobID, again.JobID)
	}
	body["jobId"] = "mine"
	r.want(r.do(http.MethodPost, "/api/models/process", body), http.StatusAccepted, nil)
	r.refuse(r.do(http.MethodPost, "/api/models/process", body), http.StatusConflict)
	if counts, err := r.queue.Counts(t.Context()); err != nil || counts["prioritized"] != 4 {
		t.Errorf("%v, %v", counts, err)
	}
}

// The files of a form keep their paths, and nothing leaves the folder.
func TestFolderOfAForm(t *testing.T) {
	r := newRig(t, settings{})
	form, contentType := formOf(t, nil, "site/a.obj", "a", "site/textures/b.png", "b", `site\c.mtl`, "c", "site/../../../d.txt", "d", "/site/.hidden", "e")
	var s submitted
	r.want(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType), http.StatusAccepted, &s)
	if s.Job.Name != "site" || s.Job.SourceFiles != 5 {
		t.Errorf("%+v", s.Job)
	}
	root := filepath.Join(r.dir, "uploads", "jobs", s.JobID, "source", "site")
	for rel, want := range map[string]string{"a.obj": "a", "textures/b.png": "b", "c.mtl": "c", "d.txt": "d", "hidden": "e"} {
		if got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(rel))); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", rel, got, err)
		}
	}
	for _, files := range [][]string{{"a", "1", "A", "2"}, {"a", "1", "a/b", "2"}} {
		form, contentType := formOf(t, nil, files...)
		r.refuse(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType), http.StatusUnprocessableEntity)
	}
	form, contentType = formOf(t, []string{"colour", "red"}, "a", "1")
	r.refuse(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType), http.StatusUnprocessableEntity)
	form, contentType = formOf(t, []string{"priority", "low"})
	r.refuse(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType), http.StatusUnprocessableEntity)
	r.refuse(r.do(http.MethodPost, "/api/models/process", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf"),
		"Content-Type", "multipart/form-data; boundary=x"), http.StatusBadRequest)
}

func TestQueueIsSteered(t *testing.T) {
	r := newRig(t, settings{})
	var st jobs.QueueState
	r.want(r.do(http.MethodPost, "/api/queue/pause", nil), http.StatusOK, &st)
	r.submitText("1 2 3\n")
	r.want(r.do(http.MethodGet, "/api/queue", nil), http.StatusOK, &st)
	if !st.Paused || st.Counts["prioritized"] != 1 {
		t.Errorf("%+v", st)
	}
	r.want(r.do(http.MethodPost, "/api/queue/resume", nil), http.StatusOK, &st)
	if st.Paused {
		t.Errorf("%+v", st)
	}
	for _, path := range []string{"/api/workers", "/api/system"} {
		r.want(r.do(http.MethodGet, path, nil), http.StatusOK, nil)
	}
}
