package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxKey is the longest key in bytes that S3 takes.
const maxKey = 1024

// CheckKey refuses keys that some backend could not keep, or that could leave
// its folder: empty or longer than 1024 bytes, not UTF-8, with control
// characters or backslashes, with a slash at either end, or with an empty, "."
// or ".." segment. All backends take and refuse the same keys.
func CheckKey(key string) error {
	if err := checkCharacters(key); err != nil {
		return err
	}
	if key == "" {
		return fmt.Errorf("key %q: it is empty", key)
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "":
			return fmt.Errorf("key %q: it has an empty segment, or a slash at its begin or end", key)
		case ".", "..":
			return fmt.Errorf("key %q: it has a segment %q", key, segment)
		}
	}
	return nil
}

// CheckPrefix is CheckKey for the prefixes of List: they may be empty, and end
// anywhere in a key.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if err := checkCharacters(prefix); err != nil {
		return err
	}
	segments := strings.Split(prefix, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == "" && !last || !last && (segment == "." || segment == "..") {
			return fmt.Errorf("prefix %q: it has a segment %q", prefix, segment)
		}
	}
	return nil
}

func checkCharacters(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("key %.40q…: it is longer than %d bytes", key, maxKey)
	}
	if !utf8.ValidString(key) {
		return fmt.Errorf("key %q: it is not UTF-8", key)
	}
	for _, r := range key {
		if r < ' ' || r == 0x7f || r == '\\' {
			return fmt.Errorf("key %q: it has the character %q", key, r)
		}
	}
	return nil
}

// EscapeKey returns a key for the path of a URL: all but letters, digits and
// -._~ is escaped, slashes stay. (net/url leaves a plus as it is, which S3 reads
// as a space.)
func EscapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(key))
	for i := range len(key) {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
