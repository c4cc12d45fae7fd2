package auth

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"slate360.ai/worker/internal/server/problem"
)

// Limiter bounds the requests of each caller: a bucket a token, or an address.
type Limiter struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// maxBuckets bounds the callers that are kept apart; idleBucket is the time after
// which one is forgotten: by then it would be full.
const (
	maxBuckets = 20_000
	idleBucket = 5 * time.Minute
)

// NewLimiter lets each caller make so many requests a second, and burst at once.
// 0 a second is no limit.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return &Limiter{perSecond: rate.Limit(perSecond), burst: burst, buckets: map[string]*bucket{}}
}

// Allow takes one request of a caller; the error is a problem with Retry-After.
func (l *Limiter) Allow(key string, now time.Time) error {
	if l.perSecond <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.sweep(now)
		}
		b = &bucket{limiter: rate.NewLimiter(l.perSecond, l.burst)}
		l.buckets[key] = b
	}
	b.used = now
	if b.limiter.AllowN(now, 1) {
		return nil
	}
	wait := max(1, int(math.Ceil(1/float64(l.perSecond))))
	return problem.New(http.StatusTooManyRequests, "too many requests: %g a second are allowed", float64(l.perSecond)).
		With("Retry-After", strconv.Itoa(wait)).Advise("send fewer, or wait as Retry-After says")
}

// sweep must be called with mu held. Where all callers are active, all begin anew.
func (l *Limiter) sweep(now time.Time) {
	for key, b := range l.buckets {
		if now.Sub(b.used) > idleBucket {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// Address is the address of the client's machine; of IPv6 its network, since one
// client has all of it.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
