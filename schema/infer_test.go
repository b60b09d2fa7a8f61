package schema_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/schema/internal/sample"
)

// typeScriptOf returns the payload T in TypeScript, as it stands in Events.
func typeScriptOf[T any](o *schema.Options) (string, error) {
	var r event.Registry
	event.Define[T](&r, "c", "t", "D.")
	c, err := schema.New(&r, o)
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(c.TypeScript()), `  "t": `)
	text, _, _ := strings.Cut(rest, ";\n};")
	return strings.Join(strings.Fields(text), " "), nil
}

type (
	ptrJSON struct{ A int }
	ptrText struct{ A int }
	loop    *loop
	aToB    struct{}
	bToA    struct{}
	textKey struct{ A int }
	text    interface{ MarshalText() ([]byte, error) }
)

func (*ptrJSON) MarshalJSON() ([]byte, error) { return []byte("1"), nil }
func (*ptrText) MarshalText() ([]byte, error) { return []byte("1"), nil }
func (textKey) MarshalText() ([]byte, error)  { return []byte("1"), nil }

func TestPayloadInTypeScript(t *testing.T) {
	check := func(name string, got string, err error, want string) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", name, got, err, want)
		}
	}
	row := func(of func(*schema.Options) (string, error), want string) {
		t.Helper()
		got, err := of(nil)
		check(want, got, err, want)
	}
	row(typeScriptOf[bool], "boolean")
	row(typeScriptOf[uintptr], "number")
	row(typeScriptOf[json.Number], "number")
	row(typeScriptOf[time.Duration], "number")
	row(typeScriptOf[sample.Status], "string") // without Enum
	row(typeScriptOf[sample.Money], "unknown") // without As
	row(typeScriptOf[any], "unknown")
	row(typeScriptOf[*any], "unknown")
	row(typeScriptOf[text], "string | null")
	row(typeScriptOf[**int], "number | null")
	row(typeScriptOf[[]byte], "string | null")
	row(typeScriptOf[[2]byte], "[number, number]")
	row(typeScriptOf[[0]int], "[]")
	row(typeScriptOf[[]*int], "(number | null)[] | null")
	row(typeScriptOf[map[textKey]int], "{ [key: string]: number } | null")
	row(typeScriptOf[*big.Int], "number | null")
	row(typeScriptOf[[]big.Int], "number[] | null") // an element is addressable
	row(typeScriptOf[*ptrJSON], "unknown")
	row(typeScriptOf[*ptrText], "string | null")
	row(typeScriptOf[*[1]ptrText], "[string] | null")
	row(typeScriptOf[*struct{ A ptrText }], "{ A: string; } | null")
	row(typeScriptOf[struct {
		A int `json:"a,omitempty"`
		B struct {
			C *int `doc:"Of\nB."`
		}
	}], "{ a?: number; B: { /** * Of * B. */ C: number | null; }; }")
	row(typeScriptOf[struct {
		A int `json:"string"`
		B int `json:"$ok_1"`
		C int `json:"1st"`
	}], `{ string: number; $ok_1: number; "1st": number; }`)

	got, err := typeScriptOf[map[sample.Status]bool](&schema.Options{Types: []schema.TypeOption{schema.Enum(sample.Open)}})
	check("an enumeration as keys", got, err, "{ [key in Status]?: boolean } | null")
	got, err = typeScriptOf[[]sample.Money](&schema.Options{Types: []schema.TypeOption{schema.As[sample.Money, *struct{ A int }]()}})
	check("As a pointer", got, err, "({ A: number; } | null)[] | null")
}

func TestNewRefuses(t *testing.T) {
	row := func(of func(*schema.Options) (string, error), want string, types ...schema.TypeOption) {
		t.Helper()
		got, err := of(&schema.Options{Types: types})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, %v\nwant an error with %s", got, err, want)
		}
	}
	row(typeScriptOf[chan int], "payload of t: encoding/json cannot marshal a chan int")
	row(typeScriptOf[func()], "cannot marshal a func()")
	row(typeScriptOf[complex64], "cannot marshal a complex64")
	row(typeScriptOf[struct{ A struct{ B []chan int } }], "payload of t: A: B: an element: encoding/json cannot marshal a chan int")
	row(typeScriptOf[map[float64]int], "cannot marshal a map whose key is a float64")
	row(typeScriptOf[map[string]func()], "a value: encoding/json cannot marshal a func()")
	row(typeScriptOf[loop], "schema_test.loop leads to itself and to nothing else")

	// A method that encoding/json would not call.
	row(typeScriptOf[ptrJSON], "(*schema_test.ptrJSON).MarshalJSON")
	row(typeScriptOf[struct{ A ptrText }], "A: encoding/json does not call (*schema_test.ptrText).MarshalText")
	row(typeScriptOf[map[string]ptrJSON], "a value: encoding/json does not call")
	row(typeScriptOf[struct {
		Good *struct{ A ptrJSON }
		Bad  struct{ A ptrJSON }
	}], "Bad: A: ")
	row(typeScriptOf[big.Int], "(*big.Int).MarshalJSON")

	row(typeScriptOf[int], "a zero TypeOption", schema.TypeOption{})
	row(typeScriptOf[int], "no values in Enum[sample.Status]", schema.Enum[sample.Status]())
	row(typeScriptOf[int], `in Enum[sample.Status], "open" is there twice`, schema.Enum(sample.Open, sample.Open))
	row(typeScriptOf[int], "is not a string in JSON", schema.Enum(time.Second))
	row(typeScriptOf[int], "is not a string in JSON", schema.Enum[json.RawMessage](nil))
	row(typeScriptOf[int], "string is not a type with a name of its own", schema.Enum("a"))
	row(typeScriptOf[int], "sample.Money is described twice", schema.As[sample.Money, string](), schema.As[sample.Money, int]())
	row(typeScriptOf[int], "nothing is said by As[sample.Money, sample.Money]", schema.As[sample.Money, sample.Money]())
	row(typeScriptOf[aToB], "leads to itself", schema.As[aToB, bToA](), schema.As[bToA, *aToB]())

	if _, err := schema.New(nil, nil); err == nil {
		t.Error("a nil registry is good")
	}
}

// Types of the same name, and names that the file has itself, are kept apart.
func TestDefinitionsHaveTheirOwnNames(t *testing.T) {
	type Events struct{ A int }
	type Größe struct{ D int }
	type page[T any] struct{ Items T }

	var r event.Registry
	event.Define[struct {
		A Events
		B sample.Pair
		C Pair
		D Größe
		E page[map[string]*sample.Pair]
		F Category
	}](&r, "c", "t", "D.")
	c, err := schema.New(&r, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(c.TypeScript())) {
		if name, ok := strings.CutPrefix(line, "export interface "); ok {
			got = append(got, strings.Fields(name)[0])
		}
	}
	want := "[Schema_testEvents Pair Schema_testPair Gr__e PageMapStringPair Schema_testCategory]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

type Pair struct{ Other int }

type Category struct{ Name string }
