package las

import "fmt"

// maxFormat is the highest point data record format.
const maxFormat = 10

// waveSize is the size of a wave packet descriptor in a record.
const waveSize = 29

// Layout gives the byte offsets of the fields of a raw point record; -1 where the
// format has no such field. Fields not listed stand at fixed places.
type Layout struct {
	Format   uint8
	Length   int // bytes of a record
	GPSTime  int // float64
	RGB      int // 3 × uint16
	NIR      int // uint16
	Wave     int // 29 bytes: descriptor index, offset, size, return point location, dx, dy, dz
	Extra    int // first of the extra bytes
	ExtraLen int // number of extra bytes, 0 without
}

// NewLayout gives the layout of a format (0 to 10) with records of recordLength
// bytes: the format's own, and what is more are extra bytes.
func NewLayout(format uint8, recordLength int) (Layout, error) {
	if format > maxFormat {
		return Layout{}, fmt.Errorf("las: point data record format %d is unknown; formats 0 to 10 are read", format)
	}
	least := minRecordLength(format)
	if recordLength < least || recordLength > 65535 {
		return Layout{}, fmt.Errorf("las: records of format %d have %d to 65535 bytes, not %d", format, least, recordLength)
	}
	l := Layout{Format: format, Length: recordLength, GPSTime: -1, RGB: -1, NIR: -1, Wave: -1, Extra: -1}
	switch format {
	case 1:
		l.GPSTime = 20
	case 2:
		l.RGB = 20
	case 3:
		l.GPSTime, l.RGB = 20, 28
	case 4:
		l.GPSTime, l.Wave = 20, 28
	case 5:
		l.GPSTime, l.RGB, l.Wave = 20, 28, 34
	case 6:
		l.GPSTime = 22
	case 7:
		l.GPSTime, l.RGB = 22, 30
	case 8:
		l.GPSTime, l.RGB, l.NIR = 22, 30, 36
	case 9:
		l.GPSTime, l.Wave = 22, 30
	case 10:
		l.GPSTime, l.RGB, l.NIR, l.Wave = 22, 30, 36, 38
	}
	if recordLength > least {
		l.Extra, l.ExtraLen = least, recordLength-least
	}
	return l, nil
}

// minRecordLength is the length of a record of a format (0 to 10) without extra
// bytes (LAS 1.4 R15, tables 7 to 17).
func minRecordLength(format uint8) int {
	return [maxFormat + 1]int{20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67}[format]
}

// extended says whether the format is one of 6 to 10, which have wider fields.
func (l Layout) extended() bool { return l.Format >= 6 }
