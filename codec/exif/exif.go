// Package exif reads what cameras write beside the pixels of a photo: EXIF (CIPA
// DC-008-2023, "Exif 3.0") out of JPEG, TIFF, PNG and WebP, and XMP (ISO 16684-1)
// with the fields that drones and panorama cameras add: DJI's drone-dji, Pix4D's
// Camera, Google's GPano.
//
// It reads headers only, in bounded memory, and takes files for hostile: offsets
// may point anywhere, counts may be anything. What is damaged is left out; only a
// file whose size in pixels cannot be told is an error.
package exif

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrFormat says that a file is not a photo whose header can be read.
var ErrFormat = errors.New("exif: not a readable photo")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// Format of a photo, by its first bytes.
type Format string

// The formats whose headers are read.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	TIFF Format = "tiff"
	WebP Format = "webp"
)

// Metadata is what a photo says of itself. A field is its zero value, or nil,
// where the photo does not say it.
type Metadata struct {
	Format Format
	// Width and Height in pixels as stored, before Orientation.
	Width, Height int
	// Components are the channels a pixel has as stored, Bits those of each.
	Components, Bits int

	Make, Model, Serial, Lens string
	// FocalLength in millimetres; Focal35 is that of a lens with the same view on
	// 36 × 24 mm film (Exif 3.0: FocalLengthIn35mmFilm).
	FocalLength, Focal35 float64
	// PixelPitch are the millimetres between pixels of the stored photo, right and
	// down, from FocalPlaneXResolution and FocalPlaneYResolution.
	PixelPitch [2]float64
	// Orientation is 1 to 8 as in TIFF, 0 where it is not said.
	Orientation int
	// Time is when the photo was taken, with parts of the second. Without an offset
	// from UTC (HasZone) it is local time, given as if it were UTC.
	Time    time.Time
	HasZone bool

	GPS *Position
	XMP XMP

	sensor [2]float64        // millimetres, of the whole photo
	xmp    map[string]string // fields of the packet, for the position
}

// Position is where a camera was, on WGS 84.
type Position struct {
	// Latitude and Longitude in degrees, north and east positive.
	Latitude, Longitude float64
	// Altitude in metres, above sea level or the ellipsoid: receivers differ.
	Altitude    float64
	HasAltitude bool
	// Ellipsoidal says that the photo names the ellipsoid as reference.
	Ellipsoidal bool
	// Horizontal and Vertical are standard deviations in metres, 0 where not said.
	Horizontal, Vertical float64
	// Heading is the direction of view in degrees from north to east (GPSImgDirection).
	Heading    float64
	HasHeading bool
	// Time of the position, zero where not said; UTC.
	Time time.Time
}

// XMP is what the XMP packet says beyond EXIF.
type XMP struct {
	// Gimbal and Flight are attitudes in degrees: yaw from north to east, pitch up
	// from the horizon (-90 looks straight down), roll.
	Gimbal, Flight *Attitude
	// RelativeAltitude is that above the place of take-off, in metres.
	RelativeAltitude    float64
	HasRelativeAltitude bool
	// RTK is DJI's state of the receiver: 50 is a fixed solution, 34 a float one, 16
	// a single position.
	RTK    int
	HasRTK bool
	// FocalPixels is DJI's CalibratedFocalLength, in pixels; CenterX and CenterY are
	// CalibratedOpticalCenterX and Y.
	FocalPixels, CenterX, CenterY float64
	// Projection is GPano:ProjectionType, such as "equirectangular".
	Projection string
	// Band names the channel of a multispectral camera (Camera:BandName).
	Band string
}

// Attitude in degrees.
type Attitude struct{ Yaw, Pitch, Roll float64 }

// Sizes that bound what is read.
const (
	// maxSegment is that of a block of EXIF or XMP, in bytes.
	maxSegment = 4 << 20
	// maxDimension is the largest width or height that is believed.
	maxDimension = 1 << 20
	// maxSegments bounds the blocks of a file that are looked at.
	maxSegments = 4096
)

// Read reads the headers of a photo of size bytes. The error wraps ErrFormat, or is
// that of reading.
func Read(r io.ReaderAt, size int64) (*Metadata, error) {
	head := make([]byte, 16)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	m := &Metadata{}
	switch {
	case hasPrefix(head, "\xff\xd8\xff"):
		m.Format = JPEG
		err = m.readJPEG(r, size)
	case hasPrefix(head, "\x89PNG\r\n\x1a\n"):
		m.Format = PNG
		err = m.readPNG(r, size)
	case hasPrefix(head, "II*\x00"), hasPrefix(head, "MM\x00*"):
		m.Format = TIFF
		err = m.readTIFF(io.NewSectionReader(r, 0, size), true)
	case hasPrefix(head, "RIFF") && len(head) >= 12 && string(head[8:12]) == "WEBP":
		m.Format = WebP
		err = m.readWebP(r, size)
	default:
		return nil, malformed("it begins with %q, which is neither JPEG, PNG, TIFF nor WebP", head)
	}
	if err != nil {
		return nil, err
	}
	if m.Width <= 0 || m.Height <= 0 || m.Width > maxDimension || m.Height > maxDimension {
		return nil, malformed("a size of %d × %d pixels", m.Width, m.Height)
	}
	m.complete()
	return m, nil
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}
