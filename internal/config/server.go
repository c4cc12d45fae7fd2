package config

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Server is what the HTTP API of `run` needs beside the address.
type Server struct {
	// Tokens let organisations in.
	Tokens []Token
	// Origins are the pages of others that may call the API.
	Origins []string
	// MaxUpload is the most bytes of one upload; UploadTTL how long one is kept that
	// nobody goes on with; MaxUploads how many an organisation may have unfinished.
	MaxUpload  int64
	UploadTTL  time.Duration
	MaxUploads int
	// RateLimit is how many requests a second a token or an address may make, and five
	// times as many at once; 0 is no limit.
	RateLimit float64
}

// Token is one secret of an organisation, of which only the digest is known.
type Token struct {
	Name         string
	SHA256       [32]byte
	Organisation string
	// Role is viewer, member or admin.
	Role           string
	JobsPerDay     int
	BytesPerDay    int64
	ConcurrentJobs int
}

func defaultServer() Server {
	return Server{MaxUpload: 500 << 30, UploadTTL: 24 * time.Hour, MaxUploads: 10_000, RateLimit: 50}
}

func serverVariables() []Variable {
	return []Variable{
		{
			Name: "SLATE360_TOKENS", Default: "none", Secret: true,
			Example: `[{"name":"acme","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","organisation":"acme","jobsPerDay":100}]`,
			Doc:     "Tokens of organisations, as JSON or the path of a file with it: [{name, sha256 of the token, organisation, role: viewer, member or admin, jobsPerDay, bytesPerDay, concurrentJobs}].",
			set: func(c *Config, v string) (err error) {
				c.Tokens, err = parseTokens(v)
				return err
			},
		},
		{
			Name: "SLATE360_CORS_ORIGINS", Default: "none", Example: "https://app.example.com",
			Doc: "Web pages of other sites that may call the API, separated by commas.",
			set: func(c *Config, v string) (err error) {
				c.Origins, err = parseOrigins(v)
				return err
			},
		},
		{
			Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Default: "no traces", Example: "http://localhost:4318",
			Doc: "Where OpenTelemetry traces go, over HTTP; the other OTEL_ variables hold, too.",
			set: func(_ *Config, v string) error { return checkURL(v, "https", "http") },
		},
		size("SLATE360_MAX_UPLOAD", "500G", "100G", "Most bytes of one upload, and of all files of a form.", func(c *Config) *int64 { return &c.MaxUpload }),
		duration("SLATE360_UPLOAD_TTL", "24h", "24h", "How long an upload is kept that nobody goes on with, and that of a job that failed.",
			time.Minute, 90*24*time.Hour, func(c *Config) *time.Duration { return &c.UploadTTL }),
		count("SLATE360_MAX_UPLOADS", "10000", "1000", "Unfinished uploads that an organisation may have.", 1, 10_000_000,
			func(c *Config) *int { return &c.MaxUploads }),
		{
			Name: "SLATE360_RATE_LIMIT", Default: "50", Example: "20",
			Doc: "Requests a second of one token or address, and five times as many at once; uploads and files do not count. 0 is no limit.",
			set: func(c *Config, v string) error {
				x, err := strconv.ParseFloat(v, 64)
				if err != nil || !(x >= 0 && x <= 1e6) {
					return fmt.Errorf("want a number from 0 to 1000000, got %q", v)
				}
				c.RateLimit = x
				return nil
			},
		},
	}
}

// parseOrigins reads origins as browsers send them: scheme, host and port.
func parseOrigins(v string) ([]string, error) {
	var origins []string
	for o := range strings.SplitSeq(v, ",") {
		o = strings.TrimRight(strings.TrimSpace(o), "/")
		if o == "" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("want origins such as https://app.example.com, got %q", o)
		}
		origins = append(origins, u.Scheme+"://"+strings.ToLower(u.Host))
	}
	return origins, nil
}

// parseTokens reads tokens from JSON, or from the file that v names. Its errors show
// nothing of the values.
func parseTokens(v string) ([]Token, error) {
	data := []byte(v)
	if v[0] != '[' {
		var err error
		if data, err = os.ReadFile(v); err != nil {
			return nil, errors.New("it is neither a JSON list nor a file that can be read")
		}
	}
	var list []struct {
		Name           string `json:"name"`
		SHA256         string `json:"sha256"`
		Organisation   string `json:"organisation"`
		Role           string `json:"role"`
		JobsPerDay     int    `json:"jobsPerDay"`
		BytesPerDay    any    `json:"bytesPerDay"`
		ConcurrentJobs int    `json:"concurrentJobs"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		return nil, fmt.Errorf("want a JSON list of {name, sha256, organisation, role, jobsPerDay, bytesPerDay, concurrentJobs}: %w", err)
	}
	var tokens []Token
	for i, l := range list {
		t := Token{Name: l.Name, Organisation: l.Organisation, Role: l.Role, JobsPerDay: l.JobsPerDay, ConcurrentJobs: l.ConcurrentJobs}
		sum, err := hex.DecodeString(l.SHA256)
		if err != nil || len(sum) != len(t.SHA256) {
			return nil, fmt.Errorf("number %d: sha256 is no digest of 64 hexadecimal digits", i+1)
		}
		copy(t.SHA256[:], sum)
		if t.Role == "" {
			t.Role = "member"
		}
		if !slices.Contains([]string{"viewer", "member", "admin"}, t.Role) {
			return nil, fmt.Errorf("number %d: want the role viewer, member or admin, got %q", i+1, t.Role)
		}
		if t.Organisation == "" && t.Role != "admin" {
			return nil, fmt.Errorf("number %d: a %s needs an organisation", i+1, t.Role)
		}
		if t.Name == "" {
			t.Name = fmt.Sprintf("token %d", i+1)
		}
		if t.JobsPerDay < 0 || t.ConcurrentJobs < 0 {
			return nil, fmt.Errorf("number %d: quotas are not negative", i+1)
		}
		if t.BytesPerDay, err = parseBytes(l.BytesPerDay); err != nil {
			return nil, fmt.Errorf("number %d: bytesPerDay: %w", i+1, err)
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// parseBytes reads a number of bytes, or text such as "100G".
func parseBytes(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case float64:
		if v >= 0 && v <= 1<<60 {
			return int64(v), nil
		}
	case string:
		return ParseSize(v)
	}
	return 0, errors.New("want bytes, or text such as 100G")
}
