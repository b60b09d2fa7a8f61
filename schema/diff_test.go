package schema_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/schema/internal/sample"
)

// with makes the contract of one type, "a.b".
func with[T any](t testing.TB, opts ...any) *schema.Contract {
	t.Helper()
	var r event.Registry
	var o schema.Options
	var kind []event.KindOption
	category := event.Category("c")
	for _, opt := range opts {
		switch opt := opt.(type) {
		case schema.TypeOption:
			o.Types = append(o.Types, opt)
		case event.KindOption:
			kind = append(kind, opt)
		case event.Category:
			category = opt
		}
	}
	event.Define[T](&r, category, "a.b", "D.", kind...)
	c, err := schema.New(&r, &o)
	if err != nil {
		t.Fatal(err)
	}
	return reread(t, c)
}

// reread returns the contract as a file gives it back.
func reread(t testing.TB, c *schema.Contract) *schema.Contract {
	t.Helper()
	b, err := c.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := schema.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func empty(t testing.TB) *schema.Contract {
	t.Helper()
	c, err := schema.New(new(event.Registry), nil)
	if err != nil {
		t.Fatal(err)
	}
	return reread(t, c)
}

type (
	person struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	}
	renamed struct { // the same in JSON, in another order
		Age  int    `json:"age"`
		Name string `json:"name" doc:"A name."`
	}
	list struct {
		Next *list `json:"next"`
	}
	endless struct {
		Next *endless `json:"next,omitempty"`
	}
)

