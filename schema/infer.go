package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A builder reads Go types as encoding/json would marshal them.
//
// google/jsonschema-go infers schemas from Go types, too, but its schemas differ
// from what encoding/json writes: it refuses recursive types and maps with integer
// keys; it reads []byte, json.RawMessage and uuid.UUID as arrays of numbers; it
// ignores nil maps, MarshalText, the option "string" and embedded pointers; and it
// forbids other properties, so that every new field would be a break. The tests in
// schema/judge use it to validate what encoding/json writes against the schemas
// that are made here.
type builder struct {
	known map[reflect.Type]TypeOption
	defs  ordered[*node]
	names names
	// begun holds the types with a definition. A type may be read once
	// addressable and once not, because either can be an error.
	begun map[use]bool
	// open holds the named pointer types, and the types of As, that are being read.
	// One that leads to itself has no end.
	open map[reflect.Type]bool
}

// A use is a type where it is used. Only addressable values have the methods of
// their pointers.
type use struct {
	typ         reflect.Type
	addressable bool
}

// A shape is what encoding/json makes of a type.
type shape struct {
	node *node
	// nilable means that the value may also be null because it is a nil pointer,
	// slice, map or interface. omitempty and omitzero leave that out.
	nilable bool
}

func (s shape) full() *node {
	if s.nilable {
		return s.node.orNull()
	}
	return s.node
}

func newBuilder() *builder {
	return &builder{
		known: make(map[reflect.Type]TypeOption),
		names: newNames(),
		begun: make(map[use]bool),
		open:  make(map[reflect.Type]bool),
	}
}

// payload returns the node of a payload. Kind.New marshals it by value, so it is
// not addressable.
func (b *builder) payload(t reflect.Type) (*node, error) {
	s, err := b.shape(use{t, false})
	if err != nil {
		return nil, err
	}
	return s.full(), nil
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// wellKnown holds types whose MarshalJSON or MarshalText method writes something
// known, and json.Number, which encoding/json treats as a special case.
var wellKnown = map[reflect.Type]node{
	reflect.TypeFor[time.Time]():     {Type: types{"string"}, Format: "date-time"},
	reflect.TypeFor[uuid.UUID]():     {Type: types{"string"}, Format: "uuid"},
	reflect.TypeFor[uuid.NullUUID](): {Type: types{"string", "null"}, Format: "uuid"},
	reflect.TypeFor[big.Int]():       {Type: types{"integer"}},
	reflect.TypeFor[json.Number]():   {Type: types{"number"}},
}

// shape reads a type. The order of its cases is that of encoding/json.
func (b *builder) shape(u use) (shape, error) {
	t := u.typ
	if o, ok := b.known[t]; ok {
		return b.declared(u, o)
	}
	if t.Kind() == reflect.Pointer {
		return b.pointer(u)
	}
	if err := checkReceiver(u); err != nil {
		return shape{}, err
	}
	if n, ok := wellKnown[t]; ok {
		return shape{node: &n}, nil
	}
	switch {
	case reflect.PointerTo(t).Implements(jsonMarshaler), t.Implements(jsonMarshaler):
		return shape{node: &node{}}, nil // whatever it writes
	case reflect.PointerTo(t).Implements(textMarshaler), t.Implements(textMarshaler):
		return shape{node: &node{Type: types{"string"}}, nilable: t.Kind() == reflect.Interface}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return shape{node: &node{Type: types{"boolean"}}}, nil
	case reflect.Float32, reflect.Float64:
		return shape{node: &node{Type: types{"number"}}}, nil
	case reflect.String:
		return shape{node: &node{Type: types{"string"}}}, nil
	case reflect.Interface:
		return shape{node: &node{}}, nil
	case reflect.Struct:
		return b.named(u, b.object)
	case reflect.Map:
		return nilable(b.named(u, b.dictionary))
	case reflect.Array:
		return b.named(u, b.list)
	case reflect.Slice:
		if isBytes(t) {
			return shape{node: &node{Type: types{"string"}, Encoding: "base64"}, nilable: true}, nil
		}
		return nilable(b.named(u, b.list))
	}
	if n := integer(t.Kind()); n != nil {
		return shape{node: n}, nil
	}
	return shape{}, fmt.Errorf("encoding/json cannot marshal a %s", t)
}

func nilable(s shape, err error) (shape, error) {
	s.nilable = true
	return s, err
}

// checkReceiver returns an error if the type declares MarshalJSON or MarshalText on
// its pointer, and encoding/json has only the value. The method would not be
// called, so the same type would be written differently in different places.
func checkReceiver(u use) error {
	t := u.typ
	if u.addressable || t.Kind() == reflect.Interface {
		return nil
	}
	var method string
	switch p := reflect.PointerTo(t); {
	case t.Implements(jsonMarshaler):
	case p.Implements(jsonMarshaler):
		method = "MarshalJSON"
	case p.Implements(textMarshaler) && !t.Implements(textMarshaler):
		method = "MarshalText"
	}
	if method != "" {
		return fmt.Errorf("encoding/json does not call (*%s).%s here, because it has no pointer to the value: use *%[1]s, or declare the method on %[1]s", t, method)
	}
	return nil
}

// declared reads a type that Options.Types describes.
func (b *builder) declared(u use, o TypeOption) (shape, error) {
	if o.as == nil {
		return b.named(u, func(use) (*node, error) {
			return &node{Type: types{"string"}, Enum: o.enum}, nil
		})
	}
	return b.once(u.typ, func() (shape, error) { return b.shape(use{o.as, u.addressable}) })
}

func (b *builder) pointer(u use) (shape, error) {
	elem := func() (shape, error) { return b.shape(use{u.typ.Elem(), true}) }
	var s shape
	var err error
	if u.typ.Name() != "" {
		s, err = b.once(u.typ, elem)
	} else {
		s, err = elem()
	}
	if err != nil {
		return shape{}, err
	}
	return shape{node: s.full(), nilable: true}, nil
}

// once calls read unless it is already doing so for t.
func (b *builder) once(t reflect.Type, read func() (shape, error)) (shape, error) {
	if b.open[t] {
		return shape{}, fmt.Errorf("%s leads to itself and to nothing else", t)
	}
	b.open[t] = true
	defer delete(b.open, t)
	return read()
}

// named returns a reference to the definition of a type. It adds the definition if
// there is none yet. For a type without a name it returns what read returns.
func (b *builder) named(u use, read func(use) (*node, error)) (shape, error) {
	if u.typ.Name() == "" {
		n, err := read(u)
		return shape{node: n}, err
	}
	name, isNew := b.names.of(u.typ)
	ref := shape{node: &node{Ref: refPrefix + name}}
	if b.begun[u] {
		return ref, nil
	}
	b.begun[u] = true
	at := len(b.defs)
	if isNew {
		b.defs.add(name, nil) // keeps its place, before what it uses
	}
	n, err := read(u)
	if err != nil {
		return shape{}, err
	}
	if isNew {
		b.defs[at].value = n
	}
	return ref, nil
}

func (b *builder) object(u use) (*node, error) {
	n := &node{Type: types{"object"}}
	for _, f := range fieldsOf(u) {
		s, err := b.shape(f.use)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.goName, err)
		}
		value, optional := f.value(s)
		n.Properties.add(f.name, value.described(f.doc))
		if !optional {
			n.Required = append(n.Required, f.name)
		}
	}
	return n, nil
}

