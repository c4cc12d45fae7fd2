package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCgroupLimits(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"membership":                      "0::/app/worker\n5:cpu:/app\n4:memory:/v1\nnonsense\n",
		"memory.max":                      "max\n",
		"app/memory.max":                  "1073741824\n",
		"app/worker/memory.max":           "2147483648\n",
		"memory/v1/memory.limit_in_bytes": "536870912\n",
	} {
		p := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got := cgroupLimits(filepath.Join(root, "membership"), root)
	if want := []int64{2 << 30, 1 << 30, 512 << 20}; !slices.Equal(got, want) {
		t.Errorf("cgroupLimits = %d, want %d", got, want)
	}
	if got := cgroupLimits(filepath.Join(root, "absent"), root); got != nil {
		t.Errorf("without a membership: %d", got)
	}
}

func TestThisMachine(t *testing.T) {
	total, resident, peak := TotalMemory(), ResidentMemory(), PeakMemory()
	if resident <= 0 || peak < resident/2 || total < resident {
		t.Errorf("total %d, resident %d, peak %d", total, resident, peak)
	}
	if b := DefaultMemoryBudget(); b <= total/2 || b >= total {
		t.Errorf("budget %d of %d", b, total)
	}
	if FreeDisk(t.TempDir()) < 0 || FreeDisk("/absent") != -1 {
		t.Error("free disk is not told")
	}
}
