package gltf

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Error says what is wrong with a document, and where.
type Error struct {
	// Pointer is the JSON pointer (RFC 6901) of what is wrong; empty is the file.
	Pointer string
	Err     error
}

func (e *Error) Error() string {
	if e.Pointer == "" {
		return "gltf: " + e.Err.Error()
	}
	return fmt.Sprintf("gltf: %s: %v", e.Pointer, e.Err)
}

// Unwrap returns the error below.
func (e *Error) Unwrap() error { return e.Err }

func faulty(pointer, format string, args ...any) error {
	return &Error{Pointer: pointer, Err: fmt.Errorf(format, args...)}
}

// ReadOptions say how a document is read.
type ReadOptions struct {
	// File returns the bytes of a file that the document refers to. The name is
	// a clean path relative to the document that does not leave its folder. nil
	// is for documents that stand alone.
	File func(name string) ([]byte, error)
	// Warn is told of what is missing or odd and could be mended; nil is nobody.
	Warn func(message string)
	// MaxBytes is the most that decompressed views may take together; 0 is
	// DefaultMaxBytes.
	MaxBytes int64
	// Workers decompress primitives side by side; 0 is 1.
	Workers int
}

// DefaultMaxBytes is the most that decompressed views take together, unless told
// otherwise.
const DefaultMaxBytes = 16 << 30

// maxText is the most JSON that is read, in bytes: its objects take some ten times
// as much.
const maxText = 512 << 20

type reader struct {
	o       ReadOptions
	d       *Document
	buffers [][]byte
	budget  int64
}

// Read reads a file, binary or text, with all that it refers to, and decompresses
// its geometry. The views of the document are parts of data where they can be: data
// must not change while the document is in use. Errors are of type *Error.
func Read(data []byte, o ReadOptions) (*Document, error) {
	text, bin := data, []byte(nil)
	if IsGLB(data) {
		var err error
		if text, bin, err = splitGLB(data); err != nil {
			return nil, &Error{Err: err}
		}
	}
	if len(text) > maxText {
		return nil, faulty("", "%d bytes of JSON; %d is the most", len(text), maxText)
	}
	d := &Document{}
	if err := json.Unmarshal(trimBOM(text), d); err != nil {
		return nil, &Error{Err: jsonError(err)}
	}
	if d.Asset.Version == "" {
		return nil, faulty("/asset/version", "is missing: is this a glTF file?")
	}
	if !strings.HasPrefix(d.Asset.Version, "2.") {
		return nil, faulty("/asset/version", "is %q; versions 2.x can be read: export the model as glTF 2.0", d.Asset.Version)
	}
	r := &reader{o: o, d: d, budget: o.MaxBytes}
	if r.budget <= 0 {
		r.budget = DefaultMaxBytes
	}
	if err := d.checkNil(); err != nil {
		return nil, err
	}
	if err := r.openBuffers(bin); err != nil {
		return nil, err
	}
	if err := r.openViews(); err != nil {
		return nil, err
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	r.openImages()
	if err := r.decompress(); err != nil {
		return nil, err
	}
	return d, nil
}

func trimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// jsonError says where a syntax error is.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("byte %d of the JSON: %w", syntax.Offset, err)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("byte %d of the JSON: %s is a %s", kind.Offset, kind.Field, kind.Value)
	}
	return err
}

func (r *reader) warn(format string, args ...any) {
	if r.o.Warn != nil {
		r.o.Warn(fmt.Sprintf(format, args...))
	}
}

// openBuffers reads all buffers that a view refers to without a fallback.
func (r *reader) openBuffers(bin []byte) error {
	r.buffers = make([][]byte, len(r.d.Buffers))
	for i, b := range r.d.Buffers {
		at := fmt.Sprintf("/buffers/%d", i)
		switch {
		case b.ByteLength < 0:
			return faulty(at+"/byteLength", "is %d", b.ByteLength)
		case b.URI == "" && i == 0 && bin != nil:
			r.buffers[i] = bin
		case b.URI == "":
			// A buffer that stands for compressed views has no bytes.
		default:
			data, err := r.resource(b.URI)
			if err != nil {
				return &Error{Pointer: at + "/uri", Err: err}
			}
			r.buffers[i] = data
		}
	}
	r.d.Buffers = nil
	return nil
}

// resource returns what a URI stands for: data, or a file of the upload.
func (r *reader) resource(uri string) ([]byte, error) {
	if rest, ok := strings.CutPrefix(uri, "data:"); ok {
		return dataURI(rest)
	}
	name, err := LocalName(uri)
	if err != nil {
		return nil, err
	}
	if r.o.File == nil {
		return nil, fmt.Errorf("the file %q is not there: upload the model with all its files, as a zip archive or as one .glb", name)
	}
	return r.o.File(name)
}

