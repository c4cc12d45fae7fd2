package bullmq

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"sort"
)

// packer encodes MessagePack (github.com/msgpack/msgpack, spec.md), as far as
// BullMQ's scripts take it: the scripts' arguments are packed that way.
type packer []byte

func (p packer) null() packer { return append(p, 0xc0) }

func (p packer) boolean(v bool) packer {
	if v {
		return append(p, 0xc3)
	}
	return append(p, 0xc2)
}

func (p packer) integer(v int64) packer {
	switch {
	case v >= 0 && v < 128:
		return append(p, byte(v))
	case v < 0 && v >= -32:
		return append(p, byte(v))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return binary.BigEndian.AppendUint32(append(p, 0xd2), uint32(int32(v)))
	}
	return binary.BigEndian.AppendUint64(append(p, 0xd3), uint64(v))
}

func (p packer) float(v float64) packer {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return p.integer(int64(v))
	}
	return binary.BigEndian.AppendUint64(append(p, 0xcb), math.Float64bits(v))
}

func (p packer) text(s string) packer {
	switch n := len(s); {
	case n < 32:
		p = append(p, 0xa0|byte(n))
	case n < 1<<8:
		p = append(p, 0xd9, byte(n))
	case n < 1<<16:
		p = binary.BigEndian.AppendUint16(append(p, 0xda), uint16(n))
	default:
		p = binary.BigEndian.AppendUint32(append(p, 0xdb), uint32(n))
	}
	return append(p, s...)
}

// orNull packs a text, the empty one as nil.
func (p packer) orNull(s string) packer {
	if s == "" {
		return p.null()
	}
	return p.text(s)
}

// array and dictionary begin a value of n elements or pairs, which follow.
func (p packer) array(n int) packer {
	switch {
	case n < 16:
		return append(p, 0x90|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(p, 0xdc), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(p, 0xdd), uint32(n))
}

func (p packer) dictionary(n int) packer {
	switch {
	case n < 16:
		return append(p, 0x80|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(p, 0xde), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(p, 0xdf), uint32(n))
}

func (p packer) texts(list []string) packer {
	p = p.array(len(list))
	for _, s := range list {
		p = p.text(s)
	}
	return p
}

// value packs what encoding/json decodes, and integers.
func (p packer) value(v any) packer {
	switch v := v.(type) {
	case nil:
		return p.null()
	case bool:
		return p.boolean(v)
	case int:
		return p.integer(int64(v))
	case int64:
		return p.integer(v)
	case float64:
		return p.float(v)
	case json.Number:
		x, err := v.Float64()
		if err != nil {
			return p.text(string(v))
		}
		return p.float(x)
	case string:
		return p.text(v)
	case json.RawMessage:
		var decoded any
		if json.Unmarshal(v, &decoded) != nil {
			return p.null()
		}
		return p.value(decoded)
	case []any:
		p = p.array(len(v))
		for _, e := range v {
			p = p.value(e)
		}
		return p
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		p = p.dictionary(len(keys))
		for _, k := range keys {
			p = p.text(k).value(v[k])
		}
		return p
	}
	return p.null()
}

func pack(v any) string { return string(packer(nil).value(v)) }
