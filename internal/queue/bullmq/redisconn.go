package bullmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// RedisOptions of DialRedis.
type RedisOptions struct {
	// ClientName is set on connections that block for jobs, by which dashboards
	// find workers (CLIENT LIST); see WorkerClientName.
	ClientName string
	// DialTimeout defaults to 10 s.
	DialTimeout time.Duration
}

// keepAlive is after what time without an answer a connection is asked whether it
// lives. The client's own second would be 170,000 commands a day of an idle worker.
const keepAlive = 15 * time.Second

// leastRedis is the version BullMQ's scripts ask for.
const leastRedis = "6.2.0"

// redisConn is a Conn on a Redis server, cluster or Sentinel group. Commands of
// all goroutines share one connection and are pipelined by the client.
type redisConn struct {
	client rueidis.Client
	o      RedisOptions

	mu   sync.Mutex
	idle []*blocker // connections that block, between two uses
}

// blocker is a connection of its own for blocking commands.
type blocker struct {
	client  rueidis.DedicatedClient
	release func()
}

// DialRedis connects to redis://, rediss:// (TLS), unix:// or redis-sentinel://
// (rediss-sentinel://) with user, password and database as usual in such URLs.
// A cluster is found by itself; ?cluster=true insists on one. A Sentinel URL has
// several hosts, separated by commas, and the master's name in ?master= or as
// the first part of its path. TLS trusts the system's certificates, or those of
// the file ?ca=.
func DialRedis(ctx context.Context, rawURL string, o RedisOptions) (Conn, error) {
	co, err := parseRedisURL(rawURL)
	if err != nil {
		return nil, err
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 10 * time.Second
	}
	co.Dialer.Timeout, co.Dialer.KeepAlive = o.DialTimeout, keepAlive
	co.DisableCache = true
	// Scripts that were perhaps run are not sent again by the client: the queue decides.
	co.DisableRetry = true
	// The defaults are for servers with thousands of commands at once.
	co.ReadBufferEachConn, co.WriteBufferEachConn, co.RingScaleEachConn = 32<<10, 32<<10, 8
	co.BlockingPoolMinSize, co.BlockingPoolSize = 0, 64
	co.ConnWriteTimeout = 30 * time.Second
	co.AlwaysRESP2 = false
	client, err := rueidis.NewClient(co)
	if err != nil {
		return nil, fmt.Errorf("connect to Redis: %w", redacted(err, co))
	}
	c := &redisConn{client: client, o: o}
	if err := c.checkVersion(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return c, nil
}

// redacted keeps the password out of errors of the client.
func redacted(err error, co rueidis.ClientOption) error {
	if co.Password == "" || !strings.Contains(err.Error(), co.Password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), co.Password, "***"))
}

func parseRedisURL(raw string) (rueidis.ClientOption, error) {
	var co rueidis.ClientOption
	u, err := url.Parse(raw)
	if err != nil {
		return co, errors.New("the URL of Redis cannot be read") // the parser's words would show the password
	}
	q := u.Query()
	if u.User != nil {
		co.Username = u.User.Username()
		co.Password, _ = u.User.Password()
		if co.Password == "" && co.Username != "" {
			co.Username, co.Password = "", co.Username // redis://password@host, as some write it
		}
	}
	database := q.Get("db")
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch u.Scheme {
	case "unix":
		co.InitAddress = []string{u.Path}
		co.DialCtxFn = dialUnix(u.Path)
	case "redis", "rediss", "redis-sentinel", "rediss-sentinel":
		port := "6379"
		if strings.HasSuffix(u.Scheme, "-sentinel") {
			port = "26379"
			co.Sentinel.MasterSet = q.Get("master")
			if co.Sentinel.MasterSet == "" {
				co.Sentinel.MasterSet, parts = parts[0], parts[1:]
			}
			if co.Sentinel.MasterSet == "" {
				return co, errors.New("a redis-sentinel:// URL names the master: ?master=mymaster")
			}
			co.Sentinel.Username, co.Sentinel.Password = q.Get("sentinelUsername"), q.Get("sentinelPassword")
		}
		for _, host := range strings.Split(u.Host, ",") {
			co.InitAddress = append(co.InitAddress, withPort(host, port))
		}
		if database == "" && len(parts) > 0 {
			database = parts[0]
		}
	default:
		return co, fmt.Errorf("the URL of Redis begins with %s://: want redis://, rediss://, unix:// or redis-sentinel://", u.Scheme)
	}
	if strings.HasPrefix(u.Scheme, "rediss") {
		co.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: q.Get("servername")}
		if co.TLSConfig.ServerName == "" {
			co.TLSConfig.ServerName = u.Hostname()
		}
		if len(co.InitAddress) > 1 {
			co.TLSConfig.ServerName = "" // each host its own
		}
		if file := q.Get("ca"); file != "" {
			data, err := os.ReadFile(file)
			if err != nil {
				return co, fmt.Errorf("certificates in the URL of Redis: %w", err)
			}
			co.TLSConfig.RootCAs = x509.NewCertPool()
			if !co.TLSConfig.RootCAs.AppendCertsFromPEM(data) {
				return co, fmt.Errorf("there is no certificate in %s", file)
			}
		}
		co.Sentinel.TLSConfig = co.TLSConfig
	}
	if database != "" {
		if co.SelectDB, err = strconv.Atoi(database); err != nil || co.SelectDB < 0 {
			return co, fmt.Errorf("the database in the URL of Redis is no number: %q", database)
		}
	}
	// A database other than 0, and a socket, are of a single server.
	co.ForceSingleClient = co.SelectDB != 0 || u.Scheme == "unix" || q.Get("cluster") == "false"
	return co, nil
}

