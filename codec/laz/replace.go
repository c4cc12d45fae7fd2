package laz

import "encoding/binary"

// classLayer is the place of the classification among the layers of POINT14, and
// classByte its place in the record.
const (
	classLayer = 2
	classByte  = 16
)

// ReplaceClassification appends a copy of a layered chunk (formats 6 to 10, item
// version 3 or 4) to dst in which the points have the classification class, one
// entry a point. Only the first layer is decoded and only the layer of the
// classification is encoded; the others are copied.
func ReplaceClassification(dst, chunk []byte, format uint8, recordLength, points int, class []uint8) ([]byte, error) {
	r, err := NewReclassifier(format, recordLength)
	if err != nil {
		return dst, err
	}
	return r.Replace(dst, chunk, points, class)
}

// A Reclassifier does what ReplaceClassification does, for many chunks with the
// same tables. It is not safe for concurrent use.
type Reclassifier struct {
	length int
	layers int
	xy     xyLayer
	class  fieldLayer
	info   [pointBlock]pointInfo
	sizes  layered
}

// NewReclassifier gives a Reclassifier for a point data record format 6 to 10.
func NewReclassifier(format uint8, recordLength int) (*Reclassifier, error) {
	items, err := itemsOf(format, recordLength)
	if err != nil {
		return nil, err
	}
	if format < 6 {
		return nil, unsupportedf("replacing the classification of format %d; only formats 6 to 10 have layers", format)
	}
	l, err := newLayered(items, true)
	if err != nil {
		return nil, err
	}
	r := &Reclassifier{length: recordLength, layers: 1 + len(l.layers)}
	r.sizes = layered{length: recordLength, sizes: make([]int, r.layers)}
	r.xy.set = newModels(true)
	r.class = fieldLayer{layerCoder: layerCoder{set: newModels(false)}, kind: fieldClass}
	return r, nil
}

// Replace appends to dst the chunk of points records with the classification
// class. Errors wrap ErrCorrupt where the chunk is to blame; dst is then returned
// as it was.
func (r *Reclassifier) Replace(dst, chunk []byte, points int, class []uint8) ([]byte, error) {
	if points < 1 || len(class) != points {
		return dst, unsupportedf("classification of %d points for a chunk of %d", len(class), points)
	}
	at, err := r.sizes.readSizes(chunk, points)
	if err != nil {
		return dst, err
	}
	if n := binary.LittleEndian.Uint32(chunk[r.length:]); int64(n) != int64(points) {
		return dst, corruptf("chunk says that it has %d points, not %d", n, points)
	}
	layer, err := r.encode(chunk, at, class)
	if err != nil {
		return dst, err
	}
	sizes := r.sizes.sizes
	begin := at
	for _, n := range sizes[:classLayer] {
		begin += n
	}
	end := begin + sizes[classLayer]
	start := len(dst)
	dst = append(dst, chunk[:begin]...)
	dst[start+classByte] = class[0]
	binary.LittleEndian.PutUint32(dst[start+r.length+4+4*classLayer:], uint32(len(layer)))
	dst = append(dst, layer...)
	return append(dst, chunk[end:]...), nil
}

// encode gives the layer of the classification, no bytes where it is the same for
// all points.
func (r *Reclassifier) encode(chunk []byte, at int, class []uint8) ([]byte, error) {
	if uniform(class) {
		return nil, nil
	}
	first := chunk[:r.length]
	r.xy.begin(first)
	r.xy.dec.init(chunk[at : at+r.sizes.sizes[0]])
	var record [sizePoint14]byte
	record[classByte] = class[0]
	r.class.begin(record[:], channelOf(first))
	r.class.enc.init(r.class.enc.out[:0])
	for rest := class[1:]; len(rest) > 0; {
		n := min(pointBlock, len(rest))
		info := r.info[:n]
		if !r.xy.decode(info, nil, 0) {
			return nil, corruptf("layer of x and y ends or is invalid")
		}
		for i, p := range info {
			r.class.encodeValue(p, rest[i])
		}
		rest = rest[n:]
	}
	return r.class.enc.done(), nil
}

func uniform(b []uint8) bool {
	for _, v := range b {
		if v != b[0] {
			return false
		}
	}
	return true
}
