package conformance

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A Level says how much a case matters, in the words of PROTOCOL.md.
type Level string

// The levels.
const (
	Must   Level = "must"
	Should Level = "should"
	May    Level = "may"
)

// A Transport is one of the two that the cases are about.
type Transport string

// The transports.
const (
	SSE       Transport = "sse"
	WebSocket Transport = "ws"
)

// A Case is one thing that a client must, should or may do: what it is told,
// what the server does on one connection after another, and what the client is
// to report.
type Case struct {
	Name       string      `json:"name"`
	Level      Level       `json:"level"`
	About      string      `json:"about"`
	Transports []Transport `json:"transports"`
	// Client is what the client is told in the command "connect".
	Client ClientOptions `json:"client"`
	// Connections are what the server does. Every one must come, in this order.
	Connections []Connection `json:"connections"`
	// Again has the last connection repeated, for as many milliseconds.
	Again int `json:"again"`
	// Attempts bounds the number of connections of a case with Again.
	Attempts *[2]int `json:"attempts"`
	// Reports are what the client reports, in this order and nothing else. A
	// member that is absent is not compared.
	Reports []Report `json:"reports"`
	// Ignore names reports that may also come.
	Ignore []string `json:"ignore"`
	// Stops says whether the client gives up for good: "must", "may", or, by
	// default, must not. Where it may, it may also come back, 500 ms after the
	// attempt before at the earliest.
	Stops Level `json:"stops"`
	// Quiet is for how many milliseconds after all this nothing else may happen.
	// Default 300, and 1500 for a case with Stops.
	Quiet int `json:"quiet"`
}

// ClientOptions are what a client is told beside the addresses.
type ClientOptions struct {
	LastEventID string   `json:"last_event_id,omitempty"`
	Categories  []string `json:"categories,omitempty"`
	Topics      []string `json:"topics,omitempty"`
	// Heartbeat is the server's, in milliseconds. Zero means that the client
	// need not know it.
	Heartbeat int `json:"heartbeat,omitempty"`
	// Tokens are what the client's function for tokens returns, one after the
	// other; the last is repeated.
	Tokens []string `json:"tokens,omitempty"`
}

// A Connection is one attempt of the client and what the server answers.
type Connection struct {
	// Expect is what the request must be like.
	Expect Expect `json:"expect"`
	// Status is the answer's. By default it is that of a stream: 200 or 101.
	Status int `json:"status"`
	// Headers are added to those of the answer, or replace them.
	Headers map[string]string `json:"headers"`
	// Body is that of an answer with Status.
	Body string `json:"body"`
	// Whole sends a stream of Server-Sent Events without chunks.
	Whole bool `json:"whole"`
	// Reset resets the connection in place of an answer.
	Reset bool `json:"reset"`
	// Steps are done one after the other, once the stream has begun. After the
	// last one the connection is closed, if no step has said how.
	Steps []Step `json:"steps"`
	// Optional means that a client may also stop before this connection.
	Optional bool `json:"optional"`
}

// Expect is what a request must be like. A nil member is not compared; an empty
// string must be absent.
type Expect struct {
	LastEventID *string `json:"last_event_id"`
	Categories  *string `json:"categories"`
	Topics      *string `json:"topics"`
	Token       *string `json:"token"`
	// After bounds the milliseconds since the server closed the connection
	// before or, if it did not, since its last byte.
	After *[2]int `json:"after"`
}

// A Step is one thing that the server does. Exactly one member is set, and
// Pieces besides.
type Step struct {
	// Frame sends a message in the form of the transport.
	Frame *Frame `json:"frame"`
	// Text sends bytes of the body, or a text message, as they are.
	Text string `json:"text"`
	// Hex sends bytes on the connection, past all framing.
	Hex string `json:"hex"`
	// Pieces divides what is sent into pieces of so many bytes.
	Pieces int `json:"pieces"`
	// Pause waits for some milliseconds.
	Pause int `json:"pause"`
	// Ping sends a ping and waits for its pong.
	Ping string `json:"ping"`
	// Reported waits until the client has made so many reports.
	Reported int `json:"reported"`
	// Receive waits for a message of the client that has these members.
	Receive map[string]any `json:"receive"`
	// Do gives the client a command.
	Do *Command `json:"do"`
	// Close sends a close frame and waits for the client's.
	Close *Close `json:"close"`
	// End ends the connection: "fin" as the protocol has it, "cut" with a FIN
	// in the middle of the body, "rst" with a reset; "stall" says nothing more
	// and waits until the client hangs up.
	End string `json:"end"`
}

