package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"slate360.ai/worker/internal/testdata"
	"slate360.ai/worker/internal/testservices"
)

// machine is an EC2 machine that worker-init.sh sets up: a folder for its root, the
// AWS command line before moto, instance metadata, and a systemctl that notes what it
// is told.
type machine struct {
	t     *testing.T
	root  string
	calls string // file that systemctl writes to
	env   []string
	// endpoint of moto.
	endpoint string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	aws, server := testdata.Tool(t, "aws"), testservices.AWS(t)
	m := &machine{t: t, root: t.TempDir(), endpoint: server.Endpoint}
	bin := t.TempDir()
	m.calls = filepath.Join(bin, "calls")
	m.write("etc/os-release", "ID=ubuntu\nVERSION_ID=\"24.04\"\n", 0o644)
	agent := "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
	m.write(agent, "#!/bin/sh\necho agent \"$@\" >>'"+m.calls+"'\n", 0o755)
	systemctl := "#!/bin/sh\necho \"$@\" >>'" + m.calls + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(systemctl), 0o755); err != nil {
		t.Fatal(err)
	}
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			fmt.Fprint(w, "token")
		case r.Header.Get("X-aws-ec2-metadata-token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/latest/meta-data/instance-id":
			fmt.Fprint(w, "i-0123456789abcdef0")
		case r.URL.Path == "/latest/meta-data/placement/region":
			fmt.Fprint(w, "us-east-1")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(metadata.Close)
	m.env = []string{
		"PATH=" + bin + ":" + filepath.Dir(aws) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "INIT_ROOT=" + m.root, "INIT_RETRY_WAIT=0", "AWS_MAX_ATTEMPTS=1",
		"AWS_ENDPOINT_URL=" + server.Endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + metadata.URL,
		"INIT_RELEASE_PATH=/release", "INIT_ENV_PATH=/worker", "INIT_ENV_SECRET=more", "INIT_LOG_GROUP=/slate360-worker",
		"INIT_GROUP=slate360-worker", "INIT_HOOK=ready", "INIT_ENV=AWS_S3_BUCKET=models\nSLATE360_QUEUE=scans",
	}
	return m
}

func (m *machine) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		m.t.Error(err)
	}
	return string(data)
}

// told returns what systemctl and the agent were told since the last call.
func (m *machine) told() string {
	data, _ := os.ReadFile(m.calls) // nothing was told yet
	_ = os.Remove(m.calls)
	return strings.ReplaceAll(string(data), m.root, "")
}

func (m *machine) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env = m.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// send puts something into moto: an object, or the call of an API that speaks JSON.
func (m *machine) send(method, path, service, target string, body []byte) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.endpoint+path, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	// moto checks no signature; it reads region and service here.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		m.t.Fatalf("%s %s: %s %v\n%s", target, path, resp.Status, err, answer)
	}
}

func (m *machine) call(service, target string, arguments map[string]string) {
	m.t.Helper()
	body, err := json.Marshal(arguments)
	if err != nil {
		m.t.Fatal(err)
	}
	m.send(http.MethodPost, "/", service, target, body)
}

func (m *machine) init(args ...string) (string, error) {
	return m.run("sh", append([]string{"../deploy/aws/worker-init.sh"}, args...)...)
}

// release returns an archive as releases have it, and its digest.
func release(t *testing.T) (archive []byte, digest string) {
	t.Helper()
	program, err := program()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "slate360-worker", Mode: 0o755, Size: int64(len(data))})
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
}