func withPort(host, port string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":" + port
}

// checkVersion refuses servers that the scripts do not run on.
func (c *redisConn) checkVersion(ctx context.Context) error {
	reply, err := c.Do(ctx, "INFO", "server")
	if err != nil {
		var refused *ReplyError
		if errors.As(err, &refused) && strings.HasPrefix(refused.Msg, "NOPERM") {
			return nil // a user that may not ask; the scripts will tell
		}
		return fmt.Errorf("connect to Redis: %w", err)
	}
	text, _ := reply.(string)
	for line := range strings.Lines(text) {
		version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:")
		if ok && olderThan(version, leastRedis) {
			return fmt.Errorf("the Redis server is of version %s, and BullMQ needs %s or newer", version, leastRedis)
		}
	}
	return nil
}

// olderThan compares versions of numbers and dots.
func olderThan(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.Atoi(as[i])
		y, errY := strconv.Atoi(bs[i])
		if errX != nil || errY != nil || x != y {
			return errX == nil && errY == nil && x < y
		}
	}
	return false
}

// keyAt returns where the key of a command is, which decides the node of a
// cluster that gets it; 0 where it has none.
func keyAt(args []string) int {
	switch args[0] {
	case "INFO", "PING", "PUBLISH", "CLIENT", "SCRIPT", "CONFIG", "COMMAND":
		return 0
	case "EVAL", "EVALSHA":
		return 3
	case "XREAD":
		for i, a := range args {
			if a == "STREAMS" {
				return i + 1
			}
		}
		return 0
	}
	return 1
}

// build makes a command for the client. An argument that is a key goes in as one.
func build(b rueidis.Builder, args []string, blocks bool) rueidis.Completed {
	at := keyAt(args)
	last := at + 1
	if at == 3 && len(args) > at {
		if n, err := strconv.Atoi(args[2]); err == nil && n > 0 && at+n <= len(args) {
			last = at + n
		} else {
			at = 0
		}
	}
	cmd := b.Arbitrary(args[:1]...)
	if at == 0 || at >= len(args) {
		cmd = cmd.Args(args[1:]...)
	} else {
		cmd = cmd.Args(args[1:at]...).Keys(args[at:last]...).Args(args[last:]...)
	}
	if blocks {
		return cmd.Blocking()
	}
	return cmd.Build()
}

func (c *redisConn) Do(ctx context.Context, args ...string) (any, error) {
	return reply(c.client.Do(ctx, build(c.client.B(), args, false)))
}

func (c *redisConn) Eval(ctx context.Context, s *Script, keys, args []string) (any, error) {
	n := strconv.Itoa(len(keys))
	v, err := reply(c.client.Do(ctx, c.client.B().Arbitrary("EVALSHA").Args(s.SHA, n).Keys(keys...).Args(args...).Build()))
	var refused *ReplyError
	if errors.As(err, &refused) && strings.HasPrefix(refused.Msg, "NOSCRIPT") {
		return reply(c.client.Do(ctx, c.client.B().Arbitrary("EVAL").Args(s.Source, n).Keys(keys...).Args(args...).Build()))
	}
	return v, err
}

// slotConn runs scripts on a connection of its own.
type slotConn struct {
	*redisConn
	client  rueidis.DedicatedClient
	release func()
}

