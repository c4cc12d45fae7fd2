package testservices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PostgREST is a front of a PostgreSQL server that speaks as much of PostgREST's
// protocol as clients of one table need (docs.postgrest.org): reading with filters,
// order and range, insertion, update, deletion. It is itself checked with
// supabase-js.
type PostgREST struct {
	// URL is that of the project: tables lie below /rest/v1/.
	URL, Key string
	Faults   *Faults
	db       *pgxpool.Pool
}

// NewPostgREST starts a front of a database.
func NewPostgREST(t testing.TB, database string) *PostgREST {
	t.Helper()
	db, err := pgxpool.New(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	p := &PostgREST{Key: "service-role-key", db: db}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.Faults = NewFaults(t, srv.URL, true)
	p.URL = p.Faults.URL
	return p
}

func (p *PostgREST) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("apikey") != p.Key {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"message": "Invalid API key", "hint": "Double check your API key."})
		return
	}
	table, ok := strings.CutPrefix(r.URL.Path, "/rest/v1/")
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	rows, err := p.query(r, pgx.Identifier{table}.Sanitize(), body)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if strings.Contains(r.Header.Get("Prefer"), "count=exact") && r.Method == http.MethodGet {
		total, err := p.count(r, pgx.Identifier{table}.Sanitize())
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("*/%d", total))
	}
	minimal := strings.Contains(r.Header.Get("Prefer"), "return=minimal") || r.Method != http.MethodGet && !strings.Contains(r.Header.Get("Prefer"), "return=representation")
	if strings.Contains(r.Header.Get("Accept"), "application/vnd.pgrst.object+json") {
		var list []json.RawMessage
		if json.Unmarshal(rows, &list) != nil || len(list) != 1 {
			w.WriteHeader(http.StatusNotAcceptable)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"code": "PGRST116", "message": "Cannot coerce the result to a single JSON object", "details": fmt.Sprintf("The result contains %d rows", len(list)),
			})
			return
		}
		rows = list[0]
	}
	switch {
	case minimal && r.Method == http.MethodPost:
		w.WriteHeader(http.StatusCreated)
	case minimal:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		fallthrough
	default:
		_, _ = w.Write(rows) // the client may have gone
	}
}

func refuse(w http.ResponseWriter, err error) {
	status, answer := http.StatusBadRequest, map[string]any{"message": err.Error(), "code": "PGRST100", "details": nil, "hint": nil}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		answer["code"], answer["message"], answer["details"], answer["hint"] = pg.Code, pg.Message, pg.Detail, pg.Hint
		switch pg.Code {
		case "42P01":
			status = http.StatusNotFound
		case "23505", "23503":
			status = http.StatusConflict
		case "42501":
			status = http.StatusForbidden
		}
	} else if !strings.HasPrefix(err.Error(), "parse") {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// count returns how many rows a request would have without its limit.
func (p *PostgREST) count(r *http.Request, table string) (n int64, err error) {
	where, args, err := conditions(r.URL.Query())
	if err != nil {
		return 0, err
	}
	err = p.db.QueryRow(r.Context(), "SELECT COUNT(*) FROM "+table+where, args...).Scan(&n)
	return n, err
}

// query runs a request and returns the rows as a JSON array.
func (p *PostgREST) query(r *http.Request, table string, body []byte) ([]byte, error) {
	q := r.URL.Query()
	columns := "*"
	if s := q.Get("select"); s != "" && s != "*" {
		columns = identifiers(strings.Split(s, ","))
	}
	where, args, err := conditions(q)
	if err != nil {
		return nil, err
	}
	var statement string
	switch r.Method {
	case http.MethodGet:
		statement = "SELECT " + columns + " FROM " + table + where + order(q.Get("order"))
		for name, word := range map[string]string{"limit": " LIMIT ", "offset": " OFFSET "} {
			if n, err := strconv.Atoi(q.Get(name)); err == nil {
				statement += word + strconv.Itoa(n)
			}
		}
	case http.MethodDelete:
		statement = "DELETE FROM " + table + where + " RETURNING " + columns
	case http.MethodPatch:
		names, err := keysOf(body)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return []byte("[]"), nil
		}
		args = append(args, string(body))
		statement = fmt.Sprintf("UPDATE %s SET (%s) = (SELECT %s FROM json_populate_record(NULL::%s, $%d::json)) ", table,
			identifiers(names), identifiers(names), table, len(args))
		if len(names) == 1 {
			statement = fmt.Sprintf("UPDATE %s SET %s = (SELECT %s FROM json_populate_record(NULL::%s, $%d::json)) ", table,
				identifiers(names), identifiers(names), table, len(args))
		}
		statement += where + " RETURNING " + columns
	case http.MethodPost:
		if len(body) > 0 && body[0] != '[' {
			body = append(append([]byte{'['}, body...), ']')
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(body, &rows); err != nil || len(rows) == 0 {
			return nil, errors.New("parse: the body is no row")
		}
		names, err := keysOf(rows[0])
		if err != nil {
			return nil, err
		}
		args = []any{string(body)}
		statement = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM json_populate_recordset(NULL::%s, $1::json)", table,
			identifiers(names), identifiers(names), table)
		if strings.Contains(r.Header.Get("Prefer"), "resolution=ignore-duplicates") {
			statement += " ON CONFLICT DO NOTHING"
		}
		statement += " RETURNING " + columns
	default:
		return nil, errors.New("parse: method " + r.Method)
	}
	var out []byte
	err = p.db.QueryRow(r.Context(), "WITH rows AS ("+statement+") SELECT COALESCE(json_agg(rows), '[]')::text FROM rows", args...).Scan(&out)
	return out, err
}

