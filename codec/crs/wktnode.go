package crs

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits on hostile text: real WKT is a few kilobytes and eight levels deep.
const (
	maxWKTLength = 1 << 20
	maxWKTDepth  = 32
)

// wktNode is KEYWORD[argument, …] of WKT 1 or 2.
type wktNode struct {
	keyword  string // upper case
	values   []string
	children []*wktNode
}

// parseNodes reads the nodes of a text. More than one stand side by side where
// ESRI puts VERTCS after PROJCS.
func parseNodes(text string) ([]*wktNode, error) {
	if len(text) > maxWKTLength {
		return nil, fmt.Errorf("wkt of %d bytes is longer than the %d that any CRS needs", len(text), maxWKTLength)
	}
	p := &wktParser{text: text}
	var nodes []*wktNode
	for {
		n, err := p.node(0)
		if err != nil {
			return nil, fmt.Errorf("wkt, byte %d: %w", p.pos, err)
		}
		nodes = append(nodes, n)
		p.space()
		if p.pos >= len(text) {
			return nodes, nil
		}
		if text[p.pos] != ',' {
			return nil, fmt.Errorf("wkt, byte %d: %q after the end of the text", p.pos, text[p.pos])
		}
		p.pos++
	}
}

type wktParser struct {
	text string
	pos  int
}

func (p *wktParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n\x00", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// word reads a keyword, number or enumeration value.
func (p *wktParser) word() string {
	start := p.pos
	for p.pos < len(p.text) && strings.IndexByte("[](),\" \t\r\n\x00", p.text[p.pos]) < 0 {
		p.pos++
	}
	return p.text[start:p.pos]
}

// quoted reads a string in double quotes; a doubled quote stands for one.
func (p *wktParser) quoted() (string, error) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		if p.text[p.pos] == '"' {
			if p.pos+1 >= len(p.text) || p.text[p.pos+1] != '"' {
				p.pos++
				return b.String(), nil
			}
			p.pos++
		}
		b.WriteByte(p.text[p.pos])
	}
	return "", fmt.Errorf("quoted name has no end")
}

func (p *wktParser) node(depth int) (*wktNode, error) {
	if depth > maxWKTDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxWKTDepth)
	}
	p.space()
	n := &wktNode{keyword: strings.ToUpper(p.word())}
	p.space()
	if n.keyword == "" || p.pos >= len(p.text) || (p.text[p.pos] != '[' && p.text[p.pos] != '(') {
		return nil, fmt.Errorf("want KEYWORD[ here")
	}
	p.pos++
	for {
		p.space()
		if p.pos >= len(p.text) {
			return nil, fmt.Errorf("%s has no closing bracket: is the text cut short?", n.keyword)
		}
		if err := p.argument(n, depth); err != nil {
			return nil, err
		}
		p.space()
		if p.pos >= len(p.text) {
			return nil, fmt.Errorf("%s has no closing bracket: is the text cut short?", n.keyword)
		}
		c := p.text[p.pos]
		p.pos++
		switch c {
		case ']', ')':
			return n, nil
		case ',':
		default:
			return nil, fmt.Errorf("want comma or bracket in %s, found %q", n.keyword, c)
		}
	}
}

func (p *wktParser) argument(n *wktNode, depth int) error {
	switch p.text[p.pos] {
	case '"':
		s, err := p.quoted()
		n.values = append(n.values, s)
		return err
	case ']', ')', ',': // an empty argument or list
		return nil
	}
	start := p.pos
	w := p.word()
	p.space()
	if p.pos < len(p.text) && (p.text[p.pos] == '[' || p.text[p.pos] == '(') {
		p.pos = start
		child, err := p.node(depth + 1)
		if err == nil {
			n.children = append(n.children, child)
		}
		return err
	}
	if w == "" {
		return fmt.Errorf("unexpected %q in %s", p.text[start], n.keyword)
	}
	n.values = append(n.values, w)
	return nil
}

// child is the first child with one of these keywords; nil if none.
func (n *wktNode) child(keywords ...string) *wktNode {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		for _, k := range keywords {
			if c.keyword == k {
				return c
			}
		}
	}
	return nil
}

// value is an unparsed argument, "" where there is none.
func (n *wktNode) value(i int) string {
	if n == nil || i >= len(n.values) {
		return ""
	}
	return n.values[i]
}

// number is a numeric argument.
func (n *wktNode) number(i int) (float64, error) {
	v, err := strconv.ParseFloat(n.value(i), 64)
	if err != nil {
		keyword := "a missing part"
		if n != nil {
			keyword = n.keyword
		}
		return 0, fmt.Errorf("%s %q: want a number, found %q", keyword, n.value(0), n.value(i))
	}
	return v, nil
}

// epsg is the EPSG code in AUTHORITY (WKT 1) or ID (WKT 2); 0 if none.
func (n *wktNode) epsg() int {
	id := n.child("AUTHORITY", "ID")
	if id == nil || !strings.EqualFold(id.value(0), "EPSG") {
		return 0
	}
	code, err := strconv.Atoi(id.value(1))
	if err != nil || code < 0 {
		return 0
	}
	return code
}
