package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func totalMemory() int64 {
	total := statusBytes("/proc/meminfo", "MemTotal:")
	for _, limit := range cgroupLimits("/proc/self/cgroup", "/sys/fs/cgroup") {
		if limit > 0 && (total <= 0 || limit < total) {
			total = limit
		}
	}
	return total
}

// cgroupLimits returns the memory limits of the process's control groups and
// their ancestors (version 2: memory.max, version 1: memory.limit_in_bytes).
func cgroupLimits(membership, root string) []int64 {
	data, err := os.ReadFile(membership)
	if err != nil {
		return nil
	}
	var limits []int64
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		base, file := root, "memory.max"
		if fields[1] == "memory" {
			base, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		} else if fields[1] != "" {
			continue
		}
		for dir := filepath.Clean("/" + fields[2]); ; dir = filepath.Dir(dir) {
			if n, ok := readNumber(filepath.Join(base, dir, file)); ok {
				limits = append(limits, n)
			}
			if dir == "/" {
				break
			}
		}
	}
	return limits
}

func readNumber(path string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64) // "max" is no number: no limit
	return n, err == nil
}

// statusBytes returns the value of a "Key:  123 kB" line of a file of /proc, in
// bytes, or 0.
func statusBytes(path, key string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		rest, ok := strings.CutPrefix(line, key)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return 0
		}
		return n << 10
	}
	return 0
}

// PeakMemory returns the highest resident memory of this process since it
// started, in bytes: VmHWM, mapped files included. The system could count anew
// for each stage (clear_refs), but then tools that measure the process from
// outside would be told too little.
func PeakMemory() int64 { return statusBytes("/proc/self/status", "VmHWM:") }

// ResidentMemory returns the resident memory of this process now, in bytes.
func ResidentMemory() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
