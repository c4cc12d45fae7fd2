// Package format writes numbers for people: sizes, durations, counts.
package format

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes writes a size in binary units with three digits: "1.23 GiB".
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	x, i := float64(n)/1024, 0
	for x >= 999.5 && i < len(units)-1 {
		x /= 1024
		i++
	}
	return fmt.Sprintf("%s %ciB", digits(x), units[i])
}

// digits writes x, 0 to 1000, with three digits.
func digits(x float64) string {
	switch {
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// Count writes a whole number with separators: "10,653,336".
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Rate writes a number a second: "1.25 M/s".
func Rate(perSecond float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if perSecond >= u.size {
			return digits(perSecond/u.size) + " " + u.name + "/s"
		}
	}
	return digits(perSecond) + " /s"
}

// Seconds writes a duration that was measured: "0.42 s", "2 min 05 s".
func Seconds(s float64) string {
	if s < 60 {
		return digits(s) + " s"
	}
	return Remaining(time.Duration(s * float64(time.Second)))
}

// Remaining writes a duration that is estimated, in whole seconds.
func Remaining(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
}