// One row for each kind of change, as it reads; "+" before it means that it is
// not breaking.
func TestDiffClassifies(t *testing.T) {
	type two struct{ A, B int }
	type (
		a         struct{ A int }
		aOptional struct {
			A int `json:",omitempty"`
		}
		bOptional struct {
			A int
			B int `json:",omitempty"`
		}
	)
	latestA := event.Latest(func(a) string { return "" })
	open, closed, hold := schema.Enum(sample.Open), schema.Enum(sample.Closed, sample.Open), schema.Enum(sample.Open, sample.OnHold)
	rows := []struct {
		name          string
		before, after *schema.Contract
		want          []string
	}{
		{"nothing", with[two](t), with[two](t), nil},
		{"a name of Go, the order and a description", with[person](t), with[renamed](t), nil},
		{"the order of an enumeration", with[sample.Status](t, closed), with[sample.Status](t, schema.Enum(sample.Open, sample.Closed)), nil},
		{"a type is new", empty(t), with[a](t), []string{"+a.b: new type"}},
		{"a type is gone", with[a](t), empty(t), []string{"a.b: the type was removed"}},
		{"the category", with[a](t), with[a](t, event.Category("d")), []string{"a.b: the category was c and is d"}},
		{"ephemeral now", with[a](t), with[a](t, event.Ephemeral()), []string{"a.b: was retained and is ephemeral"}},
		{"no longer ephemeral", with[a](t, event.Ephemeral()), with[a](t), []string{"a.b: was ephemeral and is retained"}},

		{"text now", with[string](t), with[string](t, event.Text()), []string{"a.b: over SSE, the payload was JSON and is text"}},
		{"no longer text", with[string](t, event.Text()), with[string](t), []string{"a.b: over SSE, the payload was text and is JSON"}},
		{"the latest now", with[a](t), with[a](t, latestA), []string{"a.b: was every event and is the latest event of each key"}},
		{"every event now", with[a](t, latestA), with[a](t), []string{"a.b: was the latest event of each key and is every event"}},
		{"retained for a short time", with[a](t), with[a](t, event.RetainFor(time.Minute)), []string{"+a.b: was retained as long as the hub does and is retained for 1m0s"}},

		{"a field is gone", with[two](t), with[a](t), []string{"a.b: data.B was removed"}},
		{"an optional field is gone", with[bOptional](t), with[a](t), []string{"a.b: data.B was removed"}},
		{"a field is new", with[a](t), with[two](t), []string{"a.b: data.B is new and required: events from before do not have it"}},
		{"an optional field is new", with[a](t), with[bOptional](t), []string{"+a.b: data.B is new and optional"}},
		{"a field is optional now", with[a](t), with[aOptional](t), []string{"a.b: data.A was always there and can be absent"}},
		{"a field is required now", with[aOptional](t), with[a](t), []string{"a.b: data.A could be absent and is required: events from before may not have it"}},

		{"another type", with[int](t), with[string](t), []string{"a.b: data was integer and is string"}},
		{"a format", with[string](t), with[[]byte](t), []string{"a.b: data was string and is string (base64) or null"}},
		{"bounds", with[uint8](t), with[int](t), []string{"a.b: data was integer from 0 to 255 and is integer"}},
		{"null now", with[int](t), with[*int](t), []string{"a.b: data was integer and is integer or null"}},
		{"no longer null", with[*person](t), with[person](t), []string{"a.b: data was object or null and is object"}},
		{"anything now", with[person](t), with[any](t), []string{"a.b: data was object and is anything"}},
		{"an object instead of a map", with[map[string]int](t), with[*person](t), []string{"a.b: data was map or null and is object or null"}},
		{"the length", with[[2]int](t), with[[3]int](t), []string{"a.b: data was array of 2 to 2 elements and is array of 3 to 3 elements"}},
		{"no longer a fixed length", with[*[2]int](t), with[[]int](t), []string{"a.b: data was array of 2 to 2 elements or null and is array or null"}},
		{"an enumeration now", with[sample.Status](t), with[sample.Status](t, open), []string{"a.b: data was string and is enumeration"}},
		{"a value more", with[*sample.Status](t, open), with[*sample.Status](t, hold), []string{`a.b: data was open and is open, on "hold"`}},
		{"a value less", with[sample.Status](t, hold), with[sample.Status](t, open), []string{`a.b: data was open, on "hold" and is open`}},

		{"in an element", with[[]two](t), with[[]a](t), []string{"a.b: data[].B was removed"}},
		{"in a value of a map", with[map[string][]two](t), with[map[string][]a](t), []string{"a.b: data{}[].B was removed"}},
		{"in the keys of a map", with[map[sample.Status]int](t, open), with[map[sample.Status]int](t, hold), []string{`a.b: data{key} was open and is open, on "hold"`}},
		{"below a pointer", with[struct{ P *two }](t), with[struct{ P *a }](t), []string{"a.b: data.P.B was removed"}},
		{"a name that reads as something else", with[struct {
			A int `json:"a.b[]"`
		}](t), with[struct{}](t), []string{`a.b: data."a.b[]" was removed`}},
		{"in a type that contains itself", with[list](t), with[endless](t), []string{
			"a.b: data.next was always there and can be absent", "a.b: data.next was object or null and is object"}},
		{"several, in the order of the old one", with[struct {
			A int
			P two
			Z int
		}](t), with[struct {
			N *int `json:",omitzero"`
			P a
			A string
		}](t, event.Category("d")), []string{
			"a.b: the category was c and is d",
			"a.b: data.A was integer and is string",
			"a.b: data.P.B was removed",
			"a.b: data.Z was removed",
			"+a.b: data.N is new and optional",
		}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var got []string
			for _, c := range schema.Diff(r.before, r.after) {
				s := c.String()
				if !c.Breaking() {
					s = "+" + s
				}
				got = append(got, s)
			}
			if !reflect.DeepEqual(got, r.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(r.want, "\n"))
			}
			// Both directions count, but for what is new or gone.
			forth, back := len(schema.Breaking(schema.Diff(r.before, r.after))), len(schema.Breaking(schema.Diff(r.after, r.before)))
			if (forth == 0) != (len(got) == 0 || strings.HasPrefix(got[0], "+") && len(got) == 1) {
				t.Errorf("%d breaking changes", forth)
			}
			if forth > 0 && back == 0 && !strings.Contains(got[0], "removed") {
				t.Error("nothing breaks on the way back")
			}
		})
	}
}

