package embedded_test

import (
	"path/filepath"
	"testing"

	"slate360.ai/worker/internal/record"
	"slate360.ai/worker/internal/record/embedded"
	"slate360.ai/worker/internal/record/recordtest"
)

func TestConformance(t *testing.T) {
	recordtest.Run(t, func(t testing.TB) record.Store {
		s, err := embedded.Open(t.Context(), filepath.Join(t.TempDir(), "r.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
