package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/event/catalog"
	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/schema/internal/sample"
)

const values = 400 // of each payload

func contract(t *testing.T, r *event.Registry, o *schema.Options) *schema.Contract {
	t.Helper()
	c, err := schema.New(r, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// resolved compiles a JSON Schema.
func resolved(t *testing.T, document []byte) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(document, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decode(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// What encoding/json writes is what the JSON Schema says, and every freedom that
// the schema leaves, to be absent or null, is used by some value. So a schema
// that says too little fails as well as one that says too much.
func TestJSONSchemaIsExact(t *testing.T) {
	for name, of := range map[string]struct {
		registry *event.Registry
		options  *schema.Options
	}{"sample": {&sample.Registry, &sample.Options}, "catalog": {&catalog.Registry, nil}} {
		c := contract(t, of.registry, of.options)
		freedoms := newFreedoms()
		for info := range of.registry.All() {
			document, err := c.JSONSchema(info.Type)
			if err != nil {
				t.Fatal(err)
			}
			r := resolved(t, document)
			all, err := payloads(info.Payload, values)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range all {
				v := decode(t, b)
				if err := r.Validate(v); err != nil {
					t.Fatalf("%s: %s\nis not valid: %v", info.Type, b, err)
				}
				freedoms.use(r.Schema(), r.Schema(), string(info.Type), v)
			}
		}
		if unused := freedoms.unused(); len(unused) > 0 {
			t.Errorf("%s: the schemas allow what encoding/json never writes:\n%s", name, strings.Join(unused, "\n"))
		}
	}
}

// freedoms holds what schemas leave open, and whether a value has used it.
type freedoms map[string]bool

func newFreedoms() freedoms { return make(freedoms) }

func (f freedoms) allow(what string, used bool) { f[what] = f[what] || used }

func (f freedoms) unused() []string {
	var all []string
	for what, used := range f {
		if !used {
			all = append(all, what)
		}
	}
	slices.Sort(all)
	return all
}

// use walks through a value and its schema.
func (f freedoms) use(root, s *jsonschema.Schema, path string, v any) {
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		f.use(root, root.Defs[name], name, v)
		return
	}
	if len(s.AnyOf) == 2 {
		f.allow(path+" is null", v == nil)
		if v != nil {
			f.use(root, s.AnyOf[0], path, v)
		}
		return
	}
	if slices.Contains(s.Types, "null") {
		f.allow(path+" is null", v == nil)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, property := range s.Properties {
			member, ok := v[name]
			if !slices.Contains(s.Required, name) {
				f.allow(path+"."+name+" is absent", !ok)
			}
			if ok {
				f.use(root, property, path+"."+name, member)
			}
		}
		for name := range v {
			if _, ok := s.Properties[name]; ok {
				continue
			}
			if s.AdditionalProperties == nil && s.Type == "object" {
				f.allow(path+"."+name+" is written and not in the schema", false)
			} else if s.AdditionalProperties != nil {
				f.use(root, s.AdditionalProperties, path+"{}", v[name])
			}
		}
	case []any:
		for _, element := range v {
			if s.Items != nil {
				f.use(root, s.Items, path+"[]", element)
			}
		}
	}
}

// The validator can fail: what is not valid is refused.
func TestJSONSchemaRefusesWrongPayloads(t *testing.T) {
	c := contract(t, &sample.Registry, &sample.Options)
	const ticket = `{"status":"open","was":null,"priority":"low","price":"1.00","at":[1,2],"opaque":7,"by_level":{"low":"a"}}`
	for _, tt := range []struct{ name, old, new string }{
		{"the right one", "", ""},
		{"a field is missing", `"status":"open",`, ""},
		{"a value of no enumeration", `"open"`, `"reopened"`},
		{"null where it cannot be", `"low"`, "null"},
		{"a number for a string", `"1.00"`, "1.00"},
		{"too many elements", "[1,2]", "[1,2,3]"},
		{"a key of no enumeration", `"low":"a"`, `"medium":"a"`},
	} {
		document, err := c.JSONSchema("named.ticket")
		if err != nil {
			t.Fatal(err)
		}
		b := strings.Replace(ticket, tt.old, tt.new, 1)
		err = resolved(t, document).Validate(decode(t, []byte(b)))
		if (err == nil) != (tt.old == "") {
			t.Errorf("%s: %s: %v", tt.name, b, err)
		}
	}
}

// google/jsonschema-go can infer schemas as well. For most samples its schema is
// not what encoding/json writes, so package schema infers by itself. If this test
// fails because that has changed, use the library.
func TestInferenceOfOthersDiffers(t *testing.T) {
	var wrong []string
	for info := range sample.Registry.All() {
		s, err := jsonschema.ForType(info.Payload, &jsonschema.ForOptions{})
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: it is refused", info.Type))
			continue
		}
		r, err := s.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := payloads(info.Payload, values)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for _, b := range all {
			if r.Validate(decode(t, b)) != nil {
				refused++
			}
		}
		if refused > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d of %d values are not valid", info.Type, refused, len(all)))
		}
	}
	t.Logf("jsonschema.ForType, without TypeSchemas:\n%s", strings.Join(wrong, "\n"))
	if len(wrong) == 0 {
		t.Error("jsonschema.ForType is right about every sample: package schema need not infer any more")
	}
}
