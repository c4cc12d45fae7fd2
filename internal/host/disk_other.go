//go:build !linux && !darwin

package host

// FreeDisk returns -1: this system does not tell.
func FreeDisk(string) int64 { return -1 }
