package gltf

import (
	"encoding/json"
	"slices"
)

// Compact removes accessors and views that nothing refers to, and renumbers the
// rest. Extensions that this package does not know may refer to either by rules
// that it does not know: where one is used by name "accessor" or "bufferView",
// deep in its JSON, that counts as a reference, and is renumbered.
func (d *Document) Compact() error {
	keep := make([]bool, len(d.Accessors))
	err := d.references("accessor", func(i *int) { mark(keep, *i) })
	if err != nil {
		return err
	}
	to := renumber(keep)
	if err := d.references("accessor", func(i *int) { move(to, i) }); err != nil {
		return err
	}
	d.Accessors = filter(d.Accessors, keep)
	keep = make([]bool, len(d.BufferViews))
	if err := d.references("bufferView", func(i *int) { mark(keep, *i) }); err != nil {
		return err
	}
	to = renumber(keep)
	if err := d.references("bufferView", func(i *int) { move(to, i) }); err != nil {
		return err
	}
	d.BufferViews = filter(d.BufferViews, keep)
	return nil
}

func mark(keep []bool, i int) {
	if i >= 0 && i < len(keep) {
		keep[i] = true
	}
}

// move gives a reference its new number. One of an extension that refers to nothing
// is left as it is.
func move(to []int, i *int) {
	if *i >= 0 && *i < len(to) {
		*i = to[*i]
	}
}

func renumber(keep []bool) []int {
	to := make([]int, len(keep))
	n := 0
	for i, k := range keep {
		if to[i] = -1; k {
			to[i] = n
			n++
		}
	}
	return to
}

func filter[T any](list []T, keep []bool) []T {
	i := -1
	return slices.DeleteFunc(list, func(T) bool { i++; return !keep[i] })
}

// references calls f for each reference to an "accessor" or a "bufferView".
func (d *Document) references(kind string, f func(*int)) error {
	if kind == "accessor" {
		d.accessorReferences(f)
	} else {
		d.viewReferences(f)
	}
	return d.eachExtensions(func(e Extensions) error {
		for name, v := range e {
			changed, err := extensionReferences(name, v, kind, f)
			if err != nil {
				return err
			}
			if changed != nil {
				e[name] = changed
			}
		}
		return nil
	})
}

func (d *Document) accessorReferences(f func(*int)) {
	attributes := func(a Attributes) {
		for name, i := range a {
			f(&i)
			a[name] = i
		}
	}
	for _, m := range d.Meshes {
		for _, p := range m.Primitives {
			attributes(p.Attributes)
			for _, t := range p.Targets {
				attributes(t)
			}
			if p.Indices != nil {
				i := *p.Indices
				f(&i)
				p.Indices = &i
			}
		}
	}
	for _, s := range d.Skins {
		if s.InverseBindMatrices != nil {
			i := *s.InverseBindMatrices
			f(&i)
			s.InverseBindMatrices = &i
		}
	}
	for _, a := range d.Animations {
		for j := range a.Samplers {
			f(&a.Samplers[j].Input)
			f(&a.Samplers[j].Output)
		}
	}
}

func (d *Document) viewReferences(f func(*int)) {
	optional := func(p **int) {
		if *p != nil {
			i := **p
			f(&i)
			*p = &i
		}
	}
	for _, a := range d.Accessors {
		optional(&a.BufferView)
		if a.Sparse != nil {
			f(&a.Sparse.Indices.BufferView)
			f(&a.Sparse.Values.BufferView)
		}
	}
	for _, m := range d.Images {
		optional(&m.BufferView)
	}
}

// eachExtensions visits the extensions of all objects that may refer to data.
func (d *Document) eachExtensions(f func(Extensions) error) error {
	all := []Extensions{d.Extensions, d.Asset.Extensions}
	for _, n := range d.Nodes {
		all = append(all, n.Extensions)
	}
	for _, m := range d.Meshes {
		all = append(all, m.Extensions)
		for _, p := range m.Primitives {
			all = append(all, p.Extensions)
		}
	}
	for _, m := range d.Images {
		all = append(all, m.Extensions)
	}
	for _, a := range d.Accessors {
		all = append(all, a.Extensions)
	}
	for _, a := range d.Animations {
		all = append(all, a.Extensions)
	}
	for _, s := range d.Skins {
		all = append(all, s.Extensions)
	}
	for _, s := range d.Scenes {
		all = append(all, s.Extensions)
	}
	for _, e := range all {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// extensionReferences visits the references in an extension; it returns the
// extension anew where it has any.
func extensionReferences(name string, v any, kind string, f func(*int)) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	w := walker{kind: kind, f: f}
	switch {
	case name == ExtInstancing && kind == "accessor":
		if o, ok := tree.(map[string]any); ok {
			if attributes, ok := o["attributes"].(map[string]any); ok {
				for k := range attributes {
					w.number(attributes, k)
				}
			}
		}
	case name == ExtStructuralMetadata && kind == "bufferView":
		w.tables(tree)
	case name == ExtDraco && kind == "bufferView":
		w.tree(tree)
	default:
		w.tree(tree)
	}
	if !w.found {
		return nil, nil
	}
	return tree, nil
}

// walker visits numbers of decoded JSON.
type walker struct {
	kind  string
	f     func(*int)
	found bool
}

func (w *walker) number(o map[string]any, key string) {
	if n, ok := o[key].(float64); ok {
		i := int(n)
		w.f(&i)
		o[key], w.found = i, true
	}
}

func (w *walker) tree(v any) {
	switch v := v.(type) {
	case map[string]any:
		w.number(v, w.kind)
		for _, child := range v {
			w.tree(child)
		}
	case []any:
		for _, child := range v {
			w.tree(child)
		}
	}
}

// tables visits the views of property tables (EXT_structural_metadata): values,
// arrayOffsets and stringOffsets of each property.
func (w *walker) tables(v any) {
	root, _ := v.(map[string]any)
	list, _ := root["propertyTables"].([]any)
	for _, t := range list {
		table, _ := t.(map[string]any)
		properties, _ := table["properties"].(map[string]any)
		for _, p := range properties {
			if property, ok := p.(map[string]any); ok {
				w.number(property, "values")
				w.number(property, "arrayOffsets")
				w.number(property, "stringOffsets")
			}
		}
	}
}
