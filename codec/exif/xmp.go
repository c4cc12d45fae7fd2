package exif

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
)

// Namespaces of XMP by how their addresses end: versions and makers differ in the
// rest, the names of fields do not clash.
const (
	spaceDJI    = "drone-dji/1.0/"
	spaceCamera = "pix4d.com/camera/1.0"
	spaceGPano  = "photos/1.0/panorama/"
)

// maxFields bounds the fields of a packet that are kept, maxField the bytes of one.
const (
	maxFields = 2000
	maxField  = 1024
)

// readXMP reads a packet. A damaged one is taken as far as it can be read.
func (m *Metadata) readXMP(packet []byte) {
	if len(packet) > maxSegment {
		return
	}
	m.applyXMP(xmpFields(packet))
}

// xmpFields returns simple properties as "prefix:Name", where the prefix is ours:
// RDF writes them as attributes of rdf:Description or as elements.
func xmpFields(packet []byte) map[string]string {
	fields := map[string]string{}
	d := xml.NewDecoder(bytes.NewReader(packet))
	d.Strict = false
	var open []string
	for len(fields) < maxFields {
		token, err := d.Token()
		if err != nil {
			return fields
		}
		switch t := token.(type) {
		case xml.StartElement:
			for _, a := range t.Attr {
				keep(fields, fieldName(a.Name), a.Value)
			}
			open = append(open, fieldName(t.Name))
		case xml.EndElement:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case xml.CharData:
			// The value lies in the property, or in the rdf:li of its rdf:Seq.
			for i := len(open) - 1; i >= max(0, len(open)-3); i-- {
				if open[i] != "" {
					keep(fields, open[i], string(t))
					break
				}
			}
		}
	}
	return fields
}

func fieldName(n xml.Name) string {
	for suffix, prefix := range map[string]string{spaceDJI: "dji:", spaceCamera: "camera:", spaceGPano: "gpano:"} {
		if strings.HasSuffix(strings.TrimSuffix(n.Space, "/"), strings.TrimSuffix(suffix, "/")) {
			return prefix + n.Local
		}
	}
	// Packets that lack a declaration have the prefix itself for an address.
	switch n.Space {
	case "drone-dji":
		return "dji:" + n.Local
	case "Camera":
		return "camera:" + n.Local
	case "GPano":
		return "gpano:" + n.Local
	}
	return ""
}

func keep(fields map[string]string, name, text string) {
	text = strings.TrimSpace(text)
	if name == "" || text == "" || len(text) > maxField {
		return
	}
	if _, ok := fields[name]; !ok {
		fields[name] = text
	}
}

// numberField parses "+12.30", "12.3" and "123/10".
func numberField(fields map[string]string, names ...string) (float64, bool) {
	for _, name := range names {
		text, ok := fields[name]
		if !ok {
			continue
		}
		a, b, isFraction := strings.Cut(text, "/")
		v, err := strconv.ParseFloat(a, 64)
		if isFraction {
			w, err2 := strconv.ParseFloat(b, 64)
			if err2 != nil || w == 0 {
				continue
			}
			v /= w
		}
		if err == nil && v-v == 0 {
			return v, true
		}
	}
	return 0, false
}

func (m *Metadata) applyXMP(f map[string]string) {
	x := &m.XMP
	number := func(to *float64, names ...string) bool {
		v, ok := numberField(f, names...)
		if ok {
			*to = v
		}
		return ok
	}
	x.Gimbal = attitude(f, x.Gimbal, [3]string{"dji:GimbalYawDegree", "dji:GimbalPitchDegree", "dji:GimbalRollDegree"})
	x.Gimbal = attitude(f, x.Gimbal, [3]string{"camera:Yaw", "camera:Pitch", "camera:Roll"})
	x.Flight = attitude(f, x.Flight, [3]string{"dji:FlightYawDegree", "dji:FlightPitchDegree", "dji:FlightRollDegree"})
	if number(&x.RelativeAltitude, "dji:RelativeAltitude") {
		x.HasRelativeAltitude = true
	}
	var flag float64
	if number(&flag, "dji:RtkFlag") && flag >= 0 && flag < 1000 {
		x.RTK, x.HasRTK = int(flag), true
	}
	number(&x.FocalPixels, "dji:CalibratedFocalLength")
	number(&x.CenterX, "dji:CalibratedOpticalCenterX")
	number(&x.CenterY, "dji:CalibratedOpticalCenterY")
	if v := f["gpano:ProjectionType"]; v != "" {
		x.Projection = strings.ToLower(v)
	}
	if v := f["camera:BandName"]; v != "" {
		x.Band = v
	}
	m.xmp = f
}

func attitude(f map[string]string, old *Attitude, names [3]string) *Attitude {
	var a Attitude
	found := false
	for i, to := range []*float64{&a.Yaw, &a.Pitch, &a.Roll} {
		if v, ok := numberField(f, names[i]); ok && v >= -360 && v <= 360 {
			*to, found = v, true
		}
	}
	if !found || old != nil {
		return old
	}
	return &a
}

// positionFromXMP takes what XMP knows of the position better than EXIF, or at all:
// DJI writes more digits and the deviations of RTK there, Pix4D's Camera the
// accuracy of a receiver.
func (m *Metadata) positionFromXMP() {
	f := m.xmp
	if m.GPS == nil {
		// "GpsLongtitude" is how early firmware of DJI spells it.
		lat, okLat := numberField(f, "dji:GpsLatitude", "dji:Latitude")
		lon, okLon := numberField(f, "dji:GpsLongitude", "dji:GpsLongtitude", "dji:Longitude")
		if !okLat || !okLon || lat < -90 || lat > 90 || lon < -180 || lon > 180 {
			return
		}
		m.GPS = &Position{Latitude: lat, Longitude: lon}
		if alt, ok := numberField(f, "dji:AbsoluteAltitude"); ok {
			m.GPS.Altitude, m.GPS.HasAltitude = alt, true
		}
	}
	p := m.GPS
	latStd, okLat := numberField(f, "dji:RtkStdLat")
	lonStd, okLon := numberField(f, "dji:RtkStdLon")
	if okLat && okLon {
		p.Horizontal = positive(max(latStd, lonStd))
	} else if v, ok := numberField(f, "camera:GPSXYAccuracy"); ok {
		p.Horizontal = positive(v)
	}
	if v, ok := numberField(f, "dji:RtkStdHgt", "camera:GPSZAccuracy"); ok {
		p.Vertical = positive(v)
	}
}
