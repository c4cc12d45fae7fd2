package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/server/viewer"
)

func (p *Program) viewCommand() *cobra.Command {
	var addr string
	c := &cobra.Command{
		Use:     "view DIR",
		Short:   "Look at a result folder in the browser",
		Long:    "Serves a result folder with the 3D viewer: meshes, point clouds, 3D Tiles, height\nmodels. It listens on this machine only unless --addr says otherwise.",
		Example: "  " + Name + " view out/\n  " + Name + " view out/ --addr 127.0.0.1:0",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := load()
			if err != nil {
				return err
			}
			if addr == "" {
				addr = c.Addr
			}
			return p.view(cmd.Context(), args[0], addr)
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "address and port to listen on (default SLATE360_ADDR, 127.0.0.1:8360)")
	return c
}

// shutdownTimeout is how long requests may go on after an interrupt.
const shutdownTimeout = 500 * time.Millisecond

func (p *Program) view(ctx context.Context, dir, addr string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", dir)
	}
	if err != nil {
		return pipeline.BadInput(err, "")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return &pipeline.ConfigError{Err: fmt.Errorf("listen: %w", err), Hint: "choose another address with --addr; port 0 is any that is free"}
	}
	tcp, _ := listener.Addr().(*net.TCPAddr)
	handler, err := viewer.New(dir, tcp != nil && tcp.IP.IsLoopback())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer handler.Close()
	fmt.Fprintf(p.Stdout, "%s is at http://%s/ (Ctrl-C ends)\n", dir, listener.Addr())
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		_ = srv.Close() // cuts off what would not end
	}
	if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
