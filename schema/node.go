package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// refPrefix begins every $ref of a contract.
const refPrefix = "#/$defs/"

// A node is a JSON Schema, as far as the payloads of Go types need it. Nodes that
// a Contract holds do not change.
//
// A node is one of: anything (no keyword), a reference, a value of one type, or
// one of these or null. A value of one type that may be null has "null" as its
// second type; a reference that may be null is anyOf the reference and null.
type node struct {
	Ref         string   `json:"$ref,omitempty"`
	Description string   `json:"description,omitempty"`
	Type        types    `json:"type,omitempty"`
	Format      string   `json:"format,omitempty"`
	Encoding    string   `json:"contentEncoding,omitempty"`
	Minimum     *int64   `json:"minimum,omitempty"`
	Maximum     *int64   `json:"maximum,omitempty"`
	Enum        []string `json:"enum,omitempty"`

	Properties ordered[*node] `json:"properties,omitempty"` // of a struct
	Required   []string       `json:"required,omitempty"`

	PropertyNames        *node `json:"propertyNames,omitempty"` // of a map
	AdditionalProperties *node `json:"additionalProperties,omitempty"`

	Items    *node `json:"items,omitempty"` // of an array or a slice
	MinItems *int  `json:"minItems,omitempty"`
	MaxItems *int  `json:"maxItems,omitempty"`

	AnyOf []*node `json:"anyOf,omitempty"`
}

// typeNames are the types that a node can have.
var typeNames = []string{"string", "integer", "number", "boolean", "object", "array", "null"}

// isAny reports whether the node allows every value.
func (n *node) isAny() bool { return n.Ref == "" && len(n.Type) == 0 && len(n.AnyOf) == 0 }

// orNull returns a node for a value that n describes, or null.
func (n *node) orNull() *node {
	switch {
	case n.isAny() || len(n.AnyOf) > 0 || slices.Contains(n.Type, "null"):
		return n
	case n.Ref != "" || len(n.Enum) > 0: // an enum's list would exclude null
		return &node{AnyOf: []*node{n, {Type: types{"null"}}}}
	default:
		nullable := *n
		nullable.Type = append(slices.Clone(n.Type), "null")
		return &nullable
	}
}

// withoutNull returns the node for the same values but null, and whether null was
// one of them. References are not followed.
func (n *node) withoutNull() (*node, bool) {
	if len(n.Type) != 2 {
		return n, false
	}
	base := *n
	base.Type = n.Type[:1]
	return &base, true
}

// described returns the node with a description, if there is one.
func (n *node) described(description string) *node {
	if description == "" {
		return n
	}
	d := *n
	d.Description = description
	return &d
}

// check returns what is wrong with the node by itself.
func (n *node) check() error {
	for _, t := range n.Type {
		if !slices.Contains(typeNames, t) {
			return fmt.Errorf("type %s is not known", quote(t))
		}
	}
	keywords := n.Format != "" || n.Encoding != "" || n.Minimum != nil || n.Maximum != nil || len(n.Enum) > 0 ||
		len(n.Properties) > 0 || len(n.Required) > 0 || n.PropertyNames != nil || n.AdditionalProperties != nil ||
		n.Items != nil || n.MinItems != nil || n.MaxItems != nil
	switch {
	case n.Ref != "" && (len(n.Type) > 0 || len(n.AnyOf) > 0 || keywords):
		return errors.New("beside $ref only a description is known")
	case len(n.AnyOf) > 0 && (len(n.Type) > 0 || keywords):
		return errors.New("beside anyOf only a description is known")
	case len(n.AnyOf) > 0 && !isOrNull(n.AnyOf):
		return errors.New("of anyOf only a schema and the type null is known")
	case n.isAny() && keywords:
		return errors.New("it has keywords and no type")
	case len(n.Type) == 2 && (n.Type[0] == "null" || n.Type[1] != "null"), len(n.Type) > 2:
		return errors.New(`of several types only one and then "null" is known`)
	case len(n.Enum) > 0 && (len(n.Type) != 1 || n.Type[0] != "string"):
		return errors.New("an enum of anything but strings is not known")
	}
	properties := n.Properties.index()
	for _, name := range n.Required {
		if _, ok := properties[name]; !ok {
			return fmt.Errorf("the required property %s is not there", quote(name))
		}
	}
	return nil
}

func isOrNull(anyOf []*node) bool {
	return len(anyOf) == 2 && anyOf[0] != nil && anyOf[1] != nil &&
		len(anyOf[0].AnyOf) == 0 && len(anyOf[1].Type) == 1 && anyOf[1].Type[0] == "null"
}

// types is a JSON Schema's type: a string where it is one.
type types []string

func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

func (t *types) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		*t = types{""}
		return json.Unmarshal(b, &(*t)[0])
	}
	if err := json.Unmarshal(b, (*[]string)(t)); err != nil {
		return errors.New("a type is neither a string nor a list of strings")
	}
	return nil
}

// UnmarshalJSON refuses keywords that it does not know, because ignoring one
// could hide a change.
func (n *node) UnmarshalJSON(b []byte) error {
	type plain node // without this method
	return unmarshal(b, (*plain)(n))
}

func (e *eventType) UnmarshalJSON(b []byte) error {
	type plain eventType
	return unmarshal(b, (*plain)(e))
}

// ordered is a JSON object that keeps the order of its members.
type ordered[V any] []member[V]

type member[V any] struct {
	name  string
	value V
}

func (o *ordered[V]) add(name string, value V) { *o = append(*o, member[V]{name, value}) }

// index returns the members by name. With many members it is a quicker way to
// several of them than a search for each.
func (o ordered[V]) index() map[string]V {
	byName := make(map[string]V, len(o))
	for _, m := range o {
		byName[m.name] = m.value
	}
	return byName
}

func (o ordered[V]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o *ordered[V]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.New("something is not an object that must be one")
	}
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name := token.(string) // of an object, every other token is a name
		if seen[name] {
			return fmt.Errorf("%s is there twice", quote(name))
		}
		seen[name] = true
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var value V
		if err := json.Unmarshal(raw, &value); err != nil {
			return fmt.Errorf("%s: %w", quote(name), err)
		}
		o.add(name, value)
	}
	return nil
}

// marshal is json.Marshal without the escapes that HTML would need.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// indent returns v as a JSON file for people to read.
func indent(v any) ([]byte, error) {
	b, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// unmarshal is json.Unmarshal that refuses keys that v does not have.
func unmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s cannot be a JSON %.32s", quote(wrong.Field), wrong.Value)
	}
	if name, ok := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); ok {
		return fmt.Errorf("%.64s is not known here", name)
	}
	return err
}
