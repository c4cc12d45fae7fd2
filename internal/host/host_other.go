//go:build !linux

package host

import "runtime/metrics"

// PeakMemory returns 0: these systems do not tell without cgo.
func PeakMemory() int64 { return 0 }

// ResidentMemory returns the memory, in bytes, that the Go runtime holds now.
func ResidentMemory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
