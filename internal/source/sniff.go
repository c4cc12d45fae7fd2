// Package source brings in what users hand over. Sniff tells the format of a
// local file by its content; the extension of its name decides only where the
// content leaves a choice.
package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Format names a format of sources, as sourceFormat of a job does.
type Format string

// The formats of sources.
const (
	GLB    Format = "glb"
	GLTF   Format = "gltf"
	OBJ    Format = "obj"
	FBX    Format = "fbx"
	PLY    Format = "ply"
	STL    Format = "stl"
	DAE    Format = "dae"
	ThreeD Format = "3ds"
	LAS    Format = "las"
	LAZ    Format = "laz"
	COPC   Format = "copc"
	E57    Format = "e57"
	XYZ    Format = "xyz"
	EPT    Format = "ept"
	Photos Format = "photos"
	ZIP    Format = "zip"
)

// Auto asks for Sniff where a format is wanted.
const Auto Format = "auto"

// Formats lists all formats of sources.
func Formats() []Format {
	return []Format{GLB, GLTF, OBJ, FBX, PLY, STL, DAE, ThreeD, LAS, LAZ, COPC, E57, XYZ, EPT, Photos, ZIP}
}

// ParseFormat returns the format of that name; "" and "auto" are Auto.
func ParseFormat(name string) (Format, error) {
	f := Format(strings.ToLower(strings.TrimSpace(name)))
	if f == "" || f == Auto {
		return Auto, nil
	}
	if !slices.Contains(Formats(), f) {
		names := make([]string, 0, len(Formats()))
		for _, known := range Formats() {
			names = append(names, string(known))
		}
		return "", fmt.Errorf("there is no source format %q; there are %s, auto", name, strings.Join(names, ", "))
	}
	return f, nil
}

// ErrEmpty says that a source has no content at all.
var ErrEmpty = errors.New("file is empty: was the upload or copy complete?")

// UnknownFormatError says that the content of a file is of no known format.
type UnknownFormatError struct {
	Path string
	// Hint says what the content looks like, or what can be done.
	Hint string
}

func (e *UnknownFormatError) Error() string {
	return fmt.Sprintf("%s: format not recognised: %s", e.Path, e.Hint)
}

// sniffed is how much of a file is looked at, in bytes: enough for the headers
// of all formats and some lines of text.
const sniffed = 64 << 10

// Sniff returns the format of the file, or folder (EPT, photos), at path. The
// error is an *UnknownFormatError, wraps ErrEmpty, or is that of reading.
func Sniff(path string) (f Format, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("open source: %w", err)
	}
	if info.IsDir() {
		return sniffFolder(path)
	}
	if !info.Mode().IsRegular() {
		return "", &UnknownFormatError{Path: path, Hint: "it is neither a file nor a folder"}
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open source: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	head := make([]byte, min(sniffed, info.Size()))
	if _, err := io.ReadFull(file, head); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if len(head) == 0 {
		return "", fmt.Errorf("%s: %w", path, ErrEmpty)
	}
	extension := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if f := SniffBytes(head, info.Size(), extension); f != "" {
		return f, nil
	}
	return "", &UnknownFormatError{Path: path, Hint: describe(head)}
}

// magic is a format known by fixed bytes at its start.
type magic struct {
	prefix string
	format Format
}

func magics() []magic {
	return []magic{
		{"glTF", GLB},
		{"ASTM-E57", E57},
		{"ply\n", PLY},
		{"ply\r", PLY},
		{"Kaydara FBX Binary", FBX},
		{"; FBX", FBX},
		{"PK\x03\x04", ZIP},
		{"PK\x05\x06", ZIP},
		{"\xff\xd8\xff", Photos},      // JPEG
		{"\x89PNG\r\n\x1a\n", Photos}, // PNG
		{"II*\x00", Photos},           // TIFF, little-endian
		{"MM\x00*", Photos},           // TIFF, big-endian
	}
}

// SniffBytes returns the format of a file of which head is the start, size the
// length in bytes and extension that of its name, in lower case without dot; ""
// where it is none.
func SniffBytes(head []byte, size int64, extension string) Format {
	if bytes.HasPrefix(head, []byte("LASF")) {
		return sniffLAS(head)
	}
	for _, m := range magics() {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return m.format
		}
	}
	if f := sniffBinary(head, size); f != "" {
		return f
	}
	if isPicture(head) {
		return Photos
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return ""
	}
	return sniffText(string(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), extension)
}

// sniffLAS tells LAS, LAZ and COPC apart: bit 7 of the point data record format
// marks compression (LASzip), a VLR of user "copc" that must come first, right
// after the 375 bytes of the header, marks COPC (COPC 1.0, "info VLR").
func sniffLAS(head []byte) Format {
	const formatAt, headerSize, userAt = 104, 375, 375 + 2
	if len(head) <= formatAt || head[formatAt]&0xc0 == 0 {
		return LAS
	}
	if len(head) >= userAt+16 && binary.LittleEndian.Uint16(head[94:]) == headerSize &&
		string(bytes.TrimRight(head[userAt:userAt+16], "\x00")) == "copc" {
		return COPC
	}
	return LAZ
}

