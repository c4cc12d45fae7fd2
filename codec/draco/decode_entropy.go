package draco

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errShort = errors.New("the bitstream ends too early: was the upload complete?")

// input is what is left to read.
type input struct {
	data []byte
}

func (in *input) take(n int) ([]byte, error) {
	if n < 0 || n > len(in.data) {
		return nil, errShort
	}
	b := in.data[:n:n]
	in.data = in.data[n:]
	return b, nil
}

func (in *input) u8() (uint8, error) {
	b, err := in.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (in *input) u32() (uint32, error) {
	b, err := in.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (in *input) f32() (float32, error) {
	v, err := in.u32()
	return math.Float32frombits(v), err
}

// varint reads LEB128 (specification, "Core Functions").
func (in *input) varint() (uint64, error) {
	v, n := binary.Uvarint(in.data)
	if n <= 0 {
		return 0, errShort
	}
	in.data = in.data[n:]
	return v, nil
}

// count reads a number of things that take at least a byte each.
func (in *input) count() (int, error) {
	v, err := in.varint()
	if err != nil {
		return 0, err
	}
	if v > uint64(len(in.data)) {
		return 0, fmt.Errorf("%d items in the %d bytes that are left", v, len(in.data))
	}
	return int(v), nil
}

// block reads bytes whose number comes before them.
func (in *input) block() ([]byte, error) {
	n, err := in.varint()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(in.data)) {
		return nil, errShort
	}
	return in.take(int(n))
}

// decoderBits reads bits, least significant first. Bits beyond the end are 0: over
// tells.
type decoderBits struct {
	data []byte
	at   int // bits
}

func (b *decoderBits) read(n int) uint32 {
	var v uint32
	if i := b.at >> 3; i+8 <= len(b.data) {
		v = uint32(binary.LittleEndian.Uint64(b.data[i:])>>(b.at&7)) & uint32(1<<n-1)
	} else {
		for k := range n {
			if j := (b.at + k) >> 3; j < len(b.data) {
				v |= uint32(b.data[j]>>((b.at+k)&7)&1) << k
			}
		}
	}
	b.at += n
	return v
}

func (b *decoderBits) over() bool { return b.at > 8*len(b.data) }

// decoderBinary reads bits of uneven chance (specification, "Rans Decoding",
// RabsDescRead).
type decoderBinary struct {
	data  []byte
	state uint32
	one   uint32 // chance of a 1 in 256
}

const (
	binaryBase = 4096
	binaryTop  = 256
)

func (in *input) binary() (*decoderBinary, error) {
	zero, err := in.u8()
	if err != nil {
		return nil, err
	}
	data, err := in.block()
	if err != nil {
		return nil, err
	}
	b := &decoderBinary{one: binaryTop - uint32(zero)}
	var ok bool
	if b.data, b.state, ok = startState(data); !ok || len(data)-len(b.data) > 3 {
		return nil, errors.New("a block of bits does not begin as it should")
	}
	b.state += binaryBase
	return b, nil
}

// startState reads the state at the end of a block: the two top bits of the last
// byte tell how many bytes it takes.
func startState(data []byte) (rest []byte, state uint32, ok bool) {
	n := len(data)
	if n == 0 {
		return nil, 0, false
	}
	bytes := int(data[n-1]>>6) + 1
	if bytes > n {
		return nil, 0, false
	}
	for k := range bytes {
		state |= uint32(data[n-bytes+k]) << (8 * k)
	}
	return data[:n-bytes], state & (1<<(8*bytes-2) - 1), true
}

func (b *decoderBinary) bit() bool {
	x := b.state
	if x < binaryBase && len(b.data) > 0 {
		x = x<<8 | uint32(b.data[len(b.data)-1])
		b.data = b.data[:len(b.data)-1]
	}
	quot, rem := x>>8, x&255
	xn := quot * b.one
	if rem < b.one {
		b.state = xn + rem
		return true
	}
	b.state = x - xn - b.one
	return false
}

// symbols fills out with entropy-coded numbers, of which components belong
// together (specification, DecodeSymbols).
func (in *input) symbols(out []uint32, components int) error {
	if len(out) == 0 {
		return nil
	}
	scheme, err := in.u8()
	if err != nil {
		return err
	}
	switch scheme {
	case 0:
		return in.taggedSymbols(out, components)
	case 1:
		return in.rawSymbols(out)
	}
	return fmt.Errorf("symbol scheme %d is not known", scheme)
}

func (in *input) rawSymbols(out []uint32) error {
	width, err := in.u8()
	if err != nil {
		return err
	}
	if width < 1 || width > 18 {
		return fmt.Errorf("symbols of %d bits", width)
	}
	r, err := in.rans(min(max(3*int(width)/2, 12), 20))
	if err != nil {
		return err
	}
	r.read(out)
	return nil
}

func (in *input) taggedSymbols(out []uint32, components int) error {
	r, err := in.rans(12)
	if err != nil {
		return err
	}
	if len(out)%components != 0 {
		return errors.New("symbols do not fill their tuples")
	}
	tags := make([]uint32, len(out)/components)
	r.read(tags)
	bits := decoderBits{data: in.data}
	for i, n := range tags {
		if n > 32 {
			return fmt.Errorf("numbers of %d bits", n)
		}
		for j := range components {
			out[i*components+j] = bits.read(int(n))
		}
		if bits.over() {
			return errShort
		}
	}
	_, err = in.take((bits.at + 7) / 8)
	return err
}

// decoderRANS reads symbols of uneven chance.
type decoderRANS struct {
	data  []byte
	state uint32
	bits  int
	// table has, for each remainder, the symbol, and its chance and start.
	symbol []uint32
	chance []uint32 // of a symbol
	start  []uint32 // of a symbol
}

// rans reads a table of chances of precision 2^bits, and a block.
func (in *input) rans(bits int) (*decoderRANS, error) {
	count, err := in.varint()
	if err != nil {
		return nil, err
	}
	if count > 1<<20 {
		return nil, fmt.Errorf("%d symbols", count)
	}
	r := &decoderRANS{bits: bits, chance: make([]uint32, count), start: make([]uint32, count)}
	if err := r.chances(in); err != nil {
		return nil, err
	}
	r.symbol = make([]uint32, 1<<bits)
	sum := uint32(0)
	for s, c := range r.chance {
		r.start[s] = sum
		if c > uint32(len(r.symbol))-sum {
			return nil, errors.New("the chances of symbols are more than all")
		}
		for i := range c {
			r.symbol[sum+i] = uint32(s)
		}
		sum += c
	}
	if sum != uint32(len(r.symbol)) {
		return nil, errors.New("the chances of symbols are less than all")
	}
	data, err := in.block()
	if err != nil {
		return nil, err
	}
	var ok bool
	if r.data, r.state, ok = startState(data); !ok {
		return nil, errors.New("a block of symbols does not begin as it should")
	}
	r.state += 4 << bits
	return r, nil
}

func (r *decoderRANS) chances(in *input) error {
	for i := 0; i < len(r.chance); i++ {
		b, err := in.u8()
		if err != nil {
			return err
		}
		token, p := int(b&3), uint32(b>>2)
		if token == 3 { // a run of symbols that do not occur
			i += int(p)
			if i >= len(r.chance) {
				return errors.New("a run of symbols goes beyond them")
			}
			continue
		}
		for j := range token {
			more, err := in.u8()
			if err != nil {
				return err
			}
			p |= uint32(more) << (8*(j+1) - 2)
		}
		r.chance[i] = p
	}
	return nil
}

// read fills out. Past the end of the block, the state runs dry: what comes then is
// wrong, but bounded.
func (r *decoderRANS) read(out []uint32) {
	data, x, bits := r.data, r.state, r.bits
	base, mask := uint32(4)<<bits, uint32(1)<<bits-1
	at := len(data)
	symbol, chance, start := r.symbol, r.chance, r.start
	for i := range out {
		for x < base && at > 0 {
			at--
			x = x<<8 | uint32(data[at])
		}
		rem := x & mask
		s := symbol[rem]
		x = (x>>bits)*chance[s] + rem - start[s]
		out[i] = s
	}
	r.data, r.state = data[:at], x
}
