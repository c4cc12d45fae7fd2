package bullmq

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/leaktest"
	"slate360.ai/worker/internal/queue"
	"slate360.ai/worker/internal/testservices"
)

// roundTrip adds a job over one connection, and runs it over another.
func roundTrip(t *testing.T, url string, o Options) {
	t.Helper()
	leaktest.Check(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	open := func() *Queue {
		conn, err := DialRedis(ctx, url, RedisOptions{})
		if err != nil {
			t.Fatal(err)
		}
		q, err := New(conn, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return q
	}
	producer, worker := open(), open()
	parent, err := producer.AddFlow(ctx, Node{Job: NewJob{Name: "parent"}, Children: []Node{{Job: NewJob{Name: "child"}}}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := producer.Add(ctx, "n", 1, queue.AddOptions{Priority: 2, Delay: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{id: true, parent: true}
	err = worker.Run(ctx, queue.RunOptions{Error: func(err error) { t.Error(err) }}, func(ctx context.Context, task queue.Task) (any, error) {
		if err := task.Progress(ctx, 50); err != nil {
			return nil, err
		}
		delete(left, task.Job().ID)
		if len(left) == 0 {
			cancel()
		}
		return nil, task.Verify(context.WithoutCancel(ctx))
	})
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if j, err := producer.Get(context.WithoutCancel(ctx), id); err != nil || j.State != queue.StateCompleted {
		t.Errorf("%+v, %v", j, err)
	}
}

// certificate writes a certificate of its own for 127.0.0.1 and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	port := testservices.FreePort(t)
	testservices.Redis(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	url := fmt.Sprintf("rediss://127.0.0.1:%d", port)
	// A certificate that nobody vouches for is refused …
	if _, err := DialRedis(t.Context(), url, RedisOptions{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	// … and taken where the URL says who does.
	roundTrip(t, url+"?ca="+cert, Options{})
}

func TestACL(t *testing.T) {
	s := testservices.Redis(t, "--user", "default", "off", "--user", "worker", "on", ">s3cret", "~bull:*", "&bull:*", "+@all", "-@dangerous", "+info", "+client|setname")
	roundTrip(t, strings.Replace(s.URL(), "redis://", "redis://worker:s3cret@", 1), Options{})
	_, err := DialRedis(t.Context(), strings.Replace(s.URL(), "redis://", "redis://worker:wr0ng@", 1), RedisOptions{})
	if err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestDatabaseAndSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s := testservices.Redis(t, "--unixsocket", socket)
	roundTrip(t, s.URL()+"/3", Options{Name: "third"})
	roundTrip(t, "unix://"+socket, Options{Name: "socket"})
	conn, err := DialRedis(t.Context(), s.URL(), RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if v, err := conn.Do(t.Context(), "EXISTS", "bull:third:meta", "bull:socket:meta"); err != nil || integer(v) != 1 {
		t.Errorf("database 0 has %v of the two queues (%v)", v, err)
	}
}

func TestClusterOfOne(t *testing.T) {
	s := testservices.Redis(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(testservices.FreePort(t)))
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("redis-cli", "-p", port, "CLUSTER", "ADDSLOTSRANGE", "0", "16383").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "OK") {
		t.Fatalf("%v: %s", err, out)
	}
	testservices.WaitFor(t, "the cluster", func() error {
		out, err := exec.Command("redis-cli", "-p", port, "CLUSTER", "INFO").Output()
		if err == nil && !strings.Contains(string(out), "cluster_state:ok") {
			err = errors.New("its state is not ok")
		}
		return err
	})
	roundTrip(t, s.URL(), Options{Prefix: "{bull}"})
}

func TestSentinel(t *testing.T) {
	s := testservices.Redis(t)
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	sentinel := testservices.FreePort(t)
	if err := os.WriteFile(conf, fmt.Appendf(nil, "port %d\nbind 127.0.0.1\nsentinel monitor mymaster %s %s 1\n", sentinel, host, port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	testservices.WaitFor(t, "the sentinel", func() error {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", sentinel), time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
	roundTrip(t, fmt.Sprintf("redis-sentinel://127.0.0.1:%d/mymaster", sentinel), Options{})
}

func TestURLsOfRedis(t *testing.T) {
	for raw, want := range map[string]string{
		"http://x":                  "redis://",
		"redis-sentinel://h:1":      "master",
		"redis://h:1/x":             "number",
		"redis://u:pass word@h:1\n": "cannot be read",
	} {
		if _, err := parseRedisURL(raw); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	co, err := parseRedisURL("rediss://user:p%40ss@host/2")
	if err != nil || co.Username != "user" || co.Password != "p@ss" || co.InitAddress[0] != "host:6379" || co.SelectDB != 2 || co.TLSConfig.ServerName != "host" {
		t.Errorf("%+v, %v", co, err)
	}
}
