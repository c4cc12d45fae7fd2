package exif_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slate360.ai/worker/codec/exif"
	"slate360.ai/worker/internal/testdata"
)

// entry is a tag of a test's directory; kinds as in TIFF 6.0.
type entry struct {
	tag, kind uint16
	count     uint32
	data      []byte
}

func text(tag uint16, s string) entry {
	return entry{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)}
}

func short(order binary.AppendByteOrder, tag, v uint16) entry {
	return entry{tag, 3, 1, order.AppendUint16(nil, v)}
}

func rationals(order binary.AppendByteOrder, tag uint16, v ...uint32) entry {
	var b []byte
	for _, n := range v {
		b = order.AppendUint32(b, n)
	}
	return entry{tag, 5, uint32(len(v) / 2), b}
}

// directory encodes entries, with their data after them, at an offset of the block.
func directory(order binary.AppendByteOrder, at uint32, list []entry) []byte {
	b := order.AppendUint16(nil, uint16(len(list)))
	next := at + 2 + 12*uint32(len(list)) + 4
	var tail []byte
	for _, e := range list {
		b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, e.tag), e.kind), e.count)
		if len(e.data) <= 4 {
			b = append(b, append(append([]byte{}, e.data...), make([]byte, 4-len(e.data))...)...)
			continue
		}
		b = order.AppendUint32(b, next+uint32(len(tail)))
		tail = append(tail, e.data...)
	}
	return append(order.AppendUint32(b, 0), tail...)
}

// block is a TIFF with a main directory, one of EXIF and one of GPS.
func block(order binary.AppendByteOrder, main, exifs, gps []entry) []byte {
	head := []byte("II*\x00")
	if order.String() == binary.BigEndian.String() {
		head = []byte("MM\x00*")
	}
	head = order.AppendUint32(head, 8)
	pointers := func(a, b uint32) []entry {
		return append(append([]entry{}, main...),
			entry{0x8769, 4, 1, order.AppendUint32(nil, a)}, entry{0x8825, 4, 1, order.AppendUint32(nil, b)})
	}
	size := uint32(8 + len(directory(order, 8, pointers(0, 0))))
	first := directory(order, size, exifs)
	out := append(head, directory(order, 8, pointers(size, size+uint32(len(first))))...)
	out = append(out, first...)
	return append(out, directory(order, size+uint32(len(first)), gps)...)
}

// drone is the EXIF of a photo at 48° 51' 29.6" S, 2° 17' 40.2" W, 35.5 m below the sea.
func drone(order binary.AppendByteOrder) []byte {
	return block(
		order,
		[]entry{text(0x010f, "Maker  "), text(0x0110, "Model X"), short(order, 0x0112, 6)},
		[]entry{
			text(0x9003, "2024:05:06 07:08:09"), text(0x9291, "25 "), text(0x9011, "+02:00"),
			rationals(order, 0x920a, 88, 10), short(order, 0xa405, 24),
			short(order, 0xa002, 80), short(order, 0xa003, 40),
			rationals(order, 0xa20e, 4000, 1), rationals(order, 0xa20f, 4000, 1), short(order, 0xa210, 3),
		},
		[]entry{
			text(1, "S"), rationals(order, 2, 48, 1, 51, 1, 296, 10),
			text(3, "W"), rationals(order, 4, 2, 1, 17, 1, 402, 10),
			{5, 1, 1, []byte{1}},
			rationals(order, 6, 355, 10), rationals(order, 0x1f, 15, 10),
			rationals(order, 7, 5, 1, 8, 1, 9, 1), text(0x1d, "2024:05:06"), rationals(order, 0x11, 2705, 10),
		},
	)
}

const packet = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" drone-dji:GimbalYawDegree="+91.50" drone-dji:GimbalPitchDegree="-89.90"
 drone-dji:GimbalRollDegree="+0.10" drone-dji:RelativeAltitude="+60.25" drone-dji:RtkFlag="50" drone-dji:RtkStdLat="0.012" drone-dji:RtkStdLon="0.015"
 drone-dji:RtkStdHgt="0.031"><drone-dji:CalibratedFocalLength>3666.6</drone-dji:CalibratedFocalLength></rdf:Description>
