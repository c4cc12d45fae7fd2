package testservices

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/testdata"
)

// PostgresServer is a PostgreSQL server in a folder of its own.
type PostgresServer struct {
	t    testing.TB
	bin  string
	dir  string
	port int
	as   *syscall.Credential // PostgreSQL refuses to run as root

	mu  sync.Mutex
	cmd *exec.Cmd
}

// Postgres starts a PostgreSQL server.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	s := &PostgresServer{t: t, port: FreePort(t), bin: postgresBin(t)}
	// A folder of the test's own lies below others that the server's user may not enter.
	dir, err := os.MkdirTemp("", "slate360-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.dir = filepath.Join(dir, "data")
	if os.Getuid() == 0 {
		s.as = ordinaryUser(t)
		if err := os.Chown(dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.command("initdb", "-D", s.dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

func postgresBin(t testing.TB) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	return filepath.Dir(testdata.Tool(t, "initdb"))
}

func ordinaryUser(t testing.TB) *syscall.Credential {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is no user postgres or nobody to run PostgreSQL as")
	return nil
}

func (s *PostgresServer) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = filepath.Dir(s.dir)
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	return cmd
}

// Start starts it, again after Stop, and returns when it answers.
func (s *PostgresServer) Start() {
	s.t.Helper()
	cmd := s.command("postgres", "-D", s.dir, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
		"-c", "unix_socket_directories="+filepath.Dir(s.dir), "-c", "max_connections=200")
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.cmd = cmd
	s.mu.Unlock()
	WaitFor(s.t, "PostgreSQL", func() error {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), time.Second)
		if err != nil {
			return err
		}
		conn.Close()
		return s.command("psql", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "postgres", "-c", "SELECT 1").Run()
	})
}

// URL is that of a database that is always there.
func (s *PostgresServer) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// Stop ends it at once.
func (s *PostgresServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown
	_ = s.cmd.Wait()
	s.cmd = nil
}
