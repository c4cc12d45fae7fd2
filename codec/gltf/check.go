package gltf

import (
	"fmt"
	"math"
)

// checker collects the first fault.
type checker struct {
	d   *Document
	err error
}

func (c *checker) fail(pointer, format string, args ...any) {
	if c.err == nil {
		c.err = faulty(pointer, format, args...)
	}
}

// index checks a reference to one of n things.
func (c *checker) index(i, n int, format string, args ...any) {
	if i < 0 || i >= n {
		c.fail(fmt.Sprintf(format, args...), "is %d, there are %d", i, n)
	}
}

func (c *checker) optional(i *int, n int, format string, args ...any) {
	if i != nil {
		c.index(*i, n, format, args...)
	}
}

// checkNil refuses documents with null where an object has to be, so that nothing
// below needs to ask.
func (d *Document) checkNil() error {
	for _, l := range []struct {
		name string
		null func() int
	}{
		{"scenes", func() int { return null(d.Scenes) }},
		{"nodes", func() int { return null(d.Nodes) }},
		{"meshes", func() int { return null(d.Meshes) }},
		{"materials", func() int { return null(d.Materials) }},
		{"textures", func() int { return null(d.Textures) }},
		{"images", func() int { return null(d.Images) }},
		{"samplers", func() int { return null(d.Samplers) }},
		{"skins", func() int { return null(d.Skins) }},
		{"animations", func() int { return null(d.Animations) }},
		{"cameras", func() int { return null(d.Cameras) }},
		{"accessors", func() int { return null(d.Accessors) }},
		{"bufferViews", func() int { return null(d.BufferViews) }},
		{"buffers", func() int { return null(d.Buffers) }},
	} {
		if i := l.null(); i >= 0 {
			return faulty(fmt.Sprintf("/%s/%d", l.name, i), "is null")
		}
	}
	for i, m := range d.Meshes {
		if j := null(m.Primitives); j >= 0 {
			return faulty(fmt.Sprintf("/meshes/%d/primitives/%d", i, j), "is null")
		}
	}
	return nil
}

func null[T any](list []*T) int {
	for i, v := range list {
		if v == nil {
			return i
		}
	}
	return -1
}

// Check tells whether all references of a document hold, its accessors lie in
// their views, and its nodes make trees. The error is an *Error.
func (d *Document) Check() error {
	c := &checker{d: d}
	c.accessors()
	c.meshes()
	c.looks()
	c.nodes()
	c.skinsAndAnimations()
	return c.err
}

func (c *checker) accessors() {
	d := c.d
	for i, a := range d.Accessors {
		at := fmt.Sprintf("/accessors/%d", i)
		size, n := a.ComponentType.Size(), Components(a.Type)
		switch {
		case size == 0:
			c.fail(at+"/componentType", "%d is not one of glTF", a.ComponentType)
		case n == 0:
			c.fail(at+"/type", "%q is not one of glTF", a.Type)
		case a.Count < 0 || a.Count > math.MaxInt32:
			c.fail(at+"/count", "is %d", a.Count)
		case a.ByteOffset < 0:
			c.fail(at+"/byteOffset", "is %d", a.ByteOffset)
		}
		if c.err != nil {
			return
		}
		c.optional(a.BufferView, len(d.BufferViews), "%s/bufferView", at)
		if a.Sparse != nil {
			c.sparse(at, a)
		}
		if c.err != nil {
			return
		}
		if a.BufferView != nil {
			c.extent(at, a, d.BufferViews[*a.BufferView])
		}
	}
}

// extent checks that the elements of an accessor lie in its view. Views that a
// primitive's compression stands for are empty.
func (c *checker) extent(at string, a *Accessor, v *BufferView) {
	if v.ByteStride < 0 || v.ByteStride > 1<<16 {
		c.fail(fmt.Sprintf("/bufferViews/%d/byteStride", *a.BufferView), "is %d", v.ByteStride)
		return
	}
	l := a.layout(v)
	if a.Count == 0 {
		return
	}
	if end := int64(a.ByteOffset) + int64(a.Count-1)*int64(l.stride) + int64(l.size); end > int64(len(v.Data)) {
		c.fail(at, "its %d elements of %d bytes end at byte %d of view %d, which has %d bytes", a.Count, l.size, end, *a.BufferView, len(v.Data))
	}
}

func (c *checker) sparse(at string, a *Accessor) {
	s := a.Sparse
	if s.Count < 0 || s.Count > a.Count {
		c.fail(at+"/sparse/count", "is %d of %d elements", s.Count, a.Count)
		return
	}
	switch s.Indices.ComponentType {
	case UnsignedByte, UnsignedShort, UnsignedInt:
	default:
		c.fail(at+"/sparse/indices/componentType", "%d is not unsigned", s.Indices.ComponentType)
		return
	}
	c.index(s.Indices.BufferView, len(c.d.BufferViews), "%s/sparse/indices/bufferView", at)
	c.index(s.Values.BufferView, len(c.d.BufferViews), "%s/sparse/values/bufferView", at)
	if c.err != nil {
		return
	}
	need := int64(s.Count) * int64(s.Indices.ComponentType.Size())
	if have := len(c.d.BufferViews[s.Indices.BufferView].Data); s.Indices.ByteOffset < 0 || int64(s.Indices.ByteOffset)+need > int64(have) {
		c.fail(at+"/sparse/indices", "needs %d bytes from byte %d, the view has %d", need, s.Indices.ByteOffset, have)
	}
	need = int64(s.Count) * int64(a.layout(&BufferView{}).size)
	if have := len(c.d.BufferViews[s.Values.BufferView].Data); s.Values.ByteOffset < 0 || int64(s.Values.ByteOffset)+need > int64(have) {
		c.fail(at+"/sparse/values", "needs %d bytes from byte %d, the view has %d", need, s.Values.ByteOffset, have)
	}
}

