package files

import (
	"errors"
	"strconv"
	"strings"
)

// byteRange is what a request asks of a file: n bytes from off on.
type byteRange struct{ off, n int64 }

// maxRanges bounds the ranges of one request: readers of COPC and GeoTIFF ask for
// one, and many small ones are a known way to keep a server busy.
const maxRanges = 16

var (
	errRangeSyntax = errors.New("the range is none of RFC 9110")
	// errUnsatisfiable says that no range lies in the file.
	errUnsatisfiable = errors.New("the range lies outside of the file")
	errTooManyRanges = errors.New("there are too many ranges")
)

// parseRanges reads a Range header (RFC 9110, section 14.1.2) for a file of size
// bytes; nil is none. Ranges that lie outside are left out; errUnsatisfiable where
// all do. A unit other than bytes is to be ignored, and is none.
func parseRanges(header string, size int64) ([]byteRange, error) {
	unit, set, ok := strings.Cut(header, "=")
	if header == "" || ok && !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return nil, nil
	}
	if !ok {
		return nil, errRangeSyntax
	}
	var ranges []byteRange
	count := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue
		}
		if count++; count > maxRanges {
			return nil, errTooManyRanges
		}
		r, inside, err := parseRange(spec, size)
		if err != nil {
			return nil, err
		}
		if inside {
			ranges = append(ranges, r)
		}
	}
	switch {
	case count == 0:
		return nil, errRangeSyntax
	case len(ranges) == 0:
		return nil, errUnsatisfiable
	}
	return ranges, nil
}

// parseRange reads first-last, first- or -suffix.
func parseRange(spec string, size int64) (r byteRange, inside bool, err error) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return r, false, errRangeSyntax
	}
	if first == "" {
		suffix, err := parsePosition(last)
		if err != nil {
			return r, false, err
		}
		suffix = min(suffix, size)
		return byteRange{size - suffix, suffix}, suffix > 0, nil
	}
	if r.off, err = parsePosition(first); err != nil {
		return r, false, err
	}
	end := size - 1
	if last != "" {
		l, err := parsePosition(last)
		if err != nil || l < r.off {
			return r, false, errRangeSyntax
		}
		end = min(end, l)
	}
	if r.off >= size {
		return r, false, nil
	}
	r.n = end - r.off + 1
	return r, true, nil
}

// parsePosition reads digits and nothing else.
func parsePosition(text string) (int64, error) {
	if text == "" || len(text) > 18 || strings.Trim(text, "0123456789") != "" {
		return 0, errRangeSyntax
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errRangeSyntax
	}
	return n, nil
}
