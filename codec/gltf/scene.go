package gltf

import (
	"math"
	"strconv"
)

// Matrix is a 4×4 matrix in columns, as glTF writes it.
type Matrix [16]float64

// Identity returns the matrix that changes nothing.
func Identity() Matrix { return Matrix{0: 1, 5: 1, 10: 1, 15: 1} }

// Mul returns m·o: o is applied first.
func (m *Matrix) Mul(o *Matrix) Matrix {
	var out Matrix
	for c := range 4 {
		for r := range 4 {
			for k := range 4 {
				out[4*c+r] += m[4*k+r] * o[4*c+k]
			}
		}
	}
	return out
}

// Point applies the matrix to a point.
func (m *Matrix) Point(p [3]float64) [3]float64 {
	var out [3]float64
	for r := range 3 {
		out[r] = m[r]*p[0] + m[4+r]*p[1] + m[8+r]*p[2] + m[12+r]
	}
	return out
}

// Determinant returns that of the upper left 3×3: negative mirrors.
func (m *Matrix) Determinant() float64 {
	return m[0]*(m[5]*m[10]-m[9]*m[6]) - m[4]*(m[1]*m[10]-m[9]*m[2]) + m[8]*(m[1]*m[6]-m[5]*m[2])
}

// Normals returns the matrix (3×3 in columns, not scaled) that takes normals along:
// the cofactors of the upper left.
func (m *Matrix) Normals() [9]float64 {
	return [9]float64{
		m[5]*m[10] - m[9]*m[6], m[8]*m[6] - m[4]*m[10], m[4]*m[9] - m[8]*m[5],
		m[9]*m[2] - m[1]*m[10], m[0]*m[10] - m[8]*m[2], m[8]*m[1] - m[0]*m[9],
		m[1]*m[6] - m[5]*m[2], m[4]*m[2] - m[0]*m[6], m[0]*m[5] - m[4]*m[1],
	}
}

// Local returns the matrix of a node in its parent (section 3.5.2).
func (n *Node) Local() Matrix {
	if n.Matrix != nil {
		return Matrix(*n.Matrix)
	}
	m := Identity()
	if q := n.Rotation; q != nil {
		x, y, z, w := q[0], q[1], q[2], q[3]
		if l := math.Sqrt(x*x + y*y + z*z + w*w); l > 0 {
			x, y, z, w = x/l, y/l, z/l, w/l
		}
		m = Matrix{
			1 - 2*(y*y+z*z), 2 * (x*y + z*w), 2 * (x*z - y*w), 0,
			2 * (x*y - z*w), 1 - 2*(x*x+z*z), 2 * (y*z + x*w), 0,
			2 * (x*z + y*w), 2 * (y*z - x*w), 1 - 2*(x*x+y*y), 0,
			0, 0, 0, 1,
		}
	}
	if s := n.Scale; s != nil {
		for c := range 3 {
			for r := range 3 {
				m[4*c+r] *= s[c]
			}
		}
	}
	if t := n.Translation; t != nil {
		m[12], m[13], m[14] = t[0], t[1], t[2]
	}
	return m
}

// Instance is a mesh at a place of the scene.
type Instance struct {
	Node, Mesh int
	World      Matrix
}

// Instances lists the meshes of the scene that is shown (the default one, else the
// first, else all roots) with their places, in the order of the tree. Nodes with
// EXT_mesh_gpu_instancing count once for each of their instances.
func (d *Document) Instances() ([]Instance, error) {
	var out []Instance
	var visit func(i int, parent *Matrix) error
	visit = func(i int, parent *Matrix) error {
		n := d.Nodes[i]
		local := n.Local()
		world := parent.Mul(&local)
		if n.Mesh != nil {
			places, err := d.gpuInstances(i)
			if err != nil {
				return err
			}
			for _, p := range places {
				out = append(out, Instance{Node: i, Mesh: *n.Mesh, World: world.Mul(&p)})
			}
		}
		for _, k := range n.Children {
			if err := visit(k, &world); err != nil {
				return err
			}
		}
		return nil
	}
	id := Identity()
	for _, r := range d.Roots() {
		if err := visit(r, &id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Roots returns the root nodes of the scene that is shown.
func (d *Document) Roots() []int {
	switch {
	case d.Scene != nil:
		return d.Scenes[*d.Scene].Nodes
	case len(d.Scenes) > 0:
		return d.Scenes[0].Nodes
	}
	child := make([]bool, len(d.Nodes))
	for _, n := range d.Nodes {
		for _, k := range n.Children {
			child[k] = true
		}
	}
	var roots []int
	for i, c := range child {
		if !c {
			roots = append(roots, i)
		}
	}
	return roots
}

// gpuInstances returns the places of the instances of a node, relative to it.
func (d *Document) gpuInstances(node int) ([]Matrix, error) {
	var ext struct {
		Attributes Attributes `json:"attributes"`
	}
	have, err := d.Nodes[node].Extensions.Get(ExtInstancing, &ext)
	if err != nil || !have {
		return []Matrix{Identity()}, err
	}
	count := -1
	values := map[string][]float32{}
	for name, components := range map[string]int{"TRANSLATION": 3, "ROTATION": 4, "SCALE": 3} {
		a, ok := ext.Attributes[name]
		if !ok {
			continue
		}
		if a < 0 || a >= len(d.Accessors) || Components(d.Accessors[a].Type) != components {
			return nil, faulty("/nodes/"+strconv.Itoa(node)+"/extensions/"+ExtInstancing+"/attributes/"+name, "accessor %d is not one of %s", a, TypeOf(components))
		}
		v, err := d.Floats(a)
		if err != nil {
			return nil, err
		}
		if count >= 0 && len(v)/components != count {
			return nil, faulty("/nodes/"+strconv.Itoa(node)+"/extensions/"+ExtInstancing, "%s has %d values, another attribute %d", name, len(v)/components, count)
		}
		count, values[name] = len(v)/components, v
	}
	out := make([]Matrix, max(0, count))
	for i := range out {
		var n Node
		if v := values["TRANSLATION"]; v != nil {
			n.Translation = &[3]float64{float64(v[3*i]), float64(v[3*i+1]), float64(v[3*i+2])}
		}
		if v := values["ROTATION"]; v != nil {
			n.Rotation = &[4]float64{float64(v[4*i]), float64(v[4*i+1]), float64(v[4*i+2]), float64(v[4*i+3])}
		}
		if v := values["SCALE"]; v != nil {
			n.Scale = &[3]float64{float64(v[3*i]), float64(v[3*i+1]), float64(v[3*i+2])}
		}
		out[i] = n.Local()
	}
	return out, nil
}
