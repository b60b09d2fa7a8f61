// Package conformance tries any client of Crier's protocol with the cases of
// PROTOCOL.md: what a client must, should and may do, in any language.
//
//	go run ./conformance/cmd/crier-conformance node adapter.js
//
// A case is data (cases/*.json): the frames that a server sends on one
// connection after another, what the requests must be like and when they may
// come, and what the client is to report. The runner plays the server, with its
// faults, and talks to the client through an adapter.
//
// # Adapters
//
// An adapter is a program of some fifty lines that drives a client. It reads
// commands from its standard input and writes reports to its standard output,
// each a JSON object on a line of its own. What it writes to its standard error
// output is shown when a case fails. It is started anew for each case, and ends
// when its input ends. adapters/ has three.
//
// It begins with the report that names the transports it has, "sse", "ws" or
// both:
//
//	{"report":"hello","transports":["sse","ws"]}
//
// The commands are
//
//	{"do":"connect","transport":"sse","sse":"http://...","ws":"ws://...","types":["note.added"]}
//	{"do":"filter","categories":["notes"],"topics":["a"]}
//	{"do":"close"}
//
// connect opens a stream over the transport, to the address that goes with it.
// It may also have last_event_id (where to start), categories and topics (the filter
// to begin with), heartbeat (the server's, in milliseconds; by default the client's
// own default) and tokens (what a function that is asked for a bearer token
// returns, one after the other; the last is repeated). types names the types of
// all events, for clients that must know. filter changes the filter of the open
// stream, and close closes it for good. A client that cannot do what a command
// or a member asks for ignores it, and fails the cases that are about that.
//
// The reports are
//
//	{"report":"event","id":"...","type":"note.added","data":...}
//	{"report":"gap","reason":"evicted"}
//	{"report":"filter","categories":["notes"],"topics":["a"]}
//	{"report":"error","message":"..."}
//	{"report":"end","reason":"shutdown"}
//	{"report":"stopped"}
//
// for an event (without id, or with an empty one, if it has none), and for the
// messages stream.gap, stream.filter, stream.error and stream.end. Data that is
// not JSON is reported as a string. stopped says that the client has given up
// for good.
package conformance
