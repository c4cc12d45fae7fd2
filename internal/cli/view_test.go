//go:build unix

package cli_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"slate360.ai/worker/internal/cli"
)

func TestView(t *testing.T) {
	dir := folder(t)
	if code, _, errs := run(t, dir, "", "process", "a.las", "--out", "out"); code != 0 {
		t.Fatal(errs)
	}
	cmd := command(t, dir, "", "view", "out", "--addr", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, " is at ")
	url, _, _ := strings.Cut(rest, " ")
	for path, want := range map[string]string{"result.json": `"points":12345`, "files/copc/a.copc.laz": "LASF a"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v %s", path, err, body)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the state says how it went
	if code := cmd.ProcessState.ExitCode(); code != cli.ExitDone {
		t.Errorf("view ended by SIGINT: exit code %d", code)
	}
}