<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"><GPano:ProjectionType>equirectangular</GPano:ProjectionType></rdf:Description>
</rdf:RDF></x:xmpmeta>`

// picture is a JPEG of 40 × 20 pixels with segments put after its first marker.
func picture(t testing.TB, segments ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 40, 20)), nil); err != nil {
		t.Fatal(err)
	}
	out := append([]byte{}, b.Bytes()[:2]...)
	for _, s := range segments {
		out = append(out, 0xff, 0xe1, byte((len(s)+2)>>8), byte(len(s)+2))
		out = append(out, s...)
	}
	return append(out, b.Bytes()[2:]...)
}

func exifSegment(b []byte) []byte { return append([]byte("Exif\x00\x00"), b...) }

func xmpSegment(s string) []byte { return []byte("http://ns.adobe.com/xap/1.0/\x00" + s) }

func read(t *testing.T, data []byte) *exif.Metadata {
	t.Helper()
	m, err := exif.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func checkDrone(t *testing.T, m *exif.Metadata) {
	t.Helper()
	if m.Make != "Maker" || m.Model != "Model X" || m.Orientation != 6 || m.FocalLength != 8.8 || m.Focal35 != 24 {
		t.Errorf("camera = %+v", m)
	}
	if want := time.Date(2024, 5, 6, 5, 8, 9, 250e6, time.UTC); !m.Time.Equal(want) || !m.HasZone {
		t.Errorf("time = %v, want %v", m.Time, want)
	}
	// 4,000 pixels a centimetre in a photo of 80 pixels that is now 40 wide.
	if !near(m.PixelPitch[0], 0.005) || !near(m.PixelPitch[1], 0.005) {
		t.Errorf("pixel pitch = %v", m.PixelPitch)
	}
	g := m.GPS
	if g == nil || !near(g.Latitude, -(48+51./60+29.6/3600)) || !near(g.Longitude, -(2+17./60+40.2/3600)) || g.Altitude != -35.5 || !g.HasAltitude {
		t.Fatalf("position = %+v", g)
	}
	if !g.Time.Equal(time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC)) || g.Heading != 270.5 {
		t.Errorf("position = %+v", g)
	}
}

func TestJPEG(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		m := read(t, picture(t, exifSegment(drone(order))))
		if m.Format != exif.JPEG || m.Width != 40 || m.Height != 20 || m.Components != 3 || m.Bits != 8 {
			t.Errorf("photo = %+v", m)
		}
		checkDrone(t, m)
		if m.GPS.Horizontal != 1.5 || m.GPS.Vertical != 0 {
			t.Errorf("accuracy = %+v", m.GPS)
		}
	}
}

func TestXMP(t *testing.T) {
	m := read(t, picture(t, exifSegment(drone(binary.LittleEndian)), xmpSegment(packet)))
	x := m.XMP
	if x.Gimbal == nil || *x.Gimbal != (exif.Attitude{Yaw: 91.5, Pitch: -89.9, Roll: 0.1}) {
		t.Errorf("gimbal = %+v", x.Gimbal)
	}
	if x.RelativeAltitude != 60.25 || x.RTK != 50 || x.FocalPixels != 3666.6 || x.Projection != "equirectangular" {
		t.Errorf("XMP = %+v", x)
	}
	if m.GPS.Horizontal != 0.015 || m.GPS.Vertical != 0.031 {
		t.Errorf("accuracy = %+v", m.GPS)
	}
}

// A position that is in XMP only, with the spelling of early firmware.
func TestPositionFromXMP(t *testing.T) {
	m := read(t, picture(t, xmpSegment(`<a xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" drone-dji:GpsLatitude="47.25" drone-dji:GpsLongtitude="-122.5" drone-dji:AbsoluteAltitude="+101.5"/>`)))
	if g := m.GPS; g == nil || g.Latitude != 47.25 || g.Longitude != -122.5 || g.Altitude != 101.5 {
		t.Errorf("position = %+v", g)
	}
}

func TestOtherContainers(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray16(image.Rect(0, 0, 40, 20))); err != nil {
		t.Fatal(err)
	}
	head := b.Bytes()[:33] // signature and IHDR
	chunk := func(kind string, data []byte) []byte {
		c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		c = append(append(c, kind...), data...)
		return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
	}
	data := append([]byte{}, head...)
	data = append(data, chunk("eXIf", drone(binary.BigEndian))...)
	data = append(data, chunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"+packet))...)
	m := read(t, append(data, b.Bytes()[33:]...))
	if m.Format != exif.PNG || m.Bits != 16 || m.Components != 1 || m.XMP.RTK != 50 {
		t.Errorf("PNG = %+v", m)
	}
	checkDrone(t, m)

	webp := []byte("VP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x27\x00\x00\x13\x00\x00")
	e := drone(binary.LittleEndian)
	webp = append(binary.LittleEndian.AppendUint32(append(webp, "EXIF"...), uint32(len(e))), e...)
	if len(e)%2 == 1 {
		webp = append(webp, 0)
	}
	m = read(t, append([]byte("RIFF\x00\x00\x00\x00WEBP"), webp...))
	if m.Format != exif.WebP || m.Width != 40 || m.Height != 20 {
		t.Errorf("WebP = %+v", m)
	}
	checkDrone(t, m)

	order := binary.LittleEndian
	m = read(t, block(order, []entry{short(order, 0x100, 640), short(order, 0x101, 480), short(order, 0x102, 16), text(0x10f, "Thermal")}, nil, nil))
	if m.Format != exif.TIFF || m.Width != 640 || m.Height != 480 || m.Bits != 16 || m.Make != "Thermal" || m.GPS != nil {
		t.Errorf("TIFF = %+v", m)
	}
}

