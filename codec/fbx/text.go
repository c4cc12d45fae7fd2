package fbx

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// textReader reads the ASCII form: names with colons, values between commas, and
// braces around what lies within.
type textReader struct {
	text  string
	at    int
	line  int
	nodes int
}

func parseText(data []byte) (*record, error) {
	r := &textReader{text: string(data), line: 1}
	root := &record{}
	if err := r.list(root, 0); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line, err)
	}
	if v := root.path("FBXHeaderExtension", "FBXVersion"); v != nil && v.integer(0) < 7000 {
		return nil, fmt.Errorf("version %d; 7.0 and newer can be read: save the model anew", v.integer(0))
	}
	return root, nil
}

// space passes over blanks and comments; newlines too where they do not matter.
func (r *textReader) space(lines bool) {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '\n':
			if !lines {
				return
			}
			r.line++
		case c == ';':
			for r.at < len(r.text) && r.text[r.at] != '\n' {
				r.at++
			}
			continue
		case c != ' ' && c != '\t' && c != '\r':
			return
		}
		r.at++
	}
}

func (r *textReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *textReader) list(into *record, depth int) error {
	for {
		r.space(true)
		switch r.peek() {
		case 0:
			if depth > 0 {
				return errShort
			}
			return nil
		case '}':
			if depth == 0 {
				return errors.New("a brace that closes nothing")
			}
			r.at++
			return nil
		}
		if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
			return fmt.Errorf("more than %d records, or nested deeper than %d", maxNodes, maxDepth)
		}
		colon := strings.IndexAny(r.text[r.at:], ":\n")
		if colon < 0 || r.text[r.at+colon] != ':' {
			return errors.New("a name without a colon")
		}
		n := &record{name: strings.TrimSpace(r.text[r.at : r.at+colon])}
		r.at += colon + 1
		if err := r.values(n, depth); err != nil {
			return err
		}
		into.children = append(into.children, n)
	}
}

// values reads what follows a name: numbers and strings between commas, which may
// go on in the next line after a comma, and a block.
func (r *textReader) values(n *record, depth int) error {
	var numbers []float64
	whole := true
	finish := func() {
		if n.name == "a" {
			if whole {
				out := make([]int64, len(numbers))
				for i, v := range numbers {
					out[i] = int64(v)
				}
				n.values = append(n.values, out, numbers)
				return
			}
			n.values = append(n.values, numbers)
		}
	}
	after := false // a comma came last
	for {
		r.space(after)
		switch r.peek() {
		case 0, '\n', '}':
			finish()
			return nil
		case '{':
			r.at++
			if err := r.list(n, depth+1); err != nil {
				return err
			}
			// An array is a block of one: its numbers are the values.
			if len(n.children) == 1 && n.children[0].name == "a" {
				n.values, n.children = n.children[0].values, nil
			}
			return nil
		case ',':
			r.at++
			after = true
			continue
		case '"':
			end := strings.IndexByte(r.text[r.at+1:], '"')
			if end < 0 {
				return errors.New("a string without its end")
			}
			s := r.text[r.at+1 : r.at+1+end]
			r.line += strings.Count(s, "\n")
			n.values = append(n.values, s)
			r.at += end + 2
		default:
			end := strings.IndexAny(r.text[r.at:], ", \t\r\n{}")
			if end < 0 {
				end = len(r.text) - r.at
			}
			word := r.text[r.at : r.at+end]
			r.at += max(end, 1)
			v, err := strconv.ParseFloat(word, 64)
			switch {
			case n.name == "a":
				if err != nil {
					return fmt.Errorf("%.40q is not a number", word)
				}
				whole = whole && v == float64(int64(v))
				numbers = append(numbers, v)
			case err != nil:
				n.values = append(n.values, word) // Y, T, *12
			case strings.ContainsAny(word, ".eE"):
				n.values = append(n.values, v)
			default:
				i, err := strconv.ParseInt(word, 10, 64)
				if err != nil {
					n.values = append(n.values, v)
				} else {
					n.values = append(n.values, i)
				}
			}
		}
		after = false
	}
}