func keysOf(row []byte) ([]string, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(row, &m); err != nil {
		return nil, errors.New("parse: the body is no row")
	}
	var names []string
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names, nil
}

func identifiers(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pgx.Identifier{strings.TrimSpace(n)}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}

func order(text string) string {
	if text == "" {
		return ""
	}
	var parts []string
	for _, p := range strings.Split(text, ",") {
		name, how, _ := strings.Cut(p, ".")
		words := map[string]string{"desc": " DESC", "asc": "", "nullslast": " NULLS LAST", "nullsfirst": " NULLS FIRST"}
		part := pgx.Identifier{name}.Sanitize()
		for _, w := range strings.Split(how, ".") {
			part += words[w]
		}
		parts = append(parts, part)
	}
	return " ORDER BY " + strings.Join(parts, ", ")
}

// conditions turns column=operator.value into a WHERE.
func conditions(q url.Values) (string, []any, error) {
	var all []string
	var args []any
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range q {
			if !yield(k) {
				return
			}
		}
	}) {
		switch name {
		case "select", "order", "limit", "offset", "on_conflict", "columns":
			continue
		}
		for _, v := range q[name] {
			if name == "or" {
				c, err := anyOf(v, " OR ", &args)
				if err != nil {
					return "", nil, err
				}
				all = append(all, c)
				continue
			}
			c, err := condition(name, v, &args)
			if err != nil {
				return "", nil, err
			}
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(all, " AND "), args, nil
}

// anyOf turns (column.operator.value,and(…),…) into conditions joined by a word.
func anyOf(list, word string, args *[]any) (string, error) {
	var parts []string
	for _, part := range splitList(list) {
		var (
			c   string
			err error
		)
		if nested, ok := strings.CutPrefix(part, "and("); ok {
			c, err = anyOf("("+nested, " AND ", args)
		} else {
			column, rest, _ := strings.Cut(part, ".")
			c, err = condition(column, rest, args)
		}
		if err != nil {
			return "", err
		}
		parts = append(parts, c)
	}
	return "(" + strings.Join(parts, word) + ")", nil
}

func condition(column, text string, args *[]any) (string, error) {
	op, value, ok := strings.Cut(text, ".")
	if !ok {
		return "", fmt.Errorf("parse: filter %q", text)
	}
	if op == "not" {
		c, err := condition(column, value, args)
		return "NOT (" + c + ")", err
	}
	name := pgx.Identifier{column}.Sanitize()
	switch op {
	case "is":
		return name + " IS " + map[string]string{"null": "NULL", "true": "TRUE", "false": "FALSE"}[value], nil
	case "in":
		var places []string
		for _, v := range splitList(value) {
			*args = append(*args, unquote(v))
			places = append(places, fmt.Sprintf("$%d", len(*args)))
		}
		return name + "::text IN (" + strings.Join(places, ", ") + ")", nil
	}
	sign := map[string]string{"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "ilike": "ILIKE"}[op]
	if sign == "" {
		return "", fmt.Errorf("parse: operator %q", op)
	}
	// The value is read as the column's type, as PostgREST does.
	*args = append(*args, unquote(value))
	return fmt.Sprintf("%s %s $%d", name, sign, len(*args)), nil
}

// splitList splits (a,"b,c",d).
func splitList(s string) []string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "("), ")")
	var parts []string
	start, depth, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '(' && !quoted:
			depth++
		case s[i] == ')' && !quoted:
			depth--
		case s[i] == ',' && !quoted && depth == 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1 : len(s)-1])
}
