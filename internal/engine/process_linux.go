package engine

import "syscall"

// groupAttributes also has the system kill the program when this process dies,
// be it by SIGKILL. The signal comes when the thread that started the program
// ends; Go ends threads only under goroutines that locked theirs.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
