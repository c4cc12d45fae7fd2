package mesh

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/codec/draco"
	"slate360.ai/worker/codec/gltf"
)

// dracoOptions are those of a level of compression and a quality: 0.8 and more is
// for looking closely, 0.5 has the bits of gltf-pipeline.
func dracoOptions(level int, quality float64) draco.Options {
	o := draco.Options{Level: level, PositionBits: 14, NormalBits: 10, TexCoordBits: 12, ColorBits: 8, GenericBits: 12}
	switch {
	case quality >= 0.95:
		o.PositionBits, o.NormalBits, o.TexCoordBits, o.ColorBits, o.GenericBits = 16, 12, 14, 10, 14
	case quality <= 0.5:
		o.PositionBits, o.NormalBits, o.TexCoordBits, o.ColorBits, o.GenericBits = 11, 8, 10, 8, 8
	}
	return o
}

// compress replaces the geometry of primitives by Draco bitstreams
// (KHR_draco_mesh_compression), side by side. Edgebreaker parts vertices where a
// surface touches itself; where counted is set, primitives that would get more than
// one in a hundred more are stored in their order, which is larger.
func compress(ctx context.Context, d *gltf.Document, o draco.Options, counted bool, workers int) error {
	var tasks []*dracoTask
	seen := map[*gltf.Primitive]bool{}
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			if p.Mode >= gltf.ModeTriangles && p.Attributes["POSITION"] < len(d.Accessors) && !seen[p] {
				if _, ok := p.Attributes["POSITION"]; ok {
					seen[p] = true
					tasks = append(tasks, &dracoTask{p: p, counted: counted})
				}
			}
		}
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(max(1, workers), len(tasks)) {
		wait.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(tasks) || ctx.Err() != nil {
					return
				}
				tasks[k].err = tasks[k].encode(d, o)
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	used := false
	for _, t := range tasks {
		switch {
		case errors.Is(t.err, draco.ErrNoTriangles):
			continue // a primitive without area stays as it is
		case t.err != nil:
			return t.err
		}
		t.put(d)
		used = true
	}
	if used {
		d.Use(gltf.ExtDraco, true)
	}
	return nil
}

type dracoTask struct {
	p       *gltf.Primitive
	counted bool
	names   []string // of attributes, by unique ID
	out     draco.Encoded
	err     error
}

// encode makes the bitstream of a primitive.
func (t *dracoTask) encode(d *gltf.Document, o draco.Options) error {
	in, err := triangles(d, t.p)
	if err != nil {
		return err
	}
	m := &draco.Mesh{Points: d.Accessors[t.p.Attributes["POSITION"]].Count, Indices: in}
	t.names = slices.Sorted(maps.Keys(t.p.Attributes))
	for id, name := range t.names {
		a, err := dracoAttribute(d, t.p.Attributes[name], name)
		if err != nil {
			return err
		}
		a.UniqueID = uint32(id)
		m.Attributes = append(m.Attributes, a)
	}
	// Morph targets have a value for each vertex, beside the bitstream: vertices
	// must keep their order.
	o.Sequential = o.Sequential || len(t.p.Targets) > 0
	if t.out, err = draco.Encode(nil, m, o); err != nil {
		return err
	}
	if t.counted && !o.Sequential && t.out.Points > m.Points+m.Points/100 {
		o.Sequential = true
		t.out, err = draco.Encode(nil, m, o)
	}
	return err
}

func dracoAttribute(d *gltf.Document, accessor int, name string) (draco.Attribute, error) {
	acc := d.Accessors[accessor]
	a := draco.Attribute{Type: draco.Generic, Components: gltf.Components(acc.Type), Normalized: acc.Normalized, DataType: draco.Float32, Exact: exact(name)}
	switch {
	case name == "POSITION":
		a.Type = draco.Position
	case name == "NORMAL":
		a.Type = draco.Normal
	case strings.HasPrefix(name, "TEXCOORD_"):
		a.Type = draco.TexCoord
	case strings.HasPrefix(name, "COLOR_"):
		a.Type = draco.Color
	}
	values, err := d.Numbers(accessor)
	if err != nil {
		return a, err
	}
	kinds := map[gltf.ComponentType]draco.DataType{
		gltf.Byte: draco.Int8, gltf.UnsignedByte: draco.Uint8, gltf.Short: draco.Int16, gltf.UnsignedShort: draco.Uint16, gltf.UnsignedInt: draco.Uint32,
	}
	kind, integer := kinds[acc.ComponentType]
	if !integer {
		for i, v := range values {
			if v-v != 0 {
				values[i] = 0
			}
		}
		a.Floats = values
		return a, nil
	}
	a.DataType = kind
	a.Ints = make([]int32, len(values))
	for i, v := range values {
		a.Ints[i] = int32(int64(v))
	}
	return a, nil
}

// put makes the primitive refer to its bitstream. Accessors stay, without data:
// they tell what a decoder gives.
func (t *dracoTask) put(d *gltf.Document) {
	ids := gltf.Attributes{}
	attributes := gltf.Attributes{}
	for id, name := range t.names {
		was := d.Accessors[t.p.Attributes[name]]
		a := &gltf.Accessor{ComponentType: was.ComponentType, Normalized: was.Normalized, Type: was.Type, Count: t.out.Points, Min: was.Min, Max: was.Max, Named: was.Named}
		d.Accessors = append(d.Accessors, a)
		ids[name], attributes[name] = id, len(d.Accessors)-1
	}
	kind := gltf.UnsignedInt
	if t.out.Points <= 1<<16-1 {
		kind = gltf.UnsignedShort
	}
	d.Accessors = append(d.Accessors, &gltf.Accessor{ComponentType: kind, Type: "SCALAR", Count: 3 * t.out.Triangles})
	t.p.Attributes, t.p.Indices, t.p.Mode = attributes, gltf.Ref(len(d.Accessors)-1), gltf.ModeTriangles
	if t.p.Extensions == nil {
		t.p.Extensions = gltf.Extensions{}
	}
	t.p.Extensions[gltf.ExtDraco] = map[string]any{"bufferView": d.AddView(t.out.Data, 0), "attributes": ids}
	t.out.Data = nil
}
