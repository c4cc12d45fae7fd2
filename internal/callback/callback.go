// Package callback tells the platform how jobs go: signed HTTP requests
// (DESIGN.md, section 3, Callbacks). Progress is sent as it comes, at most so
// often, and dropped where the platform does not answer. The end of a job goes
// through an outbox in the embedded database: it is there before the job is
// acknowledged, survives restarts, and is sent again until the platform takes it.
package callback

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"slate360.ai/worker/internal/job"
)

// The statuses of an Event.
const (
	StatusProgress  = "progress"
	StatusCompleted = "completed"
	StatusFailed    = "failed"
)

// The headers of a callback. Event ID and timestamp are also in the signed body.
const (
	HeaderSignature = "X-Worker-Signature" // sha256=<hex HMAC-SHA256 of the raw body>
	HeaderEventID   = "X-Worker-Event-Id"
	HeaderTimestamp = "X-Worker-Timestamp" // Unix seconds of this sending
)

// Event is the body of a callback.
type Event struct {
	JobID        string         `json:"jobId"`
	Status       string         `json:"status"`
	ProgressPct  int            `json:"progressPct"` // 0 to 100
	Stage        string         `json:"stage,omitempty"`
	Outputs      []job.Output   `json:"outputs,omitempty"`
	ThumbnailURL string         `json:"thumbnailUrl,omitempty"`
	Analysis     map[string]any `json:"analysis,omitempty"`
	Error        string         `json:"error,omitempty"`
	// EventID is the same in every sending of an event: a receiver that has seen
	// it answers 2xx and does nothing.
	EventID string `json:"eventId"`
	// OccurredAt is when it happened, Timestamp when this sending was signed, in
	// Unix seconds: a receiver refuses what is older than some minutes.
	OccurredAt time.Time `json:"occurredAt"`
	Timestamp  int64     `json:"timestamp"`
}

// Options of a Sender. Zero values have the default named.
type Options struct {
	// URL that callbacks are posted to, Secret the key that signs them.
	URL, Secret string
	// Client defaults to one of the sender's own, with a timeout of 30 s, that
	// follows no redirects.
	Client *http.Client
	Logger *slog.Logger
	// ProgressInterval is the least time between two progress callbacks of a job;
	// default 2 s.
	ProgressInterval time.Duration
	// RetryMin and RetryMax bound the wait between two tries of an event, which
	// doubles; default 1 s and 24 h. GiveUp is the age at which an event is
	// dropped, with an error in the log; default 30 days.
	RetryMin, RetryMax, GiveUp time.Duration
}

// Sender sends callbacks. Its methods may be called from several goroutines.
type Sender struct {
	o    Options
	db   *sql.DB
	wake chan struct{}
}

// New returns a sender with its outbox in db.
func New(ctx context.Context, db *sql.DB, o Options) (*Sender, error) {
	if o.URL == "" || o.Secret == "" {
		return nil, errors.New("callbacks need a URL and a key that signs them")
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Timeout: 30 * time.Second,
			// A redirected POST would send the signed body to somebody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			o.Client.Transport = t.Clone() // Close closes the connections of nobody else
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.ProgressInterval, 2*time.Second)
	setDefault(&o.RetryMin, time.Second)
	setDefault(&o.RetryMax, 24*time.Hour)
	setDefault(&o.GiveUp, 30*24*time.Hour)
	if err := migrate(ctx, db); err != nil {
		return nil, err
	}
	return &Sender{o: o, db: db, wake: make(chan struct{}, 1)}, nil
}

// Close closes connections to the platform. Run, Flush and all Progress have
// ended; the database stays open.
func (s *Sender) Close() error {
	s.o.Client.CloseIdleConnections()
	return nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// statusError is an answer that is not 2xx.
type statusError struct {
	code int
	body string
	wait time.Duration // of Retry-After
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the platform answered %d %s: %s", e.code, http.StatusText(e.code), e.body)
}

// post signs and sends an event once.
func (s *Sender) post(ctx context.Context, e Event) error {
	e.Timestamp = time.Now().Unix()
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode callback: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make callback: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(HeaderSignature, Sign(body, s.o.Secret))
	req.Header.Set(HeaderEventID, e.EventID)
	req.Header.Set(HeaderTimestamp, fmt.Sprint(e.Timestamp))
	resp, err := s.o.Client.Do(req)
	if err != nil {
		return fmt.Errorf("send callback: %w", err)
	}
	defer resp.Body.Close()
	const shown = 300
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, shown)) // only for the message
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &statusError{code: resp.StatusCode, body: string(bytes.ToValidUTF8(answer, nil)), wait: retryAfter(resp.Header)}
	}
	return nil
}

func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if d, err := time.ParseDuration(v + "s"); err == nil && d > 0 {
		return d
	}
	if t, err := http.ParseTime(v); err == nil {
		return time.Until(t)
	}
	return 0
}

// Sign returns the value of HeaderSignature for a body.
func Sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Verify tells whether a signature is that of the body, in constant time.
func Verify(body []byte, secret, signature string) bool {
	return hmac.Equal([]byte(Sign(body, secret)), []byte(signature))
}

// EventID returns an ID (UUID, version 8 of RFC 9562) that is always the same
// for the same parts, so that an event told twice after a crash is known again.
func EventID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	b := h.Sum(nil)
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
