package testservices

import (
	"fmt"
	"os/exec"
	"testing"

	"slate360.ai/worker/internal/testdata"
)

// AWSServer is moto, which answers as services of AWS do.
type AWSServer struct{ Endpoint string }

// AWS starts moto.
func AWS(t testing.TB) *AWSServer {
	t.Helper()
	program := testdata.Tool(t, "moto_server")
	port := FreePort(t)
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	launch(t, "moto", cmd, port)
	return &AWSServer{Endpoint: fmt.Sprintf("http://127.0.0.1:%d", port)}
}

// Environment is what the SDK of AWS reads.
func (s *AWSServer) Environment() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_AUTO_SCALING=" + s.Endpoint,
		"AWS_ENDPOINT_URL_CLOUDWATCH=" + s.Endpoint,
	}
}
