package gltf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Points are a cloud in a right-handed frame with z up. Slices other than XYZ are
// nil, or have an entry for each point (Colors three).
type Points struct {
	// XYZ are interleaved coordinates. They are quantised to 16 bits over their
	// bounds.
	XYZ []float64
	// Colors are red, green, blue in the sRGB encoding of pictures, 16 bits.
	Colors         []uint16
	Intensity      []uint16
	Classification []uint8
	ReturnNumber   []uint8
	// Generator goes into the asset.
	Generator string
}

// PointWriter makes point clouds; it keeps its memory. The zero value is ready for
// use, by one goroutine at a time.
type PointWriter struct {
	bin    []byte
	linear []uint16
}

const quantum = 1<<16 - 1

// Append appends a GLB of the points to dst. Heights go along +y, as glTF wants;
// a 3D Tiles runtime turns them back. Colours become linear, which is what COLOR_0
// holds (glTF 2.0, 3.7.2.1): in 16 bits, since 8 would band in the shadows.
func (w *PointWriter) Append(dst []byte, p Points) ([]byte, error) {
	n := len(p.XYZ) / 3
	if n == 0 {
		return dst, errors.New("gltf: a point cloud needs at least one point")
	}
	for _, s := range []struct {
		name      string
		have, per int
	}{{"colours", len(p.Colors), 3}, {"intensities", len(p.Intensity), 1}, {"classes", len(p.Classification), 1}, {"return numbers", len(p.ReturnNumber), 1}} {
		if s.have != 0 && s.have != n*s.per {
			return dst, fmt.Errorf("gltf: %d %s for %d points", s.have, s.name, n)
		}
	}
	// The spec wants points without normals to be unlit; the extension says so to
	// readers that would light them.
	unlit := &Material{PBR: &PBR{MetallicFactor: new(float64)}}
	unlit.Extensions = Extensions{ExtUnlit: struct{}{}}
	d := &Document{
		Asset:              Asset{Generator: p.Generator},
		Scene:              Ref(0),
		Scenes:             []*Scene{{Nodes: []int{0}}},
		Materials:          []*Material{unlit},
		ExtensionsUsed:     []string{ExtQuantization, ExtUnlit},
		ExtensionsRequired: []string{ExtQuantization},
	}
	w.bin = w.bin[:0]
	// One block, so that views taken of it stay where they are.
	w.reserve(n * bytesPerPoint)
	attributes := Attributes{}
	matrix, err := w.positions(d, p.XYZ)
	if err != nil {
		return dst, err
	}
	attributes["POSITION"] = 0
	if len(p.Colors) > 0 {
		attributes["COLOR_0"] = len(d.Accessors)
		w.colors(d, p.Colors)
	}
	metadata := metadata{}
	if len(p.Classification) > 0 {
		metadata.add(attributes, "classification", "_CLASSIFICATION", "UINT8", len(d.Accessors))
		w.bytes(d, p.Classification)
	}
	if len(p.Intensity) > 0 {
		metadata.add(attributes, "intensity", "_INTENSITY", "UINT16", len(d.Accessors))
		w.shorts(d, p.Intensity)
	}
	if len(p.ReturnNumber) > 0 {
		metadata.add(attributes, "returnNumber", "_RETURN_NUMBER", "UINT8", len(d.Accessors))
		w.bytes(d, p.ReturnNumber)
	}
	primitive := &Primitive{Attributes: attributes, Material: Ref(0), Mode: ModePoints}
	metadata.attach(d, primitive)
	d.Meshes = []*Mesh{{Primitives: []*Primitive{primitive}}}
	d.Nodes = []*Node{{Mesh: Ref(0), Matrix: matrix}}
	return AppendGLB(dst, d)
}

// view adds a buffer view of what was appended to bin since start, and an accessor.
func (w *PointWriter) view(d *Document, start, stride, count int, component ComponentType, kind string, normalized bool) *Accessor {
	d.BufferViews = append(d.BufferViews, &BufferView{ByteStride: stride, Target: ArrayBuffer, Data: w.bin[start:]})
	a := &Accessor{BufferView: Ref(len(d.BufferViews) - 1), ComponentType: component, Normalized: normalized, Count: count, Type: kind}
	d.Accessors = append(d.Accessors, a)
	return a
}

