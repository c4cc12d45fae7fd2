package record

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
)

// CleanText returns s without what a text column of PostgreSQL refuses: U+0000
// goes, bytes that are not UTF-8 become U+FFFD. Error messages and logs of foreign
// programs contain both.
func CleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")
}

// CleanJSON returns raw without what a jsonb column of PostgreSQL refuses though
// it is JSON (RFC 8259): the escape \u0000 goes, an escape that is half a
// surrogate pair and bytes that are not UTF-8 become U+FFFD. All else stays as it
// is; space around it goes.
func CleanJSON(raw json.RawMessage) json.RawMessage {
	raw = bytes.ToValidUTF8(bytes.TrimSpace(raw), []byte("\ufffd"))
	if !bytes.Contains(raw, []byte(`\u`)) {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' { // a backslash stands only in strings
			out = append(out, raw[i])
			i++
			continue
		}
		unit, ok := escapedUnit(raw[i:])
		if !ok { // another escape, of two bytes
			n := min(2, len(raw)-i)
			out = append(out, raw[i:i+n]...)
			i += n
			continue
		}
		switch {
		case unit == 0:
		case !utf16.IsSurrogate(unit):
			out = append(out, raw[i:i+6]...)
		default:
			if low, ok := escapedUnit(raw[i+6:]); ok && utf16.DecodeRune(unit, low) != '\ufffd' {
				out = append(out, raw[i:i+12]...)
				i += 12
				continue
			}
			out = append(out, `\ufffd`...)
		}
		i += 6
	}
	return out
}

// escapedUnit reads the escape \uXXXX that b begins with.
func escapedUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(v), err == nil
}