func dataURI(rest string) ([]byte, error) {
	kind, data, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, errors.New("a data URI without a comma")
	}
	if !strings.HasSuffix(kind, ";base64") {
		text, err := url.PathUnescape(data)
		if err != nil {
			return nil, fmt.Errorf("a data URI: %w", err)
		}
		return []byte(text), nil
	}
	out, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		if out, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "=")); err != nil {
			return nil, fmt.Errorf("a data URI: %w", err)
		}
	}
	return out, nil
}

// LocalName turns a URI reference of a model into the clean path of a file beside
// it. Addresses of the network, absolute paths, and paths that leave the folder of
// the model are errors: a model must not reach what its upload does not hold.
func LocalName(uri string) (string, error) {
	name := strings.ReplaceAll(uri, "\\", "/")
	if head, _, ok := strings.Cut(name, ":"); ok && !strings.Contains(head, "/") {
		return "", fmt.Errorf("%q is an address or an absolute path; only files beside the model are read", uri)
	}
	if plain, err := url.PathUnescape(name); err == nil {
		name = strings.ReplaceAll(plain, "\\", "/")
	}
	if strings.HasPrefix(name, "/") || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%q is an absolute path; only files beside the model are read", uri)
	}
	name = path.Clean(name)
	if name == "." || name == ".." || strings.HasPrefix(name, "../") {
		return "", fmt.Errorf("%q leaves the folder of the model", uri)
	}
	return name, nil
}

// openViews gives each view its bytes.
func (r *reader) openViews() error {
	for i, v := range r.d.BufferViews {
		at := fmt.Sprintf("/bufferViews/%d", i)
		if done, err := r.openCompressedView(at, v); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		data, err := r.slice(at, v.Buffer, v.ByteOffset, v.ByteLength)
		if err != nil {
			return err
		}
		v.Data = data
	}
	return nil
}

// slice returns a part of a buffer.
func (r *reader) slice(at string, buffer, offset, length int) ([]byte, error) {
	if buffer < 0 || buffer >= len(r.buffers) {
		return nil, faulty(at+"/buffer", "is %d, there are %d buffers", buffer, len(r.buffers))
	}
	data := r.buffers[buffer]
	if offset < 0 || length < 0 || offset > len(data) || length > len(data)-offset {
		return nil, faulty(at, "wants bytes %d to %d of a buffer of %d bytes: was the upload complete?", offset, offset+length, len(data))
	}
	return data[offset : offset+length : offset+length], nil
}

// take counts decompressed bytes.
func (r *reader) take(at string, n int64) error {
	if n < 0 || n > r.budget {
		return faulty(at, "the decompressed geometry takes more than the limit of %d bytes", r.o.MaxBytes)
	}
	r.budget -= n
	return nil
}

// openImages puts images into views. One that cannot be read keeps its URI, and is
// warned of.
func (r *reader) openImages() {
	for i, m := range r.d.Images {
		if m.BufferView != nil {
			m.URI = ""
			continue
		}
		data, err := r.resource(m.URI)
		if err != nil || len(data) == 0 {
			if err == nil {
				err = errors.New("it is empty")
			}
			r.warn("image %d is left out: %v", i, err)
			continue
		}
		if m.Name == "" && !strings.HasPrefix(m.URI, "data:") {
			m.Name = strings.TrimSuffix(path.Base(m.URI), path.Ext(m.URI))
		}
		m.URI, m.BufferView = "", Ref(r.d.AddView(data, 0))
		m.MimeType = imageType(data, m.MimeType)
	}
}

// imageType tells the media type of an image by its first bytes, since what the
// text says is often wrong.
func imageType(data []byte, claimed string) string {
	for _, k := range []struct{ magic, kind string }{
		{"\x89PNG", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"\xabKTX 20", "image/ktx2"},
	} {
		if strings.HasPrefix(string(data[:min(8, len(data))]), k.magic) {
			return k.kind
		}
	}
	if len(data) > 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP" {
		return "image/webp"
	}
	return claimed
}

// AddView appends a view of data to the document and returns its index. Target is
// ArrayBuffer, ElementArrayBuffer, or 0.
func (d *Document) AddView(data []byte, target int) int {
	d.BufferViews = append(d.BufferViews, &BufferView{Data: data, ByteLength: len(data), Target: target})
	return len(d.BufferViews) - 1
}
