package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"slate360.ai/worker/internal/server/audit"
	"slate360.ai/worker/internal/server/auth"
	"slate360.ai/worker/internal/server/problem"
)

type sessionInfo struct {
	Authenticated bool            `json:"authenticated" doc:"Whether the caller is known."`
	Required      bool            `json:"required" doc:"Whether the API demands it."`
	Name          string          `json:"name,omitempty"`
	Role          string          `json:"role,omitempty" enum:"viewer,member,admin"`
	Organisation  string          `json:"organisation,omitempty"`
	Version       string          `json:"version"`
	Features      map[string]bool `json:"features" doc:"What this server can do."`
	MaxUpload     int64           `json:"maxUpload" doc:"Most bytes of one upload."`
}

type sessionOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      sessionInfo
}

type loginIn struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"4096" doc:"GPU_WORKER_SECRET_KEY, or a token of an organisation."`
	}
}

// visit is the request of a session, which says itself who is who.
type visit struct {
	r *http.Request
	p auth.Principal
	// known says that the request carries something that holds.
	known bool
}

type visitKey struct{}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(visitKey{}).(visit)
	return v
}

// address of the client's machine.
func address(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*http.Request); ok {
		return auth.Address(r)
	}
	return ""
}

type requestKey struct{}

// session lets requests for the session through, also of those who are not known.
func (s *Server) session(next http.Handler, w http.ResponseWriter, r *http.Request) {
	v := visit{r: r}
	p, err := s.o.Auth.Authenticate(r)
	v.p, v.known = p, err == nil
	if r.Method == http.MethodPost {
		// Whoever logs somebody in shows them their own jobs: it takes a page of ours, too.
		err = s.o.Origins.CheckOrigin(r, auth.Principal{Open: true})
		if err == nil {
			err = s.logins.Allow(auth.Address(r), time.Now())
		}
	} else {
		err = s.o.Origins.CheckOrigin(r, p)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	ctx := context.WithValue(r.Context(), visitKey{}, v)
	next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, requestKey{}, r)))
}

func (s *Server) registerSession() {
	public := []map[string][]string{{}}
	op := s.operation(http.MethodGet, "/api/session", "getSession", "Who the caller is, and what the server can do", "session")
	op.Security = public
	huma.Register(s.api, op, func(ctx context.Context, _ *struct{}) (*sessionOut, error) {
		v := visitOf(ctx)
		return &sessionOut{Body: s.sessionInfo(v.p, v.known)}, nil
	})
	op = s.operation(http.MethodPost, "/api/session", "login", "Begin a session with a token: the answer sets a cookie", "session")
	op.Security = public
	huma.Register(s.api, op, func(ctx context.Context, in *loginIn) (*sessionOut, error) {
		v := visitOf(ctx)
		if !s.o.Auth.Required() {
			return nil, problem.New(http.StatusConflict, "this server demands no authentication").Kind("no-session", "There is nothing to log in to")
		}
		p, cookie, err := s.o.Auth.Login(in.Body.Token, secureRequest(v.r))
		if err != nil {
			s.o.Audit.Write(audit.Entry{Who: "unknown", From: address(ctx), Action: "login", Error: "the token is not known"})
			return nil, err
		}
		s.audit(ctx, p, "login", "", nil)
		return &sessionOut{SetCookie: []http.Cookie{*cookie}, Body: s.sessionInfo(p, true)}, nil
	})
	op = s.operation(http.MethodDelete, "/api/session", "logout", "End the session", "session")
	op.Security = public
	huma.Register(s.api, op, func(ctx context.Context, _ *struct{}) (*sessionOut, error) {
		v := visitOf(ctx)
		if v.known {
			s.audit(ctx, v.p, "logout", "", nil)
		}
		gone := s.o.Auth.Logout(v.r, secureRequest(v.r))
		return &sessionOut{SetCookie: []http.Cookie{*gone}, Body: s.sessionInfo(auth.Principal{}, false)}, nil
	})
}

// secureRequest tells whether the cookie may be kept to encrypted connections: a proxy
// in front says so.
func secureRequest(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

func (s *Server) sessionInfo(p auth.Principal, known bool) sessionInfo {
	info := sessionInfo{
		Authenticated: known, Required: s.o.Auth.Required(), Version: s.o.Build, Features: s.o.Features, MaxUpload: s.o.Uploads.MaxBytes(),
	}
	if info.Features == nil {
		info.Features = map[string]bool{}
	}
	if known {
		info.Name, info.Role, info.Organisation = p.Name, string(p.Role), p.Organisation
	}
	return info
}
