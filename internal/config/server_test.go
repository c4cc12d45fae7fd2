package config_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/config"
)

func TestTokens(t *testing.T) {
	clearEnvironment(t)
	sum := sha256.Sum256([]byte("token"))
	text := fmt.Sprintf(`[{"name":"ci","sha256":"%x","organisation":"acme","jobsPerDay":5,"bytesPerDay":"100G"},{"sha256":"%x","role":"admin"}]`, sum, sum)
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{text, path} {
		t.Setenv("SLATE360_TOKENS", v)
		c, err := config.Load("absent")
		if err != nil {
			t.Fatal(err)
		}
		want := config.Token{Name: "ci", SHA256: sum, Organisation: "acme", Role: "member", JobsPerDay: 5, BytesPerDay: 100 << 30}
		if len(c.Tokens) != 2 || c.Tokens[0] != want || c.Tokens[1].Role != "admin" {
			t.Errorf("%+v", c.Tokens)
		}
	}
	digest := hex.EncodeToString(sum[:])
	for bad, why := range map[string]string{
		`[{"sha256":"secret-in-clear"}]`: "64 hexadecimal", `[{"sha256":"` + digest + `"}]`: "needs an organisation", `[{"token":"secret-in-clear"}]`: "JSON list",
		`[{"sha256":"` + digest + `","organisation":"a","role":"root"}]`: "viewer, member or admin", "/absent/secret-in-clear": "neither",
		`[{"sha256":"` + digest + `","organisation":"a","jobsPerDay":-1}]`: "not negative", `[{"sha256":"` + digest + `","organisation":"a","bytesPerDay":"x"}]`: "bytesPerDay",
	} {
		t.Setenv("SLATE360_TOKENS", bad)
		_, err := config.Load("absent")
		if err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "secret-in-clear") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("SLATE360_CORS_ORIGINS", "https://App.example.com/, http://localhost:3000")
	c, err := config.Load("absent")
	if err != nil || strings.Join(c.Origins, " ") != "https://app.example.com http://localhost:3000" {
		t.Errorf("%v, %v", c.Origins, err)
	}
	for _, bad := range []string{"*", "app.example.com", "https://a/b", "https://u@a"} {
		t.Setenv("SLATE360_CORS_ORIGINS", bad)
		if _, err := config.Load("absent"); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}
