package e2e

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"slate360.ai/worker/internal/testdata"
)

// schemathesis makes requests up from the program's OpenAPI document, right ones and
// wrong ones: none may be answered with a failure of the server, nor otherwise than
// the document says. SLATE360_FULL_SCHEMA takes a hundred times as many.
func TestOpenAPI(t *testing.T) {
	schemathesis := testdata.Tool(t, "schemathesis")
	url := served(t, "GPU_WORKER_SECRET_KEY="+secret, "SLATE360_RATE_LIMIT=0")
	examples := "3"
	if os.Getenv("SLATE360_FULL_SCHEMA") != "" {
		examples = "300"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, schemathesis, "run", url+"/openapi.json", "--url", url,
		"-H", "Authorization: Bearer "+secret, "--max-examples", examples, "--seed", "1", "--no-color", "--request-timeout", "20",
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
		"--exclude-path-regex", "/events$", // they do not end
		"--exclude-operation-id", "continueUpload") // it cannot make up such a body
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("schemathesis: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "generated") || strings.Contains(line, "Tested") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// served runs the program over embedded parts until the end of the test, and returns
// the address of its server.
func served(t *testing.T, env ...string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "run", "--addr", "127.0.0.1:0")
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), "SLATE360_DATA_DIR="+t.TempDir(), "SLATE360_DRAIN_TIMEOUT=0", "SLATE360_LOG_LEVEL=warn"), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, read := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), ": http://"); ok && len(address) == 0 {
				address <- "http://" + strings.TrimSuffix(url, "/")
				continue
			}
			t.Log(lines.Text())
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-read
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 4 { // interrupted
			t.Errorf("run: %v", err)
		}
	})
	select {
	case url := <-address:
		return url
	case <-read:
		t.Fatal("the program ended")
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not serve")
	}
	return ""
}
