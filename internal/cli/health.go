package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/pipeline"
)

// healthTimeout is what a worker gets to answer; /ready asks queue and records.
const healthTimeout = 10 * time.Second

func (p *Program) healthCommand() *cobra.Command {
	var (
		addr  string
		ready bool
	)
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the worker of this machine whether it is alive",
		Long: `Asks /health of the worker at SLATE360_ADDR, or /ready with --ready: whether it takes
jobs and reaches queue and records. Ends with 0 or 1: for health checks of
containers, whose images have no other program that could ask.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if addr == "" {
				c, err := load()
				if err != nil {
					return err
				}
				addr = c.Addr
			}
			path := "/health"
			if ready {
				path = "/ready"
			}
			return p.health(cmd.Context(), addr, path)
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "address and port of the worker (default SLATE360_ADDR, 127.0.0.1:8360)")
	c.Flags().BoolVar(&ready, "ready", false, "whether it takes jobs, not only whether it lives")
	return c
}

func (p *Program) health(ctx context.Context, addr, path string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return &pipeline.ConfigError{Err: fmt.Errorf("address of the worker: %w", err), Hint: "want host:port, as in SLATE360_ADDR"}
	}
	// What listens on all addresses is asked on this machine's own.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, bytes.TrimSpace(body))
	}
	_, err = fmt.Fprintf(p.Stdout, "%s\n", bytes.TrimSpace(body))
	return err
}
