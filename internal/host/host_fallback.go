//go:build !linux && !darwin

package host

func totalMemory() int64 { return 0 }
