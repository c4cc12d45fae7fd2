package api

import (
	"testing"
	"time"

	"slate360.ai/worker/internal/record"
)

// A cursor that is read is written in the same way.
func FuzzCursor(f *testing.F) {
	f.Add(formatCursor(record.Position{CreatedAt: time.UnixMicro(1_800_000_000_000_000), ID: "job-1"}))
	f.Add("")
	f.Add("AAAAAAAAAAAA")
	f.Add("____________")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseCursor(text)
		if err != nil {
			return
		}
		if got := formatCursor(p); got != text {
			t.Errorf("%q is %+v, and that %q", text, p, got)
		}
		if !p.IsZero() && (p.CreatedAt.Year() < 1970 || p.CreatedAt.Year() > 9999) {
			t.Errorf("%q: %v", text, p.CreatedAt)
		}
	})
}