// A contract of what Go's types can be is read back as it was written.
func TestReadReturnsWhatWasWritten(t *testing.T) {
	c := sampleContract(t)
	again := reread(t, c)
	want, err := c.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.MarshalJSON(); err != nil || string(got) != string(want) {
		t.Errorf("got %s, %v", got, err)
	}
	if got := string(again.TypeScript()); got != string(c.TypeScript()) {
		t.Error("the TypeScript of a contract that was read is another")
	}
	if changes := schema.Diff(c, again); len(changes) != 0 {
		t.Errorf("changes: %v", changes)
	}
}

// The files that Read refuses, and what it says.
var refused = []struct{ file, want string }{
	{``, "it is empty"},
	{` `, "it is empty"},
	{`{`, "it ends in the middle"},
	{`{"crier_contract":1,"events":{`, "it ends in the middle"},
	{`nonsense`, "it is not JSON: byte"},
	{`{"a" 1}`, "it is not JSON: byte"},
	{`<!doctype html>`, "it is not JSON: byte"},
	{"\x00\x01", "it is not JSON: byte"},
	{`{} {}`, "something follows its end at byte"},
	{`[]`, "it is not a JSON object"},
	{strings.Repeat("6", 2000), "it is not a JSON object"},
	{`"text"`, "it is not a JSON object"},
	{`null`, `it has no "crier_contract"`},
	{`{}`, `it has no "crier_contract"`},
	{`{"asyncapi":"3.1.0"}`, `it has no "crier_contract"`},
	{`{"crier_contract":3}`, `its format "3" is not known, only 1 to 2 are`},
	{`{"crier_contract":"1"}`, `is not known, only 1 to 2 are`},
	{`{"crier_contract":1,"other":1}`, `"other" is not known here`},
	{`{"crier_contract":1,"events":[]}`, "not an object"},
	{`{"crier_contract":1,"events":{"a":null}}`, `events/"a": it is null`},
	{`{"crier_contract":1,"events":{"":{"category":"c","payload":{}}}}`, `an event's type is empty`},
	{`{"crier_contract":1,"events":{"a":{"payload":{}}}}`, `events/"a": it has no category`},
	{`{"crier_contract":1,"events":{"a":{"category":"c"}}}`, `events/"a": it has no payload`},
	{`{"crier_contract":1,"events":{"a":{"category":1,"payload":{}}}}`, `"a": "category" cannot be a JSON number`},
	{`{"crier_contract":1,"events":{"a":{"category":"c","payload":true}}}`, `cannot be a JSON bool`},
	{`{"crier_contract":1,"events":{"a":{},"a":{}}}`, `"a" is there twice`},
	{payload(`{"` + strings.Repeat("long", 2000) + `":1}`), `"longlong`},
	{payload(`{"type":"array","minItems":` + strings.Repeat("6", 2000) + `}`), "cannot be a JSON number 66"},
	{payload(`{"oneOf":[]}`), `"oneOf" is not known here`},
	{payload(`{"type":"strings"}`), `type "strings" is not known`},
	{payload(`{"type":7}`), `a type is neither a string nor a list of strings`},
	{payload(`{"type":["string","integer"]}`), `of several types only one and then "null" is known`},
	{payload(`{"type":["null","null"]}`), `of several types only one and then "null" is known`},
	{payload(`{"format":"uuid"}`), "it has keywords and no type"},
	{payload(`{"$ref":"#/$defs/A"}`), `there is no definition "A"`},
	{payload(`{"$ref":"https://example.com"}`), `does not begin with #/$defs/`},
	{payload(`{"$ref":"#/$defs/A","type":"string"}`), "beside $ref only a description is known"},
	{payload(`{"anyOf":[{}]}`), "of anyOf only a schema and the type null is known"},
	{payload(`{"anyOf":[null,{"type":"null"}]}`), "of anyOf only a schema and the type null is known"},
	{payload(`{"anyOf":[{},{"type":"null"}],"type":"string"}`), "beside anyOf only a description is known"},
	{payload(`{"type":"integer","enum":["1"]}`), "an enum of anything but strings is not known"},
	{payload(`{"type":"object","properties":{"a":null}}`), `events/"t"/payload/properties/"a": it is null`},
	{payload(`{"type":"object","properties":{"a":{"type":"x"}}}`), `events/"t"/payload/properties/"a": type "x" is not known`},
	{payload(`{"type":"object","properties":{"a":{},"a":{}}}`), `"a" is there twice`},
	{payload(`{"type":"object","required":["a"]}`), `the required property "a" is not there`},
	{payload(`{"type":"array","items":{"type":"x"}}`), `payload/items: type "x" is not known`},
	{payload(`{"type":"array","minItems":1.5}`), `cannot be a JSON number 1.5`},
	{payload(strings.Repeat(`{"type":"array","items":`, 200) + "{}" + strings.Repeat("}", 200)), "it nests deeper than 100 levels"},
	{strings.Repeat("[", 1<<20), "it nests deeper than 100 levels"},
	{definitions(`"A":{"$ref":"#/$defs/A"}`), `$defs/"A": it refers to itself and to nothing else`},
	{definitions(`"A":{"anyOf":[{"$ref":"#/$defs/B"},{"type":"null"}]},"B":{"$ref":"#/$defs/A"}`), `it refers to itself and to nothing else`},
	{definitions(`"A":null`), `$defs/"A": it is null`},
	{definitions(`"A-B":{}`), `$defs/"A-B": the name must match`},
	{definitions(`"A } evil":{}`), `the name must match`},
}

