package gltf

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	glbMagic    = 0x46546C67 // "glTF"
	glbVersion  = 2
	chunkJSON   = 0x4E4F534A
	chunkBinary = 0x004E4942
)

// IsGLB tells whether data begins as a binary glTF does.
func IsGLB(data []byte) bool {
	return len(data) >= 4 && binary.LittleEndian.Uint32(data) == glbMagic
}

// splitGLB returns the chunks of a binary file (section 4.4); bin is nil where
// there is none. Chunks of unknown types are skipped.
func splitGLB(data []byte) (text, bin []byte, err error) {
	if len(data) < 20 {
		return nil, nil, fmt.Errorf("the file ends after %d bytes, in its header", len(data))
	}
	if v := binary.LittleEndian.Uint32(data[4:]); v != glbVersion {
		return nil, nil, fmt.Errorf("GLB version %d; version 2 can be read: export the model as glTF 2.0", v)
	}
	if total := int64(binary.LittleEndian.Uint32(data[8:])); total > int64(len(data)) {
		return nil, nil, fmt.Errorf("the header says %d bytes, the file has %d: was the upload complete?", total, len(data))
	} else if total >= 12 {
		data = data[:total]
	}
	for at := 12; len(data)-at >= 8; {
		size := int64(binary.LittleEndian.Uint32(data[at:]))
		kind := binary.LittleEndian.Uint32(data[at+4:])
		at += 8
		if size > int64(len(data)-at) {
			return nil, nil, fmt.Errorf("a chunk at byte %d claims %d bytes, %d are left", at-8, size, len(data)-at)
		}
		chunk := data[at : at+int(size)]
		at += int(size)
		switch {
		case kind == chunkJSON && text == nil:
			text = chunk
		case kind == chunkBinary && bin == nil:
			bin = chunk
		}
	}
	if text == nil {
		return nil, nil, errors.New("the file has no JSON chunk")
	}
	return text, bin, nil
}

// align is what views begin at in a file: enough for all component types, and for
// the columns of matrices.
const align = 8

// layout gives each view its place in one buffer and returns its length.
func (d *Document) layout() int {
	at := 0
	for _, v := range d.BufferViews {
		at += -at & (align - 1)
		v.Buffer, v.ByteOffset, v.ByteLength = 0, at, len(v.Data)
		at += len(v.Data)
	}
	return at
}

// finish makes the text of a file whose views lie in one buffer.
func (d *Document) finish(uri string) (text []byte, length int, err error) {
	d.Asset.Version = "2.0"
	length = d.layout()
	d.Buffers = nil
	if len(d.BufferViews) > 0 {
		d.Buffers = []*Buffer{{URI: uri, ByteLength: length}}
	}
	text, err = json.Marshal(d)
	d.Buffers = nil
	if err != nil {
		return nil, 0, fmt.Errorf("gltf: encoding the document: %w", err)
	}
	return text, length, nil
}

// WriteGLB writes a document as a binary file.
func WriteGLB(w io.Writer, d *Document) error {
	text, length, err := d.finish("")
	if err != nil {
		return err
	}
	header, pad, err := glbHeader(text, length)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("gltf: %w", err)
	}
	if err := d.writeViews(w); err != nil {
		return err
	}
	if _, err := w.Write(make([]byte, pad)); err != nil {
		return fmt.Errorf("gltf: %w", err)
	}
	return nil
}

// glbHeader is all that comes before the bytes of the views, and how many zeros
// come after them.
func glbHeader(text []byte, length int) (header []byte, pad int, err error) {
	for len(text)%4 != 0 {
		text = append(text, ' ')
	}
	total := 12 + 8 + len(text)
	pad = -length & 3
	if length > 0 {
		total += 8 + length + pad
	}
	if total > math.MaxUint32 {
		return nil, 0, fmt.Errorf("gltf: a file of %d bytes; 4 GiB is the most: split the model", total)
	}
	header = make([]byte, 0, 28+len(text))
	for _, v := range []uint32{glbMagic, glbVersion, uint32(total), uint32(len(text)), chunkJSON} {
		header = binary.LittleEndian.AppendUint32(header, v)
	}
	header = append(header, text...)
	if length > 0 {
		header = binary.LittleEndian.AppendUint32(header, uint32(length+pad))
		header = binary.LittleEndian.AppendUint32(header, chunkBinary)
	}
	return header, pad, nil
}

func (d *Document) writeViews(w io.Writer) error {
	at := 0
	for _, v := range d.BufferViews {
		if _, err := w.Write(make([]byte, v.ByteOffset-at)); err != nil {
			return fmt.Errorf("gltf: %w", err)
		}
		if _, err := w.Write(v.Data); err != nil {
			return fmt.Errorf("gltf: %w", err)
		}
		at = v.ByteOffset + len(v.Data)
	}
	return nil
}

// AppendGLB appends a document as a binary file to dst.
func AppendGLB(dst []byte, d *Document) ([]byte, error) {
	w := appender(dst)
	if err := WriteGLB(&w, d); err != nil {
		return dst, err
	}
	return w, nil
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// WriteGLTF writes a document as text, which refers to its buffer by uri, and the
// buffer.
func WriteGLTF(text, buffer io.Writer, d *Document, uri string) error {
	out, _, err := d.finish(uri)
	if err != nil {
		return err
	}
	if _, err := text.Write(out); err != nil {
		return fmt.Errorf("gltf: %w", err)
	}
	return d.writeViews(buffer)
}
