package schema

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A field is a member of the JSON object that encoding/json makes of a struct.
type field struct {
	use
	name      string // in JSON
	goName    string
	doc       string // of the tag `doc:"..."`
	index     []int
	tagged    bool
	maybe     bool // promoted through an embedded pointer, which may be nil
	omitEmpty bool
	omitZero  bool
	quoted    bool // a number or boolean in a string, or a string in a string
}

// An embedded is a struct whose fields are promoted.
type embedded struct {
	use
	index []int
	maybe bool
}

// fieldsOf returns the fields of a struct that encoding/json writes, in the
// order in which it does. Its rules are those of Go for embedded structs, with
// one more: at the same depth, a name from a tag wins over others.
func fieldsOf(u use) []field {
	byName := make(map[string][]field)
	seen := make(map[reflect.Type]bool)
	for level := []embedded{{use: u}}; len(level) > 0; {
		var next []embedded
		times := make(map[reflect.Type]int) // how often this level has the type
		for _, e := range level {
			times[e.typ]++
		}
		for _, e := range level {
			if seen[e.typ] {
				continue
			}
			seen[e.typ] = true
			for i := range e.typ.NumField() {
				f, isField := readField(e, i)
				switch {
				case f == nil:
				case isField:
					byName[f.name] = append(byName[f.name], *f)
					if times[e.typ] > 1 { // it is ambiguous with its twin
						byName[f.name] = append(byName[f.name], *f)
					}
				default:
					e := embedded{use: f.use, index: f.index, maybe: f.maybe}
					if e.typ.Kind() == reflect.Pointer {
						e.use = use{e.typ.Elem(), true}
						e.maybe = true
					}
					next = append(next, e)
				}
			}
		}
		level = next
	}
	var fields []field
	for _, same := range byName {
		if f, ok := dominant(same); ok {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return fields
}

// readField reads a field of a struct. It returns nil for one that does not
// count, and false for an embedded struct whose fields count instead.
func readField(e embedded, i int) (*field, bool) {
	sf := e.typ.Field(i)
	elem := sf.Type
	if elem.Name() == "" && elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	tag := sf.Tag.Get("json")
	if tag == "-" || !sf.IsExported() && !(sf.Anonymous && elem.Kind() == reflect.Struct) {
		return nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !isName(name) {
		name = ""
	}
	f := &field{
		use:    use{sf.Type, e.addressable},
		name:   cmp.Or(name, sf.Name),
		goName: sf.Name,
		doc:    sf.Tag.Get("doc"),
		index:  append(slices.Clone(e.index), i),
		tagged: name != "",
		maybe:  e.maybe,
	}
	if !f.tagged && sf.Anonymous && elem.Kind() == reflect.Struct {
		return f, false
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			switch k := elem.Kind(); k {
			case reflect.Bool, reflect.Float32, reflect.Float64, reflect.String:
				f.quoted = true
			default:
				f.quoted = integer(k) != nil
			}
		}
	}
	return f, true
}

// isName reports whether encoding/json takes a name from a tag.
func isName(s string) bool {
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) {
			return false
		}
	}
	return s != ""
}

// dominant returns the field that a name means: the least deep one, among these
// the only one with a tag, or the only one.
func dominant(same []field) (field, bool) {
	rank := func(f field) int {
		if f.tagged {
			return 2 * len(f.index)
		}
		return 2*len(f.index) + 1
	}
	slices.SortStableFunc(same, func(a, b field) int { return cmp.Compare(rank(a), rank(b)) })
	return same[0], len(same) == 1 || rank(same[0]) != rank(same[1])
}

// value returns the node of the field and whether the field may be absent.
func (f field) value(s shape) (n *node, optional bool) {
	if f.quoted && !custom(f.use) {
		s.node = &node{Type: types{"string"}}
	}
	if f.omitEmpty && f.canBeEmpty() {
		optional = true
		s.nilable = s.nilable && !canBeNil(f.typ)
	}
	if f.omitZero {
		optional = true
		// A slice or map with an IsZero method of its own may be nil and not zero.
		if !hasIsZero(f.use) || f.typ.Kind() == reflect.Pointer || f.typ.Kind() == reflect.Interface {
			s.nilable = s.nilable && !canBeNil(f.typ)
		}
	}
	return s.full(), optional || f.maybe
}

// canBeEmpty reports whether omitempty has an effect.
func (f field) canBeEmpty() bool {
	switch f.typ.Kind() {
	case reflect.Struct:
		return false
	case reflect.Array:
		return f.typ.Len() == 0
	}
	return true
}

// custom reports whether a value, or what it points to, marshals itself, so that
// the option "string" has no effect.
func custom(u use) bool {
	t := u.typ
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}

func hasIsZero(u use) bool {
	type isZeroer = interface{ IsZero() bool }
	zeroer := reflect.TypeFor[isZeroer]()
	return u.typ.Implements(zeroer) || u.addressable && reflect.PointerTo(u.typ).Implements(zeroer)
}
