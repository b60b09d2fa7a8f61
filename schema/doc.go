// Package schema turns a registry of events into the contract that clients
// compile against: TypeScript types, JSON Schema 2020-12 and AsyncAPI 3.1. It
// also says which changes of the contract break a client.
//
// An application writes the files from its own go generate. The registry of a
// package main cannot be read by another program, so main does it itself, behind
// a flag, with [Write]:
//
//	//go:generate go run . -schema
//
//	var writeSchema = flag.Bool("schema", false, "write events.ts and contract.json, and exit")
//
//	schema.Write(&registry, schema.Files{
//		TypeScript: "web/src/events.ts",
//		Contract:   "contract.json",
//	}, nil)
//
// A page then has typed events:
//
//	import { connect } from "crier";
//	import type { Events } from "./events";
//
//	const stream = connect<Events>("/events");
//	stream.on("chat.message.posted", (e) => show(e.id, e.data));
//
// Commit the contract file, and let CI compare it with the last release by the
// command crier-schema, or in a test by [Diff]. [Contract.Handler] serves all
// files at a URL.
//
// # How Go types are read
//
// A contract describes what encoding/json writes. It follows the tags json,
// with omitempty, omitzero and string, and embedded structs.
//
//   - Absent: a field with omitempty or omitzero, where the option has an effect,
//     and a field of a struct that is embedded by pointer, may be absent. All
//     others are always there.
//   - Null: a pointer, slice or map can be null, because a nil one is. With
//     omitempty or omitzero it is absent instead, and never null. Add one of the
//     two to a slice that clients should not have to compare with null.
//   - time.Time and uuid.UUID are strings with a format, []byte is a string in
//     base64, and a type with a MarshalText method is a string. An integer type
//     has the bounds of its size up to 32 bits.
//   - An interface type, json.RawMessage, and a type with a MarshalJSON method,
//     can be anything, unless [As] says what it is.
//   - A string type is a string, unless [Enum] lists its values.
//   - A map is an object with any keys, or those of an enumeration.
//   - A type with a name is a definition. It may contain itself.
//   - A field's tag doc:"..." is its description.
//
// Errors are: channels, functions and complex numbers; maps with keys that are
// not strings, integers or text; and a method MarshalJSON or MarshalText that
// stands on the pointer of a type of which encoding/json has only the value, so
// that it would not be called. A payload by itself is such a value.
package schema