func payload(node string) string {
	return `{"crier_contract":1,"events":{"t":{"category":"c","payload":` + node + `}}}`
}

func definitions(defs string) string {
	return `{"crier_contract":1,"events":{},"$defs":{` + defs + `}}`
}

func TestReadRefuses(t *testing.T) {
	for _, r := range refused {
		c, err := schema.Read([]byte(r.file))
		if c != nil || err == nil || len(err.Error()) > 300 || !strings.HasPrefix(err.Error(), "schema: not a contract file: ") || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%.200s\ngot  %v\nwant an error with %s", r.file, err, r.want)
		}
	}
}

// What Read accepts, everything else can use: nothing panics or has no end.
func FuzzRead(f *testing.F) {
	for _, r := range refused {
		if len(r.file) < 1<<10 {
			f.Add([]byte(r.file))
		}
	}
	b, err := sampleContract(f).MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(payload(`{"type":["array","null"],"items":{"anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]}}`)))
	f.Add([]byte(definitions(`"A":{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"*/"}},"required":["a"]}`)))
	base := sampleContract(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := schema.Read(b)
		if err != nil {
			if len(err.Error()) > 20_000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if changes := schema.Diff(c, reread(t, c)); len(changes) != 0 {
			t.Errorf("written and read, it has changed: %v", changes)
		}
		for _, change := range append(schema.Diff(base, c), schema.Diff(c, base)...) {
			if s := change.String(); strings.ContainsFunc(s, func(c rune) bool { return c < ' ' }) {
				t.Errorf("%q acts on a terminal", s)
			}
		}
		c.TypeScript()
		if _, err := c.AsyncAPI(); err != nil {
			t.Error(err)
		}
		c.Handler()
	})
}

// A contract file of the last release is read.
func TestReadAcceptsFormat1(t *testing.T) {
	c, err := schema.Read([]byte(`{"crier_contract":1,"events":{"a.b":{"category":"c","payload":{"type":"string"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if changes := schema.Diff(c, with[string](t)); len(changes) > 0 {
		t.Errorf("got %v, want no change", changes)
	}
}
