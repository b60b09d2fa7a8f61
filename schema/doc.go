// Package schema generates TypeScript types, JSON Schema 2020-12 and AsyncAPI 3.1
// from a registry of events. It also finds the changes of a registry that break
// clients.
//
// An application writes the files in its own go generate. No other program can read
// a registry of package main, so main calls [Write] behind a flag:
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
// The events in a page are then typed:
//
//	import { connect } from "crier";
//	import type { Events } from "./events";
//
//	const stream = connect<Events>("/events");
//	stream.on("chat.message.posted", (e) => show(e.id, e.data));
//
// Commit the contract file. Let CI compare it with the contract file of the last
// release, with the command crier-schema or with [Diff] in a test.
// [Contract.Handler] serves all files at a URL.
//
// # How Go types are read
//
// A contract describes exactly what encoding/json writes, including the options
// omitempty, omitzero and string of the json tag, and embedded structs:
//
//   - A field may be absent if it has omitempty or omitzero and the option has an
//     effect on its type, or if its struct is embedded by pointer. All other fields
//     are required.
//   - A pointer, slice or map may be null, because its nil value is written as null.
//     A nil value with omitempty or omitzero is absent instead. Use one of the two
//     options for a slice that clients should not have to compare with null.
//   - time.Time and uuid.UUID are strings with a format. []byte is a string in
//     base64. A type with a MarshalText method is a string. Integer types up to 32
//     bits have bounds.
//   - Interface types, json.RawMessage, and types with a MarshalJSON method may have
//     any value, unless [As] describes them.
//   - A string type may have any string, unless [Enum] lists its values.
//   - A map is an object whose keys are any strings, or the values of an
//     enumeration.
//   - A named type is a definition. It may be recursive.
//   - The tag doc:"..." of a field is its description.
//   - The payload of an [event.Text] kind is a string in every output. In the AsyncAPI
//     document its message over Server-Sent Events has the content type text/plain.
//
// These are errors: channels, functions and complex numbers; maps whose keys are
// not strings, integers or text; and a method MarshalJSON or MarshalText with a
// pointer receiver, in a place where encoding/json does not call it because it has
// no pointer to the value. A payload that is not a pointer is such a place.
package schema
