package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/internal/testdata"
)

// schemathesis makes requests up from the program's OpenAPI document, right ones and
// wrong ones: none may be answered with a failure of the server, nor otherwise than
// the document says. SLATE360_FULL_SCHEMA takes a hundred times as many.
func TestOpenAPI(t *testing.T) {
	schemathesis := testdata.Tool(t, "schemathesis")
	url := serve(t, t.TempDir(), "api", []string{"GPU_WORKER_SECRET_KEY=" + secret, "SLATE360_RATE_LIMIT=0", "SLATE360_DRAIN_TIMEOUT=0"}, "run", "--addr", "127.0.0.1:0")
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
