package bullmq

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// RESTOptions of DialREST.
type RESTOptions struct {
	// Client defaults to one of the connection's own, with a timeout of 30 s.
	Client *http.Client
}

// restConn is a Conn over Upstash's REST interface (upstash.com/docs/redis/
// features/restapi). It has no blocking commands: a queue on it is polled, an idle
// one every 10 s, which is 8,640 requests a day, and 289 more that look for stalled
// jobs. A job costs one request, and one for each progress it reports.
//
// Requests are not repeated where the server may have carried them out: a job
// that was taken by an answer that got lost stalls, and comes back.
type restConn struct {
	url, token string
	client     *http.Client

	mu    sync.Mutex
	plain map[string]*Script // by SHA and the places of packed arguments
}

// DialREST returns a connection to Upstash at a URL, with the token of the
// database. Nothing is sent before it is used.
func DialREST(url, token string, o RESTOptions) (Conn, error) {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return nil, errors.New("the URL of Upstash begins with https://")
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 30 * time.Second}
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			o.Client.Transport = t.Clone() // Close closes the connections of nobody else
		}
	}
	return &restConn{url: strings.TrimRight(url, "/"), token: token, client: o.Client, plain: map[string]*Script{}}, nil
}

// answer is one reply of the interface; texts are in base64.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// answerLimit bounds a reply, in bytes.
const answerLimit = 256 << 20

