package draco

import (
	"encoding/binary"
	"math"
)

// encMaxParallelograms around a vertex are looked at.
const encMaxParallelograms = 4

// encCostUnit is a bit, in the units that costs are counted in.
const encCostUnit = 64

// encMulti chooses for each value which of the parallelograms around it to
// predict it from. What a choice costs is learnt from the choices before: the
// symbols by how frequent they are, and what was chosen likewise.
type encMulti struct {
	wrap       encWrap
	components int
	values     []int32
	sequence   *encSequence
	costs      []uint16
	flagCosts  [encMaxParallelograms][2]int32
	flags      [encMaxParallelograms][]byte
	predicted  [encMaxParallelograms][]int32
	sums       [1 << encMaxParallelograms][]int32
}

// predictMulti predicts each value by the mean of some of the parallelograms
// around it (specification, "Multi Parallelogram Prediction Decoder").
func (e *Encoder) predictMulti(v *encValues, w encWrap, q *encSequence, slot int) encPrediction {
	m := encMulti{wrap: w, components: v.components, values: v.values, sequence: q, flags: e.scratch.flags}
	for i := range m.predicted {
		m.predicted[i] = make([]int32, v.components)
	}
	for i := range m.sums {
		m.sums[i] = make([]int32, v.components)
	}
	for i := range m.flagCosts {
		// Most parallelograms are good.
		m.flagCosts[i] = [2]int32{encCostUnit / 4, 2 * encCostUnit}
	}
	symbols := e.predictParallelogram(v, w, q, slot).symbols
	for range 2 {
		e.learn(&m, symbols)
		m.choose(symbols)
		m.learnFlags()
	}
	p := e.prediction(encPredictMulti, len(v.values), slot)
	for _, flags := range m.flags {
		p.side = binary.AppendUvarint(p.side, uint64(len(flags)))
		if len(flags) > 0 {
			p.side = e.appendBits(p.side, flags)
		}
	}
	e.scratch.flags = m.flags
	return e.wrapped(p, w, slot)
}

// learn makes costs of the frequencies of symbols, smoothed over as many
// neighbours as there are likely to be alike.
func (e *Encoder) learn(m *encMulti, symbols []uint32) {
	const limit = 1 << 16
	n := int(min(uint32(m.wrap.size)+1, limit))
	sums := encResize(e.scratch.histogram, n+1)
	e.scratch.histogram = sums
	clear(sums)
	for _, s := range symbols {
		sums[1+min(int(s), n-1)]++
	}
	for i := range n {
		sums[i+1] += sums[i]
	}
	e.scratch.costs = encResize(e.scratch.costs, n)
	m.costs = e.scratch.costs
	total := math.Log2(float64(len(symbols)) + 1)
	for i := range n {
		radius := i / 16
		low, high := max(0, i-radius), min(n, i+radius+1)
		mean := float64(sums[high]-sums[low])/float64(high-low) + 0.05
		m.costs[i] = uint16(encCostUnit * max(0, total-math.Log2(mean)))
	}
}

// learnFlags makes costs of what was chosen.
func (m *encMulti) learnFlags() {
	for i, flags := range m.flags {
		ones := 0.5
		for _, f := range flags {
			ones += float64(f)
		}
		share := ones / (float64(len(flags)) + 1)
		m.flagCosts[i] = [2]int32{int32(-encCostUnit * math.Log2(1-share)), int32(-encCostUnit * math.Log2(share))}
	}
}

// choose predicts all values by what costs least.
func (m *encMulti) choose(symbols []uint32) {
	k := m.components
	for i := range m.flags {
		m.flags[i] = m.flags[i][:0]
	}
	for i := range k {
		symbols[i] = m.wrap.symbol(m.values[i], 0)
	}
	for i := 1; i < len(m.sequence.corners); i++ {
		value := m.values[i*k : (i+1)*k]
		n := m.gather(int32(i))
		copy(m.sums[0], m.values[(i-1)*k:i*k])
		best, least := 0, m.cost(value, 0, n)
		for mask := 1; mask < 1<<n; mask++ {
			m.add(mask)
			if c := m.cost(value, mask, n); c < least {
				best, least = mask, c
			}
		}
		used := encOnes[best]
		for j := range value {
			symbols[i*k+j] = m.wrap.symbol(value[j], encMean(m.sums[best][j], used))
		}
		for j := range n {
			m.flags[n-1] = append(m.flags[n-1], byte(1&^(best>>j)))
		}
	}
}

// gather fills in the predictions of a value and returns how many there are: those
// from its corner on to the left, then to the right.
func (m *encMulti) gather(value int32) int {
	q, n := m.sequence, 0
	start := q.corners[value]
	for c := start; ; {
		if n = m.predict(c, value, n); n == encMaxParallelograms {
			return n
		}
		o := q.opposite[encNext(c)]
		if o == encNone {
			break
		}
		if c = encNext(o); c == start {
			return n
		}
	}
	for c := start; ; {
		o := q.opposite[encPrevious(c)]
		if o == encNone {
			return n
		}
		c = encPrevious(o)
		if n = m.predict(c, value, n); n == encMaxParallelograms {
			return n
		}
	}
}

// predict adds the parallelogram of a corner to n others, if there is one.
func (m *encMulti) predict(c, value int32, n int) int {
	far, next, previous, ok := m.sequence.parallelogram(c, value)
	if !ok {
		return n
	}
	k := m.components
	a, b, d := m.values[int(far)*k:][:k], m.values[int(next)*k:][:k], m.values[int(previous)*k:][:k]
	for j := range m.predicted[n] {
		m.predicted[n][j] = b[j] + d[j] - a[j]
	}
	return n + 1
}

// encOnes counts bits, encLowest is the place of the lowest.
var (
	encOnes   = [1 << encMaxParallelograms]int{0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4}
	encLowest = [1 << encMaxParallelograms]int{0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0}
)

// add sums the predictions of a choice.
func (m *encMulti) add(mask int) {
	one, sum := m.predicted[encLowest[mask]], m.sums[mask]
	rest := mask & (mask - 1)
	if rest == 0 {
		copy(sum, one)
		return
	}
	others := m.sums[rest]
	for j := range sum {
		sum[j] = others[j] + one[j]
	}
}

// encMean divides a sum as decoders do.
func encMean(sum int32, n int) int32 {
	switch n {
	case 2:
		return sum / 2
	case 3:
		return sum / 3
	case 4:
		return sum / 4
	}
	return sum
}

// cost of a value and the flags, where a choice is made of n parallelograms.
func (m *encMulti) cost(value []int32, mask, n int) int32 {
	used, sum := encOnes[mask], int32(0)
	if n > 0 {
		f := &m.flagCosts[n-1]
		sum = int32(used)*f[0] + int32(n-used)*f[1]
	}
	last := uint32(len(m.costs) - 1)
	for j, s := range m.sums[mask] {
		sum += int32(m.costs[min(m.wrap.symbol(value[j], encMean(s, used)), last)])
	}
	return sum
}
