package s3

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

const (
	// idleTimeout is how long a connection may carry nothing in the midst of a
	// request: completing an upload of many parts takes S3 some minutes at worst,
	// and it sends spaces meanwhile.
	idleTimeout = 2 * time.Minute
	// keepConnections covers the requests of Publish's many workers.
	keepConnections = 128
	backoffFirst    = 50 * time.Millisecond
	backoffMost     = 20 * time.Second
)

// newHTTPClient makes a client that keeps many connections and notices those on
// which nothing moves, and a function that closes them all. The SDK's client gives
// nobody its transport, only copies of it, so that they are counted as they are dialed.
func newHTTPClient() (aws.HTTPClient, func()) {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	conns := &connections{open: map[*watchedConn]bool{}}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return conns.add(conn), nil
		}
		t.MaxIdleConns = 2 * keepConnections
		t.MaxIdleConnsPerHost = keepConnections
		t.IdleConnTimeout = 60 * time.Second
	})
	return client, conns.closeAll
}

// connections are those of one client.
type connections struct {
	mu   sync.Mutex
	open map[*watchedConn]bool
}

func (c *connections) add(conn net.Conn) *watchedConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &watchedConn{Conn: conn, of: c}
	c.open[w] = true
	return w
}

func (c *connections) closeAll() {
	c.mu.Lock()
	all := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()
	for _, w := range all {
		_ = w.Close() // it may have ended meanwhile
	}
}

// watchedConn fails when nothing has moved on it, in either direction, for
// idleTimeout: a peer that is gone without a word would hold a job for ever.
type watchedConn struct {
	net.Conn
	of *connections
}

// Close is of net.Conn.
func (c *watchedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *watchedConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write puts off the deadline of the pending Read, too: an answer is not due
// while the request is still being sent.
func (c *watchedConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// backoff is the wait after a failed attempt, the first being 1: it doubles, and
// half of it is random so that many workers do not come back at once.
func backoff(attempt int) time.Duration {
	d := backoffMost
	if attempt >= 0 && attempt < 10 {
		d = min(d, backoffFirst<<attempt)
	}
	return d/2 + rand.N(d/2)
}

// wait returns early, with its error, when the context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retryable adds to what the SDK tries again: answers that were cut off, and
// bodies that were damaged on their way (they were hashed here just before).
func retryable(err error) aws.Ternary {
	if errors.Is(err, context.Canceled) {
		return aws.FalseTernary
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return aws.TrueTernary
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
			"OperationAborted", "ConditionalRequestConflict":
			return aws.TrueTernary
		}
	}
	return aws.UnknownTernary
}

// unlimited is a budget of retries without an end.
type unlimited struct{}

func (unlimited) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (unlimited) AddTokens(uint) error { return nil }