func (b *builder) list(u use) (*node, error) {
	elem := use{u.typ.Elem(), u.addressable || u.typ.Kind() == reflect.Slice}
	items, err := b.shape(elem)
	if err != nil {
		return nil, fmt.Errorf("an element: %w", err)
	}
	n := &node{Type: types{"array"}, Items: items.full()}
	if u.typ.Kind() == reflect.Array {
		size := u.typ.Len()
		n.MinItems, n.MaxItems = &size, &size
	}
	return n, nil
}

func (b *builder) dictionary(u use) (*node, error) {
	key := u.typ.Key()
	if key.Kind() != reflect.String && integer(key.Kind()) == nil && !key.Implements(textMarshaler) {
		return nil, fmt.Errorf("encoding/json cannot marshal a map whose key is a %s", key)
	}
	value, err := b.shape(use{u.typ.Elem(), false})
	if err != nil {
		return nil, fmt.Errorf("a value: %w", err)
	}
	n := &node{Type: types{"object"}, AdditionalProperties: value.full()}
	// As a key, a string type is written as it is, whatever methods it has.
	if o, ok := b.known[key]; ok && o.as == nil && (key.Kind() != reflect.String || !key.Implements(textMarshaler)) {
		names, err := b.shape(use{key, false})
		if err != nil {
			return nil, fmt.Errorf("a key: %w", err)
		}
		n.PropertyNames = names.node
	}
	return n, nil
}

// isBytes reports whether encoding/json writes a slice in base64.
func isBytes(t reflect.Type) bool {
	p := reflect.PointerTo(t.Elem())
	return t.Elem().Kind() == reflect.Uint8 && !p.Implements(jsonMarshaler) && !p.Implements(textMarshaler)
}

// integer returns the node of an integer kind, and nil for other kinds. It has the
// bounds of the kind if JavaScript's numbers hold them exactly.
func integer(k reflect.Kind) *node {
	n := &node{Type: types{"integer"}}
	bounds := func(low, high int64) *node {
		n.Minimum, n.Maximum = &low, &high
		return n
	}
	switch k {
	case reflect.Int, reflect.Int64:
		return n
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		n.Minimum = new(int64)
		return n
	case reflect.Int8:
		return bounds(math.MinInt8, math.MaxInt8)
	case reflect.Int16:
		return bounds(math.MinInt16, math.MaxInt16)
	case reflect.Int32:
		return bounds(math.MinInt32, math.MaxInt32)
	case reflect.Uint8:
		return bounds(0, math.MaxUint8)
	case reflect.Uint16:
		return bounds(0, math.MaxUint16)
	case reflect.Uint32:
		return bounds(0, math.MaxUint32)
	}
	return nil
}

// nilKinds are the kinds whose nil value encoding/json writes as null.
var nilKinds = []reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface}

func canBeNil(t reflect.Type) bool { return slices.Contains(nilKinds, t.Kind()) }
