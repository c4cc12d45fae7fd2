package supabase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"slate360.ai/worker/internal/record"
)

// request is one request to the table.
type request struct {
	method string
	query  url.Values
	prefer string
	body   any
	// total, where not nil, gets the number of rows that Content-Range names.
	total *int64
}

// refusal is an answer that is no success, as PostgREST and the gateway write it
// (https://docs.postgrest.org/en/stable/references/errors.html).
type refusal struct {
	Status  int    `json:"-"`
	Code    string `json:"code"` // a SQLSTATE or PGRST…
	Message string `json:"message"`
	Details any    `json:"details"`
	Hint    any    `json:"hint"`
}

// Error implements error.
func (r *refusal) Error() string {
	s := fmt.Sprintf("answer %d %s", r.Status, http.StatusText(r.Status))
	for _, part := range []any{r.Code, r.Message, r.Details, r.Hint} {
		if text, ok := part.(string); ok && text != "" {
			s += ": " + shorten(text)
		}
	}
	return s
}

// do sends a request and reads the rows of its answer into rows, if not nil.
func (s *Store) do(ctx context.Context, r request, rows any) error {
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("%w: encode: %w", record.ErrPermanent, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, s.table+"?"+r.query.Encode(), body)
	if err != nil {
		return fmt.Errorf("%w: %w", record.ErrPermanent, s.redact(err))
	}
	req.Header.Set("apikey", s.key)
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.prefer != "" {
		req.Header.Set("Prefer", r.prefer)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return s.redact(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", s.redact(err))
	case len(data) > maxAnswer:
		return fmt.Errorf("%w: the answer is larger than %d MiB", record.ErrPermanent, maxAnswer>>20)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return s.refused(res.StatusCode, data)
	case r.total != nil:
		_, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/")
		if *r.total, err = strconv.ParseInt(total, 10, 64); err != nil {
			return fmt.Errorf("the answer does not say how many rows there are: Content-Range %.40q", res.Header.Get("Content-Range"))
		}
		return nil
	case rows == nil:
		return nil
	}
	if err := json.Unmarshal(data, rows); err != nil {
		return fmt.Errorf("the answer is no list of rows (is SUPABASE_URL right?): %w", err)
	}
	return nil
}

// refused explains an answer that is no success.
func (s *Store) refused(status int, data []byte) error {
	e := refusal{}
	if err := json.Unmarshal(data, &e); err != nil {
		e = refusal{Message: string(data)}
	}
	e.Status = status
	e.Message = strings.ReplaceAll(e.Message, s.key, "[key]")
	switch {
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		e.Code == "25006": // a replica that is about to become the primary
		return &e
	case e.Code == "22P02": // bad value: List decides
		return fmt.Errorf("%w: %w", record.ErrPermanent, &e)
	case status == http.StatusNotFound, e.Code == "42P01", e.Code == "42703", e.Code == "PGRST204":
		return fmt.Errorf("%w: the table %s is missing or old (or SUPABASE_URL is wrong): run `slate360-worker install schema` and give its SQL to the database: %w",
			record.ErrPermanent, record.Table, &e)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: check SUPABASE_SERVICE_ROLE_KEY: %w", record.ErrPermanent, &e)
	}
	return fmt.Errorf("%w: %w", record.ErrPermanent, &e)
}

// redact takes the URL, whose query holds nothing that helps, out of an error of
// the client.
func (s *Store) redact(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// shorten keeps an answer of any size out of logs.
func shorten(text string) string {
	const most = 300
	text = strings.ToValidUTF8(text, "\ufffd")
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
