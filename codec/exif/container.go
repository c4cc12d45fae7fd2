package exif

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
)

// readPNG walks over the chunks before the pixels (W3C PNG, third edition): IHDR,
// eXIf, and the iTXt of XMP.
func (m *Metadata) readPNG(r io.ReaderAt, size int64) error {
	at := int64(8)
	var head [8]byte
	for range maxSegments {
		if err := readFull(r, head[:], at); err != nil {
			return truncated(err, "the header of the PNG ends too early")
		}
		length, kind := int64(binary.BigEndian.Uint32(head[:])), string(head[4:])
		if kind == "IDAT" || kind == "IEND" {
			return nil
		}
		if at+12+length > size {
			return malformed("chunk %q of the PNG does not fit the file", kind)
		}
		if (kind == "IHDR" || kind == "eXIf" || kind == "iTXt") && length <= maxSegment {
			data := make([]byte, length)
			if err := readFull(r, data, at+8); err != nil {
				return truncated(err, "a chunk of the PNG ends too early")
			}
			m.readChunk(kind, data)
		}
		at += 12 + length
	}
	return malformed("more than %d chunks before the pixels", maxSegments)
}

func (m *Metadata) readChunk(kind string, data []byte) {
	switch kind {
	case "IHDR":
		if len(data) >= 10 {
			m.Width, m.Height = int(binary.BigEndian.Uint32(data)), int(binary.BigEndian.Uint32(data[4:]))
			m.Bits = int(data[8])
			m.Components = map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[data[9]]
		}
	case "eXIf":
		m.readBlock(data)
	case "iTXt":
		const keyword = "XML:com.adobe.xmp\x00"
		if !hasPrefix(data, keyword) || len(data) < len(keyword)+2 {
			return
		}
		compressed := data[len(keyword)] == 1
		text := data[len(keyword)+2:]
		for range 2 { // language and translated keyword
			_, rest, ok := bytes.Cut(text, []byte{0})
			if !ok {
				return
			}
			text = rest
		}
		if compressed {
			z, err := zlib.NewReader(bytes.NewReader(text))
			if err != nil {
				return
			}
			if text, err = io.ReadAll(io.LimitReader(z, maxSegment)); err != nil {
				return
			}
		}
		m.readXMP(text)
	}
}

// readWebP walks over the chunks of a WebP (RFC 9649).
func (m *Metadata) readWebP(r io.ReaderAt, size int64) error {
	at := int64(12)
	var head [8]byte
	for range maxSegments {
		if at+8 > size {
			return nil
		}
		if err := readFull(r, head[:], at); err != nil {
			return truncated(err, "the WebP ends too early")
		}
		kind, length := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		want := length
		if kind == "VP8 " || kind == "VP8L" {
			want = min(length, 10)
		}
		if at+8+length > size || want > maxSegment {
			return malformed("chunk %q of the WebP does not fit the file", kind)
		}
		data := make([]byte, want)
		if err := readFull(r, data, at+8); err != nil {
			return truncated(err, "a chunk of the WebP ends too early")
		}
		m.readRIFF(kind, data)
		at += 8 + length + length&1
	}
	return nil
}

func (m *Metadata) readRIFF(kind string, data []byte) {
	m.Components, m.Bits = 3, 8
	switch {
	case kind == "VP8X" && len(data) >= 10:
		m.Width = 1 + int(data[4]) + int(data[5])<<8 + int(data[6])<<16
		m.Height = 1 + int(data[7]) + int(data[8])<<8 + int(data[9])<<16
	case kind == "VP8 " && len(data) >= 10:
		m.Width, m.Height = int(binary.LittleEndian.Uint16(data[6:]))&0x3fff, int(binary.LittleEndian.Uint16(data[8:]))&0x3fff
	case kind == "VP8L" && len(data) >= 5:
		bits := binary.LittleEndian.Uint32(data[1:])
		m.Width, m.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
	case kind == "EXIF":
		data = bytes.TrimPrefix(data, []byte(exifSignature))
		m.readBlock(data)
	case kind == "XMP ":
		m.readXMP(data)
	}
}
