package disk_test

import (
	"testing"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/storage"
	"slate360.ai/worker/internal/storage/disk"
	"slate360.ai/worker/internal/storage/storagetest"
)

func TestConformance(t *testing.T) {
	leaktest.Check(t)
	storagetest.Run(t, false, func(t testing.TB) (storage.Store, string) {
		s, err := disk.Open(disk.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s, "p/"
	})
}
