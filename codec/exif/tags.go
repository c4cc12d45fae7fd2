package exif

import (
	"math"
	"strings"
	"time"
)

// Tags (Exif 3.0, tables 3 to 17; TIFF 6.0).
const (
	tagWidth           = 0x0100
	tagHeight          = 0x0101
	tagBitsPerSample   = 0x0102
	tagMake            = 0x010f
	tagModel           = 0x0110
	tagOrientation     = 0x0112
	tagSamplesPerPixel = 0x0115
	tagXMP             = 0x02bc
	tagExif            = 0x8769
	tagGPS             = 0x8825

	tagTimeOriginal      = 0x9003
	tagOffsetOriginal    = 0x9011
	tagFocalLength       = 0x920a
	tagSubSecOriginal    = 0x9291
	tagPixelX            = 0xa002
	tagPixelY            = 0xa003
	tagFocalPlaneX       = 0xa20e
	tagFocalPlaneY       = 0xa20f
	tagFocalPlaneUnit    = 0xa210
	tagFocal35           = 0xa405
	tagSerial            = 0xa431
	tagLens              = 0xa434
	tagGPSLatitudeRef    = 0x0001
	tagGPSLatitude       = 0x0002
	tagGPSLongitudeRef   = 0x0003
	tagGPSLongitude      = 0x0004
	tagGPSAltitudeRef    = 0x0005
	tagGPSAltitude       = 0x0006
	tagGPSTime           = 0x0007
	tagGPSDOP            = 0x000b
	tagGPSImageDirection = 0x0011
	tagGPSDate           = 0x001d
	tagGPSError          = 0x001f
)

// known tells whether a tag is looked at; others are not read.
func known(tag uint16) bool {
	switch tag {
	case tagWidth, tagHeight, tagBitsPerSample, tagMake, tagModel, tagOrientation, tagSamplesPerPixel, tagXMP, tagExif, tagGPS,
		tagTimeOriginal, tagOffsetOriginal, tagFocalLength, tagSubSecOriginal, tagPixelX, tagPixelY,
		tagFocalPlaneX, tagFocalPlaneY, tagFocalPlaneUnit, tagFocal35, tagSerial, tagLens:
		return true
	}
	return tag >= tagGPSLatitudeRef && tag <= tagGPSError
}

// readImage reads the size of a TIFF.
func (m *Metadata) readImage(d directory) {
	m.Width, m.Height = int(d.integer(tagWidth)), int(d.integer(tagHeight))
	m.Bits, m.Components = int(d.integer(tagBitsPerSample)), int(d.integer(tagSamplesPerPixel))
	if m.Components == 0 {
		m.Components = 1
	}
	if v, ok := d[tagXMP]; ok {
		m.readXMP(v.data)
	}
}

func (m *Metadata) readMain(d directory) {
	m.Make, m.Model = d.text(tagMake), d.text(tagModel)
	if o := d.integer(tagOrientation); o >= 1 && o <= 8 {
		m.Orientation = int(o)
	}
}

func (m *Metadata) readExif(d directory) {
	m.Serial, m.Lens = d.text(tagSerial), d.text(tagLens)
	m.FocalLength, m.Focal35 = positive(d.number(tagFocalLength)), positive(d.number(tagFocal35))
	m.readTime(d)
	m.readPitch(d)
}

// readTime reads "YYYY:MM:DD hh:mm:ss", the digits after the point, and the offset.
func (m *Metadata) readTime(d directory) {
	t, err := time.Parse("2006:01:02 15:04:05", d.text(tagTimeOriginal))
	if err != nil {
		return
	}
	if digits := d.text(tagSubSecOriginal); digits != "" {
		if part, err := time.ParseDuration("0." + digits + "s"); err == nil && part >= 0 && part < time.Second {
			t = t.Add(part)
		}
	}
	if zone, err := time.Parse("-07:00", d.text(tagOffsetOriginal)); err == nil {
		_, seconds := zone.Zone()
		t, m.HasZone = t.Add(-time.Duration(seconds)*time.Second), true
	}
	m.Time = t
}

