package geotiff

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
)

// Markers of JPEG (ITU-T T.81, annex B).
const (
	markerStart      = 0xd8
	markerEnd        = 0xd9
	markerScan       = 0xda
	markerQuantizers = 0xdb
	markerHuffman    = 0xc4
)

// splitJPEG parts a JPEG stream into its tables and the rest, which are the two forms
// of abbreviated streams that TIFF wants: tables once, pictures without them.
func splitJPEG(data []byte) (tables, body []byte, err error) {
	malformed := errors.New("geotiff: a JPEG stream that cannot be taken apart")
	if len(data) < 4 || data[0] != 0xff || data[1] != markerStart {
		return nil, nil, malformed
	}
	tables = append(tables, 0xff, markerStart)
	body = append(make([]byte, 0, len(data)), 0xff, markerStart)
	for at := 2; ; {
		if at+4 > len(data) || data[at] != 0xff {
			return nil, nil, malformed
		}
		marker := data[at+1]
		size := 2 + int(data[at+2])<<8 + int(data[at+3])
		if at+size > len(data) {
			return nil, nil, malformed
		}
		switch marker {
		case markerScan:
			return append(tables, 0xff, markerEnd), append(body, data[at:]...), nil
		case markerQuantizers, markerHuffman:
			tables = append(tables, data[at:at+size]...)
		default:
			body = append(body, data[at:at+size]...)
		}
		at += size
	}
}

// jpegTables are those that the encoder uses at a quality: always the same.
func jpegTables(quality int) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, unitSize, unitSize)), &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	tables, _, err := splitJPEG(b.Bytes())
	return tables, err
}
