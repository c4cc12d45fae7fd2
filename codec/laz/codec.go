package laz

// An Encoder compresses chunks. It is not safe for concurrent use; its tables
// (about 1 MB) serve any number of chunks.
type Encoder struct {
	length    int
	pointwise *pointwise
	layered   *layered
}

// NewEncoder gives an encoder of records of a point data record format 0 to 10;
// what is longer than the format is extra bytes. Formats 0 to 5 are compressed
// point-wise (item version 2), the others in layers (version 3).
func NewEncoder(format uint8, recordLength int) (*Encoder, error) {
	items, err := itemsOf(format, recordLength)
	if err != nil {
		return nil, err
	}
	e := &Encoder{length: recordLength}
	if format < 6 {
		e.pointwise, err = newPointwise(items, false)
	} else {
		e.layered, err = newLayered(items, false)
	}
	return e, err
}

// Encode compresses whole records into one chunk and appends it to dst. No
// records give no bytes. A chunk must be smaller than 2^32 points and bytes.
func (e *Encoder) Encode(dst, records []byte) ([]byte, error) {
	if len(records)%e.length != 0 {
		return dst, unsupportedf("%d bytes of records are not a multiple of %d", len(records), e.length)
	}
	if int64(len(records)/e.length) > 0xFFFFFFFF {
		return dst, unsupportedf("chunk of %d points; split it", len(records)/e.length)
	}
	switch {
	case len(records) == 0:
		return dst, nil
	case e.layered != nil:
		return e.layered.encode(dst, records), nil
	default:
		return e.pointwise.encode(dst, records), nil
	}
}

// A Decoder decompresses chunks. It is not safe for concurrent use; its tables
// (about 1 MB) serve any number of chunks.
type Decoder struct {
	length    int
	pointwise *pointwise
	layered   *layered
}

// NewDecoder gives a decoder of what an Encoder of the same format and record
// length writes.
func NewDecoder(format uint8, recordLength int) (*Decoder, error) {
	items, err := itemsOf(format, recordLength)
	if err != nil {
		return nil, err
	}
	return newDecoder(items, recordLength)
}

// NewDescriptorDecoder gives a decoder of the chunks of a file with this laszip
// record: compressors 1 to 3, items of versions 1 and 2 (point-wise) or 2 to 4
// (layered), which must add up to recordLength.
func NewDescriptorDecoder(d Descriptor, recordLength int) (*Decoder, error) {
	if err := d.check(recordLength); err != nil {
		return nil, err
	}
	return newDecoder(d.Items, recordLength)
}

func newDecoder(items []Item, length int) (*Decoder, error) {
	var err error
	d := &Decoder{length: length}
	if items[0].Type == ItemPoint14 {
		d.layered, err = newLayered(items, true)
	} else {
		d.pointwise, err = newPointwise(items, true)
	}
	return d, err
}

// Decode decompresses the first points records of a chunk into dst, which must
// have room for them. Errors wrap ErrCorrupt; dst then holds what was decoded up
// to there, followed by garbage.
func (d *Decoder) Decode(dst, chunk []byte, points int) error {
	dst, err := d.room(dst, points)
	if err != nil || points == 0 {
		return err
	}
	if d.layered != nil {
		return d.layered.decode(dst, chunk, points)
	}
	_, err = d.pointwise.decode(dst, chunk, points, overrunSlack)
	return err
}

// DecodePartial decompresses what there is of a point-wise chunk that ends too
// early, up to points records, and gives the number of whole ones. A point counts
// as whole if the decoder, which reads up to four bytes ahead, came by without
// bytes beyond the end. So the last one or two that are there may be left out,
// and a whole chunk decodes to exactly its points if points says so; bytes that
// follow the chunk, or a larger number, give further points without meaning.
// Layered chunks give all points or, since every layer is needed, none.
func (d *Decoder) DecodePartial(dst, chunk []byte, points int) (n int, err error) {
	dst, err = d.room(dst, points)
	if err != nil || points == 0 {
		return 0, err
	}
	if d.layered == nil {
		return d.pointwise.decode(dst, chunk, points, 0)
	}
	if err := d.layered.decode(dst, chunk, points); err != nil {
		return 0, err
	}
	return points, nil
}

// room cuts dst to points records.
func (d *Decoder) room(dst []byte, points int) ([]byte, error) {
	if points < 0 || points > len(dst)/d.length {
		return nil, unsupportedf("%d points of %d bytes do not fit into %d bytes", points, d.length, len(dst))
	}
	return dst[:points*d.length], nil
}
