package pointcloud

import (
	"math"

	"slate360.ai/worker/codec/las"
)

// dimension is a field of the records with the statistics of its raw values.
// Names are those of PDAL and EPT.
type dimension struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"` // as EPT names it: signed, unsigned, float
	Size   int     `json:"size"` // bytes
	Scale  float64 `json:"scale"`
	Offset float64 `json:"offset"`
	Count  uint64  `json:"count"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	// Mean and M2 (sum of squared distances from it) follow B. P. Welford, "Note
	// on a method for calculating corrected sums of squares and products", 1962,
	// in the form for merging parts of T. F. Chan et al., 1979.
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"`

	shift, sum, sum2 float64 // of the part that is being added
}

// variance is that of the whole population.
func (d *dimension) variance() float64 {
	if d.Count == 0 {
		return 0
	}
	return d.M2 / float64(d.Count)
}

func (d *dimension) merge(o *dimension) {
	if o.Count == 0 {
		return
	}
	if d.Count == 0 {
		d.Count, d.Min, d.Max, d.Mean, d.M2 = o.Count, o.Min, o.Max, o.Mean, o.M2
		return
	}
	d.Min, d.Max = min(d.Min, o.Min), max(d.Max, o.Max)
	n, m := float64(d.Count), float64(o.Count)
	delta := o.Mean - d.Mean
	d.Mean += delta * m / (n + m)
	d.M2 += o.M2 + delta*delta*n*m/(n+m)
	d.Count += o.Count
}

// statistics are gathered in the one pass that decodes the source.
type statistics struct {
	Dimensions []*dimension `json:"dimensions"`
	Classes    [256]uint64  `json:"classes"`
	Returns    [16]uint64   `json:"returns"`         // by return number
	Of         [16]uint64   `json:"numberOfReturns"` // by number of returns
	RawMin     [3]int32     `json:"rawMin"`
	RawMax     [3]int32     `json:"rawMax"`

	layout las.Layout
	fields []field
}

// field reads a dimension out of records.
type field struct {
	kind  fieldKind
	at    int // byte offset
	shift uint8
	mask  uint8
	extra *las.ExtraBytes
}

type fieldKind uint8

const (
	fieldX fieldKind = iota
	fieldY
	fieldZ
	fieldU8
	fieldU16
	fieldI8
	fieldI16
	fieldF64
	fieldExtra
)

func newStatistics(l las.Layout, extra []las.ExtraBytes) *statistics {
	s := &statistics{layout: l}
	for i := range s.RawMin {
		s.RawMin[i], s.RawMax[i] = math.MaxInt32, math.MinInt32
	}
	add := func(name, typ string, size int, f field) {
		s.Dimensions = append(s.Dimensions, &dimension{Name: name, Type: typ, Size: size, Scale: 1})
		s.fields = append(s.fields, f)
	}
	add("X", "signed", 4, field{kind: fieldX})
	add("Y", "signed", 4, field{kind: fieldY})
	add("Z", "signed", 4, field{kind: fieldZ})
	add("Intensity", "unsigned", 2, field{kind: fieldU16, at: 12})
	if l.Format >= 6 {
		add("ReturnNumber", "unsigned", 1, field{kind: fieldU8, at: 14, mask: 15})
		add("NumberOfReturns", "unsigned", 1, field{kind: fieldU8, at: 14, shift: 4, mask: 15})
		add("ClassFlags", "unsigned", 1, field{kind: fieldU8, at: 15, mask: 15})
		add("ScanChannel", "unsigned", 1, field{kind: fieldU8, at: 15, shift: 4, mask: 3})
		add("ScanDirectionFlag", "unsigned", 1, field{kind: fieldU8, at: 15, shift: 6, mask: 1})
		add("EdgeOfFlightLine", "unsigned", 1, field{kind: fieldU8, at: 15, shift: 7, mask: 1})
		add("Classification", "unsigned", 1, field{kind: fieldU8, at: 16, mask: 255})
		add("UserData", "unsigned", 1, field{kind: fieldU8, at: 17, mask: 255})
		add("ScanAngleRank", "float", 4, field{kind: fieldI16, at: 18})
		// Table 15: increments of 0.006 degrees.
		s.Dimensions[len(s.Dimensions)-1].Scale = 0.006
		add("PointSourceId", "unsigned", 2, field{kind: fieldU16, at: 20})
	} else {
		add("ReturnNumber", "unsigned", 1, field{kind: fieldU8, at: 14, mask: 7})
		add("NumberOfReturns", "unsigned", 1, field{kind: fieldU8, at: 14, shift: 3, mask: 7})
		add("ScanDirectionFlag", "unsigned", 1, field{kind: fieldU8, at: 14, shift: 6, mask: 1})
		add("EdgeOfFlightLine", "unsigned", 1, field{kind: fieldU8, at: 14, shift: 7, mask: 1})
		add("Classification", "unsigned", 1, field{kind: fieldU8, at: 15, mask: 31})
		add("ClassFlags", "unsigned", 1, field{kind: fieldU8, at: 15, shift: 5, mask: 7})
		add("ScanAngleRank", "float", 4, field{kind: fieldI8, at: 16})
		add("UserData", "unsigned", 1, field{kind: fieldU8, at: 17, mask: 255})
		add("PointSourceId", "unsigned", 2, field{kind: fieldU16, at: 18})
	}
	if l.GPSTime >= 0 {
		add("GpsTime", "float", 8, field{kind: fieldF64, at: l.GPSTime})
	}
	if l.RGB >= 0 {
		for i, name := range []string{"Red", "Green", "Blue"} {
			add(name, "unsigned", 2, field{kind: fieldU16, at: l.RGB + 2*i})
		}
	}
	if l.NIR >= 0 {
		add("Infrared", "unsigned", 2, field{kind: fieldU16, at: l.NIR})
	}
	for i := range extra {
		if e := &extra[i]; e.Type.Elements() == 1 {
			typ, size := extraType(e)
			add(e.Name, typ, size, field{kind: fieldExtra, extra: e})
		}
	}
	return s
}

