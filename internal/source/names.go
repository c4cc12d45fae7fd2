package source

import (
	"fmt"
	"mime"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName bounds file names, in bytes: most file systems allow 255.
const longestName = 200

// fallbackName is that of a file whose own name says nothing.
const fallbackName = "source"

// SafeName makes a file name of text that came from outside: no folder, no
// control characters, none of the names and characters that some system reserves.
func SafeName(text string) string {
	text = strings.ToValidUTF8(text, "_")
	text = path.Base(strings.ReplaceAll(text, `\`, "/"))
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`<>:"/\|?*`, r) || unicode.Is(unicode.Cf, r) {
			return '_'
		}
		return r
	}, text)
	text = strings.TrimRight(strings.TrimLeft(text, ". "), ". ")
	if text == "" {
		return fallbackName
	}
	stem, _, _ := strings.Cut(strings.ToUpper(text), ".")
	switch {
	case stem == "CON", stem == "PRN", stem == "AUX", stem == "NUL",
		len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && stem[3] >= '0' && stem[3] <= '9':
		text = "_" + text
	}
	return shortName(text)
}

// shortName cuts a name that is too long, and keeps its extension.
func shortName(name string) string {
	if len(name) <= longestName {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > 20 {
		ext = ""
	}
	stem := name[:longestName-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}

// nameOf returns the name of a download: that of its Content-Disposition (RFC
// 6266), else the last part of its URL's path.
func nameOf(disposition string, u *url.URL) string {
	if _, params, err := mime.ParseMediaType(disposition); err == nil && params["filename"] != "" {
		return SafeName(params["filename"])
	}
	return SafeName(path.Base(u.Path))
}

// names keeps the names of several files apart, also where case does not count.
type names map[string]bool

func (n names) distinct(name string) string {
	unique, ext := name, filepath.Ext(name)
	for i := 2; n[strings.ToLower(unique)]; i++ {
		unique = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i, ext)
	}
	n[strings.ToLower(unique)] = true
	return unique
}
