// Package testservices starts the real services that tests run against. A
// program that is not installed skips the test, with a line that says so, or
// fails it where SLATE360_REQUIRE_TOOLS is set. What is started ends with the test.
package testservices

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slate360.ai/worker/internal/testdata"
)

// startTimeout is what a service gets until it answers.
const startTimeout = 20 * time.Second

// RedisServer is a redis-server, or a valkey-server, in a folder of its own, with
// an append-only file: what it has answered survives Kill.
type RedisServer struct {
	t       testing.TB
	program string
	dir     string
	port    int
	args    []string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// Redis starts a redis-server; args are added to its command line.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return server(t, "redis-server", args)
}

// Valkey starts a valkey-server, which speaks the same protocol.
func Valkey(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return server(t, "valkey-server", args)
}

func server(t testing.TB, program string, args []string) *RedisServer {
	t.Helper()
	s := &RedisServer{t: t, program: testdata.Tool(t, program), dir: t.TempDir(), port: FreePort(t), args: args}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// RedisCluster starts a cluster of n masters, and returns them once each of them
// answers for the whole.
func RedisCluster(t testing.TB, n int) []*RedisServer {
	t.Helper()
	cli := testdata.Tool(t, "redis-cli")
	nodes := make([]*RedisServer, n)
	create := []string{"--cluster", "create"}
	for i := range nodes {
		nodes[i] = Redis(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(FreePort(t)), "--cluster-node-timeout", "5000")
		create = append(create, nodes[i].Addr())
	}
	if out, err := exec.Command(cli, append(create, "--cluster-replicas", "0", "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, s := range nodes {
		WaitFor(t, "the cluster", func() error {
			out, err := exec.Command(cli, "-p", fmt.Sprint(s.port), "CLUSTER", "INFO").Output()
			if err == nil && (!strings.Contains(string(out), "cluster_state:ok") || !strings.Contains(string(out), fmt.Sprintf("cluster_size:%d", n))) {
				err = fmt.Errorf("its state is\n%s", out)
			}
			return err
		})
	}
	return nodes
}

// Start starts it, again after Stop or Kill, and returns when it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	args := append([]string{
		"--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "yes",
		"--appendfsync", "no", "--maxmemory-policy", "noeviction", "--logfile", filepath.Join(s.dir, "log"),
	}, s.args...)
	cmd := exec.Command(s.program, args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.cmd = cmd
	s.mu.Unlock()
	WaitFor(s.t, filepath.Base(s.program), func() error {
		conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		reply := make([]byte, 64)
		n, err := conn.Read(reply)
		if err != nil {
			return err
		}
		if got := string(reply[:n]); !strings.HasPrefix(got, "+PONG") && !strings.HasPrefix(got, "-NOAUTH") {
			return fmt.Errorf("it answers %q", got)
		}
		return nil
	})
}

// Addr is host:port.
func (s *RedisServer) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is redis://host:port.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

// Kill ends it with SIGKILL; what it wrote stays for Start.
func (s *RedisServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	_ = s.cmd.Wait()
	s.cmd = nil
}

// FreePort returns a port of this machine that nobody listened on just now.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// WaitFor calls try until it succeeds; the test fails where that takes too long.
func WaitFor(t testing.TB, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(startTimeout)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond) // between two tries of what tells nothing by itself
	}
}

// Script runs a Node script with the npm packages of the test tools, and returns
// what it wrote to standard output.
func Script(t testing.TB, script string, env ...string) string {
	t.Helper()
	cmd := NodeCommand(t, script, env...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", filepath.Base(script), err, out, errOut.String())
	}
	return string(out)
}

// NodeCommand is a Node script to be started.
func NodeCommand(t testing.TB, script string, env ...string) *exec.Cmd {
	t.Helper()
	node := testdata.Tool(t, "node")
	testdata.Package(t, "bullmq")
	cmd := exec.CommandContext(t.Context(), node, script)
	cmd.Env = append(append(os.Environ(), "NODE_PATH="+filepath.Join(testdata.RepoRoot(t), ".tools", "node_modules")), env...)
	return cmd
}
