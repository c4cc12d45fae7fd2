package obj

import (
	"fmt"
	"math"
	"strconv"
)

// powers are exact as 64-bit floats.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseFloat reads a number. Plain decimals of up to 15 digits are exact without
// strconv (D. Lemire, "Number parsing at a gigabyte per second", section 2: a
// product or quotient of two exact numbers is rounded once).
func parseFloat(b []byte) (float64, error) {
	var mantissa uint64
	digits, point, i := 0, -1, 0
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		i++
	}
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			mantissa = mantissa*10 + uint64(c-'0')
			digits++
		case c == '.' && point < 0:
			point = digits
		default:
			return slowFloat(b)
		}
	}
	if digits == 0 || digits > 15 {
		return slowFloat(b)
	}
	v := float64(mantissa)
	if point >= 0 {
		v /= powers[digits-point]
	}
	if b[0] == '-' {
		v = -v
	}
	return v, nil
}

func slowFloat(b []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > math.MaxFloat32 {
		return 0, fmt.Errorf("%.40q is not a number that can be used", b)
	}
	return v, nil
}

func parseInt(b []byte) (int, error) {
	n, i := 0, 0
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		i = 1
	}
	if i == len(b) || len(b) > 11 {
		return 0, fmt.Errorf("%.40q is not an index", b)
	}
	for _, c := range b[i:] {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%.40q is not an index", b)
		}
		n = n*10 + int(c-'0')
	}
	if b[0] == '-' {
		n = -n
	}
	return n, nil
}
