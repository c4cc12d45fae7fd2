package testservices

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Upstash is an HTTP front of a Redis server that follows the protocol that
// Upstash publishes (upstash.com/docs/redis/features/restapi): commands as JSON
// arrays or in the path, /pipeline, /multi-exec, base64 on request. Blocking
// commands are refused.
type Upstash struct {
	URL, Token string
	Requests   atomic.Int64
	addr       string

	mu   sync.Mutex
	idle []*upstream // between two requests
}

// upstream is a connection to the Redis server.
type upstream struct {
	net.Conn
	r *bufio.Reader
}

// NewUpstash starts a front of a Redis server.
func NewUpstash(t testing.TB, redis *RedisServer) *Upstash {
	t.Helper()
	u := &Upstash{Token: "token", addr: redis.Addr()}
	srv := httptest.NewServer(u)
	t.Cleanup(func() {
		srv.Close()
		for c := u.take(); c != nil; c = u.take() {
			c.Close()
		}
	})
	u.URL = srv.URL
	return u
}

// take returns a connection that nobody uses, or nil.
func (u *Upstash) take() *upstream {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.idle) == 0 {
		return nil
	}
	c := u.idle[len(u.idle)-1]
	u.idle = u.idle[:len(u.idle)-1]
	return c
}

// give lets others use a connection.
func (u *Upstash) give(c *upstream) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.idle = append(u.idle, c)
}

func (u *Upstash) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.Requests.Add(1)
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "Bearer "+u.Token {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"Unauthorized"}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	base64ed := r.Header.Get("Upstash-Encoding") == "base64"
	answer := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client may have gone
	}
	var batch [][]any
	many := r.URL.Path == "/pipeline" || r.URL.Path == "/multi-exec"
	switch {
	case many:
		err = json.Unmarshal(body, &batch)
	case r.URL.Path == "/":
		batch = make([][]any, 1)
		err = json.Unmarshal(body, &batch[0])
	default:
		var cmd []any
		for part := range strings.SplitSeq(strings.Trim(r.URL.Path, "/"), "/") {
			cmd = append(cmd, part)
		}
		if len(body) > 0 {
			cmd = append(cmd, string(body))
		}
		batch = [][]any{cmd}
	}
	if err != nil || len(batch) == 0 {
		answer(http.StatusBadRequest, map[string]string{"error": "ERR failed to parse command"})
		return
	}
	if r.URL.Path == "/multi-exec" {
		batch = append(append([][]any{{"MULTI"}}, batch...), []any{"EXEC"})
	}
	replies, err := u.run(batch, base64ed)
	if err != nil {
		answer(http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	if r.URL.Path == "/multi-exec" {
		last := replies[len(replies)-1]
		list, ok := last["result"].([]any)
		if !ok {
			answer(http.StatusBadRequest, last)
			return
		}
		var out []map[string]any
		for _, v := range list {
			if e, isError := v.(redisError); isError {
				out = append(out, map[string]any{"error": string(e)})
				continue
			}
			out = append(out, map[string]any{"result": v})
		}
		answer(http.StatusOK, out)
		return
	}
	if many {
		answer(http.StatusOK, replies)
		return
	}
	status := http.StatusOK
	if _, failed := replies[0]["error"]; failed {
		status = http.StatusBadRequest
	}
	answer(status, replies[0])
}

// run sends commands over a connection that nobody else uses meanwhile.
func (u *Upstash) run(batch [][]any, encode bool) ([]map[string]any, error) {
	var out strings.Builder
	for _, cmd := range batch {
		name := strings.ToUpper(fmt.Sprint(cmd[0]))
		if name == "BZPOPMIN" || name == "SUBSCRIBE" || name == "BLPOP" {
			return nil, fmt.Errorf("ERR command is not available over REST: %s", name)
		}
		fmt.Fprintf(&out, "*%d\r\n", len(cmd))
		for _, a := range cmd {
			s, ok := a.(string)
			if !ok {
				data, err := json.Marshal(a)
				if err != nil {
					return nil, err
				}
				s = string(data)
			}
			fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(s), s)
		}
	}
	conn := u.take()
	if conn == nil {
		c, err := net.Dial("tcp", u.addr)
		if err != nil {
			return nil, err
		}
		conn = &upstream{Conn: c, r: bufio.NewReader(c)}
	}
	if _, err := io.WriteString(conn, out.String()); err != nil {
		conn.Close()
		return nil, err
	}
	replies := make([]map[string]any, len(batch))
	for i := range batch {
		v, err := readReply(conn.r, encode)
		if err != nil {
			conn.Close()
			return nil, err
		}
		if e, ok := v.(redisError); ok {
			replies[i] = map[string]any{"error": string(e)}
			continue
		}
		replies[i] = map[string]any{"result": v}
	}
	u.give(conn)
	return replies, nil
}

// redisError is an error reply.
type redisError string

// readReply reads a reply of RESP2; texts are encoded where asked, statuses never.
func readReply(r *bufio.Reader, encode bool) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return redisError(rest), nil
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		buf := make([]byte, n+2)
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, err
		}
		if encode {
			return base64.StdEncoding.EncodeToString(buf[:n]), nil
		}
		return string(buf[:n]), nil
	case '*':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, err
		}
		list := make([]any, n)
		for i := range list {
			if list[i], err = readReply(r, encode); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("unexpected reply %q", line)
}