func TestDamaged(t *testing.T) {
	whole := picture(t, exifSegment(drone(binary.LittleEndian)), xmpSegment(packet))
	for n := range 600 { // no cut of the header is taken for a photo, and none panics
		if _, err := exif.Read(bytes.NewReader(whole[:n]), int64(n)); !errors.Is(err, exif.ErrFormat) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	// EXIF that is cut off leaves the photo readable.
	d := drone(binary.LittleEndian)
	for n := range d {
		if m := read(t, picture(t, exifSegment(d[:n]))); m.Width != 40 {
			t.Fatalf("%d bytes of EXIF: %+v", n, m)
		}
	}
	for _, bad := range []string{"", "<", strings.Repeat("<a>", 10000), "<a b='", "\x00\xff"} {
		if m := read(t, picture(t, xmpSegment(bad))); m.Width != 40 {
			t.Errorf("XMP %.10q: %+v", bad, m)
		}
	}
}

// GDAL reads EXIF by code that is not ours.
func TestAgainstGDAL(t *testing.T) {
	dir := testdata.Path(t, "photos/seneca")
	gdal := testdata.Tool(t, "gdalinfo")
	for _, name := range []string{"IMG_0500.jpg", "IMG_0511.jpg", "IMG_0517.jpg"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := read(t, data)
		out, err := exec.Command(gdal, "-json", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		var info struct {
			Size     [2]int                       `json:"size"`
			Metadata map[string]map[string]string `json:"metadata"`
		}
		if err := json.Unmarshal(out, &info); err != nil {
			t.Fatal(err)
		}
		tags := info.Metadata[""]
		angle := func(name string) float64 {
			var d, minutes, s float64
			if _, err := fmt.Sscanf(strings.NewReplacer("(", " ", ")", " ").Replace(tags[name]), "%g %g %g", &d, &minutes, &s); err != nil {
				t.Fatalf("%s = %q", name, tags[name])
			}
			return d + minutes/60 + s/3600
		}
		if m.Width != info.Size[0] || m.Height != info.Size[1] || m.Model != strings.TrimSpace(tags["EXIF_Model"]) {
			t.Errorf("%s: %+v", name, m)
		}
		if math.Abs(m.GPS.Latitude-angle("EXIF_GPSLatitude")) > 1e-6 || math.Abs(-m.GPS.Longitude-angle("EXIF_GPSLongitude")) > 1e-6 {
			t.Errorf("%s: position %+v, GDAL %s %s", name, m.GPS, tags["EXIF_GPSLatitude"], tags["EXIF_GPSLongitude"])
		}
		if got := m.Time.Format("2006:01:02 15:04:05"); got != tags["EXIF_DateTimeOriginal"] {
			t.Errorf("%s: time %s, GDAL %s", name, got, tags["EXIF_DateTimeOriginal"])
		}
		if !strings.HasPrefix(tags["EXIF_FocalLength"], fmt.Sprintf("(%.1f", m.FocalLength)) {
			t.Errorf("%s: focal length %g, GDAL %s", name, m.FocalLength, tags["EXIF_FocalLength"])
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(picture(f, exifSegment(drone(binary.LittleEndian)), xmpSegment(packet)))
	f.Add(picture(f, exifSegment(drone(binary.BigEndian))))
	f.Add(drone(binary.BigEndian))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x27\x00\x00\x13\x00\x00"))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x28\x00\x00\x00\x14\x10\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := exif.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if m.Width <= 0 || m.Height <= 0 {
			t.Fatalf("a photo of %d × %d", m.Width, m.Height)
		}
		for _, v := range []float64{m.FocalLength, m.Focal35, m.PixelPitch[0], m.PixelPitch[1]} {
			if v < 0 || v-v != 0 {
				t.Fatalf("%+v", m)
			}
		}
		if g := m.GPS; g != nil && !(math.Abs(g.Latitude) <= 90 && math.Abs(g.Longitude) <= 180 && g.Horizontal >= 0 && g.Vertical >= 0 && g.Altitude-g.Altitude == 0) {
			t.Fatalf("%+v", g)
		}
	})
}
