package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Options say what a registry cannot. The zero value of every field means its
// default.
type Options struct {
	// Types describes Go types that reflection alone cannot: see [Enum] and [As].
	Types []TypeOption
	// Title and Version are the application's, in the AsyncAPI document. Defaults
	// "Events" and "1.0.0".
	Title, Version string
	// Host is where the application is reached, for instance "app.example.com",
	// in the AsyncAPI document. Default: the document names no server.
	Host string
	// SSE and WebSocket are the paths at which the application serves its
	// streams, in the AsyncAPI document. Defaults "/events" and "/ws"; "-"
	// leaves the transport out.
	SSE, WebSocket string
}

// A TypeOption describes a Go type. It comes from [Enum] or [As]; the zero
// TypeOption is not valid.
type TypeOption struct {
	typ     reflect.Type
	problem error
	enum    []string
	as      reflect.Type // nil for an enum
}

// Enum lists the values of a string type, which Go's reflection cannot see:
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
// The values stand in the contract as encoding/json writes them, which must be
// strings, in the order given: a number type with a MarshalText method is good
// as well. A value given twice, a type without a name, and no values at all are
// errors, which [New] returns.
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

// As says that a T is marshalled as a J would be. Use it for types with a
// MarshalJSON method, which can write anything, so that without As they stand in
// the contract as values of which nothing is known:
//
//	schema.As[decimal.Decimal, string]()
//	schema.As[geo.Point, [2]float64]()
//
// A J of an interface type means that a T can be any JSON value.
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
