// Package ply reads models and clouds of the Polygon File Format, and writes surfaces.
//
// It follows "The PLY Polygon File Format" of Greg Turk (1994): ASCII and both
// binary forms, all types, any elements and properties. Read makes a model of the
// names that programs use for vertices, faces, strips and texture coordinates.
package ply

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind is the type of a number.
type Kind uint8

// The types.
const (
	Int8 Kind = iota + 1
	Uint8
	Int16
	Uint16
	Int32
	Uint32
	Float32
	Float64
)

func (k Kind) size() int {
	switch k {
	case Int8, Uint8:
		return 1
	case Int16, Uint16:
		return 2
	case Float64:
		return 8
	}
	return 4
}

func kindOf(name string) (Kind, bool) {
	k, ok := map[string]Kind{
		"char": Int8, "int8": Int8, "uchar": Uint8, "uint8": Uint8, "short": Int16, "int16": Int16, "ushort": Uint16, "uint16": Uint16,
		"int": Int32, "int32": Int32, "uint": Uint32, "uint32": Uint32, "float": Float32, "float32": Float32, "double": Float64, "float64": Float64,
	}[name]
	return k, ok
}

// Property is a number, or a list of numbers, of each thing of an element.
type Property struct {
	Name string
	Kind Kind
	// Count is the type of the number of items of a list; 0 where it is none.
	Count Kind
	// Values are all numbers; those of lists one list after the other.
	Values []float64
	// Ends are, for lists, where each ends in Values.
	Ends []int
}

// List returns the list of thing i.
func (p *Property) List(i int) []float64 {
	from := 0
	if i > 0 {
		from = p.Ends[i-1]
	}
	return p.Values[from:p.Ends[i]]
}

// Element is a table of things that have the same properties.
type Element struct {
	Name       string
	Count      int
	Properties []*Property
}

// Property returns the first property that has one of the names, or nil.
func (e *Element) Property(names ...string) *Property {
	if e == nil {
		return nil
	}
	for _, n := range names {
		for _, p := range e.Properties {
			if p.Name == n {
				return p
			}
		}
	}
	return nil
}

// File is the content of a file.
type File struct {
	Comments []string
	Elements []*Element

	format string
}

