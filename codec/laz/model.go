package laz

// Precision of the probabilities of HPL-2004-76, section 4: models keep
// distributions that add up to 2^lengthShift.
const (
	lengthShift    = 15
	maxCount       = 1 << lengthShift
	bitLengthShift = 13
	bitMaxCount    = 1 << bitLengthShift
)

// A symbolModel is the adaptive distribution of an alphabet of up to 1024
// symbols. Encoder and decoder share it; the table is for the decoder alone.
type symbolModel struct {
	dist  []uint16 // n+1: cumulative probability below each symbol; the last is a sentinel
	count []uint16 // n: occurrences since the last halving
	table []uint16 // first symbol to try for the top bits of a value; nil in encoders
	shift uint32   // what turns a 15-bit value into an index of table
	until uint32   // symbols up to the next update

	state                []uint16 // dist, count and table in one piece
	first                []uint16 // state before the first symbol
	cycle                uint32   // symbols between updates
	total                uint32
	firstCycle, firstSum uint32
}

// models makes models that share what is the same in all of one size.
type models struct {
	decode bool
	first  map[int]*symbolModel
}

func newModels(decode bool) *models {
	return &models{decode: decode, first: make(map[int]*symbolModel)}
}

// symbol makes a model of n symbols, as it is before the first one.
func (s *models) symbol(n int) symbolModel {
	proto, ok := s.first[n]
	if !ok {
		p := s.layout(n)
		for i := range p.count {
			p.count[i] = 1
		}
		p.cycle = uint32(n)
		p.update()
		p.cycle = uint32(n+6) >> 1
		p.until = p.cycle
		p.first = append([]uint16(nil), p.state...)
		p.firstCycle, p.firstSum = p.cycle, p.total
		proto = &p
		s.first[n] = proto
	}
	m := s.layout(n)
	m.first = proto.first
	m.firstCycle, m.firstSum = proto.firstCycle, proto.firstSum
	m.reset()
	return m
}

func (s *models) symbols(models, n int) []symbolModel {
	out := make([]symbolModel, models)
	for i := range out {
		out[i] = s.symbol(n)
	}
	return out
}

// layout allocates the arrays of a model.
func (s *models) layout(n int) symbolModel {
	var m symbolModel
	tableLen := 0
	if s.decode {
		bits := uint32(3)
		for n > 1<<(bits-1) && bits < 9 {
			bits++
		}
		m.shift = lengthShift - bits
		tableLen = 1<<bits + 1
	}
	m.state = make([]uint16, n+1+n+tableLen)
	m.dist = m.state[: n+1 : n+1]
	m.count = m.state[n+1 : 2*n+1 : 2*n+1]
	m.table = m.state[2*n+1:]
	return m
}

// reset brings the model back to where every symbol is as likely as the others.
func (m *symbolModel) reset() {
	copy(m.state, m.first)
	m.cycle, m.until, m.total = m.firstCycle, m.firstCycle, m.firstSum
}

// update works the counts into the distribution. It is due every cycle symbols;
// cycles become longer as the model settles.
func (m *symbolModel) update() {
	n := len(m.count)
	if m.total += m.cycle; m.total > maxCount {
		m.total = 0
		for i, c := range m.count {
			c = (c + 1) >> 1
			m.count[i] = c
			m.total += uint32(c)
		}
	}
	scale := (1 << 31) / m.total
	sum := uint32(0)
	dist := m.dist[:n+1]
	for i, c := range m.count {
		dist[i] = uint16(scale * sum >> (31 - lengthShift))
		sum += uint32(c)
	}
	dist[n] = 0xFFFF // above every value
	m.fillTable()
	m.cycle = min(5*m.cycle>>2, uint32(n+6)<<3)
	m.until = m.cycle
}

// fillTable notes for every cell of values the last symbol that begins at or
// below it.
func (m *symbolModel) fillTable() {
	if len(m.table) == 0 {
		return
	}
	n := len(m.count)
	cells := len(m.table) - 1
	round := uint32(1)<<m.shift - 1
	t := 0
	for k := 1; k < n; k++ {
		end := int((uint32(m.dist[k]) + round) >> m.shift)
		for ; t < end; t++ {
			m.table[t] = uint16(k - 1)
		}
	}
	for ; t <= cells; t++ {
		m.table[t] = uint16(n - 1)
	}
}

// A bitModel is the adaptive distribution of a bit.
type bitModel struct {
	until, cycle uint32
	zeroProb     uint32
	zeros, count uint32
}

func (m *bitModel) reset() {
	*m = bitModel{until: 4, cycle: 4, zeroProb: 1 << (bitLengthShift - 1), zeros: 1, count: 2}
}

func (m *bitModel) update() {
	if m.count += m.cycle; m.count > bitMaxCount {
		m.count = (m.count + 1) >> 1
		m.zeros = (m.zeros + 1) >> 1
		if m.zeros == m.count {
			m.count++
		}
	}
	scale := (1 << 31) / m.count
	m.zeroProb = m.zeros * scale >> (31 - bitLengthShift)
	m.cycle = min(5*m.cycle>>2, 64)
	m.until = m.cycle
}
