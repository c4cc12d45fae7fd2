package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"slate360.ai/worker/internal/storage"
)

func attributes() storage.Attributes {
	return storage.Attributes{ContentType: "application/octet-stream"}
}

// digest reads an object and returns its SHA-256, in hexadecimal.
func digest(t testing.TB, s storage.Store, key string) (string, error) {
	r, _, err := s.Open(t.Context(), key)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// checkEvents tells by the stream of events that no job was completed twice.
func (p *platform) checkEvents(jobs int) {
	p.t.Helper()
	out, err := exec.Command("redis-cli", "-p", port(p.redis.URL()), "XRANGE", "bull:model-processing:events", "-", "+").Output()
	if err != nil {
		p.t.Error(err)
		return
	}
	completed := map[string]int{}
	lines := strings.Split(string(out), "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) == "completed" && i+2 < len(lines) && strings.TrimSpace(lines[i+1]) == "jobId" {
			completed[strings.TrimSpace(lines[i+2])]++
		}
	}
	for id, n := range completed {
		if n != 1 {
			p.t.Errorf("job %s was completed %d times", id, n)
		}
	}
	if jobs <= 500 && len(completed) != jobs { // the stream keeps the last 10,000
		p.t.Errorf("%d jobs were completed, want %d", len(completed), jobs)
	}
}

func port(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Port()
}
