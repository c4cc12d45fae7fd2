package draco

import (
	"encoding/binary"
	"math"
)

// Ways of prediction (specification, seq_att_dec_prediction_scheme).
const (
	encPredictNone          = 0xfe
	encPredictDifference    = 0
	encPredictParallelogram = 1
	encPredictMulti         = 4
	encPredictTexCoords     = 5
	encPredictNormals       = 6
)

// Ways of storing what prediction left (specification,
// seq_att_dec_prediction_transform_type).
const (
	encTransformWrap       = 1
	encTransformOctahedron = 3
)

// encPrediction is what prediction left of values, and what the decoder must know
// to predict the same.
type encPrediction struct {
	method, transform byte
	symbols           []uint32
	side              []byte
}

// appendValues appends the values of an attribute, predicted by what its type and
// the level ask for (specification, "DecodePortableAttributes").
func (e *Encoder) appendValues(dst []byte, v *encValues, q *encSequence, position *encValues) []byte {
	if v.store == encStoreRaw {
		return e.appendRaw(dst, v, q)
	}
	var p encPrediction
	if v.store == encStoreNormals {
		p = e.predictNormals(v, q, position)
	} else {
		w, ok := newEncWrap(v.values)
		if !ok {
			return encAppendUnpredicted(dst, v.values)
		}
		p = e.predict(v, w, q, position)
	}
	return e.appendPrediction(dst, v, p)
}

// appendPrediction appends what a prediction left.
func (e *Encoder) appendPrediction(dst []byte, v *encValues, p encPrediction) []byte {
	dst = append(dst, p.method, p.transform, 1)
	dst = e.entropy.append(dst, p.symbols, v.components)
	return append(dst, p.side...)
}

// encAppendUnpredicted appends integers as they are, of which prediction could
// leave more than 31 bits.
func encAppendUnpredicted(dst []byte, values []int32) []byte {
	dst = append(dst, encPredictNone, 0, 4)
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint32(dst, encZigZag(v))
	}
	return dst
}

// predict chooses the prediction of values that are not normals.
func (e *Encoder) predict(v *encValues, w encWrap, q *encSequence, position *encValues) encPrediction {
	level := e.options.Level
	switch {
	case q == nil || level <= 2:
		return e.predictDifference(v, w, 0)
	case level >= 7 && v != position && v.attribute.Type == TexCoord && v.components == 2 && encFitsTexCoords(v, position):
		return e.smaller(v, e.predictTexCoords(v, w, q, position, 0), e.predictParallelogram(v, w, q, 1))
	case level >= 9 && len(q.corners) >= 40:
		// On regular grids one parallelogram is better than the choice of many,
		// and numbers without a meaning in space are better off without any.
		p := e.predictMulti(v, w, q, 0)
		if v == position {
			return e.smaller(v, p, e.predictParallelogram(v, w, q, 1))
		}
		return e.smaller(v, p, e.predictDifference(v, w, 1))
	case level >= 7 && v != position:
		return e.smaller(v, e.predictParallelogram(v, w, q, 0), e.predictDifference(v, w, 1))
	}
	return e.predictParallelogram(v, w, q, 0)
}

// smaller is the prediction of two that takes fewer bits.
func (e *Encoder) smaller(v *encValues, a, b encPrediction) encPrediction {
	if e.estimate(v, b) < e.estimate(v, a) {
		return b
	}
	return a
}

// estimate is about the bits that a prediction takes.
func (e *Encoder) estimate(v *encValues, p encPrediction) float64 {
	return e.entropy.estimate(p.symbols, v.components) + 8*float64(len(p.side))
}

// predictDifference predicts each value by the one before.
func (e *Encoder) predictDifference(v *encValues, w encWrap, slot int) encPrediction {
	p := e.prediction(encPredictDifference, len(v.values), slot)
	k := v.components
	for i := range min(k, len(v.values)) {
		p.symbols[i] = w.symbol(v.values[i], 0)
	}
	for i := k; i < len(v.values); i++ {
		p.symbols[i] = w.symbol(v.values[i], v.values[i-k])
	}
	return e.wrapped(p, w, slot)
}