// A bare machine becomes a worker: program by digest, environment from parameters and
// a secret that only root reads, unit, log and metrics; a second run changes nothing,
// and a release that is not what was promised is not installed.
func TestWorkerInit(t *testing.T) {
	m := newMachine(t)
	archive, digest := release(t)
	m.send(http.MethodPut, "/releases", "s3", "", nil)
	m.send(http.MethodPut, "/releases/worker.tar.gz", "s3", "", archive)
	parameter := func(name, kind, value string) {
		m.call("ssm", "AmazonSSM.PutParameter", map[string]string{"Name": name, "Type": kind, "Value": value})
	}
	parameter("/release/linux_"+runtime.GOARCH, "String", "s3://releases/worker.tar.gz "+digest)
	parameter("/worker/GPU_WORKER_SECRET_KEY", "SecureString", `a"b\c$d`+"`e 'f #g")
	m.call("secretsmanager", "secretsmanager.CreateSecret", map[string]string{"Name": "more", "SecretString": `{"REDIS_URL":"rediss://:p=w@redis:6379"}`})

	out, err := m.init("--dry-run")
	if err != nil || !strings.Contains(out, "would write") || m.told() != "" {
		t.Errorf("dry run: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(m.root, "etc/slate360-worker.env")); err == nil {
		t.Error("a dry run wrote the environment")
	}

	if out, err = m.init(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "AWS_S3_BUCKET=\"models\"\nGPU_WORKER_SECRET_KEY=\"a\\\"b\\\\c\\$d\\`e 'f #g\"\nREDIS_URL=\"rediss://:p=w@redis:6379\"\nSLATE360_QUEUE=\"scans\"\n"
	if got := m.read("etc/slate360-worker.env"); got != want {
		t.Errorf("environment:\n%s", got)
	}
	if info, err := os.Stat(filepath.Join(m.root, "etc/slate360-worker.env")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("environment: %v, %v", info, err)
	}
	if strings.Contains(out, "c$d") || strings.Contains(out, "p=w@") {
		t.Errorf("secrets are in the log:\n%s", out)
	}
	if unit := m.read("etc/systemd/system/slate360-worker.service"); !strings.Contains(unit, "TimeoutStopSec=660") {
		t.Errorf("unit:\n%s", unit)
	}
	if dropIn := m.read("etc/systemd/system/slate360-worker.service.d/init.conf"); !strings.Contains(dropIn, "StandardError=append:/var/log/slate360-worker/worker.log") {
		t.Errorf("drop-in:\n%s", dropIn)
	}
	m.checkAgent()
	told := m.told()
	for _, call := range []string{"agent -a fetch-config -m ec2 -s -c file:/opt/aws/", "daemon-reload\n", "enable slate360-worker\n", "restart slate360-worker\n"} {
		if !strings.Contains(told, call) {
			t.Errorf("nobody was told %q:\n%s", call, told)
		}
	}

	if out, err = m.init(); err != nil || !strings.Contains(out, "this release is installed") || strings.Contains(m.told(), "restart") {
		t.Errorf("the second run: %v\n%s", err, out)
	}

	wrong := "INIT_RELEASE=s3://releases/worker.tar.gz " + strings.Repeat("0", 64)
	m.env = append(m.env, wrong)
	if out, err = m.init(); err == nil || !strings.Contains(out, "does not have the SHA-256") {
		t.Errorf("another release than was promised: %v\n%s", err, out)
	}
}

// checkAgent holds the configuration of the CloudWatch agent: the guide's metrics of
// cards, and the log.
func (m *machine) checkAgent() {
	m.t.Helper()
	var config struct {
		Metrics struct {
			Namespace string `json:"namespace"`
			Collected map[string]struct {
				Measurement []string `json:"measurement"`
			} `json:"metrics_collected"`
		} `json:"metrics"`
		Logs struct {
			Collected struct {
				Files struct {
					List []map[string]string `json:"collect_list"`
				} `json:"files"`
			} `json:"logs_collected"`
		} `json:"logs"`
	}
	text := m.read("opt/aws/amazon-cloudwatch-agent/etc/slate360-worker.json")
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		m.t.Fatalf("%v\n%s", err, text)
	}
	gpu := strings.Join(config.Metrics.Collected["nvidia_gpu"].Measurement, " ")
	if config.Metrics.Namespace != "Slate360/Host" || gpu != "utilization_gpu utilization_memory memory_used memory_total temperature_gpu power_draw" {
		m.t.Errorf("metrics: %+v", config.Metrics)
	}
	if len(config.Logs.Collected.Files.List) != 2 || config.Logs.Collected.Files.List[0]["log_group_name"] != "/slate360-worker" {
		m.t.Errorf("logs: %+v", config.Logs)
	}
}
