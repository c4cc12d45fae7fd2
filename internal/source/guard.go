package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// guard keeps requests for users' URLs out of the networks we run in: each
// address that a host name resolves to is looked at, and exactly that address is
// dialed, so that a name cannot change its mind in between (DNS rebinding).
type guard struct {
	names    map[string]bool // hosts, and host:port
	networks []netip.Prefix
	resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
}

// newGuard allows the private addresses of the hosts, host:ports and networks named.
func newGuard(allow []string) (*guard, error) {
	g := &guard{names: map[string]bool{}, resolver: net.DefaultResolver}
	for _, a := range allow {
		a = strings.ToLower(strings.TrimSpace(a))
		if strings.Contains(a, "/") {
			p, err := netip.ParsePrefix(a)
			if err != nil {
				return nil, fmt.Errorf("network %q: %w", a, err)
			}
			g.networks = append(g.networks, p)
			continue
		}
		g.names[a] = true
	}
	return g, nil
}

// reserved are the networks that are nobody's on the Internet (IANA special-purpose
// address registries), beside those that netip knows by name.
func reserved() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// public tells whether an address is one of the Internet. Addresses that carry an
// IPv4 address (mapped, NAT64, 6to4) are judged by that.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		b := a.As16()
		switch {
		case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a):
			return public(netip.AddrFrom4([4]byte(b[12:])))
		case netip.MustParsePrefix("2002::/16").Contains(a):
			return public(netip.AddrFrom4([4]byte(b[2:6])))
		}
	}
	if !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return false
	}
	for _, p := range reserved() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// allowed tells whether an address may be dialed for a host and port.
func (g *guard) allowed(a netip.Addr, host, port string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if public(a) || g.names[host] || g.names[net.JoinHostPort(host, port)] {
		return true
	}
	for _, p := range g.networks {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// dial connects to the first address of a host that may be dialed and answers.
func (g *guard) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	d.Timeout = 15 * time.Second
	var errs []error
	for _, a := range addrs {
		if !g.allowed(a, host, port) {
			errs = append(errs, fmt.Errorf("%w: %s is %s", ErrForbiddenAddress, host, a))
			continue
		}
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// maximalRedirects is how many redirects are followed.
const maximalRedirects = 10

// client returns an HTTP client that dials through the guard, directly: a proxy
// would resolve names itself.
func (g *guard) client() *http.Client {
	t := &http.Transport{
		DialContext: g.dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 15 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second, IdleConnTimeout: 60 * time.Second, MaxIdleConnsPerHost: 16,
		DisableCompression: true, MaxResponseHeaderBytes: 1 << 20,
	}
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) >= maximalRedirects {
			return &FetchError{Err: fmt.Errorf("more than %d redirects", maximalRedirects)}
		}
		if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
			return &FetchError{Err: errors.New("it redirects from https to " + req.URL.Scheme)}
		}
		if err := checkScheme(req.URL); err != nil {
			return &FetchError{Err: fmt.Errorf("it redirects: %w", err)}
		}
		return nil
	}}
}

func checkScheme(u *url.URL) error {
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return fmt.Errorf("want an address that begins with https:// or s3://, got %q", u.Scheme+"://"+u.Host)
	}
	return nil
}
