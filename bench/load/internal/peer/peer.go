// Package peer has everything that is measured: Crier, the libraries that people use in its place, the patterns that
// they write by hand, and floors.
//
// Each library is used as its documentation recommends. Where a default was changed, the peer's file says what and why.
// Checks of the Origin header and compression are off everywhere, and nobody authenticates.
package peer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

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

// All has all peers, in the order of the tables.
var All = slices.Concat(crierPeers, []Peer{
	goSSE, r3labs, centrifugeDefault, centrifugeTuned, gwsBroadcaster, gorillaChat, gorillaPrepared, melodyPeer, coderPeer,
	ginEncoder, handWritten, rawFloor, bareHTTP, bareGorilla, wakeFloor, appendFloor,
})

// Find returns the peer of a name.
func Find(name string) (Peer, error) {
	i := slices.IndexFunc(All, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, fmt.Errorf("unknown peer %q; the peers are %s", name, strings.Join(Names(), ", "))
	}
	return All[i], nil
}

// Names returns the names of all peers.
func Names() (names []string) {
	for _, p := range All {
		names = append(names, p.Name)
	}
	return names
}

// userID returns the id of a user as an application has it: a UUID.
func userID(i int) string { return fmt.Sprintf("5f0c6a1e-3b5d-4b7e-8a00-%012x", i) }

func anyOrigin(*http.Request) bool { return true }

// A set has the clients of the peers that are written here.
type set[C comparable] struct {
	mu  sync.Mutex
	all map[C]struct{}
}

func (s *set[C]) add(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[C]struct{})
	}
	s.all[c] = struct{}{}
}

func (s *set[C]) remove(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

func (s *set[C]) each(f func(C)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		f(c)
	}
}
