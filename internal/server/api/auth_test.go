package api_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"

	"slate360.ai/worker/internal/job"
	"slate360.ai/worker/internal/server/api"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/upload"
	"slate360.ai/worker/web"
)

func token(secret, org string, role auth.Role, q auth.Quota) auth.Token {
	return auth.Token{Name: secret, SHA256: sha256.Sum256([]byte(secret)), Organisation: org, Role: role, Quota: q}
}

func nil0(need upload.Need) func(context.Context, string) (upload.Need, error) {
	return func(context.Context, string) (upload.Need, error) { return need, nil }
}

func bearer(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// Nothing of the API is served to who has no token; what is no secret is.
func TestEverythingIsLocked(t *testing.T) {
	r := newRig(t, settings{auth: auth.Options{Secret: "secret"}})
	for _, c := range []string{
		"GET /api/models/jobs", "GET /api/models/jobs/x", "GET /api/models/jobs/x/log", "GET /api/models/jobs/x/events", "GET /api/events",
		"DELETE /api/models/jobs/x", "POST /api/models/jobs/x/retry", "POST /api/models/jobs/x/share", "GET /api/models/jobs/x/outputs/a",
		"POST /api/models/process", "POST /api/uploads", "HEAD /api/uploads/x", "PATCH /api/uploads/x", "DELETE /api/uploads/x", "POST /api/uploads/presign",
		"GET /api/workers", "GET /api/queue", "POST /api/queue/pause", "POST /api/queue/resume", "GET /api/system", "GET /api/absent",
	} {
		method, path, _ := strings.Cut(c, " ")
		for _, headers := range [][]string{nil, bearer("Secret"), {"X-Dispatch-Token", "secre"}, {"Authorization", "Basic secret"}, {"Cookie", "slate360-session=x"}} {
			a := r.do(method, path, nil, headers...)
			if a.StatusCode != http.StatusUnauthorized || a.Header.Get("Www-Authenticate") == "" {
				t.Errorf("%s with %v answered %d", c, headers, a.StatusCode)
			}
		}
	}
	r.want(r.do(http.MethodGet, "/", nil), pageStatus(), nil)
	for _, path := range []string{"/openapi.json", "/api/session"} {
		r.want(r.do(http.MethodGet, path, nil), http.StatusOK, nil)
	}
	r.want(r.do(http.MethodGet, "/api/models/jobs", nil, bearer("secret")...), http.StatusOK, nil)
	r.want(r.do(http.MethodGet, "/api/models/jobs", nil, "x-dispatch-token", "secret"), http.StatusOK, nil)
}

func TestSession(t *testing.T) {
	r := newRig(t, settings{auth: auth.Options{Secret: "secret"}})
	r.refuse(r.do(http.MethodPost, "/api/session", map[string]string{"token": "wrong"}), http.StatusUnauthorized)
	r.refuse(r.do(http.MethodPost, "/api/session", map[string]string{"token": "secret"}, "Origin", "https://evil.example"), http.StatusForbidden)
	a := r.do(http.MethodPost, "/api/session", map[string]string{"token": "secret"})
	r.want(a, http.StatusOK, nil)
	cookies := a.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Secure {
		t.Fatalf("cookies %v", cookies)
	}
	cookie := cookies[0].Name + "=" + cookies[0].Value
	r.want(r.do(http.MethodGet, "/api/models/jobs", nil, "Cookie", cookie), http.StatusOK, nil)
	change := func(headers ...string) answer {
		return r.do(http.MethodPost, "/api/queue/pause", nil, append([]string{"Cookie", cookie}, headers...)...)
	}
	r.refuse(change(), http.StatusForbidden)
	r.refuse(change("x-slate360-csrf", "1", "Origin", "https://evil.example"), http.StatusForbidden)
	r.refuse(change("x-slate360-csrf", "1", "Sec-Fetch-Site", "same-site"), http.StatusForbidden)
	r.refuse(change("x-slate360-csrf", "1", "Origin", "null"), http.StatusForbidden)
	r.want(change("x-slate360-csrf", "1", "Origin", r.url), http.StatusOK, nil)
	r.want(change("x-slate360-csrf", "1"), http.StatusOK, nil)
	r.want(r.do(http.MethodDelete, "/api/session", nil, "Cookie", cookie, "x-slate360-csrf", "1"), http.StatusOK, nil)
	r.refuse(r.do(http.MethodGet, "/api/models/jobs", nil, "Cookie", cookie), http.StatusUnauthorized)
	secure := r.do(http.MethodPost, "/api/session", map[string]string{"token": "secret"}, "X-Forwarded-Proto", "https")
	if !secure.Cookies()[0].Secure {
		t.Error("behind TLS the cookie is not kept to it")
	}
	for range 20 {
		a = r.do(http.MethodPost, "/api/session", map[string]string{"token": "guess"})
	}
	r.refuse(a, http.StatusTooManyRequests)
}

// An organisation sees and steers its own jobs, and no others; roles bound what it may.
func TestOrganisations(t *testing.T) {
	r := newRig(t, settings{auth: auth.Options{Secret: "admin", Tokens: []auth.Token{
		token("a", "acme", auth.RoleMember, auth.Quota{JobsPerDay: 2}), token("b", "bolt", auth.RoleMember, auth.Quota{ConcurrentJobs: 1}),
		token("v", "acme", auth.RoleViewer, auth.Quota{}),
	}}})
	ofA := r.submitText("1 2 3\n", bearer("a")...)
	ofB := r.submitText("1 2 3\n", bearer("b")...)
	var page struct{ Jobs []struct{ JobID string } }
	for who, want := range map[string]int{"admin": 2, "a": 1, "v": 1, "b": 1} {
		r.want(r.do(http.MethodGet, "/api/models/jobs", nil, bearer(who)...), http.StatusOK, &page)
		if len(page.Jobs) != want {
			t.Errorf("%s sees %d jobs", who, len(page.Jobs))
		}
	}
	for _, c := range []string{"GET ", "GET /log", "GET /events", "GET /outputs/result.json", "DELETE ", "POST /retry"} {
		method, rest, _ := strings.Cut(c, " ")
		r.refuse(r.do(method, "/api/models/jobs/"+ofB.JobID+rest, nil, bearer("a")...), http.StatusNotFound)
	}
	r.refuse(r.do(http.MethodPost, "/api/models/jobs/"+ofB.JobID+"/share", map[string]int{}, bearer("a")...), http.StatusNotFound)
	for _, c := range []string{"DELETE /api/models/jobs/" + ofA.JobID, "POST /api/models/jobs/" + ofA.JobID + "/retry", "POST /api/queue/pause"} {
		method, path, _ := strings.Cut(c, " ")
		r.refuse(r.do(method, path, nil, bearer("v")...), http.StatusForbidden)
	}
	r.refuse(r.do(http.MethodPost, "/api/queue/pause", nil, bearer("a")...), http.StatusForbidden)
	r.submitText("1 2 3\n", bearer("a")...)
	body := map[string]string{"sourceUrl": "https://example.com/a.laz"}
	if p := r.refuse(r.do(http.MethodPost, "/api/models/process", body, bearer("a")...), http.StatusTooManyRequests); !strings.Contains(p.Type, "quota") {
		t.Errorf("%+v", p)
	}
	r.refuse(r.do(http.MethodPost, "/api/models/process", body, bearer("b")...), http.StatusTooManyRequests)
	// The ID of another's job tells nothing of it.
	taken := map[string]string{"sourceUrl": "https://example.com/a.laz", "jobId": ofA.JobID}
	r.want(r.do(http.MethodDelete, "/api/models/jobs/"+ofB.JobID, nil, bearer("b")...), http.StatusOK, nil)
	r.refuse(r.do(http.MethodPost, "/api/models/process", taken, bearer("b")...), http.StatusConflict)
	// Events of others do not come, whatever happened last.
	r.work()
	r.until(ofA.JobID, job.StatusCompleted, bearer("a")...)
	r.follow("/api/events", "", func(e event) bool {
		if strings.Contains(e.data, ofA.JobID) {
			t.Errorf("an event of another organisation: %s", e.data)
		}
		return !strings.Contains(e.data, ofB.JobID)
	}, bearer("b")...)
}

// Pages elsewhere cannot use a server that demands nothing of who is on its machine.
func TestOpenServerIsLocal(t *testing.T) {
	r := newRig(t, settings{api: func(o *api.Options) { o.Origins = auth.Origins{"https://app.example.com"} }})
	r.refuse(r.do(http.MethodGet, "/api/models/jobs", nil, "Host", "rebound.example.com"), http.StatusForbidden)
	r.refuse(r.do(http.MethodGet, "/", nil, "Host", "rebound.example.com"), http.StatusForbidden)
	r.want(r.do(http.MethodGet, "/api/models/jobs", nil, "Host", "localhost:8360"), http.StatusOK, nil)
	form, contentType := formOf(t, nil, "a.laz", "x")
	r.refuse(r.do(http.MethodPost, "/api/models/process", form, "Content-Type", contentType, "Origin", "https://evil.example"), http.StatusForbidden)
	r.refuse(r.do(http.MethodPost, "/api/queue/pause", nil, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	a := r.do(http.MethodOptions, "/api/models/process", nil, "Origin", "https://app.example.com", "Access-Control-Request-Method", "POST")
	if a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Errorf("preflight: %d %v", a.StatusCode, a.Header)
	}
	a = r.do(http.MethodGet, "/api/models/jobs", nil, "Origin", "https://evil.example")
	if a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page that is not in the list may read answers")
	}
}

// A server that others reach and that has no key serves nothing.
func TestClosedServer(t *testing.T) {
	r := newRig(t, settings{api: func(o *api.Options) { o.Auth = auth.New(auth.Options{}) }})
	r.refuse(r.do(http.MethodGet, "/api/models/jobs", nil), http.StatusForbidden)
}

func TestRateLimit(t *testing.T) {
	r := newRig(t, settings{api: func(o *api.Options) { o.RatePerSecond, o.RateBurst = 0.001, 3 }})
	for range 3 {
		r.want(r.do(http.MethodGet, "/api/models/jobs", nil), http.StatusOK, nil)
	}
	a := r.do(http.MethodGet, "/api/models/jobs", nil)
	if r.refuse(a, http.StatusTooManyRequests); a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// Pages have a strict policy, with the build's pages or without, and what is not
// there is a problem.
func TestPages(t *testing.T) {
	r := newRig(t, settings{auth: auth.Options{Secret: "s"}})
	for _, path := range []string{"/", "/view/some-job", "/jobs/some-job"} {
		a := r.do(http.MethodGet, path, nil, "Accept", "text/html")
		r.want(a, pageStatus(), nil)
		policy := a.Header.Get("Content-Security-Policy")
		for _, bad := range []string{"unsafe-inline", "'unsafe-eval'", "http:", "https:", "*"} {
			if strings.Contains(policy, bad) {
				t.Errorf("%s: the policy has %s: %s", path, bad, policy)
			}
		}
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
	if a := r.do(http.MethodPatch, "/api/queue", nil, bearer("s")...); r.refuse(a, http.StatusMethodNotAllowed).Status > 0 && a.Header.Get("Allow") != "GET" {
		t.Errorf("Allow: %s", a.Header.Get("Allow"))
	}
	r.refuse(r.do(http.MethodGet, "/api/absent", nil, bearer("s")...), http.StatusNotFound)
	r.refuse(r.do(http.MethodGet, "/absent.js", nil), http.StatusNotFound)
	r.refuse(r.do(http.MethodPost, "/", nil), http.StatusMethodNotAllowed)
}

// pageStatus is that of pages: a build may lack them.
func pageStatus() int {
	if web.Built() {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
