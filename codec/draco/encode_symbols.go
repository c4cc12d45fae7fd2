package draco

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Schemes of coding symbols (specification, "DecodeSymbols").
const (
	encSchemeTagged = 0
	encSchemeRaw    = 1
)

// encMaxRawBits is what a symbol of the raw scheme may have, encMaxTags one more
// than the largest tag.
const (
	encMaxRawBits = 18
	encMaxTags    = 33
)

// encEntropy codes symbols and keeps its memory.
type encEntropy struct {
	frequencies []uint32
	used        []uint32
	trial, best encModel
	table       []encRange
	tags        []uint32
	out         []byte
	heap        encHeap
}

// encModel is how likely each used symbol is, in parts of 2^precision.
type encModel struct {
	precision     uint
	probabilities []uint32
	bits          float64
}

// encRange is where a symbol lies among the parts.
type encRange struct {
	probability, start, limit uint32
}

// count takes the frequencies of symbols, whose largest it returns.
func (t *encEntropy) count(symbols []uint32) uint32 {
	largest := uint32(0)
	for _, s := range symbols {
		largest = max(largest, s)
	}
	if largest >= 1<<encMaxRawBits {
		return largest
	}
	t.frequencies = encResize(t.frequencies, int(largest)+1)
	clear(t.frequencies)
	for _, s := range symbols {
		t.frequencies[s]++
	}
	t.used = t.used[:0]
	for s, f := range t.frequencies {
		if f > 0 {
			t.used = append(t.used, uint32(s))
		}
	}
	return largest
}

// entropy is the bits that the symbols counted take at least.
func (t *encEntropy) entropy(total int) float64 {
	sum := float64(total) * math.Log2(float64(total))
	for _, s := range t.used {
		f := float64(t.frequencies[s])
		sum -= f * math.Log2(f)
	}
	return sum
}

// estimate is about the bits that append would take.
func (t *encEntropy) estimate(symbols []uint32, components int) float64 {
	if len(symbols) == 0 {
		return 0
	}
	tagged := t.tagged(symbols, components)
	if t.count(symbols) >= 1<<encMaxRawBits {
		return tagged
	}
	raw := t.entropy(len(symbols)) + 12*float64(len(t.used)) + float64(len(t.frequencies)-len(t.used))/8
	return min(raw, tagged)
}

// tagged fills the tags and is about the bits of the tagged scheme.
func (t *encEntropy) tagged(symbols []uint32, components int) float64 {
	t.tags = encResize(t.tags, len(symbols)/components)
	var counts [encMaxTags]int
	for i := range t.tags {
		all := uint32(0)
		for _, s := range symbols[i*components : (i+1)*components] {
			all |= s
		}
		n := max(1, bits.Len32(all))
		t.tags[i] = uint32(n)
		counts[n]++
	}
	total := float64(len(t.tags))
	sum := total * math.Log2(total)
	for n, f := range counts {
		if f > 0 {
			sum += float64(f)*float64(n*components) - float64(f)*math.Log2(float64(f)) + 12
		}
	}
	return sum
}

// append appends symbols, components of which belong together, by the scheme that
// is smaller.
func (t *encEntropy) append(dst []byte, symbols []uint32, components int) []byte {
	if len(symbols) == 0 {
		return dst
	}
	tagged := t.tagged(symbols, components)
	if t.count(symbols) < 1<<encMaxRawBits {
		t.fit(len(symbols), 20)
		if t.best.bits <= tagged {
			return t.appendRaw(dst, symbols)
		}
	}
	return t.appendTagged(dst, symbols, components)
}

// appendRaw appends symbols by the model that fits best.
func (t *encEntropy) appendRaw(dst []byte, symbols []uint32) []byte {
	dst = append(dst, encSchemeRaw, encLengthOf(t.best.precision))
	dst = t.appendModel(dst)
	return t.appendCoded(dst, symbols)
}

// appendTagged appends the bits that values have, coded, and the values.
func (t *encEntropy) appendTagged(dst []byte, symbols []uint32, components int) []byte {
	dst = append(dst, encSchemeTagged)
	t.count(t.tags)
	t.fit(len(t.tags), 12)
	dst = t.appendModel(dst)
	dst = t.appendCoded(dst, t.tags)
	w := encBitWriter{out: dst}
	for i, n := range t.tags {
		for _, s := range symbols[i*components : (i+1)*components] {
			w.put(s, uint(n))
		}
	}
	return w.finish()
}

// encLengthOf is the number of bits that stands for a precision (specification,
// "DecodeRawSymbols"): 3/2 of it is the precision, within 12 and 20.
func encLengthOf(precision uint) byte {
	switch {
	case precision <= 12:
		return 8
	case precision >= 20:
		return 14
	}
	return byte((2*precision + 2) / 3)
}