// post sends a body and reads the reply into v.
func (c *restConn) post(ctx context.Context, path string, body, v any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("upstash: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(data))
	if err != nil {
		return errors.New("upstash: the URL cannot be used")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Upstash-Encoding", "base64")
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("upstash: %w", err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("upstash: %w", err)
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return &ReplyError{Msg: "WRONGPASS Upstash refuses the token (UPSTASH_REDIS_REST_TOKEN)"}
	}
	if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("upstash: it answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if err := json.Unmarshal(reply, v); err != nil {
		return fmt.Errorf("upstash: its answer (%d) cannot be read: %w", resp.StatusCode, err)
	}
	return nil
}

// decode turns a reply into the shapes of Conn.
func (a answer) decode() (any, error) {
	if a.Error != "" {
		return nil, &ReplyError{Msg: a.Error}
	}
	return decodeResult(a.Result)
}

func decodeResult(raw json.RawMessage) (any, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, nil
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		if s == "OK" {
			return s, nil // statuses are not encoded
		}
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return s, nil //nolint:nilerr // a status
		}
		return string(b), nil
	case raw[0] == '[':
		var parts []json.RawMessage
		if err := json.Unmarshal(raw, &parts); err != nil {
			return nil, err
		}
		out := make([]any, len(parts))
		for i, p := range parts {
			var err error
			if out[i], err = decodeResult(p); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, fmt.Errorf("upstash: unexpected result %.40s", raw)
	}
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	return n.String(), nil
}

func (c *restConn) Do(ctx context.Context, args ...string) (any, error) {
	var a answer
	if err := c.post(ctx, "/", args, &a); err != nil {
		return nil, err
	}
	return a.decode()
}

// textual tells whether JSON carries an argument as it is.
func textual(s string) bool { return utf8.ValidString(s) }

// unpacking is what is put in front of a script some of whose arguments JSON
// cannot carry: they come in hexadecimal.
const unpacking = `for _, i in ipairs({%s}) do ARGV[i] = (ARGV[i]:gsub('%%x%%x', function(h) return string.char(tonumber(h, 16)) end)) end
`

// carried returns a script and arguments that JSON can carry.
func (c *restConn) carried(s *Script, args []string) (*Script, []string) {
	var places []string
	out := args
	for i, a := range args {
		if textual(a) {
			continue
		}
		if len(places) == 0 {
			out = append([]string{}, args...)
		}
		places = append(places, itoa(i+1))
		out[i] = hex.EncodeToString([]byte(a))
	}
	if len(places) == 0 {
		return s, args
	}
	key := s.SHA + ":" + strings.Join(places, ",")
	c.mu.Lock()
	defer c.mu.Unlock()
	with, ok := c.plain[key]
	if !ok {
		source := fmt.Sprintf(unpacking, strings.Join(places, ", ")) + s.Source
		sum := sha1.Sum([]byte(source)) //nolint:gosec // Redis names scripts by it
		with = &Script{Name: s.Name, Source: source, SHA: hex.EncodeToString(sum[:]), Keys: s.Keys}
		c.plain[key] = with
	}
	return with, out
}

func (c *restConn) Eval(ctx context.Context, s *Script, keys, args []string) (any, error) {
	s, args = c.carried(s, args)
	rest := append(append([]string{itoa(len(keys))}, keys...), args...)
	v, err := c.Do(ctx, append([]string{"EVALSHA", s.SHA}, rest...)...)
	var refused *ReplyError
	if errors.As(err, &refused) && strings.HasPrefix(refused.Msg, "NOSCRIPT") {
		return c.Do(ctx, append([]string{"EVAL", s.Source}, rest...)...)
	}
	return v, err
}

// Batch is of Conn. A transaction goes as one; scripts in a batch have to be sent
// by name, so that those with packed arguments are sent whole.
func (c *restConn) Batch(ctx context.Context, cmds [][]string) ([]any, error) {
	if len(cmds) == 0 {
		return nil, nil
	}
	path := "/pipeline"
	whole := cmds[0][0] == "MULTI"
	if whole {
		path, cmds = "/multi-exec", cmds[1:len(cmds)-1]
	}
	sent := make([][]string, len(cmds))
	for i, cmd := range cmds {
		sent[i] = c.batched(cmd)
	}
	// A transaction that is refused is an object, all else a list.
	var raw json.RawMessage
	if err := c.post(ctx, path, sent, &raw); err != nil {
		return nil, err
	}
	var list []answer
	if err := json.Unmarshal(raw, &list); err != nil {
		var one answer
		if json.Unmarshal(raw, &one) == nil && one.Error != "" {
			return nil, &ReplyError{Msg: one.Error}
		}
		return nil, fmt.Errorf("upstash: its answer cannot be read: %w", err)
	}
	replies := make([]any, len(list))
	for i, a := range list {
		v, err := a.decode()
		var refused *ReplyError
		switch {
		case errors.As(err, &refused):
			v = refused
		case err != nil:
			return nil, err
		}
		replies[i] = v
	}
	if whole {
		return []any{replies}, nil
	}
	return replies, nil
}

// batched makes a command one that JSON can carry. Scripts are remembered when
// they are loaded, so that their source is at hand.
func (c *restConn) batched(cmd []string) []string {
	switch {
	case len(cmd) == 3 && cmd[0] == "SCRIPT" && cmd[1] == "LOAD":
		sum := sha1.Sum([]byte(cmd[2])) //nolint:gosec // Redis names scripts by it
		sha := hex.EncodeToString(sum[:])
		c.mu.Lock()
		c.plain[sha] = &Script{Source: cmd[2], SHA: sha}
		c.mu.Unlock()
	case cmd[0] == "EVALSHA":
		c.mu.Lock()
		s := c.plain[cmd[1]]
		c.mu.Unlock()
		n := 0
		if _, err := fmt.Sscan(cmd[2], &n); err != nil || s == nil || 3+n > len(cmd) {
			return cmd
		}
		with, args := c.carried(s, cmd[3+n:])
		if with == s {
			return cmd
		}
		return append(append([]string{"EVAL", with.Source}, cmd[2:3+n]...), args...)
	}
	return cmd
}

func (c *restConn) Block(context.Context, ...string) (any, error) { return nil, ErrNoBlocking }

func (c *restConn) Subscribe(context.Context, string, func(), func(string)) error {
	return ErrNoBlocking
}

func (c *restConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}
