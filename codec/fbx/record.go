// Package fbx reads models of Autodesk FBX, versions 7.x, binary and ASCII, as glTF
// documents.
//
// Autodesk publishes no specification; the records are those that Blender's developers
// describe ("FBX binary file format specification", code.blender.org, 2013), the
// transforms those of the FBX SDK's documentation ("Computing transformation
// matrices"). Geometry, hierarchy, unit, axes, materials and textures are read; skins
// stand in their bind pose, animations are left out.
package fbx

// record is a node of the file: a name, values, and records within.
type record struct {
	name     string
	values   []any
	children []*record
}

func (n *record) child(name string) *record {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (n *record) path(names ...string) *record {
	for _, name := range names {
		n = n.child(name)
	}
	return n
}

func (n *record) integer(i int) int64 {
	if n == nil || i >= len(n.values) {
		return 0
	}
	switch v := n.values[i].(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

func (n *record) float(i int) float64 {
	if n == nil || i >= len(n.values) {
		return 0
	}
	switch v := n.values[i].(type) {
	case int64:
		return float64(v)
	case float64:
		if v-v == 0 {
			return v
		}
	}
	return 0
}

func (n *record) text(i int) string {
	if n == nil || i >= len(n.values) {
		return ""
	}
	s, _ := n.values[i].(string)
	return s
}

func (n *record) bytes() []byte {
	if n == nil || len(n.values) == 0 {
		return nil
	}
	b, _ := n.values[0].([]byte)
	return b
}

// floats and integers are the numbers of an array, in whichever form they came.
func (n *record) floats() []float64 {
	if n == nil {
		return nil
	}
	for _, v := range n.values {
		if f, ok := v.([]float64); ok {
			return f
		}
	}
	for _, v := range n.values {
		if l, ok := v.([]int64); ok {
			out := make([]float64, len(l))
			for i, x := range l {
				out[i] = float64(x)
			}
			return out
		}
	}
	return nil
}

func (n *record) integers() []int64 {
	if n == nil {
		return nil
	}
	for _, v := range n.values {
		if l, ok := v.([]int64); ok {
			return l
		}
	}
	return nil
}

// properties are the P records of Properties70, by name; values begin with the fifth.
type properties map[string]*record

func propertiesOf(n *record) properties {
	out := properties{}
	if list := n.child("Properties70"); list != nil {
		for _, p := range list.children {
			if p.name == "P" {
				out[p.text(0)] = p
			}
		}
	}
	return out
}

const firstValue = 4

func (p properties) vector(name string, standard [3]float64) [3]float64 {
	n, ok := p[name]
	if !ok || len(n.values) < firstValue+3 {
		return standard
	}
	return [3]float64{n.float(firstValue), n.float(firstValue + 1), n.float(firstValue + 2)}
}

func (p properties) number(name string, standard float64) float64 {
	n, ok := p[name]
	if !ok || len(n.values) < firstValue+1 {
		return standard
	}
	return n.float(firstValue)
}
