package deploy_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// template is the CloudFormation template with what its parameters are.
type template struct {
	t          *testing.T
	mappings   map[string]any
	conditions map[string]any
	resources  map[string]resource
	values     map[string]any // of parameters and pseudo parameters
}

// resource of the template, as it is written.
type resource struct {
	Type, Condition string
	Properties      map[string]any
}

const templateFile = "aws/cloudformation.yaml"

func readTemplate(t *testing.T, values map[string]any) *template {
	t.Helper()
	text, err := os.ReadFile(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		t.Fatal(err)
	}
	root := plain(t, node.Content[0]).(map[string]any)
	s := &template{t: t, mappings: root["Mappings"].(map[string]any), conditions: root["Conditions"].(map[string]any), resources: map[string]resource{}, values: values}
	for name, p := range root["Parameters"].(map[string]any) {
		if _, ok := s.values[name]; ok {
			continue
		}
		p := p.(map[string]any)
		s.values[name] = p["Default"]
		if p["Type"] == "CommaDelimitedList" {
			s.values[name] = list(strings.Split(p["Default"].(string), ","))
		}
	}
	for name, r := range root["Resources"].(map[string]any) {
		r := r.(map[string]any)
		condition, _ := r["Condition"].(string)
		s.resources[name] = resource{Type: r["Type"].(string), Condition: condition, Properties: r["Properties"].(map[string]any)}
	}
	return s
}

func list(words []string) []any {
	var l []any
	for _, w := range words {
		l = append(l, w)
	}
	return l
}

// plain turns YAML into maps, lists and scalars; the short forms of functions, such
// as !Ref, become their long ones.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	var v any
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		v = m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, plain(t, c))
		}
		v = l
	case yaml.ScalarNode:
		if strings.HasPrefix(n.Tag, "!!") {
			if err := n.Decode(&v); err != nil {
				t.Fatal(err)
			}
		} else {
			v = n.Value
		}
	default:
		t.Fatalf("line %d: CloudFormation reads no YAML of this kind", n.Line)
	}
	switch {
	case strings.HasPrefix(n.Tag, "!!"):
		return v
	case n.Tag == "!Ref":
		return map[string]any{"Ref": v}
	case n.Tag == "!GetAtt":
		return map[string]any{"Fn::GetAtt": list(strings.SplitN(v.(string), ".", 2))}
	}
	return map[string]any{"Fn::" + n.Tag[1:]: v}
}

// nothing is AWS::NoValue.
type nothing struct{}

// resolve evaluates the functions in a value; references to resources become
// "<logical ID>".
func (s *template) resolve(v any) any {
	switch v := v.(type) {
	case []any:
		l := []any{}
		for _, e := range v {
			if e := s.resolve(e); e != (nothing{}) {
				l = append(l, e)
			}
		}
		return l
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, arg)
				}
			}
		}
		m := map[string]any{}
		for k, e := range v {
			if e := s.resolve(e); e != (nothing{}) {
				m[k] = e
			}
		}
		return m
	}
	return v
}

func (s *template) ref(name string) any {
	if v, ok := s.values[name]; ok {
		return v
	}
	if _, ok := s.resources[name]; !ok {
		s.t.Errorf("the template refers to %s, which is not in it", name)
	}
	return "<" + name + ">"
}

var placeholder = regexp.MustCompile(`\$\{([^}]+)\}`)

func (s *template) call(name string, arg any) any {
	if name == "Fn::GetAtt" {
		return s.ref(arg.([]any)[0].(string))
	}
	if name == "Fn::If" {
		if l := arg.([]any); s.holds(l[0].(string)) {
			return s.resolve(l[1])
		} else {
			return s.resolve(l[2])
		}
	}
	arg = s.resolve(arg)
	l, _ := arg.([]any)
	switch name {
	case "Ref":
		return s.ref(arg.(string))
	case "Fn::Base64":
		return base64.StdEncoding.EncodeToString([]byte(arg.(string)))
	case "Fn::Join":
		var words []string
		for _, e := range l[1].([]any) {
			words = append(words, fmt.Sprint(e))
		}
		return strings.Join(words, l[0].(string))
	case "Fn::Select":
		return l[1].([]any)[l[0].(int)]
	case "Fn::FindInMap":
		return s.mappings[l[0].(string)].(map[string]any)[l[1].(string)].(map[string]any)[l[2].(string)]
	case "Fn::Sub":
		text, own := arg, map[string]any{}
		if l != nil {
			text, own = l[0], l[1].(map[string]any)
		}
		return placeholder.ReplaceAllStringFunc(text.(string), func(p string) string {
			name := p[2 : len(p)-1]
			if v, ok := own[name]; ok {
				return fmt.Sprint(v)
			}
			return fmt.Sprint(s.ref(name))
		})
	case "Fn::Equals":
		return fmt.Sprint(l[0]) == fmt.Sprint(l[1])
	case "Fn::Not":
		return !l[0].(bool)
	}
	s.t.Fatalf("the test does not know %s", name)
	return nil
}

func (s *template) holds(condition string) bool {
	return condition == "" || s.resolve(s.conditions[condition]).(bool)
}

// normal makes numbers of words that are numbers, as both languages take either.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			m[k] = normal(e)
		}
		return m
	case []any:
		l := []any{}
		for _, e := range v {
			l = append(l, normal(e))
		}
		return l
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return f
		}
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
		return v
	case int:
		return float64(v)
	}
	return v
}
