package las

import (
	"math"
	"sync"
)

// Stats counts points and bounds their integer coordinates. The zero value is
// ready for use; Min and Max mean nothing while Count is 0.
type Stats struct {
	Count    uint64
	ByReturn [15]uint64 // by return number, 1 first; points of return 0 are in none
	Min, Max [3]int32
}

// Add takes in whole raw records of layout l.
func (s *Stats) Add(l Layout, records []byte) {
	n := len(records) / l.Length
	if n == 0 {
		return
	}
	if s.Count == 0 {
		s.Min = [3]int32{math.MaxInt32, math.MaxInt32, math.MaxInt32}
		s.Max = [3]int32{math.MinInt32, math.MinInt32, math.MinInt32}
	}
	mask := uint8(7)
	if l.Format >= 6 {
		mask = 15
	}
	lo, hi := s.Min, s.Max
	var byReturn [16]uint64
	for at := 0; at+l.Length <= len(records); at += l.Length {
		rec := records[at : at+l.Length]
		x, y, z := l.XYZ(rec)
		lo[0], hi[0] = min(lo[0], x), max(hi[0], x)
		lo[1], hi[1] = min(lo[1], y), max(hi[1], y)
		lo[2], hi[2] = min(lo[2], z), max(hi[2], z)
		byReturn[rec[14]&mask]++
	}
	s.Min, s.Max = lo, hi
	s.Count += uint64(n)
	for i := range s.ByReturn {
		s.ByReturn[i] += byReturn[i+1]
	}
}

// Merge takes in the points of another.
func (s *Stats) Merge(o *Stats) {
	if o.Count == 0 {
		return
	}
	if s.Count == 0 {
		*s = *o
		return
	}
	s.Count += o.Count
	for i := range s.ByReturn {
		s.ByReturn[i] += o.ByReturn[i]
	}
	for i := range s.Min {
		s.Min[i] = min(s.Min[i], o.Min[i])
		s.Max[i] = max(s.Max[i], o.Max[i])
	}
}

// apply puts counts and real bounds into a header.
func (s *Stats) apply(h *Header) {
	h.PointCount = s.Count
	h.PointsByReturn = s.ByReturn
	h.Min, h.Max = [3]float64{}, [3]float64{}
	if s.Count == 0 {
		return
	}
	for i := range 3 {
		a := float64(s.Min[i])*h.Scale[i] + h.Offset[i]
		b := float64(s.Max[i])*h.Scale[i] + h.Offset[i]
		h.Min[i], h.Max[i] = min(a, b), max(a, b) // a negative scale turns them round
	}
}

// lockedStats is merged from several goroutines.
type lockedStats struct {
	mu    sync.Mutex
	stats Stats
}

func (t *lockedStats) merge(s *Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Merge(s)
}
