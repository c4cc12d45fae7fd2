//go:build unix

package engine

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// ownGroup makes the program the leader of a process group of its own, so that
// it can be killed with all it starts, and a Ctrl-C reaches only us.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = groupAttributes() }

func killGroup(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// peakOf returns the peak resident memory of the largest process, in bytes.
func peakOf(state *os.ProcessState) int64 {
	if state == nil {
		return 0
	}
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // bytes there, KiB elsewhere
	}
	return usage.Maxrss << 10
}

// confine wraps a command line so that priority and address space are set
// before the program starts, which a process cannot do for its child from
// outside without a race.
func confine(path string, args []string, nice int, memory int64) (string, []string) {
	var set []string
	if memory > 0 {
		set = append(set, fmt.Sprintf("ulimit -v %d || exit 126", max(1, memory>>10)))
	}
	if nice > 0 {
		set = append(set, fmt.Sprintf("renice -n %d -p $$ >/dev/null 2>&1", min(nice, 19)))
	}
	if len(set) == 0 {
		return path, args
	}
	script := strings.Join(append(set, `exec "$0" "$@"`), "; ")
	return "/bin/sh", append([]string{"-c", script, path}, args...)
}
