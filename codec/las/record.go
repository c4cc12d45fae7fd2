package las

import (
	"encoding/binary"
	"math"
)

// Bits of ClassFlags.
const (
	FlagSynthetic = 1 << 0
	FlagKeyPoint  = 1 << 1
	FlagWithheld  = 1 << 2
	FlagOverlap   = 1 << 3
)

// Classes of LAS 1.4 R15, tables 9 and 17, that this package acts on.
const (
	ClassNever        = 0  // created, never classified
	ClassUnclassified = 1  // unclassified
	classOverlap      = 12 // overlap, in formats 0 to 5 only
)

// extendedAngle is the unit of the scan angle of formats 6 to 10, in degrees.
const extendedAngle = 0.006

// XYZ gives the integer coordinates of a record.
func (l Layout) XYZ(rec []byte) (x, y, z int32) {
	_ = rec[11]
	return int32(binary.LittleEndian.Uint32(rec)),
		int32(binary.LittleEndian.Uint32(rec[4:])),
		int32(binary.LittleEndian.Uint32(rec[8:]))
}

// SetXYZ sets the integer coordinates.
func (l Layout) SetXYZ(rec []byte, x, y, z int32) {
	_ = rec[11]
	binary.LittleEndian.PutUint32(rec, uint32(x))
	binary.LittleEndian.PutUint32(rec[4:], uint32(y))
	binary.LittleEndian.PutUint32(rec[8:], uint32(z))
}

// Intensity gives the pulse return magnitude.
func (l Layout) Intensity(rec []byte) uint16 { return binary.LittleEndian.Uint16(rec[12:]) }

// SetIntensity sets the pulse return magnitude.
func (l Layout) SetIntensity(rec []byte, v uint16) { binary.LittleEndian.PutUint16(rec[12:], v) }

// ReturnNumber gives the number of the return, from 1: to 7 in formats 0 to 5,
// to 15 in 6 to 10; 0 where the writer did not know.
func (l Layout) ReturnNumber(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[14] & 15
	}
	return rec[14] & 7
}

// NumberOfReturns gives the returns of the pulse; ranges as for ReturnNumber.
func (l Layout) NumberOfReturns(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[14] >> 4
	}
	return rec[14] >> 3 & 7
}

// SetReturns sets both; values beyond the format's range are cut to it.
func (l Layout) SetReturns(rec []byte, number, of uint8) {
	if l.Format >= 6 {
		rec[14] = min(number, 15) | min(of, 15)<<4
		return
	}
	rec[14] = rec[14]&0xC0 | min(number, 7) | min(of, 7)<<3
}

// ScanDirection gives the direction of the mirror, 0 or 1.
func (l Layout) ScanDirection(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[15] >> 6 & 1
	}
	return rec[14] >> 6 & 1
}

// EdgeOfFlightLine gives 1 for the last point of a scan line.
func (l Layout) EdgeOfFlightLine(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[15] >> 7
	}
	return rec[14] >> 7
}

// ScannerChannel gives the channel of the scanner head, 0 to 3; 0 in formats 0 to 5.
func (l Layout) ScannerChannel(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[15] >> 4 & 3
	}
	return 0
}

// Classification gives the class: 0 to 31 in formats 0 to 5, to 255 in 6 to 10.
func (l Layout) Classification(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[16]
	}
	return rec[15] & 31
}

// SetClassification sets the class and leaves the flags. Classes above 31 do not
// fit formats 0 to 5 and become 1, unclassified.
func (l Layout) SetClassification(rec []byte, class uint8) {
	if l.Format >= 6 {
		rec[16] = class
		return
	}
	if class > 31 {
		class = ClassUnclassified
	}
	rec[15] = rec[15]&^31 | class
}

// ClassFlags gives FlagSynthetic, FlagKeyPoint, FlagWithheld and FlagOverlap; in
// formats 0 to 5 the overlap flag stands for class 12.
func (l Layout) ClassFlags(rec []byte) uint8 {
	if l.Format >= 6 {
		return rec[15] & 15
	}
	flags := rec[15] >> 5
	if rec[15]&31 == classOverlap {
		flags |= FlagOverlap
	}
	return flags
}

// SetClassFlags sets the flags; formats 0 to 5 have no place for FlagOverlap.
func (l Layout) SetClassFlags(rec []byte, flags uint8) {
	if l.Format >= 6 {
		rec[15] = rec[15]&^15 | flags&15
		return
	}
	rec[15] = rec[15]&31 | flags<<5
}