// sniffBinary knows formats whose sizes tell them: binary STL is 84 bytes and 50
// a triangle, 3DS one chunk 0x4D4D of the length of the file.
func sniffBinary(head []byte, size int64) Format {
	if len(head) >= 84 && size == 84+50*int64(binary.LittleEndian.Uint32(head[80:])) {
		return STL
	}
	if len(head) >= 6 && head[0] == 'M' && head[1] == 'M' && int64(binary.LittleEndian.Uint32(head[2:])) == size {
		return ThreeD
	}
	return ""
}

// isPicture knows photos and videos whose magic is not at the start: WebP, and those of
// the ISO base media file format (HEIC, AVIF, MP4, MOV), Matroska.
func isPicture(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	switch string(head[4:8]) {
	case "ftyp", "moov", "mdat", "wide":
		return true
	}
	return string(head[:4]) == "RIFF" && (string(head[8:12]) == "WEBP" || string(head[8:12]) == "AVI ") ||
		bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3"))
}

func sniffText(text, extension string) Format {
	trimmed := strings.TrimLeft(text, " \t\r\n")
	switch {
	case strings.HasPrefix(trimmed, "{"):
		return sniffJSON(trimmed)
	case strings.HasPrefix(trimmed, "<") && strings.Contains(trimmed, "<COLLADA"):
		return DAE
	case strings.HasPrefix(trimmed, "solid") && strings.Contains(trimmed, "facet"):
		return STL
	case strings.HasPrefix(trimmed, "solid") && extension == "stl":
		return STL
	case strings.Contains(trimmed, "FBXHeaderExtension"):
		return FBX
	}
	return sniffLines(text, extension)
}

func sniffJSON(text string) Format {
	switch {
	case strings.Contains(text, `"hierarchyType"`), strings.Contains(text, `"dataType"`) && strings.Contains(text, `"schema"`):
		return EPT
	case strings.Contains(text, `"asset"`), strings.Contains(text, `"meshes"`), strings.Contains(text, `"bufferViews"`):
		return GLTF
	}
	return ""
}

// sniffLines counts lines that are statements of OBJ and rows of numbers.
func sniffLines(text, extension string) Format {
	var statements, rows, other int
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > 1 && len(text) >= sniffed {
		lines = lines[:len(lines)-1] // cut off in its midst
	}
	for i, line := range lines {
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,;", r) })
		switch {
		case len(fields) == 0, strings.HasPrefix(fields[0], "#"), strings.HasPrefix(fields[0], "//"):
		case slices.Contains([]string{"v", "vn", "vt", "vp", "f", "l", "p", "o", "g", "s", "mtllib", "usemtl"}, fields[0]):
			statements++
		case len(fields) >= 3 && numbers(fields[:3]):
			rows++
		case i == 0: // names of columns
		default:
			other++
		}
	}
	switch {
	case statements > 0 && statements > 4*other && statements >= rows:
		return OBJ
	case statements == 0 && rows == 0 && other == 0 && extension == "obj":
		return OBJ
	case rows > 0 && rows > 4*other:
		return XYZ
	}
	return ""
}

func numbers(fields []string) bool {
	for _, f := range fields {
		if _, err := strconv.ParseFloat(f, 64); err != nil {
			return false
		}
	}
	return true
}

func sniffFolder(path string) (Format, error) {
	if _, err := os.Stat(filepath.Join(path, "ept.json")); err == nil {
		return EPT, nil
	}
	found := false
	err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch strings.ToLower(filepath.Ext(d.Name())) {
		case ".jpg", ".jpeg", ".tif", ".tiff", ".png", ".webp", ".heic", ".heif", ".avif", ".mp4", ".mov":
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read source folder: %w", err)
	}
	if found {
		return Photos, nil
	}
	return "", &UnknownFormatError{Path: path, Hint: "the folder holds neither ept.json nor photos"}
}

// describe helps a user who has sent something else than they thought.
func describe(head []byte) string {
	text := strings.ToLower(strings.TrimSpace(string(head[:min(len(head), 512)])))
	switch {
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "it is a web page; was a link downloaded instead of the file behind it?"
	case strings.HasPrefix(text, "version https://git-lfs"):
		return "it is a Git LFS pointer; fetch the file itself with git lfs pull"
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<error"):
		return "it is XML, perhaps the error message of a storage service"
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "it is compressed with gzip; unpack it first"
	case bytes.HasPrefix(head, []byte("Rar!")), bytes.HasPrefix(head, []byte("7z\xbc\xaf")):
		return "it is an archive; unpack it first, or send a zip"
	case len(bytes.Trim(head, "\x00")) == 0:
		return fmt.Sprintf("its first %d bytes are all zero; was the upload or copy complete?", len(head))
	}
	return fmt.Sprintf("it begins with %q", head[:min(len(head), 16)])
}
