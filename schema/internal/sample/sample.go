// Package sample has payloads of every shape that package schema reads, for its
// tests here and for those in schema/judge, which need other programs.
package sample

//lint:file-ignore SA5008 the wrong tags are read as encoding/json reads them
//lint:file-ignore U1000 the fields that nothing uses must not be read

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
)

// Registry has a kind for each payload.
var Registry event.Registry

// Options describes what reflection cannot see.
var Options = schema.Options{
	Title:   "Sample",
	Version: "2.0.0",
	Host:    "app.example.com",
	Poll:    "/poll",
	Types: []schema.TypeOption{
		schema.Enum(Open, Closed, OnHold),
		schema.Enum(Low, High),
		schema.As[Money, string](),
		schema.As[Point, [2]float64](),
	},
}

// The kinds, and what each has an example of.
var (
	_ = event.Define[Scalars](&Registry, "plain", "plain.scalars", "Numbers, strings and booleans.")
	_ = event.Define[Known](&Registry, "plain", "plain.known", "Types of which the JSON is known.")
	_ = event.Define[Lists](&Registry, "plain", "plain.lists", "Slices, arrays and bytes.")
	_ = event.Define[Maps](&Registry, "plain", "plain.maps", "Maps, by key.")
	_ = event.Define[Optional](&Registry, "absent", "absent.fields", "What can be absent, and what can be null.")
	_ = event.Define[Outer](&Registry, "absent", "absent.embedded", "Fields of embedded structs.")
	_ = event.Define[Tagged](&Registry, "absent", "absent.tags", "Names and options of tags.")
	_ = event.Define[Ticket](&Registry, "named", "named.ticket", "Enumerations, and types that say what they are.")
	_ = event.Define[Branch](&Registry, "named", "named.tree", "A type that contains itself.\nIt */ has two lines.")
	_ = event.Define[Page[Branch]](&Registry, "named", "named.page", "A generic type.")
	_ = event.Define[Documented](&Registry, "named", "named.documented", "Fields with descriptions.")
	_ = event.Define[*Scalars](&Registry, "other", "other.pointer", "A payload that can be null.")
	_ = event.Define[string](&Registry, "other", "other.string", "A payload that is a string.")
	_ = event.Define[json.RawMessage](&Registry, "other", "other.raw", "A payload that can be anything.", event.Ephemeral())
	_ = event.Define[struct{}](&Registry, "other", "other.empty", "A payload without fields.", event.Ephemeral())
	_ = event.Define[string](&Registry, "other", "other.text", "A payload that SSE carries as text.", event.Text())
	_ = event.Define[map[string][]*Ticket](&Registry, "other", "other.map", "A payload without a name.")
)

// Scalars has a field of each basic kind.
type Scalars struct {
	Bool    bool    `json:"bool"`
	Int     int     `json:"int"`
	Int8    int8    `json:"int8"`
	Int16   int16   `json:"int16"`
	Int32   int32   `json:"int32"`
	Int64   int64   `json:"int64"`
	Uint    uint    `json:"uint"`
	Uint8   uint8   `json:"uint8"`
	Uint16  uint16  `json:"uint16"`
	Uint32  uint32  `json:"uint32"`
	Uint64  uint64  `json:"uint64"`
	Float32 float32 `json:"float32"`
	Float64 float64 `json:"float64"`
	String  string  `json:"string"`
}

// Known has types with methods of their own.
type Known struct {
	Time     time.Time       `json:"time"`
	Duration time.Duration   `json:"duration"`
	ID       uuid.UUID       `json:"id"`
	MaybeID  uuid.NullUUID   `json:"maybe_id"`
	Raw      json.RawMessage `json:"raw"`
	Number   json.Number     `json:"number"`
	Big      *big.Int        `json:"big"`
	Address  netip.Addr      `json:"address"`
	Any      any             `json:"any"`
}

// Lists has what becomes an array, and bytes, which do not.
type Lists struct {
	Strings []string             `json:"strings"`
	Nested  [][]int              `json:"nested"`
	Times   []*time.Time         `json:"times"`
	Bytes   []byte               `json:"bytes"`
	Pair    [2]string            `json:"pair"`
	Hash    [4]byte              `json:"hash"`
	Long    [9]bool              `json:"long"`
	Tags    Tags                 `json:"tags"`
	Structs []struct{ A, B int } `json:"structs"`
}

// Tags is a slice with a name.
type Tags []string

// Maps has maps.
type Maps struct {
	Counts   map[string]int            `json:"counts"`
	ByNumber map[int]string            `json:"by_number"`
	ByID     map[uuid.UUID]bool        `json:"by_id"`
	ByStatus map[Status]*int           `json:"by_status"`
	Nested   map[string]map[string]any `json:"nested"`
}

