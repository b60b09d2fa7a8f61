// Package peer says what is measured under load, and has Crier as it takes part.
package peer

import (
	"net/http"

	"github.com/crier-go/crier/bench/internal/reader"
)

// A Peer is one way to do what Crier does. What it cannot do is nil.
type Peer struct {
	Name   string // for flags
	Title  string // in tables
	Module string // whose version is reported; empty for code of our own
	Kind   Kind

	SSE, WS func() (*Target, error)
	Encode  func(Item) (func(), error) // returns a function that encodes the event

	// Fanout and Route set up readers in memory, which count on the tally what they receive.
	Fanout func(readers int, t *reader.Tally) (*Target, error) // each receives every event
	Route  func(readers int, t *reader.Tally) (*Target, error) // reader i receives the events of user i
}

// A Kind says how a peer takes part.
type Kind int

// The kinds of peers. A floor does the least that a task can be done with. It takes part only where a scenario names it.
const (
	Library Kind = iota
	Floor
	Ours
)

// A Target is a peer that has been set up.
type Target struct {
	Handler http.Handler            // nil in memory
	Path    string                  // path and query of a client's request; "{user}" stands for the user's number; empty means "/"
	Hello   []byte                  // a message that a client sends once it is connected; nil for none
	Prepare func(Item, int) any     // makes the peer's own form of an event for a user, for Item.Made; nil if it has none
	Publish func(it Item, user int) // to one user or to Everyone; called from one goroutine
	Gaps    func() (dropped uint64) // gaps that clients were told of; nil if the peer does not tell
}

// Everyone stands for all users.
const Everyone = -1

// Event returns an event for a user, ready to be published.
func (t *Target) Event(number int64, size, user int) Item {
	it := NewItem(number, size)
	if t.Prepare != nil {
		it.Made = t.Prepare(it, user)
	}
	return it
}

// A Transport is how a server sends events.
type Transport string

// The transports.
const (
	SSE Transport = "sse"
	WS  Transport = "ws"
)

// Setup returns the function that sets the peer up to serve a transport; nil if it does not support it.
func (p *Peer) Setup(t Transport) func() (*Target, error) {
	if t == WS {
		return p.WS
	}
	return p.SSE
}