// fit finds the precision and probabilities that take fewest bits, table and all.
// A finer one than 16 bits is tried only where there are so many symbols, for its
// table takes a decoder long to build.
func (t *encEntropy) fit(total int, most uint) {
	t.best.bits = math.Inf(1)
	for _, precision := range [...]uint{12, 13, 15, 16, 18, 19, 20} {
		if precision > most || len(t.used) > 1<<precision {
			continue
		}
		if precision > 16 && len(t.used) < 1<<(precision-4) && t.best.bits < math.Inf(1) {
			break
		}
		t.trial.precision = precision
		t.normalize(total)
		if t.trial.bits < t.best.bits {
			t.trial, t.best = t.best, t.trial
			continue
		}
		break
	}
}

// normalize shares the parts of the trial out to the used symbols, and measures.
func (t *encEntropy) normalize(total int) {
	m := &t.trial
	m.probabilities = encResize(m.probabilities, len(t.used))
	parts := uint64(1) << m.precision
	left := int64(parts)
	for i, s := range t.used {
		p := (uint64(t.frequencies[s])*parts*2 + uint64(total)) / (2 * uint64(total))
		m.probabilities[i] = uint32(max(p, 1))
		left -= int64(m.probabilities[i])
	}
	if left != 0 {
		t.balance(left)
	}
	m.bits = 8 * float64(t.tableBytes(m))
	for i, s := range t.used {
		m.bits += float64(t.frequencies[s]) * (float64(m.precision) - math.Log2(float64(m.probabilities[i])))
	}
}

// balance gives parts that are left to where they save most, or takes parts that
// are too many from where that costs least.
func (t *encEntropy) balance(left int64) {
	m := &t.trial
	step := uint32(1)
	if left < 0 {
		step = ^uint32(0)
	}
	weigh := func(i int32) float64 {
		p, f := m.probabilities[i], float64(t.frequencies[t.used[i]])
		if p+step == 0 {
			return math.Inf(1)
		}
		return f * math.Log2(float64(p)/float64(p+step))
	}
	h := &t.heap
	h.reset(len(t.used))
	for i := range t.used {
		h.set(i, int32(i), weigh(int32(i)))
	}
	h.order()
	for ; left != 0; left -= int64(int32(step)) {
		i := h.items[0].index
		m.probabilities[i] += step
		h.items[0].weight = weigh(i)
		h.down(0)
	}
}

// tableBytes is the size of a model's table.
func (t *encEntropy) tableBytes(m *encModel) int {
	n, next := 3, uint32(0)
	for i, s := range t.used {
		n += int(s-next+63) / 64
		next = s + 1
		switch p := m.probabilities[i]; {
		case p < 1<<6:
			n++
		case p < 1<<14:
			n += 2
		default:
			n += 3
		}
	}
	return n
}

// appendModel appends the table of the best model (specification,
// "BuildSymbolTables") and builds the ranges.
func (t *encEntropy) appendModel(dst []byte) []byte {
	last := t.used[len(t.used)-1]
	dst = binary.AppendUvarint(dst, uint64(last)+1)
	t.table = encResize(t.table, int(last)+1)
	next, start := uint32(0), uint32(0)
	for i, s := range t.used {
		for next < s {
			run := min(s-next, 64)
			dst = append(dst, byte(run-1)<<2|3)
			next += run
		}
		next = s + 1
		p := t.best.probabilities[i]
		t.table[s] = encRange{probability: p, start: start, limit: p << 10}
		start += p
		switch {
		case p < 1<<6:
			dst = append(dst, byte(p<<2))
		case p < 1<<14:
			dst = append(dst, byte(p<<2|1), byte(p>>6))
		default:
			dst = append(dst, byte(p<<2|2), byte(p>>6), byte(p>>14))
		}
	}
	return dst
}

// appendCoded appends the size and the bytes of the symbols, which are coded from
// the last one on.
func (t *encEntropy) appendCoded(dst []byte, symbols []uint32) []byte {
	precision := t.best.precision & 31
	state := uint32(4) << precision
	out, table := t.out[:0], t.table
	for i := len(symbols) - 1; i >= 0; i-- {
		r := &table[symbols[i]]
		for state >= r.limit {
			out = append(out, byte(state))
			state >>= 8
		}
		q := state / r.probability
		state = q<<precision + (state - q*r.probability) + r.start
	}
	out = encAppendState(out, state-4<<precision)
	t.out = out
	dst = binary.AppendUvarint(dst, uint64(len(out)))
	return append(dst, out...)
}

// encHeap gives the item of least weight.
type encHeap struct {
	items []encHeapItem
}

type encHeapItem struct {
	weight float64
	index  int32
}

func (h *encHeap) reset(n int) { h.items = encResize(h.items, n) }

func (h *encHeap) set(at int, index int32, weight float64) {
	h.items[at] = encHeapItem{weight, index}
}

func (h *encHeap) order() {
	for i := len(h.items)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *encHeap) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h.items) {
			return
		}
		if c+1 < len(h.items) && h.items[c+1].weight < h.items[c].weight {
			c++
		}
		if h.items[i].weight <= h.items[c].weight {
			return
		}
		h.items[i], h.items[c] = h.items[c], h.items[i]
		i = c
	}
}