// Element returns the element of a name, or nil.
func (f *File) Element(name string) *Element {
	for _, e := range f.Elements {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Parse reads a file. What a header claims is bounded by the bytes that are there.
func Parse(data []byte) (*File, error) {
	f, body, err := header(data)
	if err != nil {
		return nil, fmt.Errorf("ply: header: %w", err)
	}
	var r source
	switch f.format {
	case "ascii":
		r = &text{data: body}
	case "binary_little_endian":
		r = &binaryBody{data: body, order: binary.LittleEndian}
	default:
		r = &binaryBody{data: body, order: binary.BigEndian}
	}
	for _, e := range f.Elements {
		if err := e.read(r, len(body)); err != nil {
			return nil, fmt.Errorf("ply: %w", err)
		}
	}
	return f, nil
}

// maxHeader bounds the header, in lines.
const maxHeader = 10000

func header(data []byte) (*File, []byte, error) {
	f := &File{}
	for n := 1; ; n++ {
		end := bytes.IndexByte(data, '\n')
		if cr := bytes.IndexByte(data, '\r'); cr >= 0 && (end < 0 || cr < end-1) {
			end = cr // lines that end as on old Macintoshes
		}
		if end < 0 || n > maxHeader {
			return nil, nil, errors.New("it has no end_header")
		}
		line := strings.TrimSpace(string(data[:end]))
		data = data[end+1:]
		words := strings.Fields(line)
		if n == 1 {
			if line != "ply" {
				return nil, nil, errors.New("the file does not begin with ply")
			}
			continue
		}
		if len(words) == 0 {
			continue
		}
		if words[0] == "end_header" {
			break
		}
		if err := f.statement(words, line); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if f.format == "" {
		return nil, nil, errors.New("it has no format")
	}
	return f, data, nil
}

func (f *File) statement(words []string, line string) error {
	switch words[0] {
	case "comment", "obj_info":
		f.Comments = append(f.Comments, strings.TrimSpace(strings.TrimPrefix(line, words[0])))
	case "format":
		if len(words) < 2 || (words[1] != "ascii" && words[1] != "binary_little_endian" && words[1] != "binary_big_endian") {
			return fmt.Errorf("%q is not a format", line)
		}
		f.format = words[1]
	case "element":
		if len(words) < 3 {
			return fmt.Errorf("%q needs a name and a count", line)
		}
		n, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("element %s: %q is not a count", words[1], words[2])
		}
		f.Elements = append(f.Elements, &Element{Name: words[1], Count: int(n)})
	case "property":
		if len(f.Elements) == 0 {
			return errors.New("a property before the first element")
		}
		p, err := property(words)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		e := f.Elements[len(f.Elements)-1]
		e.Properties = append(e.Properties, p)
	}
	return nil
}

func property(words []string) (*Property, error) {
	p := &Property{}
	if len(words) > 4 && words[1] == "list" {
		var ok bool
		if p.Count, ok = kindOf(words[2]); !ok || p.Count >= Float32 {
			return nil, fmt.Errorf("%s does not count", words[2])
		}
		words = words[2:]
	}
	if len(words) < 3 {
		return nil, errors.New("it needs a type and a name")
	}
	var ok bool
	if p.Kind, ok = kindOf(words[1]); !ok {
		return nil, fmt.Errorf("%s is not a type", words[1])
	}
	p.Name = words[2]
	return p, nil
}

// source reads numbers.
type source interface {
	number(k Kind) (float64, error)
	// place tells people where it is.
	place() string
}

func (e *Element) read(r source, size int) error {
	if len(e.Properties) == 0 {
		return nil
	}
	if e.Count > size {
		return fmt.Errorf("element %s: %d things in %d bytes: was the upload complete?", e.Name, e.Count, size)
	}
	for _, p := range e.Properties {
		if p.Count == 0 {
			p.Values = make([]float64, 0, e.Count)
		} else {
			p.Ends = make([]int, 0, e.Count)
		}
	}
	for i := range e.Count {
		for _, p := range e.Properties {
			n := 1.0
			var err error
			if p.Count != 0 {
				if n, err = r.number(p.Count); err == nil && (n < 0 || n > float64(size)) {
					err = fmt.Errorf("a list of %g items", n)
				}
			}
			for j := 0; err == nil && j < int(n); j++ {
				var v float64
				if v, err = r.number(p.Kind); err == nil {
					p.Values = append(p.Values, v)
				}
			}
			if err != nil {
				return fmt.Errorf("%s: element %s %d, property %s: %w", r.place(), e.Name, i, p.Name, err)
			}
			if p.Count != 0 {
				p.Ends = append(p.Ends, len(p.Values))
			}
		}
	}
	return nil
}

var errShort = errors.New("the file ends too early: was the upload complete?")

type text struct {
	data []byte
	line int
}

func (t *text) place() string { return fmt.Sprintf("line %d after the header", t.line+1) }

func (t *text) number(Kind) (float64, error) {
	i := 0
	for i < len(t.data) && t.data[i] <= ' ' {
		if t.data[i] == '\n' {
			t.line++
		}
		i++
	}
	j := i
	for j < len(t.data) && t.data[j] > ' ' {
		j++
	}
	word := t.data[i:j]
	t.data = t.data[j:]
	if len(word) == 0 {
		return 0, errShort
	}
	v, err := strconv.ParseFloat(string(word), 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a number", word)
	}
	return v, nil
}

type binaryBody struct {
	data  []byte
	at    int
	order binary.ByteOrder
}

func (b *binaryBody) place() string { return fmt.Sprintf("byte %d after the header", b.at) }

func (b *binaryBody) number(k Kind) (float64, error) {
	n := k.size()
	if len(b.data)-b.at < n {
		return 0, errShort
	}
	v := b.data[b.at : b.at+n]
	b.at += n
	switch k {
	case Int8:
		return float64(int8(v[0])), nil
	case Uint8:
		return float64(v[0]), nil
	case Int16:
		return float64(int16(b.order.Uint16(v))), nil
	case Uint16:
		return float64(b.order.Uint16(v)), nil
	case Int32:
		return float64(int32(b.order.Uint32(v))), nil
	case Uint32:
		return float64(b.order.Uint32(v)), nil
	case Float32:
		return float64(math.Float32frombits(b.order.Uint32(v))), nil
	}
	return math.Float64frombits(b.order.Uint64(v)), nil
}
