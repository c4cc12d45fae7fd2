package source

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Errors of fetching and unpacking. None of them is mended by trying again.
var (
	// ErrTooLarge says that a source is beyond one of the Limits.
	ErrTooLarge = errors.New("the source is larger than allowed")
	// ErrForbiddenAddress says that a host has an address inside a private network.
	ErrForbiddenAddress = errors.New("the address is inside a private network")
)

// FetchError says why a source could not be fetched.
type FetchError struct {
	// URL without user, password and query, which may be signatures.
	URL string
	// Temporary tells whether trying again may help.
	Temporary bool
	// Hint says what can be done; may be empty.
	Hint string
	Err  error
}

func (e *FetchError) Error() string {
	s := fmt.Sprintf("fetch %s: %v", e.URL, e.Err)
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// ArchiveError says what is wrong with an archive, or with a member of it.
type ArchiveError struct {
	Member string // name of the member; empty is the whole
	Err    error
}

func (e *ArchiveError) Error() string {
	if e.Member == "" {
		return fmt.Sprintf("archive: %v", e.Err)
	}
	return fmt.Sprintf("archive: member %q: %v", e.Member, e.Err)
}

// Unwrap returns the cause.
func (e *ArchiveError) Unwrap() error { return e.Err }

// Redact returns a URL without what may be secret in it.
func Redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		raw, _, _ = strings.Cut(raw, "?")
		return raw
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