// extraType gives the type of an extra dimension in the terms of EPT.
func extraType(e *las.ExtraBytes) (typ string, size int) {
	switch e.Type.Base() {
	case las.TypeInt8, las.TypeInt16, las.TypeInt32, las.TypeInt64:
		typ = "signed"
	case las.TypeFloat32, las.TypeFloat64:
		typ = "float"
	default:
		typ = "unsigned"
	}
	return typ, e.Size()
}

// add takes in records and stores their coordinates in xyz.
func (s *statistics) add(records []byte, xyz []int32) {
	l := &s.layout
	n := len(records) / l.Length
	lo, hi := s.RawMin, s.RawMax
	for i := range n {
		rec := records[i*l.Length : (i+1)*l.Length]
		x, y, z := l.XYZ(rec)
		xyz[3*i], xyz[3*i+1], xyz[3*i+2] = x, y, z
		lo[0], hi[0] = min(lo[0], x), max(hi[0], x)
		lo[1], hi[1] = min(lo[1], y), max(hi[1], y)
		lo[2], hi[2] = min(lo[2], z), max(hi[2], z)
		if l.Format >= 6 {
			s.Returns[rec[14]&15]++
			s.Of[rec[14]>>4]++
			s.Classes[rec[16]]++
		} else {
			s.Returns[rec[14]&7]++
			s.Of[rec[14]>>3&7]++
			s.Classes[rec[15]&31]++
		}
	}
	s.RawMin, s.RawMax = lo, hi
	for i, d := range s.Dimensions {
		part := s.fields[i].gather(l, records)
		d.merge(&part)
	}
}

// gather sums up a field over records. Sums are taken from the first value on, so
// that large values with little spread (GPS time) lose no digits.
func (f *field) gather(l *las.Layout, records []byte) dimension {
	d := dimension{Min: math.Inf(1), Max: math.Inf(-1)}
	n := l.Length
	switch f.kind {
	case fieldX, fieldY, fieldZ:
		at := 4 * int(f.kind)
		for r := records; len(r) >= n; r = r[n:] {
			d.value(float64(int32(uint32(r[at]) | uint32(r[at+1])<<8 | uint32(r[at+2])<<16 | uint32(r[at+3])<<24)))
		}
	case fieldU8:
		for r := records; len(r) >= n; r = r[n:] {
			d.value(float64(r[f.at] >> f.shift & f.mask))
		}
	case fieldU16:
		for r := records; len(r) >= n; r = r[n:] {
			d.value(float64(uint16(r[f.at]) | uint16(r[f.at+1])<<8))
		}
	case fieldI8:
		for r := records; len(r) >= n; r = r[n:] {
			d.value(float64(int8(r[f.at])))
		}
	case fieldI16:
		for r := records; len(r) >= n; r = r[n:] {
			d.value(float64(int16(uint16(r[f.at]) | uint16(r[f.at+1])<<8)))
		}
	case fieldF64:
		for r := records; len(r) >= n; r = r[n:] {
			if v := l.GPSTimeOf(r); !math.IsNaN(v) && !math.IsInf(v, 0) {
				d.value(v)
			}
		}
	case fieldExtra:
		for r := records; len(r) >= n; r = r[n:] {
			if v, ok := f.extra.Value(r, 0); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
				d.value(v)
			}
		}
	}
	d.close()
	return d
}

func (d *dimension) value(v float64) {
	if d.Count == 0 {
		d.shift = v
	}
	d.Count++
	d.Min, d.Max = min(d.Min, v), max(d.Max, v)
	v -= d.shift
	d.sum += v
	d.sum2 += v * v
}

func (d *dimension) close() {
	if d.Count == 0 {
		d.Min, d.Max = 0, 0
		return
	}
	n := float64(d.Count)
	d.Mean = d.shift + d.sum/n
	d.M2 = max(0, d.sum2-d.sum*d.sum/n)
}

func (s *statistics) merge(o *statistics) {
	for i, d := range s.Dimensions {
		d.merge(o.Dimensions[i])
	}
	for i := range s.Classes {
		s.Classes[i] += o.Classes[i]
	}
	for i := range s.Returns {
		s.Returns[i] += o.Returns[i]
		s.Of[i] += o.Of[i]
	}
	for i := range s.RawMin {
		s.RawMin[i], s.RawMax[i] = min(s.RawMin[i], o.RawMin[i]), max(s.RawMax[i], o.RawMax[i])
	}
}

func (s *statistics) bounds() (lo, hi [3]int32) { return s.RawMin, s.RawMax }

// find gives a dimension by its name, nil without.
func (s *statistics) find(name string) *dimension {
	for _, d := range s.Dimensions {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// colors tells what must be multiplied with colours to span 16 bits, 256 for those
// of 8 bits (LAS 1.4 R15, table 10: "multiply each channel value by 256"), and
// whether there are any: formats with colours hold zeros where there was no camera.
func (s *statistics) colors() (scale uint16, has bool) {
	top := 0.0
	for _, name := range []string{"Red", "Green", "Blue"} {
		if d := s.find(name); d != nil {
			top = max(top, d.Max)
		}
	}
	switch {
	case top == 0:
		return 1, false
	case top <= 255:
		return 256, true
	}
	return 1, true
}
