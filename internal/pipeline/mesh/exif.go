package mesh

import (
	"bytes"
	"encoding/binary"
)

// jfif is the segment that JPEG of glTF begins with: version 1.1, square pixels, no
// thumbnail (ITU-T T.871).
const jfif = "\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"

// withoutExif takes the EXIF block out of a picture, and with it the orientation.
//
// Texture coordinates mean pixels as they are stored: glTF knows JFIF alone (section
// 3.8.3), which has no orientation, and programs that paint and show OBJ, COLLADA and
// FBX do not look at it. Some viewers in browsers do, and would show the texture
// turned. Pictures that cannot be understood are given back as they are.
func withoutExif(data []byte) []byte {
	var out []byte
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		out = jpegWithoutExif(data)
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		out = pngWithoutExif(data)
	case len(data) > 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		out = webpWithoutExif(data)
	}
	if out == nil {
		return data
	}
	return out
}

// jpegWithoutExif copies the segments before the first scan, and all behind. nil is
// that there is nothing to take out.
func jpegWithoutExif(data []byte) []byte {
	const app0, app1, app14, startOfScan = 0xe0, 0xe1, 0xee, 0xda
	var kept []byte
	found, known := false, false
	at := 2
	for {
		if at+4 > len(data) || data[at] != 0xff {
			return nil
		}
		marker, size := data[at+1], int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == 0xff { // fill
			at++
			continue
		}
		if marker == startOfScan {
			break
		}
		if size < 2 || at+2+size > len(data) {
			return nil
		}
		body := data[at+4 : at+2+size]
		if marker == app1 && bytes.HasPrefix(body, []byte("Exif\x00")) {
			found = true
		} else {
			known = known || marker == app14 || marker == app0 && bytes.HasPrefix(body, []byte("JFIF\x00"))
			kept = append(kept, data[at:at+2+size]...)
		}
		at += 2 + size
	}
	if !found {
		return nil
	}
	out := append(make([]byte, 0, len(data)), data[:2]...)
	if !known {
		out = append(out, jfif...)
	}
	return append(append(out, kept...), data[at:]...)
}

// pngWithoutExif leaves out chunks of the type eXIf.
func pngWithoutExif(data []byte) []byte {
	const head, around = 8, 12
	out := append(make([]byte, 0, len(data)), data[:head]...)
	for at := head; at < len(data); {
		if at+around > len(data) {
			return nil
		}
		size := int64(around) + int64(binary.BigEndian.Uint32(data[at:]))
		if size > int64(len(data)-at) {
			return nil
		}
		if string(data[at+4:at+8]) != "eXIf" {
			out = append(out, data[at:at+int(size)]...)
		}
		at += int(size)
	}
	if len(out) == len(data) {
		return nil
	}
	return out
}

// webpWithoutExif leaves out chunks of the type EXIF, and says so in the header.
func webpWithoutExif(data []byte) []byte {
	const head, exifFlag = 12, 8
	out := append(make([]byte, 0, len(data)), data[:head]...)
	for at := head; at < len(data); {
		if at+8 > len(data) {
			return nil
		}
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		size += 8 + size&1
		if size > int64(len(data)-at) {
			return nil
		}
		chunk := data[at : at+int(size)]
		at += int(size)
		if string(chunk[:4]) == "EXIF" {
			continue
		}
		out = append(out, chunk...)
		if string(chunk[:4]) == "VP8X" && len(chunk) > 8 {
			out[len(out)-len(chunk)+8] &^= exifFlag
		}
	}
	if len(out) == len(data) {
		return nil
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}
