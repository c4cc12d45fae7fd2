package upload

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCleanPath(t *testing.T) {
	for text, want := range map[string]string{
		"a/b.obj": "a/b.obj", `a\b.obj`: "a/b.obj", "../../etc/passwd": "etc/passwd", "/a//b": "a/b", "": "", "..": "", "a/./b": "a/b",
		"CON": "_CON", "a\x00b": "a_b", ".hidden/x": "hidden/x", "C:/x": "C_/x",
	} {
		if got := CleanPath(text); got != want {
			t.Errorf("CleanPath(%q) = %q, want %q", text, got, want)
		}
	}
	if deep := CleanPath(strings.Repeat("a/", 100) + "x"); strings.Count(deep, "/") >= maxDepth {
		t.Errorf("%s", deep)
	}
}

// Whatever comes in stays below the folder, and is a fixed point.
func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", `..\x`, "a/../../b", "\xff/..", "nul.txt", "a/ /b", "…/.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := CleanPath(text)
		if got == "" {
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(got)) || strings.ContainsAny(got, "\\\x00") {
			t.Errorf("%q is %q", text, got)
		}
		if again := CleanPath(got); again != got {
			t.Errorf("%q is %q, and that %q", text, got, again)
		}
	})
}

func FuzzParseChecksum(f *testing.F) {
	f.Add("sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=")
	f.Add("md5 ")
	f.Add("")
	f.Add("sha256")
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseChecksum(header)
		if err == nil && c != nil && len(c.want) != c.make().Size() {
			t.Errorf("%q: %d bytes", header, len(c.want))
		}
	})
}