// ScanAngleDegrees gives the angle from nadir, left of the flight direction
// negative, roll of the aircraft included.
func (l Layout) ScanAngleDegrees(rec []byte) float64 {
	if l.Format >= 6 {
		return float64(int16(binary.LittleEndian.Uint16(rec[18:]))) * extendedAngle
	}
	return float64(int8(rec[16]))
}

// SetScanAngleDegrees sets the angle, rounded to the format's unit and cut to its
// range: whole degrees of ±90, or 0.006 degrees of ±180.
func (l Layout) SetScanAngleDegrees(rec []byte, degrees float64) {
	if math.IsNaN(degrees) {
		degrees = 0
	}
	if l.Format >= 6 {
		v := math.Round(max(-180, min(180, degrees)) / extendedAngle)
		binary.LittleEndian.PutUint16(rec[18:], uint16(int16(v)))
		return
	}
	rec[16] = uint8(int8(math.Round(max(-90, min(90, degrees)))))
}

// UserData gives the byte that is the user's own.
func (l Layout) UserData(rec []byte) uint8 { return rec[17] }

// SetUserData sets the byte that is the user's own.
func (l Layout) SetUserData(rec []byte, v uint8) { rec[17] = v }

// PointSourceID gives the file (flight line) that the point came from.
func (l Layout) PointSourceID(rec []byte) uint16 {
	if l.Format >= 6 {
		return binary.LittleEndian.Uint16(rec[20:])
	}
	return binary.LittleEndian.Uint16(rec[18:])
}

// SetPointSourceID sets the file (flight line) that the point came from.
func (l Layout) SetPointSourceID(rec []byte, v uint16) {
	if l.Format >= 6 {
		binary.LittleEndian.PutUint16(rec[20:], v)
		return
	}
	binary.LittleEndian.PutUint16(rec[18:], v)
}

// GPSTimeOf gives the time of the point in seconds, of the week or adjusted by
// EncodingAdjustedGPSTime; 0 in formats without.
func (l Layout) GPSTimeOf(rec []byte) float64 {
	if l.GPSTime < 0 {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(rec[l.GPSTime:]))
}

// SetGPSTime sets the time; nothing happens in formats without.
func (l Layout) SetGPSTime(rec []byte, t float64) {
	if l.GPSTime >= 0 {
		binary.LittleEndian.PutUint64(rec[l.GPSTime:], math.Float64bits(t))
	}
}

// RGBOf gives the colour, 16 bits a channel; 0 in formats without.
func (l Layout) RGBOf(rec []byte) (r, g, b uint16) {
	if l.RGB < 0 {
		return 0, 0, 0
	}
	p := rec[l.RGB:]
	_ = p[5]
	return binary.LittleEndian.Uint16(p), binary.LittleEndian.Uint16(p[2:]), binary.LittleEndian.Uint16(p[4:])
}

// SetRGB sets the colour; nothing happens in formats without.
func (l Layout) SetRGB(rec []byte, r, g, b uint16) {
	if l.RGB < 0 {
		return
	}
	p := rec[l.RGB:]
	_ = p[5]
	binary.LittleEndian.PutUint16(p, r)
	binary.LittleEndian.PutUint16(p[2:], g)
	binary.LittleEndian.PutUint16(p[4:], b)
}

// NIROf gives the near infrared channel; 0 in formats without.
func (l Layout) NIROf(rec []byte) uint16 {
	if l.NIR < 0 {
		return 0
	}
	return binary.LittleEndian.Uint16(rec[l.NIR:])
}

// SetNIR sets the near infrared channel; nothing happens in formats without.
func (l Layout) SetNIR(rec []byte, v uint16) {
	if l.NIR >= 0 {
		binary.LittleEndian.PutUint16(rec[l.NIR:], v)
	}
}

// WavePacket points to the waveform of a return (LAS 1.4 R15, table 13).
type WavePacket struct {
	Descriptor uint8   // index of the waveform packet descriptor; 0: no waveform
	Offset     uint64  // bytes from the start of the waveform data record
	Size       uint32  // bytes
	Location   float32 // picoseconds from the start of the packet to this return
	DX, DY, DZ float32 // parametric line of the pulse, a picosecond a step
}

// WaveOf gives the wave packet; the zero value in formats without.
func (l Layout) WaveOf(rec []byte) WavePacket {
	if l.Wave < 0 {
		return WavePacket{}
	}
	p := rec[l.Wave:]
	_ = p[waveSize-1]
	f32 := func(at int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(p[at:])) }
	return WavePacket{
		Descriptor: p[0],
		Offset:     binary.LittleEndian.Uint64(p[1:]),
		Size:       binary.LittleEndian.Uint32(p[9:]),
		Location:   f32(13), DX: f32(17), DY: f32(21), DZ: f32(25),
	}
}
