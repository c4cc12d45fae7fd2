package pointcloud

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"slate360.ai/worker/codec/crs"
	"slate360.ai/worker/codec/las"
	"slate360.ai/worker/internal/pipeline"
)

// User ID and record IDs of coordinate systems (LAS 1.4 R15, section 3).
const (
	userProjection   = "LASF_Projection"
	recordWKT        = 2112
	recordKeys       = 34735
	recordDoubles    = 34736
	recordASCII      = 34737
	unknownCRSAdvice = "outputs have local coordinates; give it with --crs EPSG:n"
)

// crsInfo is the coordinate reference system of the cloud as text, since products
// are files; crs parses it again.
type crsInfo struct {
	// Definition is what codec/crs parses: WKT or EPSG:n; empty where unknown.
	Definition string `json:"definition,omitempty"`
	// WKT goes into outputs.
	WKT string `json:"wkt,omitempty"`
	// Origin says where it was found: option, wkt, geotiff.
	Origin string `json:"origin,omitempty"`
}

func (c crsInfo) crs() (*crs.CRS, error) {
	if c.Definition == "" {
		return nil, nil
	}
	return crs.Parse(c.Definition)
}

// findCRS takes the CRS that the job says, else that of the file, WKT first.
// Unknown ones are a warning: the cloud then has local coordinates.
func findCRS(s *pipeline.Context, vlrs []las.VLR) crsInfo {
	if s.Options().CRS.Target != "" {
		s.Warn("option crs.target has no effect yet: outputs stay in the coordinate system of the source, 3D Tiles in EPSG:4978")
	}
	if text := s.Options().CRS.Source; text != "" {
		c, err := crs.Parse(text)
		if err == nil {
			return crsInfo{Definition: text, WKT: c.WKT(), Origin: "option"}
		}
		s.Warn("option crs.source is not understood (%v); that of the file is taken", err)
	}
	info, err := fileCRS(vlrs)
	switch {
	case err != nil:
		s.Warn("the coordinate system of the file is not understood (%v): %s", err, unknownCRSAdvice)
	case info.Definition == "":
		s.Warn("the file does not say its coordinate system: %s", unknownCRSAdvice)
	}
	return info
}

// fileCRS reads the CRS of a file. WKT that is not understood is kept for outputs.
func fileCRS(vlrs []las.VLR) (crsInfo, error) {
	var keys, doubles, ascii []byte
	var wktErr error
	info := crsInfo{}
	for _, v := range vlrs {
		switch {
		case v.UserID != userProjection:
		case v.RecordID == recordWKT:
			text := strings.TrimSpace(strings.TrimRight(string(v.Data), "\x00"))
			if text == "" || info.WKT != "" {
				continue
			}
			info.WKT = text
			if _, wktErr = crs.ParseWKT(text); wktErr == nil {
				return crsInfo{Definition: text, WKT: text, Origin: "wkt"}, nil
			}
		case v.RecordID == recordKeys:
			keys = v.Data
		case v.RecordID == recordDoubles:
			doubles = v.Data
		case v.RecordID == recordASCII:
			ascii = v.Data
		}
	}
	if keys == nil {
		return info, wktErr
	}
	c, err := crs.FromGeoTIFFKeys(uint16s(keys), float64s(doubles), string(ascii))
	if err != nil {
		return info, fmt.Errorf("GeoTIFF keys: %w", err)
	}
	wkt := c.WKT()
	return crsInfo{Definition: wkt, WKT: wkt, Origin: "geotiff"}, nil
}

func uint16s(b []byte) []uint16 {
	v := make([]uint16, len(b)/2)
	for i := range v {
		v[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return v
}

func float64s(b []byte) []float64 {
	v := make([]float64, len(b)/8)
	for i := range v {
		v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return v
}

// outputVLRs gives the records for outputs in LAS 1.4, formats 6 to 8: the CRS as
// WKT, which these formats demand, and with all also the others of the source.
func outputVLRs(vlrs []las.VLR, info crsInfo, all bool) []las.VLR {
	var out []las.VLR
	if info.WKT != "" {
		out = append(out, las.VLR{UserID: userProjection, RecordID: recordWKT, Description: "OGC WKT Coordinate System", Data: append([]byte(info.WKT), 0)})
	}
	for _, v := range vlrs {
		switch {
		case v.UserID == userProjection, v.UserID == "copc", v.Is(las.UserLASzip, las.RecordLASzip):
		case v.Is(las.UserSpec, las.RecordWaveform):
		case v.Is(las.UserSpec, las.RecordExtraBytes), all:
			out = append(out, v)
		}
	}
	return out
}
