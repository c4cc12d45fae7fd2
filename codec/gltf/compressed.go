package gltf

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"slate360.ai/worker/codec/draco"
)

// dracoExtension is KHR_draco_mesh_compression of a primitive.
type dracoExtension struct {
	BufferView int        `json:"bufferView"`
	Attributes Attributes `json:"attributes"` // unique IDs of the bitstream
}

// decompress replaces the compressed geometry of primitives by plain accessors.
func (r *reader) decompress() error {
	type task struct {
		at   string
		p    *Primitive
		ext  dracoExtension
		mesh *draco.Mesh
		err  error
	}
	var tasks []*task
	for i, m := range r.d.Meshes {
		for j, p := range m.Primitives {
			t := &task{at: fmt.Sprintf("/meshes/%d/primitives/%d/extensions/%s", i, j, ExtDraco), p: p}
			have, err := p.Extensions.Get(ExtDraco, &t.ext)
			if err != nil {
				return &Error{Pointer: t.at, Err: err}
			}
			if !have {
				continue
			}
			if t.ext.BufferView < 0 || t.ext.BufferView >= len(r.d.BufferViews) {
				return faulty(t.at+"/bufferView", "is %d, there are %d", t.ext.BufferView, len(r.d.BufferViews))
			}
			tasks = append(tasks, t)
		}
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(max(1, r.o.Workers), len(tasks)) {
		wait.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(tasks) {
					return
				}
				t := tasks[k]
				t.mesh, t.err = draco.Decode(r.d.BufferViews[t.ext.BufferView].Data)
			}
		})
	}
	wait.Wait()
	var views []int
	for _, t := range tasks {
		if t.err != nil {
			return &Error{Pointer: t.at, Err: t.err}
		}
		if err := r.replace(t.at, t.p, t.ext, t.mesh); err != nil {
			return err
		}
		t.mesh = nil
		views = append(views, t.ext.BufferView)
	}
	for _, v := range views {
		r.d.BufferViews[v].Data = nil
	}
	r.d.Forget(ExtDraco)
	return nil
}

// replace gives a primitive accessors of what was decoded. What the accessors of
// the file said of type and meaning is kept; the count is that of the bitstream.
func (r *reader) replace(at string, p *Primitive, ext dracoExtension, m *draco.Mesh) error {
	d := r.d
	attributes := Attributes{}
	for name, accessor := range p.Attributes {
		attributes[name] = accessor
	}
	for name, id := range ext.Attributes {
		a := m.Attribute(uint32(id))
		if id < 0 || a == nil {
			return faulty(at+"/attributes/"+name, "the bitstream has no attribute %d", id)
		}
		old, ok := p.Attributes[name]
		if !ok {
			continue
		}
		was := d.Accessors[old]
		if n := Components(was.Type); n != a.Components {
			return faulty(at+"/attributes/"+name, "has %d components in the bitstream, %d in accessor %d", a.Components, n, old)
		}
		f := Format{Component: was.ComponentType, Components: a.Components, Bounds: name == "POSITION", Target: ArrayBuffer}
		if err := r.take(at, int64(m.Points)*int64(a.Components)*4); err != nil {
			return err
		}
		index := d.AddFloats(dracoFloats(a), f)
		d.Accessors[index].Normalized = was.Normalized
		d.Accessors[index].Named = was.Named
		attributes[name] = index
	}
	for name, accessor := range attributes {
		if n := d.Accessors[accessor].Count; n != m.Points {
			return faulty(at, "%s has %d values for the %d vertices of the bitstream", name, n, m.Points)
		}
	}
	for _, t := range p.Targets {
		for name, accessor := range t {
			if n := d.Accessors[accessor].Count; n != m.Points {
				return faulty(at, "morph target %s has %d values for the %d vertices of the bitstream", name, n, m.Points)
			}
		}
	}
	p.Attributes = attributes
	if m.Indices != nil {
		if err := r.take(at, int64(len(m.Indices))*4); err != nil {
			return err
		}
		p.Indices, p.Mode = Ref(d.AddIndices(m.Indices)), ModeTriangles
	}
	delete(p.Extensions, ExtDraco)
	return nil
}

// dracoFloats gives the values of an attribute as numbers, not normalized.
func dracoFloats(a *draco.Attribute) []float32 {
	if a.Floats != nil {
		return a.Floats
	}
	out := make([]float32, len(a.Ints))
	for i, v := range a.Ints {
		if a.DataType == draco.Uint32 {
			out[i] = float32(uint32(v))
		} else {
			out[i] = float32(v)
		}
	}
	return out
}

// meshoptExtension is EXT_meshopt_compression, or its KHR twin, of a view.
type meshoptExtension struct {
	Buffer     int    `json:"buffer"`
	ByteOffset int    `json:"byteOffset"`
	ByteLength int    `json:"byteLength"`
	ByteStride int    `json:"byteStride"`
	Count      int    `json:"count"`
	Mode       string `json:"mode"`
	Filter     string `json:"filter"`
}

// openCompressedView decompresses a view that says it is compressed.
func (r *reader) openCompressedView(at string, v *BufferView) (bool, error) {
	for _, name := range []string{ExtMeshopt, ExtMeshoptKHR} {
		var e meshoptExtension
		have, err := v.Extensions.Get(name, &e)
		if err != nil {
			return true, &Error{Pointer: at, Err: err}
		}
		if !have {
			continue
		}
		at += "/extensions/" + name
		data, err := r.slice(at, e.Buffer, e.ByteOffset, e.ByteLength)
		if err != nil {
			return true, err
		}
		if e.Count < 0 || e.ByteStride < 1 || e.ByteStride > 256 || e.Count > math.MaxInt32 {
			return true, faulty(at, "%d elements of %d bytes", e.Count, e.ByteStride)
		}
		// A byte of any of the codecs stands for some hundred vertices at most:
		// 16 vertices take one tag a byte of the element and group.
		if int64(e.Count) > 1024*int64(len(data))+1024 {
			return true, faulty(at+"/count", "%d elements cannot come of %d bytes", e.Count, len(data))
		}
		if err := r.take(at, int64(e.Count)*int64(e.ByteStride)); err != nil {
			return true, err
		}
		if v.Data, err = decodeMeshopt(e, data); err != nil {
			return true, &Error{Pointer: at, Err: err}
		}
		delete(v.Extensions, name)
		r.d.Forget(name)
		return true, nil
	}
	return false, nil
}
