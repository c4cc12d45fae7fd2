//go:build linux || darwin

package host

import "golang.org/x/sys/unix"

// FreeDisk returns the bytes that this user may still write to the file system
// of path, or -1 where the system does not tell.
func FreeDisk(path string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize) //nolint:unconvert // the types differ between systems
}