// positions appends quantised coordinates (KHR_mesh_quantization: unsigned short,
// with a stride of a multiple of 4) and gives the matrix that undoes it.
func (w *PointWriter) positions(d *Document, xyz []float64) (*[16]float64, error) {
	lo := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	hi := [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for i := 0; i < len(xyz); i += 3 {
		for a := range 3 {
			v := xyz[i+a]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("gltf: point %d has the coordinate %g", i/3, v)
			}
			lo[a], hi[a] = min(lo[a], v), max(hi[a], v)
		}
	}
	var step, inverse [3]float64
	for a := range 3 {
		// A flat axis has one value; its step must not be zero, or the matrix
		// could not be inverted.
		step[a] = max((hi[a]-lo[a])/quantum, 1e-9)
		inverse[a] = 1 / step[a]
	}
	start := len(w.bin)
	w.grow(8 * len(xyz) / 3)
	least := [3]uint16{quantum, quantum, quantum}
	most := [3]uint16{}
	at := start
	for i := 0; i < len(xyz); i += 3 {
		for a := range 3 {
			q := uint16(min((xyz[i+a]-lo[a])*inverse[a]+0.5, quantum))
			least[a], most[a] = min(least[a], q), max(most[a], q)
			binary.LittleEndian.PutUint16(w.bin[at+2*a:], q)
		}
		binary.LittleEndian.PutUint16(w.bin[at+6:], 0)
		at += 8
	}
	acc := w.view(d, start, 8, len(xyz)/3, UnsignedShort, "VEC3", false)
	for a := range 3 {
		acc.Min = append(acc.Min, float64(least[a]))
		acc.Max = append(acc.Max, float64(most[a]))
	}
	// x stays, z (up) goes along y, y goes along -z.
	return &[16]float64{
		step[0], 0, 0, 0,
		0, 0, -step[1], 0,
		0, step[2], 0, 0,
		lo[0], lo[2], -lo[1], 1,
	}, nil
}

// bytesPerPoint is that of all attributes with their strides.
const bytesPerPoint = 8 + 8 + 4 + 4 + 4

// reserve makes room for n bytes in the empty bin.
func (w *PointWriter) reserve(n int) {
	if n > cap(w.bin) {
		w.bin = make([]byte, 0, n+n/4)
	}
}

// grow makes n more bytes of bin.
func (w *PointWriter) grow(n int) { w.bin = w.bin[:len(w.bin)+n] }

func (w *PointWriter) colors(d *Document, rgb []uint16) {
	if w.linear == nil {
		w.linear = linearTable()
	}
	start := len(w.bin)
	w.grow(8 * len(rgb) / 3)
	at := start
	for i := 0; i < len(rgb); i += 3 {
		for a := range 3 {
			binary.LittleEndian.PutUint16(w.bin[at+2*a:], w.linear[rgb[i+a]>>4])
		}
		binary.LittleEndian.PutUint16(w.bin[at+6:], 0)
		at += 8
	}
	w.view(d, start, 8, len(rgb)/3, UnsignedShort, "VEC3", true)
}

// linearTable maps the upper 12 bits of an sRGB value to a linear one (IEC
// 61966-2-1, 4.2).
func linearTable() []uint16 {
	t := make([]uint16, 1<<12)
	for i := range t {
		v := float64(i) / float64(len(t)-1)
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		t[i] = uint16(v*quantum + 0.5)
	}
	return t
}

// bytes and shorts append values with the stride of 4 that vertex attributes need
// (glTF 2.0, 3.6.2.4).
func (w *PointWriter) bytes(d *Document, v []uint8) {
	start := len(w.bin)
	w.grow(4 * len(v))
	for i, b := range v {
		binary.LittleEndian.PutUint32(w.bin[start+4*i:], uint32(b))
	}
	w.view(d, start, 4, len(v), UnsignedByte, "SCALAR", false)
}

func (w *PointWriter) shorts(d *Document, v []uint16) {
	start := len(w.bin)
	w.grow(4 * len(v))
	for i, b := range v {
		binary.LittleEndian.PutUint32(w.bin[start+4*i:], uint32(b))
	}
	w.view(d, start, 4, len(v), UnsignedShort, "SCALAR", false)
}

// metadata is the schema of what points have beside place and colour.
type metadata struct {
	properties map[string]any // of the class
	mapped     map[string]any // of the property attribute
}

func (m *metadata) add(attributes Attributes, property, attribute, component string, accessor int) {
	if m.properties == nil {
		m.properties, m.mapped = map[string]any{}, map[string]any{}
	}
	attributes[attribute] = accessor
	m.properties[property] = map[string]any{"type": "SCALAR", "componentType": component, "required": true}
	m.mapped[property] = map[string]any{"attribute": attribute}
}

func (m *metadata) attach(d *Document, p *Primitive) {
	if m.properties == nil {
		return
	}
	d.ExtensionsUsed = append(d.ExtensionsUsed, ExtStructuralMetadata)
	d.Extensions = Extensions{ExtStructuralMetadata: map[string]any{
		"schema": map[string]any{
			"id":      "slate360_points",
			"classes": map[string]any{"point": map[string]any{"name": "Laser scan point", "properties": m.properties}},
		},
		"propertyAttributes": []any{map[string]any{"class": "point", "properties": m.mapped}},
	}}
	p.Extensions = Extensions{ExtStructuralMetadata: map[string]any{"propertyAttributes": []int{0}}}
}
