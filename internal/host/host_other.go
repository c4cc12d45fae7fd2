//go:build !linux

package host

import "runtime/metrics"

// PeakMemory returns the memory, in bytes, that the Go runtime holds now: these
// systems do not tell the peak since a moment.
func PeakMemory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// ResetPeak tells that PeakMemory cannot be set back: it always counts from now.
func ResetPeak() bool { return false }
