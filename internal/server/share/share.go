// Package share makes and checks the tokens of links that show one job's result
// to whoever has them, read-only and until they expire.
//
// A token is base64url(version, expiry, job ID) "." base64url(HMAC-SHA256): nothing
// is kept of it, and who changes the key ends all links.
package share

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

const (
	version = 1
	// headLen is the version and the expiry (Unix seconds, big endian).
	headLen = 1 + 8
	// maxID bounds the job's ID, in bytes.
	maxID = 128
	// maxToken bounds what is decoded at all.
	maxToken = 512
)

// Errors of Open.
var (
	ErrInvalid = errors.New("the link is not one of this server, or its key was changed")
	ErrExpired = errors.New("the link has expired")
)

// Signer makes and checks tokens with one key.
type Signer struct{ key []byte }

// NewSigner returns a signer; key is secret and as long as it likes.
func NewSigner(key []byte) *Signer {
	// A key of its own: the secret signs other things, too.
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("slate360 share links"))
	return &Signer{key: mac.Sum(nil)}
}

// Sign returns the token of a job that holds until expires, to the second.
func (s *Signer) Sign(jobID string, expires time.Time) string {
	head := make([]byte, headLen, headLen+len(jobID))
	head[0] = version
	binary.BigEndian.PutUint64(head[1:], uint64(expires.Unix()))
	head = append(head, jobID...)
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(s.sum(head))
}

// Open returns the job of a token that holds at now: ErrInvalid, ErrExpired.
func (s *Signer) Open(token string, now time.Time) (jobID string, expires time.Time, err error) {
	if len(token) > maxToken {
		return "", expires, ErrInvalid
	}
	text, sum, ok := strings.Cut(token, ".")
	head, headErr := strict.DecodeString(text)
	mac, macErr := strict.DecodeString(sum)
	if !ok || headErr != nil || macErr != nil || !hmac.Equal(mac, s.sum(head)) {
		return "", expires, ErrInvalid
	}
	// What we signed is of our form; an older version might have signed another.
	if len(head) <= headLen || len(head) > headLen+maxID || head[0] != version {
		return "", expires, ErrInvalid
	}
	expires = time.Unix(int64(binary.BigEndian.Uint64(head[1:headLen])), 0)
	if !now.Before(expires) {
		return "", expires, ErrExpired
	}
	return string(head[headLen:]), expires, nil
}

// strict takes one text only for each token.
var strict = base64.RawURLEncoding.Strict()

func (s *Signer) sum(head []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(head)
	return mac.Sum(nil)
}