// predictParallelogram predicts each value as if it were the fourth corner of a
// parallelogram with the triangle opposite to it.
func (e *Encoder) predictParallelogram(v *encValues, w encWrap, q *encSequence, slot int) encPrediction {
	p := e.prediction(encPredictParallelogram, len(v.values), slot)
	k := v.components
	for i := range k {
		p.symbols[i] = w.symbol(v.values[i], 0)
	}
	for i := 1; i < len(q.corners); i++ {
		values, symbols := v.values[i*k:(i+1)*k], p.symbols[i*k:(i+1)*k]
		a, b, c, ok := q.parallelogram(q.corners[i], int32(i))
		if !ok {
			before := v.values[(i-1)*k:]
			for j := range values {
				symbols[j] = w.symbol(values[j], before[j])
			}
			continue
		}
		va, vb, vc := v.values[int(a)*k:], v.values[int(b)*k:], v.values[int(c)*k:]
		for j := range values {
			symbols[j] = w.symbol(values[j], vb[j]+vc[j]-va[j])
		}
	}
	return e.wrapped(p, w, slot)
}

// parallelogram gives the values at the triangle opposite to a corner, the far one
// first, where all come before a value.
func (q *encSequence) parallelogram(corner, value int32) (far, next, previous int32, ok bool) {
	o := q.opposite[corner]
	if o == encNone {
		return 0, 0, 0, false
	}
	far, next, previous = q.vertex[o], q.vertex[encNext(o)], q.vertex[encPrevious(o)]
	return far, next, previous, far < value && next < value && previous < value
}

// prediction is one with memory for symbols.
func (e *Encoder) prediction(method byte, n, slot int) encPrediction {
	s := &e.scratch
	s.symbols[slot] = encResize(s.symbols[slot], n)
	return encPrediction{method: method, transform: encTransformWrap, symbols: s.symbols[slot], side: s.sides[slot][:0]}
}

// wrapped ends a prediction with the range of its values.
func (e *Encoder) wrapped(p encPrediction, w encWrap, slot int) encPrediction {
	p.side = binary.LittleEndian.AppendUint32(p.side, uint32(w.least))
	p.side = binary.LittleEndian.AppendUint32(p.side, uint32(w.most))
	e.scratch.sides[slot] = p.side
	return p
}

// encWrap makes differences smaller that lead round the range of all values
// (specification, "Prediction Wrap Transform").
type encWrap struct {
	least, most, size, low, high int32
}

// newEncWrap finds the range of values. It may be too wide, or so far from zero
// that a decoder's sums leave 32 bits.
func newEncWrap(values []int32) (encWrap, bool) {
	w := encWrap{least: math.MaxInt32, most: math.MinInt32}
	for _, v := range values {
		w.least, w.most = min(w.least, v), max(w.most, v)
	}
	size := int64(w.most) - int64(w.least) + 1
	if size > math.MaxInt32 {
		return w, false
	}
	w.size = int32(size)
	w.high = w.size / 2
	w.low = -w.high
	if w.size%2 == 0 {
		w.high--
	}
	fits := int64(w.most)+int64(w.high) <= math.MaxInt32 && int64(w.least)+int64(w.low) >= math.MinInt32
	return w, fits
}

// symbol is what is left of a value by a prediction.
func (w *encWrap) symbol(value, predicted int32) uint32 {
	d := value - max(min(predicted, w.most), w.least)
	if d < w.low {
		d += w.size
	} else if d > w.high {
		d -= w.size
	}
	return encZigZag(d)
}

// encZigZag puts the sign of a number into its lowest bit.
func encZigZag(v int32) uint32 {
	return uint32(v<<1) ^ uint32(v>>31)
}
