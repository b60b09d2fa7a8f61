package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crier-go/crier/bench/internal/reader"
)

// A peer is one way to do what Crier does: a library used as its documentation recommends, a pattern that people
// write by hand, or a floor that nobody gets below without doing less. What a peer cannot do is nil.
//
// Where a default was changed, the peer's file says so and why. Everywhere checks of the Origin header and
// compression are off, and nobody authenticates.
type peer struct {
	name   string // for -peers
	title  string // in tables
	module string // whose version is reported; empty for code of our own
	kind   peerKind

	sse, ws func() (*target, error)

	encode func(item) (func(), error)                            // makes a function that encodes this event
	fanout func(readers int, t *reader.Tally) (*inMemory, error) // every event to every reader
	route  func(users int, t *reader.Tally) (*inMemory, error)   // every event to one user, who has one reader
}

type peerKind int

const (
	library peerKind = iota
	floor            // takes part only in the scenarios that name it as their floor
	ours
)

// peers is everything that can be measured, in the order of the tables.
var peers = slices.Concat(crierPeers, []peer{
	goSSE,
	r3labs,
	centrifugeDefault,
	centrifugeTuned,
	gwsBroadcaster,
	gorillaChat,
	gorillaPrepared,
	melodyPeer,
	coderPeer,
	ginEncoder,
	handWritten,
	rawFloor,
	bareHTTP,
	bareGorilla,
	wakeFloor,
	appendFloor,
})

func findPeer(name string) (peer, error) {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return peer{}, fmt.Errorf("unknown peer %q; the peers are %s", name, strings.Join(peerNames(), ", "))
	}
	return peers[i], nil
}

func peerNames() []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// setup returns what sets the peer up to serve a transport; nil if it does not speak it.
func (p *peer) setup(tr protocol) func() (*target, error) {
	if tr == ws {
		return p.ws
	}
	return p.sse
}
