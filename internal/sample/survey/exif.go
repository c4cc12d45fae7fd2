package survey

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// metadata is what a camera writes into a photo.
type metadata struct {
	width, height       int
	focal               float64 // mm
	focal35             int     // mm, of a film frame with the same diagonal
	taken               time.Time
	latitude, longitude float64 // degrees, WGS 84
	altitude            float64 // metres
	accuracy            float64 // standard deviation of the position, metres
	exposure            float64 // seconds
}

// Types of TIFF fields.
const (
	exifASCII     = 2
	exifShort     = 3
	exifLong      = 4
	exifRational  = 5
	exifUndefined = 7
	exifByte      = 1
)

// field of a directory: value is in the byte order of the file.
type field struct {
	tag, kind uint16
	count     int
	value     []byte
}

var little = binary.LittleEndian

func ascii(tag uint16, s string) field {
	return field{tag, exifASCII, len(s) + 1, append([]byte(s), 0)}
}

func short(tag uint16, v int) field {
	return field{tag, exifShort, 1, little.AppendUint16(nil, uint16(v))}
}

func long(tag uint16, v int) field {
	return field{tag, exifLong, 1, little.AppendUint32(nil, uint32(v))}
}

func raw(tag, kind uint16, b ...byte) field { return field{tag, kind, len(b), b} }

func fraction(b []byte, v float64, denominator uint32) []byte {
	b = little.AppendUint32(b, uint32(int32(math.Round(v*float64(denominator)))))
	return little.AppendUint32(b, denominator)
}

func rational(tag uint16, denominator uint32, v ...float64) field {
	f := field{tag: tag, kind: exifRational, count: len(v)}
	for _, x := range v {
		f.value = fraction(f.value, x, denominator)
	}
	return f
}

// angle is degrees, minutes and seconds to a hundredth of a millimetre or so.
func angle(tag uint16, degrees float64) field {
	const units = 3600 * 1e7
	total := int64(math.Round(math.Abs(degrees) * units))
	f := field{tag: tag, kind: exifRational, count: 3}
	f.value = fraction(f.value, float64(total/(3600*1e7)), 1)
	f.value = fraction(f.value, float64(total/(60*1e7)%60), 1)
	f.value = little.AppendUint32(f.value, uint32(total%(60*1e7)))
	f.value = little.AppendUint32(f.value, 1e7)
	return f
}

// directory lays out fields, sorted by tag as TIFF wants, at an offset of the file.
func directory(offset int, fields []field) []byte {
	b := little.AppendUint16(nil, uint16(len(fields)))
	data := offset + 2 + 12*len(fields) + 4
	var rest []byte
	for _, f := range fields {
		b = little.AppendUint16(b, f.tag)
		b = little.AppendUint16(b, f.kind)
		b = little.AppendUint32(b, uint32(f.count))
		if len(f.value) <= 4 {
			b = append(b, append(f.value, 0, 0, 0, 0)[:4]...)
			continue
		}
		b = little.AppendUint32(b, uint32(data+len(rest)))
		rest = append(rest, f.value...)
		if len(rest)%2 == 1 {
			rest = append(rest, 0)
		}
	}
	b = little.AppendUint32(b, 0)
	return append(b, rest...)
}

const (
	maker = "Slate360"
	model = "Synthetic Drone"
)

// exif returns the payload of the APP1 segment (CIPA DC-008, "Exif 2.32").
func (m *metadata) exif() []byte {
	stamp := m.taken.Format("2006:01:02 15:04:05")
	south, west := "N", "E"
	if m.latitude < 0 {
		south = "S"
	}
	if m.longitude < 0 {
		west = "W"
	}
	below := byte(0)
	if m.altitude < 0 {
		below = 1
	}
	utc := m.taken.UTC()
	photo := []field{
		rational(0x829A, 1e7, m.exposure), // ExposureTime
		rational(0x829D, 10, 2.8),         // FNumber
		short(0x8827, 100),                // ISO
		raw(0x9000, exifUndefined, []byte("0232")...),
		ascii(0x9003, stamp), // DateTimeOriginal
		ascii(0x9004, stamp), // DateTimeDigitized
		ascii(0x9011, "+00:00"),
		rational(0x920A, 1000, m.focal), // FocalLength
		ascii(0x9291, fmt.Sprintf("%03d", m.taken.Nanosecond()/1e6)),
		short(0xA001, 1), // sRGB
		long(0xA002, m.width),
		long(0xA003, m.height),
		short(0xA405, m.focal35),
		ascii(0xA431, "SYNTHETIC-1"), // BodySerialNumber
	}
	gps := []field{
		raw(0, exifByte, 2, 3, 0, 0),
		ascii(1, south), angle(2, m.latitude),
		ascii(3, west), angle(4, m.longitude),
		raw(5, exifByte, below), rational(6, 1000, math.Abs(m.altitude)),
		rational(7, 1000, float64(utc.Hour()), float64(utc.Minute()), float64(utc.Second())+float64(utc.Nanosecond())/1e9),
		ascii(0x12, "WGS-84"),
		ascii(0x1D, utc.Format("2006:01:02")),
		rational(0x1F, 1000, max(m.accuracy, .001)), // GPSHPositioningError
	}
	main := func(photoAt, gpsAt int) []field {
		return []field{
			ascii(0x10F, maker), ascii(0x110, model),
			short(0x112, 1),
			rational(0x11A, 1, 72), rational(0x11B, 1, 72), short(0x128, 2),
			ascii(0x131, "slate360-worker sample"),
			ascii(0x132, stamp),
			long(0x8769, photoAt), long(0x8825, gpsAt),
		}
	}
	const first = 8
	photoAt := first + len(directory(first, main(0, 0)))
	photos := directory(photoAt, photo)
	gpsAt := photoAt + len(photos)
	b := []byte("Exif\x00\x00II*\x00\x08\x00\x00\x00")
	b = append(b, directory(first, main(photoAt, gpsAt))...)
	b = append(b, photos...)
	return append(b, directory(gpsAt, gps)...)
}

// xmp says as DJI does how exact the position is, for receivers with corrections from
// a base station: 50 is a fixed solution.
func (m *metadata) xmp() []byte {
	return fmt.Appendf(nil, "http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"+
		"<rdf:Description rdf:about=\"\" xmlns:drone-dji=\"http://www.dji.com/drone-dji/1.0/\" drone-dji:RtkFlag=\"50\" drone-dji:RtkStdLon=\"%.5f\" drone-dji:RtkStdLat=\"%.5f\" drone-dji:RtkStdHgt=\"%.5f\"/>"+
		"</rdf:RDF></x:xmpmeta>", m.accuracy, m.accuracy, m.accuracy*verticalError)
}

// rtk is the accuracy, in metres, from which on a receiver has corrections.
const rtk = .1

// tag puts the metadata behind the start of a JPEG file.
func (m *metadata) tag(jpeg []byte) []byte {
	var out bytes.Buffer
	out.Write(jpeg[:2])
	segment := func(payload []byte) {
		out.Write([]byte{0xFF, 0xE1, byte((len(payload) + 2) >> 8), byte(len(payload) + 2)})
		out.Write(payload)
	}
	segment(m.exif())
	if m.accuracy <= rtk {
		segment(m.xmp())
	}
	out.Write(jpeg[2:])
	return out.Bytes()
}
