package e2e

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manager is the service manager's end of the notification socket (sd_notify(3)).
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "slate360-") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{t: t, path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	return m
}

// until reads messages until all that are wanted have come, in any order, and
// returns all that it read.
func (m *manager) until(want ...string) []string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	var got []string
	buf := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("no %q after %q: %v", want, got, err)
		}
		for line := range strings.Lines(string(buf[:n])) {
			got = append(got, strings.TrimSpace(line))
		}
		if !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) }) {
			return got
		}
	}
}

// A service manager is told when the worker is ready, that it lives (while it
// drains, too), and when it stops.
func TestServiceManager(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask()
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer slow.Close()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t)
	dir := t.TempDir()
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Dir = dir
		cmd.Env = []string{
			"HOME=" + dir, "SLATE360_DATA_DIR=" + dir, "SLATE360_SOURCE_ALLOW=127.0.0.1", "SLATE360_DRAIN_TIMEOUT=60s", "SLATE360_DISK_RESERVE=64M",
			"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=100000",
		}
		return cmd
	}
	worker := command("run", "--no-server")
	var log bytes.Buffer
	worker.Stderr = &log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = worker.Process.Kill() // it has ended, if all went well
		_ = worker.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	before := m.until("READY=1")
	if slices.Contains(before, "STOPPING=1") {
		t.Errorf("before it was ready: %q", before)
	}
	for range 3 {
		m.until("WATCHDOG=1")
	}
	if out, err := command("submit", slow.URL+"/scan.laz").CombinedOutput(); err != nil {
		t.Fatalf("submit: %v\n%s", err, out)
	}
	select {
	case <-asked:
	case <-time.After(30 * time.Second):
		t.Fatal("the source was not asked for")
	}
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.until("STOPPING=1", "STATUS=draining, 1 jobs are running")
	for range 3 {
		m.until("WATCHDOG=1")
	}
	close(answer)
	if err := worker.Wait(); err != nil {
		t.Errorf("the worker ended otherwise: %v", err)
	}
}