func (c *checker) meshes() {
	d := c.d
	for i, m := range d.Meshes {
		for j, p := range m.Primitives {
			at := fmt.Sprintf("/meshes/%d/primitives/%d", i, j)
			if p.Mode < ModePoints || p.Mode > ModeTriangleFan {
				c.fail(at+"/mode", "is %d", p.Mode)
			}
			c.optional(p.Indices, len(d.Accessors), "%s/indices", at)
			c.optional(p.Material, len(d.Materials), "%s/material", at)
			count := -1
			for name, a := range p.Attributes {
				c.index(a, len(d.Accessors), "%s/attributes/%s", at, name)
				if c.err != nil {
					return
				}
				if n := d.Accessors[a].Count; count >= 0 && n != count {
					c.fail(at+"/attributes/"+name, "has %d values, another attribute %d", n, count)
				} else {
					count = n
				}
			}
			for k, t := range p.Targets {
				for name, a := range t {
					c.index(a, len(d.Accessors), "%s/targets/%d/%s", at, k, name)
					if c.err == nil && count >= 0 && d.Accessors[a].Count != count {
						c.fail(fmt.Sprintf("%s/targets/%d/%s", at, k, name), "has %d values for %d vertices", d.Accessors[a].Count, count)
					}
				}
			}
		}
	}
}

func (c *checker) looks() {
	d := c.d
	texture := func(t *TextureInfo, i int, name string) {
		if t != nil {
			c.index(t.Index, len(d.Textures), "/materials/%d/%s/index", i, name)
		}
	}
	for i, m := range d.Materials {
		if m.PBR != nil {
			texture(m.PBR.BaseColorTexture, i, "pbrMetallicRoughness/baseColorTexture")
			texture(m.PBR.MetallicRoughnessTexture, i, "pbrMetallicRoughness/metallicRoughnessTexture")
		}
		texture(m.NormalTexture, i, "normalTexture")
		texture(m.OcclusionTexture, i, "occlusionTexture")
		texture(m.EmissiveTexture, i, "emissiveTexture")
	}
	for i, t := range d.Textures {
		c.optional(t.Source, len(d.Images), "/textures/%d/source", i)
		c.optional(t.Sampler, len(d.Samplers), "/textures/%d/sampler", i)
	}
	for i, m := range d.Images {
		c.optional(m.BufferView, len(d.BufferViews), "/images/%d/bufferView", i)
	}
}

// nodes checks that nodes make trees: none has two parents, none is its own
// ancestor.
func (c *checker) nodes() {
	d := c.d
	c.optional(d.Scene, len(d.Scenes), "/scene")
	parent := make([]int, len(d.Nodes))
	for i := range parent {
		parent[i] = -1
	}
	for i, n := range d.Nodes {
		c.optional(n.Mesh, len(d.Meshes), "/nodes/%d/mesh", i)
		c.optional(n.Skin, len(d.Skins), "/nodes/%d/skin", i)
		c.optional(n.Camera, len(d.Cameras), "/nodes/%d/camera", i)
		for j, k := range n.Children {
			c.index(k, len(d.Nodes), "/nodes/%d/children/%d", i, j)
			if c.err != nil {
				return
			}
			if parent[k] >= 0 {
				c.fail(fmt.Sprintf("/nodes/%d/children/%d", i, j), "node %d is a child of node %d already", k, parent[k])
				return
			}
			parent[k] = i
		}
	}
	for i := range d.Nodes {
		steps := 0
		for p := parent[i]; p >= 0; p = parent[p] {
			if steps++; p == i || steps > len(d.Nodes) {
				c.fail(fmt.Sprintf("/nodes/%d", i), "is its own ancestor")
				return
			}
			// A node whose parents were followed already leads to a root.
			if p < i {
				break
			}
		}
	}
	for i, s := range d.Scenes {
		for j, n := range s.Nodes {
			c.index(n, len(d.Nodes), "/scenes/%d/nodes/%d", i, j)
			if c.err == nil && parent[n] >= 0 {
				c.fail(fmt.Sprintf("/scenes/%d/nodes/%d", i, j), "node %d is a child of node %d, not a root", n, parent[n])
			}
		}
	}
}

func (c *checker) skinsAndAnimations() {
	d := c.d
	for i, s := range d.Skins {
		c.optional(s.InverseBindMatrices, len(d.Accessors), "/skins/%d/inverseBindMatrices", i)
		c.optional(s.Skeleton, len(d.Nodes), "/skins/%d/skeleton", i)
		for j, n := range s.Joints {
			c.index(n, len(d.Nodes), "/skins/%d/joints/%d", i, j)
		}
	}
	for i, a := range d.Animations {
		for j, ch := range a.Channels {
			c.index(ch.Sampler, len(a.Samplers), "/animations/%d/channels/%d/sampler", i, j)
			c.optional(ch.Target.Node, len(d.Nodes), "/animations/%d/channels/%d/target/node", i, j)
		}
		for j, s := range a.Samplers {
			c.index(s.Input, len(d.Accessors), "/animations/%d/samplers/%d/input", i, j)
			c.index(s.Output, len(d.Accessors), "/animations/%d/samplers/%d/output", i, j)
		}
	}
}
