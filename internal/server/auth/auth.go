// Package auth says who makes a request of the API, and what they may do: by the
// platform's key, a token of an organisation, or the session of a browser.
package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"slate360.ai/worker/internal/server/problem"
)

// Role of a caller.
type Role string

// The roles, each with all that the one before may do.
const (
	// RoleViewer sees the jobs of its organisation.
	RoleViewer Role = "viewer"
	// RoleMember submits jobs and steers those of its organisation.
	RoleMember Role = "member"
	// RoleAdmin sees and steers all jobs and the queue.
	RoleAdmin Role = "admin"
)

// Quota bounds what an organisation may do; 0 is no bound.
type Quota struct {
	JobsPerDay     int
	BytesPerDay    int64
	ConcurrentJobs int
}

// Token is one secret that callers may have.
type Token struct {
	// Name is shown in the audit log.
	Name string
	// SHA256 is the digest of the secret, which itself is kept nowhere.
	SHA256 [sha256.Size]byte
	// Organisation whose jobs it is about; empty is all.
	Organisation string
	Role         Role
	Quota        Quota
}

// Principal is who makes a request.
type Principal struct {
	Name         string
	Organisation string
	Role         Role
	Quota        Quota
	// Cookie says that a browser sent the session by itself: what changes something
	// needs proof that our page asked for it.
	Cookie bool
	// Open says that the server demands no authentication.
	Open bool
}

// Sees tells whether the principal may see jobs of an organisation.
func (p Principal) Sees(organisation string) bool {
	return p.Organisation == "" || p.Organisation == organisation
}

// May tells whether the principal has a role.
func (p Principal) May(r Role) bool { return rank(p.Role) >= rank(r) }

func rank(r Role) int {
	switch r {
	case RoleAdmin:
		return 3
	case RoleMember:
		return 2
	case RoleViewer:
		return 1
	}
	return 0
}

// Options of an Authenticator.
type Options struct {
	// Secret is the platform's key; its bearer is an administrator. Empty is none.
	Secret string
	Tokens []Token
	// Open lets everybody in as an administrator where there is neither Secret nor
	// Tokens: for servers that only this machine reaches.
	Open bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Authenticator knows the tokens and the sessions.
type Authenticator struct {
	o      Options
	tokens []Token

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]session
}

// session is what a cookie stands for.
type session struct {
	principal Principal
	expires   time.Time
}

// New returns an authenticator.
func New(o Options) *Authenticator {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Authenticator{o: o, tokens: append([]Token{}, o.Tokens...), sessions: map[[sha256.Size]byte]session{}}
	if o.Secret != "" {
		a.tokens = append(a.tokens, Token{Name: "GPU_WORKER_SECRET_KEY", SHA256: sha256.Sum256([]byte(o.Secret)), Role: RoleAdmin})
	}
	return a
}

// Required tells whether requests need authentication.
func (a *Authenticator) Required() bool { return len(a.tokens) > 0 || !a.o.Open }

// Configured tells whether there is anything that lets somebody in.
func (a *Authenticator) Configured() bool { return len(a.tokens) > 0 || a.o.Open }

// Cookie is the name of the session's cookie, CSRFHeader what our pages send with
// whatever changes something: pages of others cannot without being asked (CORS).
const (
	Cookie     = "slate360-session"
	CSRFHeader = "X-Slate360-Csrf"
)

// Authenticate says who makes a request. The error is a *problem.Problem.
func (a *Authenticator) Authenticate(r *http.Request) (Principal, error) {
	if !a.Required() {
		return Principal{Name: "local", Role: RoleAdmin, Open: true}, nil
	}
	if !a.Configured() {
		return Principal{}, problem.New(http.StatusForbidden, "this server has no key, and is reached from other machines").
			Kind("no-key", "The API is closed").Advise("set GPU_WORKER_SECRET_KEY or SLATE360_TOKENS, or listen on 127.0.0.1")
	}
	if secret, ok := presented(r); ok {
		if p, ok := a.check(secret); ok {
			return p, nil
		}
		return Principal{}, unauthorized("the token is not known here")
	}
	if c, err := r.Cookie(Cookie); err == nil {
		if p, ok := a.session(c.Value); ok {
			p.Cookie = true
			return p, nil
		}
		return Principal{}, unauthorized("the session has ended")
	}
	return Principal{}, unauthorized("the request carries no token")
}

func unauthorized(detail string) error {
	return problem.New(http.StatusUnauthorized, "%s", detail).With("Www-Authenticate", `Bearer realm="slate360"`).
		Advise("send the key as Authorization: Bearer …, or as x-dispatch-token")
}

// presented returns the secret that a request carries.
func presented(r *http.Request) (string, bool) {
	if v := r.Header.Get("X-Dispatch-Token"); v != "" {
		return v, true
	}
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret), true
	}
	return "", false
}

// check compares digests with all tokens, in the same time whichever matches.
func (a *Authenticator) check(secret string) (p Principal, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	found := -1
	for i, t := range a.tokens {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], t.SHA256[:]), i, found)
	}
	if found < 0 {
		return p, false
	}
	t := a.tokens[found]
	return Principal{Name: t.Name, Organisation: t.Organisation, Role: t.Role, Quota: t.Quota}, true
}

// Sessions end after sessionTime; there are at most maxSessions.
const (
	sessionTime = 12 * time.Hour
	maxSessions = 10_000
)

// Login begins a session for who has a token, and returns its cookie.
func (a *Authenticator) Login(secret string, secure bool) (Principal, *http.Cookie, error) {
	p, ok := a.check(secret)
	if !ok {
		return p, nil, unauthorized("the token is not known here")
	}
	id, expires := rand.Text(), a.o.Now().Add(sessionTime)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep()
	if len(a.sessions) >= maxSessions {
		return p, nil, problem.New(http.StatusServiceUnavailable, "there are too many sessions").Advise("try again later")
	}
	a.sessions[sha256.Sum256([]byte(id))] = session{principal: p, expires: expires}
	return p, cookie(id, expires, secure), nil
}

// sweep must be called with mu held.
func (a *Authenticator) sweep() {
	now := a.o.Now()
	for id, s := range a.sessions {
		if !now.Before(s.expires) {
			delete(a.sessions, id)
		}
	}
}

func cookie(value string, expires time.Time, secure bool) *http.Cookie {
	return &http.Cookie{
		Name: Cookie, Value: value, Path: "/", Expires: expires, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}

// Logout ends the session of a request, and returns the cookie that takes it away.
func (a *Authenticator) Logout(r *http.Request, secure bool) *http.Cookie {
	if c, err := r.Cookie(Cookie); err == nil {
		a.mu.Lock()
		delete(a.sessions, sha256.Sum256([]byte(c.Value)))
		a.mu.Unlock()
	}
	gone := cookie("", time.Unix(0, 0), secure)
	gone.MaxAge = -1
	return gone
}

func (a *Authenticator) session(id string) (Principal, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sessions[sha256.Sum256([]byte(id))]
	if !ok || !a.o.Now().Before(s.expires) {
		return Principal{}, false
	}
	return s.principal, true
}

// Key derives a key for one purpose from a secret.
func Key(secret []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

// Loopback tells whether a Host header names this machine itself: a page elsewhere
// that lets a name of its own point here (DNS rebinding) is told by it.
func Loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
