package las

import (
	"encoding/binary"
	"slices"
)

// ConvertRecords appends the records of src, which are of layout from, to dst as
// records of layout to, and returns the extended slice. Any format converts to
// any other; what the target has no place for is lost, what the source lacks is
// zero. Bits are mapped by LAS 1.4 R15, section 2.6:
//
//   - class 12 of formats 0 to 5 becomes the overlap flag with class 1, and an
//     overlap flag with class 0 or 1 becomes class 12; with any other class the
//     class stays and the flag is lost;
//   - classes above 31 become 1, return numbers above 7 become 7;
//   - scan angles are rounded to the target's unit and cut to its range;
//   - extra bytes are copied as far as both have them.
//
// A partial record at the end of src is left out.
func ConvertRecords(dst []byte, to Layout, src []byte, from Layout) []byte {
	n := len(src) / from.Length
	start := len(dst)
	dst = slices.Grow(dst, n*to.Length)[:start+n*to.Length]
	out := dst[start:]
	if from == to {
		copy(out, src[:n*from.Length])
		return dst
	}
	clear(out)
	for i := range n {
		convertRecord(out[i*to.Length:(i+1)*to.Length], &to, src[i*from.Length:(i+1)*from.Length], &from)
	}
	return dst
}

func convertRecord(dst []byte, to *Layout, src []byte, from *Layout) {
	copy(dst[:14], src[:14]) // coordinates and intensity
	switch {
	case to.extended() == from.extended():
		end := 20
		if to.extended() {
			end = 22
		}
		copy(dst[14:end], src[14:end])
	case to.extended():
		extendFields(dst, src)
	default:
		legacyFields(dst, src)
	}
	copyField(dst, to.GPSTime, src, from.GPSTime, 8)
	copyField(dst, to.RGB, src, from.RGB, 6)
	copyField(dst, to.NIR, src, from.NIR, 2)
	copyField(dst, to.Wave, src, from.Wave, waveSize)
	copyField(dst, to.Extra, src, from.Extra, min(to.ExtraLen, from.ExtraLen))
}

func copyField(dst []byte, to int, src []byte, from, size int) {
	if to >= 0 && from >= 0 {
		copy(dst[to:to+size], src[from:from+size])
	}
}

// extendFields fills bytes 14 to 21 of formats 6 to 10 from those of 0 to 5.
func extendFields(dst, src []byte) {
	returns, class := src[14], src[15]
	dst[14] = returns&7 | returns>>3&7<<4
	dst[15] = class>>5 | returns&0xC0
	dst[16] = class & 31
	if dst[16] == classOverlap {
		dst[16] = ClassUnclassified
		dst[15] |= FlagOverlap
	}
	dst[17] = src[17]
	angle := int32(int8(src[16])) * 500 // a degree is 1000/6 units of 0.006 degrees
	angle = roundDiv(angle, 3)
	binary.LittleEndian.PutUint16(dst[18:], uint16(int16(angle)))
	copy(dst[20:22], src[18:20])
}

// legacyFields fills bytes 14 to 19 of formats 0 to 5 from those of 6 to 10.
func legacyFields(dst, src []byte) {
	returns, flags, class := src[14], src[15], src[16]
	dst[14] = min(returns&15, 7) | min(returns>>4, 7)<<3 | flags&0xC0
	switch {
	case flags&FlagOverlap != 0 && class <= ClassUnclassified:
		class = classOverlap
	case class > 31:
		class = ClassUnclassified
	}
	dst[15] = class | flags&7<<5
	angle := roundDiv(int32(int16(binary.LittleEndian.Uint16(src[18:])))*3, 500)
	dst[16] = uint8(int8(max(-90, min(90, angle))))
	dst[17] = src[17]
	copy(dst[18:20], src[20:22])
}

// roundDiv divides by a positive number and rounds half away from zero.
func roundDiv(a, b int32) int32 {
	if a < 0 {
		return -((-a + b/2) / b)
	}
	return (a + b/2) / b
}