// Optional has every combination of null and absent.
type Optional struct {
	Pointer      *string          `json:"pointer"`
	EmptyPointer *string          `json:"empty_pointer,omitempty"`
	ZeroPointer  *string          `json:"zero_pointer,omitzero"`
	Twice        **string         `json:"twice,omitempty"`
	EmptyString  string           `json:"empty_string,omitempty"`
	EmptySlice   []string         `json:"empty_slice,omitempty"`
	ZeroSlice    []string         `json:"zero_slice,omitzero"`
	EmptyMap     map[string]int   `json:"empty_map,omitempty"`
	EmptyBytes   []byte           `json:"empty_bytes,omitempty"`
	EmptyArray   [2]int           `json:"empty_array,omitempty"` // never empty
	EmptyStruct  Empty[Pair]      `json:"empty_struct"`          // required: a struct is never empty
	ZeroStruct   Pair             `json:"zero_struct,omitzero"`
	EmptyTime    Empty[time.Time] `json:"empty_time"` // the same
	ZeroTime     time.Time        `json:"zero_time,omitzero"`
	Zeroer       Zeroer           `json:"zeroer,omitzero"`
	EmptyAny     any              `json:"empty_any,omitempty"`
	PointerID    *uuid.UUID       `json:"pointer_id,omitempty"`
}

// Empty has a field with omitempty, of which the type decides whether it has an
// effect. (go fix would remove the option from a field that is a struct.)
type Empty[T any] struct {
	Value T `json:"value,omitempty"`
}

// Pair is a struct to omit.
type Pair struct {
	A, B int
}

// Zeroer is nil and not zero.
type Zeroer []int

// IsZero reports whether z is a list without elements, but not nil.
func (z Zeroer) IsZero() bool { return z != nil && len(z) == 0 }

// Outer embeds structs in every way.
type Outer struct {
	Base
	*Maybe
	Named `json:"named"`
	hidden
	*Left
	Right
	Over string `json:"over"` // hides Base.Over
}

// Base is embedded.
type Base struct {
	ID   int    `json:"id"`
	Over int    `json:"over"`
	Deep Deep   `json:"deep"`
	Note string `json:"note,omitempty"`
}

// Deep is a struct in an embedded one.
type Deep struct {
	X float64 `json:"x"`
}

// Maybe is embedded by pointer, so its fields may be absent.
type Maybe struct {
	Reason string  `json:"reason"`
	Other  *string `json:"other"`
}

// Named is embedded with a tag, so it is a field.
type Named struct {
	Value int `json:"value"`
}

type hidden struct {
	Shown  bool `json:"shown"` // exported, although its struct is not
	secret bool
}

// Left and Right have fields of the same name, which hide each other unless a
// tag decides.
type Left struct {
	Both   int
	Tagged int
	Only   int
}

// Right is the other one.
type Right struct {
	Both  int
	Other int `json:"Tagged"`
}

// Tagged has unusual tags.
type Tagged struct {
	NoTag      int
	Dash       int    `json:"-,"`
	Skipped    int    `json:"-"`
	OnlyOption int    `json:",omitempty"`
	Bad        int    `json:"bad\"name"` // not a name: the field's own is used
	Odd        int    `json:"with-dash.and $dollar"`
	Quoted     int64  `json:"quoted,string"`
	QuotedP    *bool  `json:"quoted_pointer,string"`
	QuotedText string `json:"quoted_text,string"`
	NotQuoted  []int  `json:"not_quoted,string"`
	unexported int
}

// Status is an enumeration of strings.
type Status string

// The statuses.
const (
	Open   Status = "open"
	Closed Status = "closed"
	OnHold Status = "on \"hold\""
)

// Priority is an enumeration of numbers that marshal as text.
type Priority int

// The priorities.
const (
	Low Priority = iota
	High
)

// MarshalText writes the name of a priority.
func (p Priority) MarshalText() ([]byte, error) {
	if p == Low {
		return []byte("low"), nil
	}
	return []byte("high"), nil
}

// Money marshals as a string.
type Money struct{ cents int64 }

// MarshalJSON writes a decimal number in a string.
func (m Money) MarshalJSON() ([]byte, error) {
	return json.Marshal(big.NewRat(m.cents, 100).FloatString(2))
}

// Point marshals as two numbers.
type Point struct{ x, y float64 }

// MarshalJSON writes [x, y].
func (p Point) MarshalJSON() ([]byte, error) { return json.Marshal([2]float64{p.x, p.y}) }

// Opaque marshals as something of which nothing was said.
type Opaque struct{}

// MarshalJSON writes a number.
func (Opaque) MarshalJSON() ([]byte, error) { return []byte("7"), nil }

// Ticket has types that Options describes.
type Ticket struct {
	Status   Status              `json:"status"`
	Was      *Status             `json:"was"`
	Before   []Status            `json:"before,omitempty"`
	Priority Priority            `json:"priority"`
	Price    Money               `json:"price"`
	Discount *Money              `json:"discount,omitempty"`
	At       Point               `json:"at"`
	Opaque   Opaque              `json:"opaque"`
	ByLevel  map[Priority]string `json:"by_level"`
}

// Branch is recursive, in three ways.
type Branch struct {
	Name     string            `json:"name"`
	Parent   *Branch           `json:"parent,omitempty"`
	Children []Branch          `json:"children"`
	Index    map[string]Branch `json:"index,omitempty"`
	Forest   Forest            `json:"forest"`
}

// Forest is a recursive map.
type Forest map[string]Forest

// Page is generic.
type Page[T any] struct {
	Items []T `json:"items"`
	Next  int `json:"next,omitempty"`
}

// Documented has descriptions.
type Documented struct {
	Amount string  `json:"amount" doc:"A decimal number, for instance 1234.50."`
	Parent *Branch `json:"parent" doc:"Where it hangs."`
	Pair   Pair    `json:"pair" doc:"Both of them.\nEach can be 0."`
}
