package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

const moduleDir = "aws/terraform"

// module is the Terraform module, evaluated: attributes and blocks of each resource
// by its address, references to resources being "<address>". Resources of which there
// are none (count = 0, or an empty for_each) are left out.
type module struct {
	t         *testing.T
	ctx       *hcl.EvalContext
	resources map[string]map[string]any
}

func readModule(t *testing.T, values map[string]cty.Value) *module {
	t.Helper()
	m := &module{t: t, resources: map[string]map[string]any{}}
	var blocks hclsyntax.Blocks
	files, err := filepath.Glob(moduleDir + "/*.tf")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		f, diags := hclparse.NewParser().ParseHCLFile(name)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		blocks = append(blocks, f.Body.(*hclsyntax.Body).Blocks...)
	}
	m.ctx = &hcl.EvalContext{Functions: functions(), Variables: map[string]cty.Value{
		"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(moduleDir)}),
	}}
	m.declare(blocks, values)
	for _, b := range blocks {
		if b.Type == "resource" {
			m.resource(b)
		}
	}
	return m
}

// declare makes variables, data, references and locals known.
func (m *module) declare(blocks hclsyntax.Blocks, values map[string]cty.Value) {
	vars, references := map[string]cty.Value{}, map[string]map[string]cty.Value{}
	var locals []*hclsyntax.Attribute
	for _, b := range blocks {
		switch b.Type {
		case "variable":
			name := b.Labels[0]
			if v, ok := values[name]; ok {
				vars[name] = v
			} else if d, ok := b.Body.Attributes["default"]; ok {
				vars[name] = m.value(d.Expr, nil)
			} else {
				m.t.Fatalf("variable %s has no value", name)
			}
		case "resource":
			kind, name := b.Labels[0], b.Labels[1]
			if references[kind] == nil {
				references[kind] = map[string]cty.Value{}
			}
			references[kind][name] = reference(kind+"."+name, b.Body.Attributes["count"] != nil)
		case "locals":
			for _, a := range b.Body.Attributes {
				locals = append(locals, a)
			}
		}
	}
	m.ctx.Variables["var"] = cty.ObjectVal(vars)
	for kind, names := range references {
		m.ctx.Variables[kind] = cty.ObjectVal(names)
	}
	word := func(attribute, v string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{attribute: cty.StringVal(v)})
	}
	m.ctx.Variables["data"] = cty.ObjectVal(map[string]cty.Value{
		"aws_caller_identity": cty.ObjectVal(map[string]cty.Value{"current": word("account_id", account)}),
		"aws_partition":       cty.ObjectVal(map[string]cty.Value{"current": word("partition", partition)}),
		"aws_ssm_parameter": cty.ObjectVal(map[string]cty.Value{
			"image": word("value", image), "controller_image": word("value", controllerImage),
		}),
	})
	m.locals(locals)
}

// locals evaluates locals, which may refer to each other.
func (m *module) locals(left []*hclsyntax.Attribute) {
	known := map[string]cty.Value{}
	for len(left) > 0 {
		m.ctx.Variables["local"] = cty.ObjectVal(known)
		var later []*hclsyntax.Attribute
		for _, a := range left {
			if v, diags := a.Expr.Value(m.ctx); diags.HasErrors() {
				later = append(later, a)
			} else {
				known[a.Name] = v
			}
		}
		if len(later) == len(left) {
			m.value(later[0].Expr, nil) // says what is wrong
		}
		left = later
	}
	m.ctx.Variables["local"] = cty.ObjectVal(known)
}

func reference(address string, counted bool) cty.Value {
	attributes := map[string]cty.Value{}
	for _, a := range []string{"id", "arn", "name", "latest_version"} {
		attributes[a] = cty.StringVal("<" + address + ">")
	}
	if counted {
		return cty.TupleVal([]cty.Value{cty.ObjectVal(attributes)})
	}
	return cty.ObjectVal(attributes)
}

func (m *module) value(e hcl.Expression, more map[string]cty.Value) cty.Value {
	m.t.Helper()
	ctx := m.ctx.NewChild()
	ctx.Variables = more
	v, diags := e.Value(ctx)
	if diags.HasErrors() {
		m.t.Fatal(diags)
	}
	return v
}

func (m *module) resource(b *hclsyntax.Block) {
	more := map[string]cty.Value{}
	if a := b.Body.Attributes["count"]; a != nil && m.value(a.Expr, nil).RawEquals(cty.NumberIntVal(0)) {
		return
	}
	if a := b.Body.Attributes["for_each"]; a != nil {
		v := m.value(a.Expr, nil)
		if v.LengthInt() == 0 {
			return
		}
		more["each"] = cty.ObjectVal(map[string]cty.Value{"value": cty.StringVal("each")})
	}
	m.resources[strings.Join(b.Labels, ".")] = m.body(b.Body, more)
}

// body returns attributes, and blocks as lists by their type.
func (m *module) body(b *hclsyntax.Body, more map[string]cty.Value) map[string]any {
	out := map[string]any{}
	for name, a := range b.Attributes {
		out[name] = m.plain(m.value(a.Expr, more))
	}
	add := func(kind string, v map[string]any) {
		l, _ := out[kind].([]any)
		out[kind] = append(l, v)
	}
	for _, block := range b.Blocks {
		if block.Type == "lifecycle" {
			continue // how Terraform itself goes about it
		}
		if block.Type != "dynamic" {
			add(block.Type, m.body(block.Body, more))
			continue
		}
		kind := block.Labels[0]
		for _, v := range m.value(block.Body.Attributes["for_each"].Expr, more).AsValueSlice() {
			add(kind, m.body(block.Body.Blocks[0].Body, map[string]cty.Value{kind: cty.ObjectVal(map[string]cty.Value{"value": v})}))
		}
	}
	return out
}

func (m *module) plain(v cty.Value) (out any) {
	data, err := ctyjson.Marshal(v, v.Type())
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// functions of Terraform that the module calls.
func functions() map[string]function.Function {
	text := func(f func(s string) (string, error)) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: "s", Type: cty.String}}, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				s, err := f(args[0].AsString())
				return cty.StringVal(s), err
			},
		})
	}
	same := func(s string) (string, error) { return s, nil }
	return map[string]function.Function{
		"jsonencode": stdlib.JSONEncodeFunc, "format": stdlib.FormatFunc, "join": stdlib.JoinFunc, "merge": stdlib.MergeFunc,
		"tostring": text(same), "nonsensitive": text(same),
		// Left as it is, to be compared as text.
		"base64encode": text(same),
		"file": text(func(s string) (string, error) {
			data, err := os.ReadFile(s)
			return string(data), err
		}),
	}
}
