package bullmq

import (
	"context"
	"crypto/tls"
	"net"
)

// dialUnix connects to a socket, whatever address is asked for.
func dialUnix(path string) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, _ string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}
}
