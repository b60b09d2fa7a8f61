package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Options has what a registry does not say. The zero value of every field means its
// default.
type Options struct {
	// Types describes Go types that reflection cannot describe; see [Enum] and [As].
	// Default: none.
	Types []TypeOption

	// The other fields are for the AsyncAPI document.

	// Title and Version are those of the application. Defaults "Events" and "1.0.0".
	Title, Version string
	// Host is the host of the application, for instance "app.example.com". Default:
	// the document names no server.
	Host string
	// SSE and WebSocket are the paths of the application's streams. "-" omits the
	// transport. Defaults "/events" and "/ws".
	SSE, WebSocket string
	// Poll is the path of long-polling, for instance "/poll". Default: the document
	// does not have the transport, because few applications serve it.
	Poll string
}

// A TypeOption describes a Go type. It comes from [Enum] or [As]; the zero
// TypeOption is not valid.
type TypeOption struct {
	typ     reflect.Type
	problem error
	enum    []string
	as      reflect.Type // nil for an enum
}

// Enum lists the values of a string type, because Go's reflection has no access to
// constants:
//
//	type Status string
//
//	const (
//		Open   Status = "open"
//		Closed Status = "closed"
//	)
//
//	schema.Enum(Open, Closed)
//
// encoding/json must write the values as strings. So T may also be a number type
// with a MarshalText method. The contract has the values in the order of the
// arguments. List every value that is published, including the zero value if it is.
//
// [New] returns an error for a value that is given twice, for no values, and for a
// type without a name.
func Enum[T any](values ...T) TypeOption {
	o := TypeOption{typ: reflect.TypeFor[T]()}
	if len(values) == 0 {
		o.problem = fmt.Errorf("no values in Enum[%s]", o.typ)
		return o
	}
	seen := make(map[string]bool)
	for _, v := range values {
		var s string
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, &s)
		}
		switch {
		case err != nil || string(b) == "null":
			o.problem = fmt.Errorf("in Enum[%s], %#v is not a string in JSON", o.typ, v)
		case seen[s]:
			o.problem = fmt.Errorf("in Enum[%s], %q is there twice", o.typ, s)
		}
		seen[s] = true
		o.enum = append(o.enum, s)
	}
	return o
}

// As says that a T is marshalled as a J is. Use it for types with a MarshalJSON
// method. Without it, the contract allows any value for them, because the method
// can write anything:
//
//	schema.As[decimal.Decimal, string]()
//	schema.As[geo.Point, [2]float64]()
func As[T, J any]() TypeOption {
	o := TypeOption{typ: reflect.TypeFor[T](), as: reflect.TypeFor[J]()}
	if o.typ == o.as {
		o.problem = fmt.Errorf("nothing is said by As[%s, %s]", o.typ, o.as)
	}
	return o
}

// apply adds what the option says to b.
func (o TypeOption) apply(b *builder) error {
	switch {
	case o.typ == nil:
		return errors.New("a zero TypeOption: they come from Enum and As")
	case o.problem != nil:
		return o.problem
	case o.typ.PkgPath() == "":
		return fmt.Errorf("%s is not a type with a name of its own", o.typ)
	}
	if _, ok := b.known[o.typ]; ok {
		return fmt.Errorf("%s is described twice", o.typ)
	}
	b.known[o.typ] = o
	return nil
}
