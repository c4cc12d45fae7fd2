package exif

import (
	"encoding/binary"
	"errors"
	"io"
)

// Markers of JPEG (ITU-T T.81, table B.1).
const (
	markerSOF0 = 0xc0
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerSOFF = 0xcf
	markerRST0 = 0xd0
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP1 = 0xe1
)

const (
	exifSignature = "Exif\x00\x00"
	xmpSignature  = "http://ns.adobe.com/xap/1.0/\x00"
)

// readJPEG walks over the segments before the first scan.
func (m *Metadata) readJPEG(r io.ReaderAt, size int64) error {
	at := int64(2)
	var buf [4]byte
	for range maxSegments {
		if err := readFull(r, buf[:], at); err != nil {
			return truncated(err, "the header of the JPEG ends too early")
		}
		marker := buf[1]
		switch {
		case buf[0] != 0xff:
			return malformed("byte %d of the JPEG is %#x, want a marker", at, buf[0])
		case marker == 0xff: // fill bytes may precede a marker
			at++
			continue
		case marker >= markerRST0 && marker <= markerSOI || marker == 0x01: // without content
			at += 2
			continue
		case marker == markerSOS, marker == markerEOI:
			if m.Width == 0 {
				return malformed("the JPEG has no frame header before its first scan")
			}
			return nil
		}
		length := int64(binary.BigEndian.Uint16(buf[2:])) - 2
		if length < 0 || at+4+length > size {
			return malformed("a segment of the JPEG at byte %d does not fit the file", at)
		}
		if err := m.readSegment(r, marker, at+4, length); err != nil {
			return err
		}
		at += 4 + length
	}
	return malformed("more than %d segments before the first scan", maxSegments)
}

func (m *Metadata) readSegment(r io.ReaderAt, marker byte, at, length int64) error {
	frame := marker >= markerSOF0 && marker <= markerSOFF && marker != markerDHT && marker != markerJPG && marker != markerDAC
	if !frame && marker != markerAPP1 {
		return nil
	}
	data := make([]byte, length)
	if err := readFull(r, data, at); err != nil {
		return truncated(err, "a segment of the JPEG ends too early")
	}
	switch {
	case frame && len(data) >= 6:
		m.Bits, m.Components = int(data[0]), int(data[5])
		m.Height, m.Width = int(binary.BigEndian.Uint16(data[1:])), int(binary.BigEndian.Uint16(data[3:]))
	case hasPrefix(data, exifSignature):
		m.readBlock(data[len(exifSignature):])
	case hasPrefix(data, xmpSignature):
		m.readXMP(data[len(xmpSignature):])
	}
	return nil
}

func readFull(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	return err
}

// truncated tells an end of the file, which is the file's fault, from other errors.
func truncated(err error, msg string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("%s", msg)
	}
	return err
}