// readPitch turns pixels per unit of the focal plane into millimetres per pixel.
// They refer to the photo as the camera made it, PixelXDimension wide: one that was
// scaled afterwards has larger pixels.
func (m *Metadata) readPitch(d directory) {
	unit := map[int64]float64{2: 25.4, 3: 10, 4: 1, 5: 0.001}[d.integer(tagFocalPlaneUnit)]
	if unit == 0 {
		unit = 25.4
	}
	rx, ry := positive(d.number(tagFocalPlaneX)), positive(d.number(tagFocalPlaneY))
	if rx == 0 || ry == 0 {
		return
	}
	m.PixelPitch = [2]float64{unit / rx, unit / ry}
	m.sensor = [2]float64{m.PixelPitch[0] * positive(d.number(tagPixelX)), m.PixelPitch[1] * positive(d.number(tagPixelY))}
}

// complete fills in what needs both the size of the photo and its EXIF.
func (m *Metadata) complete() {
	w, h := float64(m.Width), float64(m.Height)
	// A photo that was turned on its side keeps the sensor's long side.
	if (m.sensor[0] > m.sensor[1]) != (w > h) && m.sensor[1] > 0 {
		m.sensor[0], m.sensor[1] = m.sensor[1], m.sensor[0]
	}
	for i, pixels := range []float64{w, h} {
		if m.sensor[i] > 0 {
			m.PixelPitch[i] = m.sensor[i] / pixels
		}
	}
	m.positionFromXMP()
}

func (m *Metadata) readGPS(d directory) {
	lat, okLat := degrees(d.numbers(tagGPSLatitude), d.text(tagGPSLatitudeRef), "S")
	lon, okLon := degrees(d.numbers(tagGPSLongitude), d.text(tagGPSLongitudeRef), "W")
	if !okLat || !okLon || math.Abs(lat) > 90 || math.Abs(lon) > 180 {
		return
	}
	p := &Position{Latitude: lat, Longitude: lon}
	if v := d.numbers(tagGPSAltitude); len(v) > 0 && math.Abs(v[0]) < 100_000 {
		p.Altitude, p.HasAltitude = v[0], true
		ref := d.integer(tagGPSAltitudeRef)
		if ref == 1 || ref == 3 { // below
			p.Altitude = -p.Altitude
		}
		p.Ellipsoidal = ref == 2 || ref == 3 // Exif 3.0: above or below the ellipsoid
	}
	p.Horizontal = positive(d.number(tagGPSError))
	if v := d.numbers(tagGPSImageDirection); len(v) > 0 && v[0] >= 0 && v[0] <= 360 {
		p.Heading, p.HasHeading = v[0], true
	}
	p.Time = gpsTime(d)
	m.GPS = p
}

func gpsTime(d directory) time.Time {
	day, err := time.Parse("2006:01:02", d.text(tagGPSDate))
	hms := d.numbers(tagGPSTime)
	if err != nil || len(hms) != 3 {
		return time.Time{}
	}
	seconds := hms[0]*3600 + hms[1]*60 + hms[2]
	if !(seconds >= 0 && seconds < 86401) {
		return time.Time{}
	}
	return day.Add(time.Duration(seconds * float64(time.Second)))
}

// degrees puts degrees, minutes and seconds together.
func degrees(v []float64, ref, negative string) (float64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	sum, unit := 0.0, 1.0
	for _, part := range v[:min(len(v), 3)] {
		if math.IsNaN(part) { // some cameras write 0/0 for seconds they do not have
			part = 0
		}
		sum += part * unit
		unit /= 60
	}
	if strings.HasPrefix(strings.ToUpper(ref), negative) {
		sum = -sum
	}
	return sum, !math.IsInf(sum, 0)
}

// positive returns v where it is a positive number, else 0.
func positive(v float64) float64 {
	if v > 0 && v < 1e12 {
		return v
	}
	return 0
}
