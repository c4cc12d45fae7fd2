package laz

// A median5 follows the median of a stream by the five values around it.
type median5 struct {
	v   [5]int32
	low bool // whether the next value displaces the lower end
}

func (m *median5) get() int32 { return m.v[2] }

// add sorts v in. Values are dropped from the upper and the lower end in turn.
func (m *median5) add(v int32) {
	s := &m.v
	if !m.low {
		switch {
		case v >= s[2]:
			if v < s[3] {
				s[3], s[4] = v, s[3]
			} else {
				s[4] = v
			}
			m.low = true
		case v < s[0]:
			s[0], s[1], s[2], s[3], s[4] = v, s[0], s[1], s[2], s[3]
		case v < s[1]:
			s[1], s[2], s[3], s[4] = v, s[1], s[2], s[3]
		default:
			s[2], s[3], s[4] = v, s[2], s[3]
		}
		return
	}
	switch {
	case v <= s[2]:
		if v > s[1] {
			s[0], s[1] = s[1], v
		} else {
			s[0] = v
		}
		m.low = false
	case v > s[4]:
		s[0], s[1], s[2], s[3], s[4] = s[1], s[2], s[3], s[4], v
	case v > s[3]:
		s[0], s[1], s[2], s[3] = s[1], s[2], s[3], v
	default:
		s[0], s[1], s[2] = s[1], s[2], v
	}
}
