package share_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/server/share"
)

func TestTokens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s, other := share.NewSigner([]byte("key")), share.NewSigner([]byte("other key"))
	token := s.Sign("job-1", now.Add(time.Hour))
	id, expires, err := s.Open(token, now)
	if err != nil || id != "job-1" || !expires.Equal(now.Add(time.Hour)) {
		t.Fatalf("%q, %v, %v", id, expires, err)
	}
	if _, _, err := s.Open(token, now.Add(time.Hour)); !errors.Is(err, share.ErrExpired) {
		t.Errorf("at its end: %v", err)
	}
	if _, _, err := other.Open(token, now); !errors.Is(err, share.ErrInvalid) {
		t.Errorf("with another key: %v", err)
	}
	if strings.ContainsAny(token, "/+=?&#%") {
		t.Errorf("%s cannot be a segment of a path", token)
	}
	for i := range token {
		for _, c := range "Aa_" {
			changed := token[:i] + string(c) + token[i+1:]
			if changed == token {
				continue
			}
			if _, _, err := s.Open(changed, now); !errors.Is(err, share.ErrInvalid) {
				t.Fatalf("%s: %v", changed, err)
			}
		}
	}
}

// Nothing that was not signed opens.
func FuzzOpen(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	s := share.NewSigner([]byte("key"))
	good := s.Sign("job-1", now.Add(time.Hour))
	f.Add(good)
	f.Add("")
	f.Add(".")
	f.Add("AQAAAABrSdIAam9iLTE.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if id, _, err := s.Open(token, now); err == nil && (token != good || id != "job-1") {
			t.Errorf("%q opens %q", token, id)
		}
	})
}
