package draco

import "encoding/binary"

// encBitWriter packs values least significant bit first.
type encBitWriter struct {
	out  []byte
	held uint64
	n    uint
}

// put appends the lowest bits of a value, at most 32.
func (w *encBitWriter) put(v uint32, bits uint) {
	w.held |= uint64(v) << w.n
	w.n += bits
	for w.n >= 8 {
		w.out = append(w.out, byte(w.held))
		w.held >>= 8
		w.n -= 8
	}
}

// finish pads to whole bytes and returns what was written.
func (w *encBitWriter) finish() []byte {
	if w.n > 0 {
		w.out = append(w.out, byte(w.held))
	}
	return w.out
}

// encZeroProbability is what a bit coder says of the share of zeros, in 256ths.
func encZeroProbability(zeros, total int) uint32 {
	if total == 0 {
		total = 1
	}
	p := (uint64(zeros)*512 + uint64(total)) / (2 * uint64(total))
	return uint32(min(max(p, 1), 255))
}

// appendBits appends bits, one a byte, coded by their frequency: the share of
// zeros, the size, and the bytes of a binary asymmetric numeral system
// (specification, "RabsDescRead"), which is written from the last bit on.
func (e *Encoder) appendBits(dst, bits []byte) []byte {
	const lower = 4096
	ones := 0
	for _, b := range bits {
		ones += int(b)
	}
	zero := encZeroProbability(len(bits)-ones, len(bits))
	one := 256 - zero
	state := uint32(lower)
	out := e.scratch.bits[:0]
	for i := len(bits) - 1; i >= 0; i-- {
		share, above := zero, one
		if bits[i] != 0 {
			share, above = one, 0
		}
		if state >= lower*share {
			out = append(out, byte(state))
			state >>= 8
		}
		q := state / share
		state = q<<8 + (state - q*share) + above
	}
	out = encAppendState(out, state-lower)
	e.scratch.bits = out
	dst = append(dst, byte(zero))
	dst = binary.AppendUvarint(dst, uint64(len(out)))
	return append(dst, out...)
}

// encAppendState appends the last state, whose two highest bits tell its bytes
// (specification, "RansInitDecoder").
func encAppendState(out []byte, state uint32) []byte {
	switch {
	case state < 1<<6:
		return append(out, byte(state))
	case state < 1<<14:
		return binary.LittleEndian.AppendUint16(out, uint16(state|1<<14))
	case state < 1<<22:
		state |= 2 << 22
		return append(out, byte(state), byte(state>>8), byte(state>>16))
	}
	return binary.LittleEndian.AppendUint32(out, state|3<<30)
}