// Own returns a Conn whose scripts have a connection of their own: with few
// callers at once that costs less than sharing one, where a goroutine writes and
// another reads for all. Its Close leaves the rest open.
func (c *redisConn) Own() Conn {
	client, release := c.client.Dedicate()
	return &slotConn{redisConn: c, client: client, release: release}
}

func (c *slotConn) Eval(ctx context.Context, s *Script, keys, args []string) (any, error) {
	n := strconv.Itoa(len(keys))
	v, err := reply(c.client.Do(ctx, c.client.B().Arbitrary("EVALSHA").Args(s.SHA, n).Keys(keys...).Args(args...).Build()))
	var refused *ReplyError
	if err == nil || errors.As(err, &refused) && !strings.HasPrefix(refused.Msg, "NOSCRIPT") {
		return v, err
	}
	return c.redisConn.Eval(ctx, s, keys, args)
}

func (c *slotConn) Close() error {
	c.release()
	return nil
}

func (c *redisConn) Batch(ctx context.Context, batch [][]string) ([]any, error) {
	built := make([]rueidis.Completed, len(batch))
	for i, args := range batch {
		built[i] = build(c.client.B(), args, false)
	}
	replies := make([]any, len(batch))
	for i, r := range c.client.DoMulti(ctx, built...) {
		v, err := reply(r)
		var refused *ReplyError
		switch {
		case errors.As(err, &refused):
			v = refused
		case err != nil:
			return nil, err
		}
		replies[i] = v
	}
	return replies, nil
}

func (c *redisConn) Block(ctx context.Context, args ...string) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := c.blocker(ctx)
	if err != nil {
		return nil, err
	}
	// A command given up must not take what comes later: its connection goes.
	stop := context.AfterFunc(ctx, b.client.Close)
	v, err := reply(b.client.Do(context.WithoutCancel(ctx), build(b.client.B(), args, true)))
	whole := stop()
	var refused *ReplyError
	if !whole || err != nil && !errors.As(err, &refused) {
		if whole {
			b.client.Close()
		}
		b.release()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, b)
	return v, err
}

// blocker returns a connection that nobody blocks on.
func (c *redisConn) blocker(ctx context.Context) (*blocker, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		b := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return b, nil
	}
	c.mu.Unlock()
	client, release := c.client.Dedicate()
	if c.o.ClientName != "" {
		_, err := reply(client.Do(ctx, client.B().Arbitrary("CLIENT").Args("SETNAME", c.o.ClientName).Build()))
		var refused *ReplyError // some services have no CLIENT; then nobody finds workers by it
		if err != nil && !errors.As(err, &refused) {
			client.Close()
			release()
			return nil, err
		}
	}
	return &blocker{client: client, release: release}, nil
}

func (c *redisConn) Subscribe(ctx context.Context, channel string, ready func(), f func(message string)) error {
	confirmed := rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" && ready != nil {
			ready()
		}
	})
	err := c.client.Receive(confirmed, c.client.B().Subscribe().Channel(channel).Build(), func(m rueidis.PubSubMessage) { f(m.Message) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (c *redisConn) Close() error {
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, b := range idle {
		b.client.Close()
		b.release()
	}
	c.client.Close()
	return nil
}

// reply turns a reply of the client into the shapes of Conn.
func reply(r rueidis.RedisResult) (any, error) {
	m, err := r.ToMessage()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		if refused, ok := rueidis.IsRedisErr(err); ok {
			return nil, &ReplyError{Msg: refused.Error()}
		}
		return nil, err
	}
	return message(m)
}

func message(m rueidis.RedisMessage) (any, error) {
	switch {
	case m.IsNil():
		return nil, nil
	case m.IsInt64():
		return m.ToInt64()
	case m.IsArray():
		values, err := m.ToArray()
		if err != nil {
			return nil, err
		}
		out := make([]any, len(values))
		for i := range values {
			if out[i], err = message(values[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case m.IsMap():
		pairs, err := m.ToMap()
		if err != nil {
			return nil, err
		}
		out := make([]any, 0, 2*len(pairs))
		for k, v := range pairs {
			value, err := message(v)
			if err != nil {
				return nil, err
			}
			out = append(out, k, value)
		}
		return out, nil
	case m.IsFloat64():
		x, err := m.ToFloat64()
		return strconv.FormatFloat(x, 'f', -1, 64), err
	case m.IsBool():
		b, err := m.ToBool()
		if b {
			return int64(1), err
		}
		return int64(0), err
	}
	s, err := m.ToString()
	if refused, ok := rueidis.IsRedisErr(err); ok {
		return nil, &ReplyError{Msg: refused.Error()}
	}
	return s, err
}