// A Close is a close frame.
type Close struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

// A Frame is a message as both transports know it.
type Frame struct {
	ID    *string         `json:"id"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
	// Fill makes the data a string of so many letters.
	Fill int `json:"fill"`
	// Retry is the reconnection time in milliseconds.
	Retry *int `json:"retry"`
	// Answers gives the data, an object, the ref of the message that was received
	// last, if that had one.
	Answers bool `json:"answers"`
}

// A Command is what the runner tells a client.
type Command struct {
	Do string `json:"do"` // "connect", "filter", "close"

	// Of connect.
	Transport Transport `json:"transport,omitempty"`
	SSE       string    `json:"sse,omitempty"` // the addresses
	WS        string    `json:"ws,omitempty"`
	Types     []string  `json:"types,omitempty"` // of all events in the case
	ClientOptions
}

// A Report is what a client tells the runner.
type Report struct {
	Report     string          `json:"report"` // "event", "gap", "filter", "error", "end", "stopped"; at first "hello"
	ID         *string         `json:"id,omitempty"`
	Type       string          `json:"type,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Fill       int             `json:"fill,omitempty"` // in cases: see Frame
	Reason     string          `json:"reason,omitempty"`
	Categories []string        `json:"categories,omitempty"`
	Topics     []string        `json:"topics,omitempty"`
	Message    string          `json:"message,omitempty"`
	Transports []Transport     `json:"transports,omitempty"` // of hello
}

//go:embed cases
var files embed.FS

// Cases returns the cases of the protocol, in the order of their files.
func Cases() ([]Case, error) {
	names, err := fs.Glob(files, "cases/*.json")
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		cases, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, cases...)
	}
	for i, c := range all {
		if slices.ContainsFunc(all[:i], func(other Case) bool { return other.Name == c.Name }) {
			return nil, fmt.Errorf("two cases are called %s", c.Name)
		}
	}
	return all, nil
}

// decode reads a file of cases.
func decode(text []byte) ([]Case, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var cases []Case
	if err := dec.Decode(&cases); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the list of cases")
	}
	for _, c := range cases {
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("case %q: %w", c.Name, err)
		}
	}
	return cases, nil
}

// check returns what is wrong with a case by itself.
func (c *Case) check() error {
	switch {
	case c.Name == "" || c.About == "" || len(c.Connections) == 0 || len(c.Transports) == 0:
		return errors.New("a name, what it is about, transports and connections are needed")
	case !slices.Contains([]Level{Must, Should, May}, c.Level):
		return fmt.Errorf("level %q", c.Level)
	case !slices.Contains([]Level{"", Must, May}, c.Stops):
		return fmt.Errorf("stops %q", c.Stops)
	}
	for _, t := range c.Transports {
		if t != SSE && t != WebSocket {
			return fmt.Errorf("transport %q", t)
		}
	}
	for i, connection := range c.Connections {
		for j, s := range connection.Steps {
			if !slices.Contains([]string{"", "fin", "cut", "rst", "stall"}, s.End) {
				return fmt.Errorf("connection %d, step %d: end %q", i+1, j+1, s.End)
			}
		}
	}
	return nil
}

// types returns the types of the events that a case sends or expects.
func (c *Case) types() []string {
	types := []string{"message"}
	add := func(t string) {
		if t != "" && !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	for _, connection := range c.Connections {
		for _, s := range connection.Steps {
			if s.Frame != nil {
				add(s.Frame.Event)
			}
		}
	}
	for _, r := range c.Reports {
		add(r.Type)
	}
	return types
}
